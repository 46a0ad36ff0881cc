// Sigmoid and tanh of 16-bit fixed point by interpolation between samples, as TensorFlow Lite's LOGISTIC and TANH of 16
// bits define them. Arguments are in units of 1 / (3 * 4096), results in units of 2^-15.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#include "simd/math64.h"

namespace mote {

class SampledSigmoid {
 public:
  SampledSigmoid() {
    for (std::uint32_t i = 0; i < samples_.size(); ++i) samples_[i] = sample(i);
  }

  std::int16_t sigmoid(std::int32_t x) const {
    const std::uint32_t size = magnitude(x), at = size >> 9;
    std::uint32_t r = 0x7fffu << 10;
    if (at < 255) r = (samples_[at] << 9) + (size & 0x1ff) * (samples_[at + 1] - samples_[at]);
    r = x >= 0 ? r + (1u << 9) : (1u << 25) - r + (1u << 9) - 1;
    return static_cast<std::int16_t>(r >> 10);
  }

  std::int16_t tanh(std::int32_t x) const {
    const std::uint32_t size = magnitude(x), at = size >> 8;
    std::int32_t r = 0xffff << 8;
    if (at < 255)
      r = static_cast<std::int32_t>((samples_[at] << 8) + (size & 0xff) * (samples_[at + 1] - samples_[at]));
    r = x >= 0 ? r - (1 << 23) + (1 << 7) : -r + (1 << 23) + (1 << 7) - 1;
    return static_cast<std::int16_t>(r >> 8);
  }

 private:
  static std::uint32_t magnitude(std::int32_t x) {
    return static_cast<std::uint32_t>(x < 0 ? -std::int64_t{x} : std::int64_t{x});
  }

  // sigmoid(i / 24) in 16 bits, plus half of what the interpolation up to the next one lacks in the middle. The last is
  // the limit.
  static std::uint32_t sample(std::uint32_t i) {
    if (i >= 255) return 65535;
    auto sigmoid = [](double at) { return 65536 / (1 + math64::exp(-at / 24)); };
    const double x = sigmoid(i), middle = sigmoid(i + 0.5), next = sigmoid(i + 1);
    return static_cast<std::uint32_t>(std::round(x + (middle - (x + next) / 2) / 2));
  }

  std::array<std::uint32_t, 256> samples_;
};

}  // namespace mote
