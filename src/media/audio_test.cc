#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <numbers>
#include <sstream>

#include "media/audio_input.h"
#include "media/npz.h"
#include "media/numbers.h"
#include "media/test_data.h"

namespace mote::media {
namespace {

std::vector<std::byte> read_audio(const std::string& name) {
  std::ifstream file(MOTE_SOURCE_DIR "/tests/data/audio/" + name, std::ios::binary);
  const std::vector<char> chars((std::istreambuf_iterator<char>(file)), {});
  const auto* p = reinterpret_cast<const std::byte*>(chars.data());
  return {p, p + chars.size()};
}

// The generator of tools/audio/make_goldens.py.
std::vector<float> noise(int count) {
  constexpr double kLoud[] = {1, 0.001, 0.1, 0.03};
  std::vector<float> out;
  std::uint32_t state = 12345;
  for (int i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    out.push_back(static_cast<float>((static_cast<int>(state >> 16) - 32768) / 32768.0 * kLoud[i / 1000 % 4]));
  }
  return out;
}

template <class T>
std::vector<T> values_of(const Array& a) {
  std::vector<T> v(a.data.size() / sizeof(T));
  std::memcpy(v.data(), a.data.data(), a.data.size());
  return v;
}

FeatureSettings settings_of(const std::string& text) {
  FeatureSettings s;
  std::istringstream in(text);
  for (std::string part; in >> part;) {
    const std::size_t eq = part.find('=');
    Status status = set_feature(s, part.substr(0, eq), part.substr(eq + 1));
    EXPECT_TRUE(status.ok()) << status.to_string();
  }
  return s;
}

TEST(Wav, EqualsLibsndfile) {
  auto expected = read_npz(read_audio("expected.npz"));
  if (!expected.ok()) GTEST_SKIP() << expected.status().to_string();
  int files = 0;
  for (const Array& a : *expected) {
    if (!a.name.ends_with(".wav")) continue;
    ++files;
    auto audio = decode_wav(read_audio(a.name));
    ASSERT_TRUE(audio.ok()) << a.name << audio.status().to_string();
    EXPECT_EQ(audio->rate, 16000);
    const auto wanted = values_of<double>(a);
    ASSERT_EQ(audio->samples.size(), wanted.size()) << a.name;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      EXPECT_EQ(audio->samples[i], static_cast<float>(wanted[i])) << a.name << " " << i;
    }
  }
  EXPECT_EQ(files, 6);
}

TEST(Features, EqualLibrosa) {
  auto expected = read_npz(read_audio("expected.npz"));
  if (!expected.ok()) GTEST_SKIP() << expected.status().to_string();
  const std::vector<float> signal = noise(4000);
  int cases = 0;
  for (const Array& a : *expected) {
    if (!a.name.starts_with("features=")) continue;
    ++cases;
    auto f = complete(settings_of(a.name), 16000);
    ASSERT_TRUE(f.ok()) << a.name;
    auto out = compute_features(signal, *f);
    ASSERT_TRUE(out.ok()) << a.name;
    const auto wanted = values_of<float>(a);
    ASSERT_EQ(out->size(), wanted.size()) << a.name;
    EXPECT_EQ(a.shape[0], f->height());
    EXPECT_EQ(a.shape[1], f->frames(4000));
    float largest = 0;
    for (float v : wanted) largest = std::max(largest, std::fabs(v));
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      ASSERT_NEAR((*out)[i], wanted[i], 2e-6f * largest) << a.name << " at " << i;
    }
  }
  EXPECT_EQ(cases, 8);
}

