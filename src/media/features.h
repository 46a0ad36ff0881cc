// Spectral features of audio: mel spectrogram, its logarithm, MFCC. With the same settings the results are librosa
// 0.11's (librosa.feature.melspectrogram, power_to_db, mfcc):
//   frames   with `centre`, the signal gets fft / 2 samples before and behind it, zeros (pad_mode "constant") or its
//            mirror image ("reflect"); frame t starts at sample t * hop of it; 1 + (length - fft) / hop frames
//   spectrum |DFT(w x)|^power, w the periodic window of `frame` samples in the middle of `fft`; fft / 2 + 1 bins
//   mel      triangles between `mels` + 2 points equally far apart on the Slaney scale (linear below 1 kHz, log
//            above) or on HTK's, 2595 log10(1 + f / 700); `slaney` norm divides by half of the triangle's width in Hz
//   logmel   10 log10(max(1e-10, mel)), not below its maximum over the whole signal - top_db; or ln(mel + offset)
//   mfcc     the first `mfcc` coefficients of the orthonormal DCT-II of logmel along the bands
// Computed in double precision; `micro` in fixed point: micro_features.h.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "media/array.h"

namespace mote::media {

enum class FeatureKind : std::uint8_t { kSamples, kSpectrogram, kMel, kLogMel, kMfcc, kMicro };
enum class WindowKind : std::uint8_t { kHann, kHamming, kRectangular };
enum class FramePad : std::uint8_t { kZeros, kReflect, kNone };
enum class LogKind : std::uint8_t { kDecibel, kNatural };

// What to compute; what is left out has librosa's default. `micro` takes rate, frame, hop, fft, mels, fmin and fmax;
// their defaults are those of TensorFlow Lite Micro's speech models: 16000, 30 ms, 20 ms, 512, 40, 125, 7500.
struct FeatureSettings {
  std::optional<FeatureKind> features;                     // default: the samples
  std::optional<int> rate;                                 // default: the file's
  std::optional<int> frame, hop, fft;                      // default: 2048 samples, frame / 4, frame
  std::optional<int> mels, mfcc;                           // default: 128, 20
  std::optional<WindowKind> window;                        // default: hann
  std::optional<FramePad> pad;                             // default: zeros
  std::optional<LogKind> log;                              // default: db
  std::optional<bool> htk, norm;                           // default: Slaney's scale, divided by the width
  std::optional<float> power, fmin, fmax, top_db, offset;  // default: 2, 0, rate / 2, 80 (0: no floor), 1e-6
  std::optional<float> mean, std;                          // every value becomes (value - mean) / std; default: 0, 1
  std::optional<bool> time_first;                          // default: as the input's shape has it, else bands first
  bool empty() const;
};

// Sets one field from text: `features` samples|spectrogram|mel|logmel|mfcc|micro, `rate` 16000, `frame`, `hop` and
// `fft` in samples or as a time, 400 or 25ms (a time needs `rate`), `mels`, `mfcc`, `window` hann|hamming|rect, `pad`
// zeros|reflect|none, `log` db|ln, `mel_scale` slaney|htk, `mel_norm` slaney|none, `power`, `fmin`, `fmax`, `top_db`,
// `log_offset`, `mean`, `std`, `order` bands-time|time-bands.
Status set_feature(FeatureSettings& s, std::string_view key, std::string_view value);
// The entries `mote.audio.KEY` of a model.
Result<FeatureSettings> features_from_metadata(std::span<const std::pair<std::string, std::string>> metadata);
FeatureSettings overlay(const FeatureSettings& under, const FeatureSettings& over);

// Settings without a hole, checked.
struct Features {
  FeatureKind kind = FeatureKind::kSamples;
  int rate = 0, frame = 0, hop = 0, fft = 0, bands = 0, mfcc = 0;
  WindowKind window = WindowKind::kHann;
  FramePad pad = FramePad::kZeros;
  LogKind log = LogKind::kDecibel;
  bool htk = false, norm = true;
  double power = 2, fmin = 0, fmax = 0, top_db = 80, offset = 1e-6, mean = 0, std = 1;

  std::int64_t bins() const { return fft / 2 + 1; }
  // Samples that a frame reads.
  int span() const { return kind == FeatureKind::kMicro ? frame : fft; }
  std::int64_t height() const;  // features per frame
  std::int64_t frames(std::int64_t samples) const;
  // The most samples that give `frames`, and the fewest.
  std::int64_t most_samples(std::int64_t frames) const;
  std::int64_t least_samples(std::int64_t frames) const;
};
Result<Features> complete(const FeatureSettings& s, int file_rate);

// The pieces, for those who compute with them elsewhere.
std::vector<double> window_of(const Features& f);     // [fft]
std::vector<double> mel_weights(const Features& f);   // [bands, bins]
std::vector<double> dct_weights(int out, int bands);  // [out, bands]

// [height, frames] of a signal at `f.rate`, row-major. kSamples is not for it.
Result<std::vector<float>> compute_features(std::span<const float> samples, const Features& f,
                                            const Limits& limits = {});

// "mel spectrogram in dB of 40 bands: 25 ms frames ..."
std::string describe(const Features& f);

}  // namespace mote::media
