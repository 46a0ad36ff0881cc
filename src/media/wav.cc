#include "media/wav.h"

#include <bit>
#include <cmath>
#include <numbers>
#include <numeric>

#include "base/text.h"
#include "media/bytes.h"

namespace mote::media {
namespace {

constexpr std::uint32_t tag(const char (&name)[5]) {
  std::uint32_t v = 0;
  for (int i = 0; i < 4; ++i) v |= static_cast<std::uint32_t>(static_cast<unsigned char>(name[i])) << (8 * i);
  return v;
}

constexpr std::uint16_t kPcm = 1, kFloat = 3, kExtensible = 0xfffe;

struct Format {
  std::uint16_t kind = 0, channels = 0, block = 0, bits = 0;
  std::uint32_t rate = 0;
};

const char* kind_name(std::uint16_t kind) {
  switch (kind) {
    case 2:
    case 17:
      return "ADPCM";
    case 6:
      return "A-law";
    case 7:
      return "mu-law";
    case 85:
      return "MP3";
    default:
      return "unknown";
  }
}

Result<Format> read_format(ByteReader file, std::uint32_t size) {
  Format f;
  std::uint32_t bytes_per_second = 0;
  if (size < 16 || !file.read_le(f.kind) || !file.read_le(f.channels) || !file.read_le(f.rate) ||
      !file.read_le(bytes_per_second) || !file.read_le(f.block) || !file.read_le(f.bits)) {
    return file.error("the WAV format is cut short");
  }
  if (f.kind == kExtensible) {
    std::uint16_t extra = 0, valid = 0;
    std::uint32_t mask = 0;
    if (size < 40 || !file.read_le(extra) || !file.read_le(valid) || !file.read_le(mask) || !file.read_le(f.kind)) {
      return file.error("the extensible WAV format is cut short");
    }
  }
  const bool fits = f.kind == kPcm     ? f.bits == 8 || f.bits == 16 || f.bits == 24 || f.bits == 32
                    : f.kind == kFloat ? f.bits == 32 || f.bits == 64
                                       : false;
  if (f.kind != kPcm && f.kind != kFloat) {
    return unsupported(concat("WAV samples of kind ", f.kind, " (", kind_name(f.kind), ") are not read"))
        .hint("convert the file to 16-bit PCM");
  }
  if (!fits) return unsupported(concat("WAV samples of ", f.bits, " bits are not read"));
  if (f.channels == 0 || f.channels > 1024) return invalid(concat("a WAV file of ", f.channels, " channels"));
  if (f.rate == 0 || f.rate > kMaxAudioRate) return invalid(concat("a WAV file of ", f.rate, " samples per second"));
  if (f.block != f.channels * (f.bits / 8)) {
    return invalid(concat("WAV frames of ", f.block, " bytes hold ", f.channels, " samples of ", f.bits, " bits"));
  }
  return f;
}

// Little-endian bytes as a float.
double load_sample(const Format& f, const std::byte* p) {
  std::uint64_t raw = 0;
  const int bytes = f.bits / 8;
  for (int i = 0; i < bytes; ++i) raw |= std::to_integer<std::uint64_t>(p[i]) << (8 * i);
  if (f.kind == kFloat) {
    return bytes == 4 ? static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(raw)))
                      : std::bit_cast<double>(raw);
  }
  if (bytes == 1) return (static_cast<double>(raw) - 128.0) / 128.0;
  const auto shifted = static_cast<std::int32_t>(static_cast<std::uint32_t>(raw) << (32 - f.bits));
  return static_cast<double>(shifted) * 0x1p-31;
}

Result<Audio> read_samples(const Format& f, std::span<const std::byte> data, const Limits& limits) {
  const std::size_t frames = data.size() / f.block;
  MOTE_TRY(check_allocation(static_cast<std::int64_t>(frames) * 4, limits, concat("audio of ", frames, " samples")));
  Audio out{static_cast<int>(f.rate), f.channels, std::vector<float>(frames)};
  for (std::size_t i = 0; i < frames; ++i) {
    const std::byte* p = data.data() + i * f.block;
    double sum = 0;
    for (int c = 0; c < f.channels; ++c) sum += load_sample(f, p + c * (f.bits / 8));
    if (!std::isfinite(sum)) return invalid(concat("sample ", i, " is not a finite number"));
    out.samples[i] = static_cast<float>(sum / f.channels);
  }
  return out;
}

// The modified Bessel function of the first kind of order 0, by its series.
double bessel_i0(double x) {
  double sum = 1, term = 1;
  for (int k = 1; k < 64 && term > 1e-18 * sum; ++k) {
    term *= (x / 2 / k) * (x / 2 / k);
    sum += term;
  }
  return sum;
}

