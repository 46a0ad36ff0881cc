// The settings of FeatureSettings as text: command-line values and model metadata.
#include <bit>
#include <cmath>

#include "base/text.h"
#include "media/features.h"
#include "media/settings.h"
#include "media/wav.h"

namespace mote::media {
namespace {

constexpr int kMaxFft = 1 << 16, kMaxBands = 4096;

Status set_count(std::optional<int>& field, std::string_view key, std::string_view value, int most) {
  const auto v = parse_int(trim(value));
  if (!v || *v < 1 || *v > most) return bad_setting(key, value, concat("a number from 1 to ", most));
  field = static_cast<int>(*v);
  return {};
}

// Samples, or a time, which is rounded to samples of the rate asked for.
Status set_length(std::optional<int>& field, std::string_view key, std::string_view value, std::optional<int> rate) {
  if (parse_int(trim(value))) return set_count(field, key, value, kMaxFft);
  const auto ns = parse_duration_ns(trim(value));
  if (!ns || *ns <= 0) return bad_setting(key, value, "samples, or a time such as 25ms");
  if (!rate) return bad_setting(key, value, "samples, or a rate beside a time");
  const double samples = std::nearbyint(static_cast<double>(*ns) * 1e-9 * *rate);
  if (!(samples >= 1 && samples <= kMaxFft)) return bad_setting(key, value, concat("1 to ", kMaxFft, " samples"));
  field = static_cast<int>(samples);
  return {};
}

Status set_real(std::optional<float>& field, std::string_view key, std::string_view value, double least, double most) {
  const auto v = parse_float(trim(value));
  if (!v || !(*v >= least && *v <= most)) return bad_setting(key, value, concat("a number from ", least, " to ", most));
  field = static_cast<float>(*v);
  return {};
}

std::optional<Status> set_name(FeatureSettings& s, std::string_view key, std::string_view value) {
  if (key == "features")
    return set_choice(s.features, key, value,
                      {{"samples", FeatureKind::kSamples},
                       {"spectrogram", FeatureKind::kSpectrogram},
                       {"mel", FeatureKind::kMel},
                       {"logmel", FeatureKind::kLogMel},
                       {"mfcc", FeatureKind::kMfcc},
                       {"micro", FeatureKind::kMicro}});
  if (key == "window")
    return set_choice(
        s.window, key, value,
        {{"hann", WindowKind::kHann}, {"hamming", WindowKind::kHamming}, {"rect", WindowKind::kRectangular}});
  if (key == "pad")
    return set_choice(s.pad, key, value,
                      {{"zeros", FramePad::kZeros}, {"reflect", FramePad::kReflect}, {"none", FramePad::kNone}});
  if (key == "log") return set_choice(s.log, key, value, {{"db", LogKind::kDecibel}, {"ln", LogKind::kNatural}});
  if (key == "mel_scale") return set_choice(s.htk, key, value, {{"slaney", false}, {"htk", true}});
  if (key == "mel_norm") return set_choice(s.norm, key, value, {{"slaney", true}, {"none", false}});
  if (key == "order") return set_choice(s.time_first, key, value, {{"bands-time", false}, {"time-bands", true}});
  return std::nullopt;
}

}  // namespace

bool FeatureSettings::empty() const {
  return !features && !rate && !frame && !hop && !fft && !mels && !mfcc && !window && !pad && !log && !htk && !norm &&
         !power && !fmin && !fmax && !top_db && !offset && !mean && !std && !time_first;
}

Status set_feature(FeatureSettings& s, std::string_view key, std::string_view value) {
  if (std::optional<Status> done = set_name(s, key, value)) return *std::move(done);
  if (key == "rate") return set_count(s.rate, key, value, kMaxAudioRate);
  if (key == "frame") return set_length(s.frame, key, value, s.rate);
  if (key == "hop") return set_length(s.hop, key, value, s.rate);
  if (key == "fft") return set_length(s.fft, key, value, s.rate);
  if (key == "mels") return set_count(s.mels, key, value, kMaxBands);
  if (key == "mfcc") return set_count(s.mfcc, key, value, kMaxBands);
  if (key == "power") return set_real(s.power, key, value, 0.01, 16);
  if (key == "fmin") return set_real(s.fmin, key, value, 0, kMaxAudioRate);
  if (key == "fmax") return set_real(s.fmax, key, value, 1, kMaxAudioRate);
  if (key == "top_db") return set_real(s.top_db, key, value, 0, 1e6);
  if (key == "log_offset") return set_real(s.offset, key, value, 1e-30, 1e6);
  if (key == "mean") return set_real(s.mean, key, value, -1e30, 1e30);
  if (key == "std") {
    MOTE_TRY(set_real(s.std, key, value, -1e30, 1e30));
    return *s.std != 0 ? Status() : bad_setting(key, value, "a number that is not zero");
  }
  return invalid(concat("no audio setting is called ", quoted(key)))
      .hint(
          "features, rate, frame, hop, fft, mels, mfcc, window, pad, log, mel_scale, mel_norm, power, fmin, fmax, "
          "top_db, log_offset, mean, std, order");
}

Result<FeatureSettings> features_from_metadata(std::span<const std::pair<std::string, std::string>> metadata) {
  constexpr std::string_view kPrefix = "mote.audio.";
  FeatureSettings s;
  // The rate first: times are counted in it.
  for (const bool rates : {true, false}) {
    for (const auto& [key, value] : metadata) {
      if (!key.starts_with(kPrefix)) continue;
      const std::string_view name = std::string_view(key).substr(kPrefix.size());
      if ((name == "rate") != rates) continue;
      Status status = set_feature(s, name, value);
      if (!status.ok()) return std::move(status).at(concat("metadata ", quoted(key)));
    }
  }
  return s;
}

FeatureSettings overlay(const FeatureSettings& under, const FeatureSettings& over) {
  FeatureSettings s = under;
  const auto take = [](auto& to, const auto& from) {
    if (from) to = from;
  };
  take(s.features, over.features);
  take(s.rate, over.rate);
  take(s.frame, over.frame);
  take(s.hop, over.hop);
  take(s.fft, over.fft);
  take(s.mels, over.mels);
  take(s.mfcc, over.mfcc);
  take(s.window, over.window);
  take(s.pad, over.pad);
  take(s.log, over.log);
  take(s.htk, over.htk);
  take(s.norm, over.norm);
  take(s.power, over.power);
  take(s.fmin, over.fmin);
  take(s.fmax, over.fmax);
  take(s.top_db, over.top_db);
  take(s.offset, over.offset);
  take(s.mean, over.mean);
  take(s.std, over.std);
  take(s.time_first, over.time_first);
  return s;
}

namespace {

Result<Features> complete_micro(const FeatureSettings& s) {
  if (s.mfcc || s.window || s.pad || s.log || s.htk || s.norm || s.power || s.top_db || s.offset || s.mean || s.std)
    return invalid(
               "micro features have no mfcc, window, pad, log, mel_scale, mel_norm, power, top_db, log_offset, mean or "
               "std")
        .hint("rate, frame, hop, fft, mels, fmin and fmax change them");
  Features f;
  f.kind = FeatureKind::kMicro;
  f.rate = s.rate.value_or(16000);
  f.frame = s.frame.value_or(std::max(1, f.rate * 3 / 100));
  f.hop = s.hop.value_or(std::max(1, f.rate / 50));
  f.fft = s.fft.value_or(std::max(4, static_cast<int>(std::bit_ceil(static_cast<unsigned>(f.frame)))));
  f.bands = s.mels.value_or(40);
  f.pad = FramePad::kNone;
  f.htk = true;
  f.fmin = static_cast<double>(s.fmin.value_or(125.0f));
  f.fmax = static_cast<double>(s.fmax.value_or(7500.0f));
  if (!std::has_single_bit(static_cast<unsigned>(f.fft)) || f.fft < 4 || f.fft > kMaxFft)
    return invalid(concat("an FFT of ", f.fft, " samples")).hint(concat("a power of two from 4 to ", kMaxFft));
  if (f.frame > f.fft) return invalid(concat("a frame of ", f.frame, " samples is longer than the FFT of ", f.fft));
  if (f.fmin >= f.fmax) return invalid(concat("fmin ", f.fmin, " is not below fmax ", f.fmax));
  if (f.fmax > f.rate / 2.0) return invalid(concat("fmax ", f.fmax, " is above half of the rate ", f.rate));
  return f;
}

}  // namespace

Result<Features> complete(const FeatureSettings& s, int file_rate) {
  if (s.features == FeatureKind::kMicro) return complete_micro(s);
  Features f;
  f.kind = s.features.value_or(FeatureKind::kSamples);
  f.rate = s.rate.value_or(file_rate);
  f.frame = s.frame.value_or(s.fft.value_or(2048));
  f.fft = s.fft.value_or(f.frame);
  f.hop = s.hop.value_or(std::max(1, f.frame / 4));
  f.bands = s.mels.value_or(128);
  f.mfcc = s.mfcc.value_or(std::min(20, f.bands));
  f.window = s.window.value_or(WindowKind::kHann);
  f.pad = s.pad.value_or(FramePad::kZeros);
  f.log = s.log.value_or(LogKind::kDecibel);
  f.htk = s.htk.value_or(false);
  f.norm = s.norm.value_or(true);
  const auto real = [](std::optional<float> v, double otherwise) { return v ? static_cast<double>(*v) : otherwise; };
  f.power = real(s.power, 2);
  f.fmin = real(s.fmin, 0);
  f.fmax = real(s.fmax, f.rate / 2.0);
  f.top_db = real(s.top_db, 80);
  f.offset = real(s.offset, 1e-6);
  f.mean = real(s.mean, 0);
  f.std = real(s.std, 1);
  if (f.frame > f.fft) return invalid(concat("a frame of ", f.frame, " samples is longer than the FFT of ", f.fft));
  if (f.mfcc > f.bands) return invalid(concat(f.mfcc, " coefficients of ", f.bands, " bands"));
  if (f.fmin >= f.fmax) return invalid(concat("fmin ", f.fmin, " is not below fmax ", f.fmax));
  return f;
}

std::string describe(const Features& f) {
  if (f.kind == FeatureKind::kSamples) return concat("samples at ", f.rate, " Hz");
  if (f.kind == FeatureKind::kMicro) {
    return concat("micro features of ", f.bands, " bands, ", f.rate, " Hz, frames of ", f.frame, " every ", f.hop,
                  " samples, FFT of ", f.fft, ", fixed point");
  }
  constexpr const char* kKinds[] = {"", "spectrogram", "mel spectrogram", "log mel spectrogram", "MFCC"};
  std::string s = kKinds[static_cast<std::size_t>(f.kind)];
  if (f.kind == FeatureKind::kMfcc) s += concat(" of ", f.mfcc, " coefficients");
  if (f.kind != FeatureKind::kSpectrogram) s += concat(" of ", f.bands, f.htk ? " HTK" : " Slaney", " bands");
  constexpr const char* kWindows[] = {"hann", "hamming", "rect"};
  constexpr const char* kPads[] = {"zeros around", "mirrored ends", "no padding"};
  s += concat(", ", f.rate, " Hz, frames of ", f.frame, " every ", f.hop, " samples, FFT of ", f.fft, ", window ",
              kWindows[static_cast<std::size_t>(f.window)], ", ", kPads[static_cast<std::size_t>(f.pad)]);
  if (f.kind == FeatureKind::kLogMel || f.kind == FeatureKind::kMfcc) {
    s += f.log == LogKind::kNatural ? std::string(", ln")
         : f.top_db > 0             ? concat(", dB, the top ", f.top_db)
                                    : std::string(", dB");
  }
  return s;
}

}  // namespace mote::media