TEST(Resampling, KeepsSines) {
  for (const auto& [from, to] : {std::pair(44100, 16000), std::pair(16000, 44100), std::pair(8000, 16000),
                                 std::pair(48000, 16000), std::pair(16000, 15999)}) {
    const double hz = 1000;
    std::vector<float> in;
    for (int i = 0; i < from / 2; ++i) in.push_back(static_cast<float>(std::sin(2 * std::numbers::pi * hz * i / from)));
    auto out = resample_audio(in, from, to);
    ASSERT_TRUE(out.ok());
    EXPECT_EQ(out->size(), (in.size() * static_cast<std::size_t>(to) + static_cast<std::size_t>(from) - 1) /
                               static_cast<std::size_t>(from));
    for (std::size_t i = out->size() / 4; i < out->size() / 2; ++i) {
      const double wanted = std::sin(2 * std::numbers::pi * hz * static_cast<double>(i) / to);
      ASSERT_NEAR((*out)[i], wanted, 2e-5) << from << " to " << to << " at " << i;
    }
  }
  // What lies above the new Nyquist frequency is gone.
  std::vector<float> high;
  for (int i = 0; i < 8000; ++i)
    high.push_back(static_cast<float>(std::sin(2 * std::numbers::pi * 6000.0 * i / 16000)));
  auto out = resample_audio(high, 16000, 8000);
  for (std::size_t i = 1000; i < 3000; ++i) ASSERT_NEAR((*out)[i], 0, 1e-4);
}

std::vector<std::byte> wav_of(int rate, const std::vector<std::int16_t>& samples) {
  std::string head = "RIFF....WAVEfmt ";
  const auto put = [&](std::uint32_t v, int bytes) {
    for (int i = 0; i < bytes; ++i) head += static_cast<char>(v >> (8 * i));
  };
  put(16, 4), put(1, 2), put(1, 2), put(static_cast<std::uint32_t>(rate), 4);
  put(static_cast<std::uint32_t>(rate) * 2, 4), put(2, 2), put(16, 2);
  head += "data";
  put(static_cast<std::uint32_t>(samples.size() * 2), 4);
  for (std::int16_t v : samples) put(static_cast<std::uint16_t>(v), 2);
  return to_bytes(head);
}

TEST(AudioInput, FindsItsPlace) {
  const auto place = [](std::vector<std::int64_t> shape, std::int64_t height) {
    auto p = place_audio(shape, height, std::nullopt);
    return p.ok() ? std::tuple(p->bands, p->time, p->frames) : std::tuple(-9, -9, std::int64_t{-9});
  };
  using Place = std::tuple<int, int, std::int64_t>;
  EXPECT_EQ(place({16000}, 0), Place(-1, 0, 16000));
  EXPECT_EQ(place({-1, -1}, 0), Place(-1, 1, -1));
  EXPECT_EQ(place({1, 1, 16000}, 0), Place(-1, 2, 16000));
  EXPECT_EQ(place({1, 16000, 1}, 0), Place(-1, 1, 16000));
  EXPECT_EQ(place({1, 40, 98}, 40), Place(1, 2, 98));
  EXPECT_EQ(place({1, 98, 40}, 40), Place(2, 1, 98));
  EXPECT_EQ(place({1, 49, 10, 1}, 10), Place(2, 1, 49));
  EXPECT_EQ(place({1, 1, 40, -1}, 40), Place(2, 3, -1));
  EXPECT_EQ(place({1, 1960}, 40), Place(1, 1, 49));
  EXPECT_EQ(place({1, 3, 40, 98}, 40), Place(-9, -9, -9));
  EXPECT_EQ(place({1, 41, 98}, 40), Place(-9, -9, -9));
  EXPECT_EQ(place({2, 16000}, 0), Place(-9, -9, -9));
}

TEST(AudioInput, CutsFillsAndQuantizes) {
  const std::vector<std::int16_t> samples = {0, 16384, -16384, 32767};
  const ImageInput longer{"x", DType::i8, {1, 6}, {0.5f / 64, 3}};
  auto out = load_audio(wav_of(8000, samples), longer, {});
  ASSERT_TRUE(out.ok()) << out.status().to_string();
  EXPECT_EQ(values_of<std::int8_t>(out->array), (std::vector<std::int8_t>{3, 67, -61, 127, 3, 3}));
  EXPECT_NE(out->note.find("silence"), std::string::npos);
  const ImageInput shorter{"x", DType::f32, {2}, {}};
  out = load_audio(wav_of(8000, samples), shorter, {});
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(values_of<float>(out->array), (std::vector<float>{0, 0.5f}));
  EXPECT_NE(out->note.find("left out"), std::string::npos);
}

