// The features of TensorFlow Lite Micro's audio front end, with the settings of its speech models: Hann windows and a
// transform in 16-bit fixed point, energies in triangles equally wide in mel, their roots without a smoothed estimate
// of the noise, gain control per channel (PCAN), logarithms. The same bits as its preprocessor's operators.
#pragma once

#include <span>
#include <vector>

#include "media/features.h"

namespace mote::media {

// [bands, frames] of a signal in f32 (16 bits over 32768), row-major: 64 times the logarithm, over 25.6.
std::vector<float> micro_features(std::span<const float> samples, const Features& f, std::int64_t frames);

// What an input of 8 bits holds for such a feature, less `least` (-128 or 0): 256 steps of 26 / 256.
std::int64_t micro_step(float feature);

}  // namespace mote::media