class Sinc {
 public:
  Sinc(int from, int to) : cut_(kRolloff * std::min(1.0, static_cast<double>(to) / from)), half_(kZeros / cut_) {}
  double half() const { return half_; }
  double at(double t) const {
    const double u = t / half_;
    if (std::fabs(u) >= 1) return 0;
    const double x = std::numbers::pi * cut_ * t;
    const double sinc = x == 0 ? 1 : std::sin(x) / x;
    return cut_ * sinc * bessel_i0(kBeta * std::sqrt(1 - u * u)) / top_;
  }

 private:
  static constexpr double kRolloff = 0.9475937167399596, kBeta = 14.769656459379492;
  static constexpr int kZeros = 64;
  double cut_, half_, top_ = bessel_i0(kBeta);
};

}  // namespace

Result<Audio> decode_wav(std::span<const std::byte> bytes, const Limits& limits) {
  ByteReader file(bytes);
  std::uint32_t riff = 0, size = 0, wave = 0;
  if (!file.read_le(riff) || !file.read_le(size) || !file.read_le(wave) || riff != tag("RIFF") || wave != tag("WAVE")) {
    return invalid(riff == tag("RF64") ? "RF64 audio is not read" : "not a WAV file")
        .at("byte 0")
        .hint("convert it to a WAV file of 16-bit PCM");
  }
  std::optional<Format> format;
  while (!file.at_end()) {
    const std::size_t start = file.position();
    std::uint32_t name = 0;
    if (!file.read_le(name) || !file.read_le(size)) return file.error("the WAV file ends inside a chunk's head");
    if (name == tag("data")) {
      if (!format) return file.error("WAV samples before their format");
      const bool open_ended = size == 0xffffffffu;  // written to a pipe
      if (!open_ended && size > file.left()) {
        return file.error(concat("the WAV file ends before its ", size, " bytes of samples"));
      }
      std::span<const std::byte> data;
      file.read_span(open_ended ? file.left() : size, data);
      auto audio = read_samples(*format, data, limits);
      if (!audio.ok()) return std::move(audio).status().at(concat("byte ", start));
      return audio;
    }
    if (size > file.left()) return file.error(concat("a WAV chunk of ", size, " bytes goes past the end of the file"));
    if (name == tag("fmt ")) {
      auto read = read_format(file, size);
      if (!read.ok()) return std::move(read).status().at(concat("byte ", start));
      format = *read;
    }
    file.seek(file.position() + std::uint64_t{size} + size % 2);
  }
  return file.error("the WAV file has no samples");
}

Result<std::vector<float>> resample_audio(std::span<const float> samples, int from, int rate, const Limits& limits) {
  if (from < 1 || rate < 1 || from > kMaxAudioRate || rate > kMaxAudioRate) return invalid("a rate of no use");
  if (from == rate || samples.empty()) return std::vector<float>(samples.begin(), samples.end());
  const std::int64_t up = rate / std::gcd(from, rate), down = from / std::gcd(from, rate);
  const auto n = static_cast<std::int64_t>(samples.size());
  if (n > (std::int64_t{1} << 40) / up) return invalid("too many samples to resample");
  const std::int64_t count = (n * up + down - 1) / down;
  const Sinc sinc(from, rate);
  const auto reach = static_cast<std::int64_t>(std::ceil(sinc.half()));
  const std::int64_t taps = 2 * reach + 1;
  MOTE_TRY(check_allocation((count + taps) * 4, limits, concat("audio of ", count, " samples")));
  // The weights of every phase where they are few, else of one output at a time.
  const bool table = up * taps <= std::int64_t{1} << 22;
  std::vector<double> weights(static_cast<std::size_t>(table ? up * taps : taps));
  const auto fill = [&](std::int64_t phase, double* w) {
    const double offset = static_cast<double>(phase) / static_cast<double>(up);
    for (std::int64_t k = -reach; k <= reach; ++k) w[k + reach] = sinc.at(offset - static_cast<double>(k));
  };
  for (std::int64_t p = 0; table && p < up; ++p) fill(p, weights.data() + p * taps);
  std::vector<float> out(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t centre = i * down / up, phase = i * down % up;
    const double* w = weights.data() + (table ? phase * taps : 0);
    if (!table) fill(phase, weights.data());
    double sum = 0;
    for (std::int64_t k = std::max(-reach, -centre); k <= std::min(reach, n - 1 - centre); ++k) {
      sum += w[k + reach] * static_cast<double>(samples[static_cast<std::size_t>(centre + k)]);
    }
    out[static_cast<std::size_t>(i)] = static_cast<float>(sum);
  }
  return out;
}

}  // namespace mote::media