TEST(Numbers, StoreIntegersOfAnyReal) {
  const auto stored = [](float v) {
    std::int64_t wide = 0;
    std::int8_t narrow = 0;
    EXPECT_TRUE(store_number(DType::i64, v, reinterpret_cast<std::byte*>(&wide)));
    EXPECT_TRUE(store_number(DType::i8, v, reinterpret_cast<std::byte*>(&narrow)));
    return std::pair(wide, narrow);
  };
  EXPECT_EQ(stored(2.5f), std::pair(std::int64_t{2}, std::int8_t{2}));
  EXPECT_EQ(stored(-INFINITY), std::pair(std::numeric_limits<std::int64_t>::min(), std::int8_t{-128}));
  EXPECT_EQ(stored(INFINITY), std::pair(std::int64_t{1} << 62, std::int8_t{127}));
  EXPECT_EQ(stored(NAN), std::pair(std::int64_t{0}, std::int8_t{0}));
}

TEST(AudioInput, OrdersFeaturesAsTheShapeSays) {
  std::vector<std::int16_t> samples;
  for (float v : noise(1000)) samples.push_back(static_cast<std::int16_t>(v * 32767));
  const FeatureSettings s = settings_of("features=mel rate=8000 frame=64 hop=32 mels=8");
  auto bands = load_audio(wav_of(8000, samples), {"x", DType::f32, {1, 8, 20}, {}}, s);
  auto time = load_audio(wav_of(8000, samples), {"x", DType::f32, {1, 20, 8, 1}, {}}, s);
  ASSERT_TRUE(bands.ok() && time.ok());
  const auto a = values_of<float>(bands->array), b = values_of<float>(time->array);
  ASSERT_EQ(a.size(), 160u);
  ASSERT_EQ(b.size(), 160u);
  for (std::size_t t = 0; t < 20; ++t) {
    for (std::size_t m = 0; m < 8; ++m) EXPECT_EQ(a[m * 20 + t], b[t * 8 + m]);
  }
}

TEST(Wav, RefusesBrokenFiles) {
  const auto whole = wav_of(8000, {1, 2, 3, 4, 5});
  ASSERT_TRUE(decode_wav(whole).ok());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(decode_wav(std::span(whole).first(size)).ok()) << size;
  }
  const auto changed = [&](std::size_t at, std::uint8_t value) {
    auto copy = whole;
    copy[at] = static_cast<std::byte>(value);
    return decode_wav(copy);
  };
  EXPECT_FALSE(changed(20, 2).ok());     // ADPCM
  EXPECT_FALSE(changed(22, 0).ok());     // no channel
  EXPECT_FALSE(changed(22, 3).ok());     // frames that do not hold them
  EXPECT_FALSE(changed(34, 12).ok());    // bits
  EXPECT_FALSE(changed(43, 0x7f).ok());  // samples past the end
  Limits small;
  small.max_bytes = 8;
  EXPECT_EQ(decode_wav(whole, small).status().code(), Code::kResourceExhausted);
}

TEST(Features, RefuseWhatTheyCannotMean) {
  FeatureSettings s;
  for (const auto& [key, value] : std::vector<std::pair<const char*, const char*>>{{"features", "melody"},
                                                                                   {"rate", "0"},
                                                                                   {"frame", "25ms"},
                                                                                   {"mels", "x"},
                                                                                   {"hop", "99999999"},
                                                                                   {"std", "0"},
                                                                                   {"nothing", "1"}}) {
    EXPECT_FALSE(set_feature(s, key, value).ok()) << key;
  }
  EXPECT_TRUE(s.empty() || s.std);
  EXPECT_FALSE(complete(settings_of("frame=512 fft=256"), 16000).ok());
  EXPECT_FALSE(complete(settings_of("mels=10 mfcc=11"), 16000).ok());
  EXPECT_FALSE(complete(settings_of("fmin=9000"), 16000).ok());
  EXPECT_EQ(*settings_of("rate=16000 frame=25ms").frame, 400);
}

}  // namespace
}  // namespace mote::media
