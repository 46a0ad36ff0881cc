// The features of TensorFlow Lite Micro's audio front end, with the settings of its speech models: Hann windows and a
// transform in 16-bit fixed point, energies in triangles equally wide in mel, their roots without a smoothed estimate
// of the noise, gain control per channel (PCAN), logarithms. The same bits as its preprocessor's operators.
#pragma once

#include <span>
#include <vector>

#include "base/front_end.h"
#include "media/features.h"

namespace mote::media {

// The front end's tables, in fixed point.
struct MicroTables {
  static constexpr std::int64_t kWindowBits = 12, kWeightBits = 12;  // fraction bits
  static constexpr std::int64_t kGainBits = 21, kCorrectionBits = 3, kSmoothingBits = 10, kSnrBits = 12;
  static constexpr std::int64_t kSnrShift = kGainBits - kCorrectionBits - kSnrBits;
  static constexpr std::int64_t kLogScale = 64;
  // Of even and of odd channels; weights have 14 bits.
  static constexpr front_end::Smoothing kSmoothing[] = {{409, 15975, 819, kSmoothingBits, 14, false},
                                                        {983, 15401, 819, kSmoothingBits, 14, false}};

  explicit MicroTables(const Features& f);

  std::vector<std::int16_t> window;  // [frame]
  // Filters lie one behind the other from bin `begin` to `end`: filter c has `widths[c]` bins from bins[c] on, whose
  // weights lie from starts[c] on, and passes the rest of each to filter c + 1. Filter 0 counts only by what it passes.
  std::int64_t begin = 0, end = 0;
  std::vector<std::int16_t> weights, rests;
  std::vector<std::int32_t> bins, starts, widths;
  std::vector<std::int16_t> gains;  // pieces that gain_of reads
};

// [bands, frames] of a signal in f32 (16 bits over 32768), row-major: 64 times the logarithm, over 25.6.
std::vector<float> micro_features(std::span<const float> samples, const Features& f, std::int64_t frames);

// What an input of 8 bits holds for such a feature, less `least` (-128 or 0): 256 steps of 26 / 256.
std::int64_t micro_step(float feature);

}  // namespace mote::media
