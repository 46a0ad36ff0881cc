// Scaling of integers by a real factor in 32-bit fixed point, as TensorFlow Lite's reference kernels define it: the
// factor is multiplier * 2^(shift - 31), 2^30 <= multiplier < 2^31, and scaling rounds twice (once for the product,
// once for the shift). All of it wraps where it overflows; nothing is undefined.
#pragma once

#include <cmath>
#include <cstdint>

#include "base/inline.h"

namespace mote {

// How a sum of integers is scaled and rounded; `recipe` attributes name them.
enum class Recipe : std::int32_t {
  kHalfEven,   // f32(sum) * f32(scale), halves to the even integer
  kFixed,      // scale_fixed
  kFixedWide,  // scale_fixed_wide
  kHalfAway,   // f64(sum) * scale, halves away from zero
};

struct FixedScale {
  std::int32_t multiplier = 0, shift = 0;
};

// The nearest fixed-point form of `scale`, halves away from zero. Factors below 2^-32 become 0; those that are not
// finite as well.
inline FixedScale fixed_scale(double scale) {
  if (scale == 0 || !std::isfinite(scale)) return {};
  int shift = 0;
  auto q = static_cast<std::int64_t>(std::round(std::ldexp(std::frexp(scale, &shift), 31)));
  if (q == std::int64_t{1} << 31) {
    q /= 2;
    ++shift;
  }
  if (shift < -31) return {};
  return {static_cast<std::int32_t>(q), shift > 31 ? 31 : shift};
}

namespace fixed {

MOTE_INLINE std::int32_t wrap(std::int64_t x) { return static_cast<std::int32_t>(static_cast<std::uint64_t>(x)); }
MOTE_INLINE std::int32_t wrap_shl(std::int32_t x, int n) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(x) << n);
}

// The upper half of 2ab, rounded, halves up; saturated where both are the least value.
MOTE_INLINE std::int32_t high_mul(std::int32_t a, std::int32_t b) {
  if (a == INT32_MIN && b == INT32_MIN) return INT32_MAX;
  return wrap((std::int64_t{a} * b + (std::int64_t{1} << 30)) >> 31);
}
// x / 2^n, n from 0 to 31, rounded, halves away from zero.
MOTE_INLINE std::int32_t divide_by_pot(std::int32_t x, int n) {
  if (n == 0) return x;
  return wrap((std::int64_t{x} + (std::int64_t{1} << (n - 1)) - (x < 0 ? 1 : 0)) >> n);
}

}  // namespace fixed

// x * scale, rounded twice.
MOTE_INLINE std::int32_t scale_fixed(std::int32_t x, FixedScale s) {
  const int left = s.shift > 0 ? s.shift : 0, right = s.shift > 0 ? 0 : -s.shift;
  return fixed::divide_by_pot(fixed::high_mul(fixed::wrap_shl(x, left), s.multiplier), right);
}

// How scale_fixed_wide scales: by the upper 16 bits of a multiplier, over 2^shift. What is shifted by more than a
// product has bits, or to the left, is 0.
struct WideScale {
  std::int64_t multiplier = 0;
  int shift = 1;  // 1 to 46
};
inline WideScale wide_scale(FixedScale s) {
  const int shift = 15 - s.shift;
  if (shift < 1) return {};
  return {s.multiplier < 0x7fff0000 ? (std::int64_t{s.multiplier} + (1 << 15)) >> 16 : std::int64_t{0x7fff}, shift};
}

// The same of a 64-bit sum, rounded once, halves up.
MOTE_INLINE std::int32_t scale_fixed_wide(std::int64_t x, WideScale s) {
  const auto product = static_cast<std::uint64_t>(x) * static_cast<std::uint64_t>(s.multiplier);
  return fixed::wrap(static_cast<std::int64_t>(product + (std::uint64_t{1} << (s.shift - 1))) >> s.shift);
}
MOTE_INLINE std::int32_t scale_fixed_wide(std::int64_t x, FixedScale s) { return scale_fixed_wide(x, wide_scale(s)); }

}  // namespace mote
