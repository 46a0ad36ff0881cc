// Sigmoid and tanh of numbers in 16-bit fixed point, as TensorFlow Lite's reference kernels define them. Qn is a number
// of n integer bits: raw * 2^(n - 15). Raw values are held in i32.
#pragma once

#include <algorithm>

#include "base/fixed_math.h"

namespace mote::fixed16 {

inline std::int32_t wrap(std::int32_t x) { return static_cast<std::int16_t>(x); }
// The upper half of 2ab, rounded, halves up.
inline std::int32_t high_mul(std::int32_t a, std::int32_t b) {
  return a == b && a == -32768 ? 32767 : wrap((a * b + (1 << 14)) >> 15);
}
inline std::int32_t saturating_shl(std::int32_t x, int n) { return std::clamp(x * (1 << n), -32768, 32767); }
// The upper 16 bits of a constant of 32, rounded.
inline std::int32_t constant(std::int32_t c) { return fixed::divide_by_pot(c, 16); }

// exp of a Q0 in [-1/4, 0), as Q0: the Taylor series around -1/8.
inline std::int32_t exp_near_zero(std::int32_t a) {
  const std::int32_t e8th = constant(1895147668), third = constant(715827883);  // exp(-1/8), 1/3
  const std::int32_t x = wrap(a + (1 << 12)), x2 = high_mul(x, x), x3 = high_mul(x2, x), x4 = high_mul(x2, x2);
  const std::int32_t series =
      fixed::divide_by_pot(wrap(high_mul(wrap(fixed::divide_by_pot(x4, 2) + x3), third) + x2), 1);
  return std::clamp(e8th + high_mul(e8th, wrap(x + series)), -32768, 32767);
}

// exp of a Q`bits` that is not above 0, as Q0; bits from 1 to 7.
inline std::int32_t exp_of_negative(std::int32_t a, int bits) {
  if (a == 0) return 32767;
  if (bits > 5 && a < -(1 << (20 - bits))) return 0;  // below -32
  const std::int32_t quarter = 1 << (13 - bits);
  // exp(-2^i) from i = -2 on.
  constexpr std::int32_t kPowers[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
  const std::int32_t part = (a & (quarter - 1)) - quarter, remainder = part - a;
  std::int32_t result = exp_near_zero(saturating_shl(part, bits));
  for (int i = 0; i < std::min(bits + 2, 7); ++i) {
    if ((remainder >> (13 - bits + i) & 1) != 0) result = high_mul(result, constant(kPowers[i]));
  }
  return result;
}

// 1 / ((1 + a) / 2) of a Q0 in [0, 1], as Q2: three steps of Newton's method.
inline std::int32_t reciprocal_of_half_one_plus(std::int32_t a) {
  const std::int32_t half = (a + 32767 + 1) / 2, k48_over_17 = constant(1515870810),
                     k32_over_17 = constant(-1010580540);
  std::int32_t x = wrap(k48_over_17 + high_mul(half, k32_over_17));
  for (int i = 0; i < 3; ++i) x = wrap(x + saturating_shl(high_mul(x, wrap((1 << 13) - high_mul(half, x))), 2));
  return x;
}

// Of a Q3, as Q0.
inline std::int16_t sigmoid(std::int32_t a) {
  if (a == 0) return 1 << 14;
  const std::int32_t y = saturating_shl(reciprocal_of_half_one_plus(exp_of_negative(a > 0 ? -a : a, 3)), 1);
  return static_cast<std::int16_t>(a > 0 ? y : 32767 - y);
}

// Of a Q`bits`, bits from 0 to 6, as Q0.
inline std::int16_t tanh(std::int32_t a, int bits) {
  if (a == 0) return 0;
  const std::int32_t e = exp_of_negative(a > 0 ? -a : a, bits + 1);
  const std::int32_t y = saturating_shl(wrap(reciprocal_of_half_one_plus(e) - (1 << 13)), 2);
  return static_cast<std::int16_t>(a > 0 ? y : -y);
}

}  // namespace mote::fixed16
