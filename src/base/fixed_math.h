// Elementary functions of numbers in 32-bit fixed point, as TensorFlow Lite's reference kernels define them. Qn is a
// number of n integer bits: raw * 2^(n - 31), saturated where an integer bit is dropped.
#pragma once

#include <bit>

#include "base/fixed_point.h"

namespace mote::fixed {

// From Qa to Qb, a - b = n > 0: a shift to the left that saturates.
MOTE_INLINE std::int32_t saturating_shl(std::int32_t x, int n) {
  const std::int64_t y = std::int64_t{x} * (std::int64_t{1} << n);
  return y > INT32_MAX ? INT32_MAX : y < INT32_MIN ? INT32_MIN : static_cast<std::int32_t>(y);
}
MOTE_INLINE std::int32_t wrap_add32(std::int32_t a, std::int32_t b) { return wrap(std::int64_t{a} + b); }

// exp of a Q0 in [-1/4, 0), as Q0: the Taylor series around -1/8.
MOTE_INLINE std::int32_t exp_near_zero(std::int32_t a) {
  constexpr std::int32_t kExp8th = 1895147668, kThird = 715827883;  // exp(-1/8), 1/3
  const std::int32_t x = wrap_add32(a, 1 << 28), x2 = high_mul(x, x), x3 = high_mul(x2, x), x4 = high_mul(x2, x2);
  const std::int32_t series = divide_by_pot(wrap_add32(high_mul(wrap_add32(divide_by_pot(x4, 2), x3), kThird), x2), 1);
  return wrap_add32(kExp8th, high_mul(kExp8th, wrap_add32(x, series)));
}

// exp of a Q5 that is not above 0, as Q0.
MOTE_INLINE std::int32_t exp_of_negative(std::int32_t a) {
  if (a == 0) return INT32_MAX;
  constexpr std::int32_t kQuarter = 1 << 24;
  // exp(-2^i) from i = -2 on.
  constexpr std::int32_t kPowers[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
  const std::int32_t part = (a & (kQuarter - 1)) - kQuarter;
  std::int32_t result = exp_near_zero(saturating_shl(part, 5));
  const std::int32_t remainder = wrap(std::int64_t{part} - a);
  for (int i = 0; i < 7; ++i) {
    if ((static_cast<std::uint32_t>(remainder) >> (24 + i) & 1u) != 0) result = high_mul(result, kPowers[i]);
  }
  return result;
}

// 1 / (1 + x) of a Q0 in [0, 1], as Q0: three steps of Newton's method.
MOTE_INLINE std::int32_t reciprocal_of_one_plus(std::int32_t a) {
  const std::int64_t sum = std::int64_t{a} + INT32_MAX;
  const auto half = static_cast<std::int32_t>((sum + (sum >= 0 ? 1 : -1)) / 2);
  constexpr std::int32_t k48Over17 = 1515870810, kMinus32Over17 = -1010580540, kOne = 1 << 29;  // Q2
  std::int32_t x = wrap_add32(k48Over17, high_mul(half, kMinus32Over17));
  for (int i = 0; i < 3; ++i) {
    const std::int32_t rest = wrap(std::int64_t{kOne} - high_mul(half, x));
    x = wrap_add32(x, saturating_shl(high_mul(x, rest), 2));
  }
  return saturating_shl(x, 1);
}

struct Reciprocal {
  std::int32_t value;  // Q0: 1 / x = value * 2^-bits
  int bits;
};
// Of a positive number of `integer_bits` integer bits.
MOTE_INLINE Reciprocal reciprocal(std::int32_t x, int integer_bits) {
  const int headroom = std::countl_zero(static_cast<std::uint32_t>(x | 1));
  const std::uint32_t shifted = static_cast<std::uint32_t>(x) << headroom;
  return {reciprocal_of_one_plus(static_cast<std::int32_t>(shifted - (std::uint32_t{1} << 31))),
          integer_bits - headroom};
}

// x * scale / y by the reciprocal of y; 0 gives what the reciprocal of 0 does. Where the whole shift leaves 0 to 31 it
// is taken modulo 32 and everything counts as the remainder, as the reference kernels' shifts do on most machines:
// small x then give large results.
inline std::int32_t quotient(std::int32_t x, std::int32_t y, FixedScale scale) {
  if (y < 0) {
    x = wrap(-std::int64_t{x});
    y = wrap(-std::int64_t{y});
  }
  const Reciprocal r = reciprocal(y, 31);
  const int headroom = x == 0 ? 31 : std::countl_zero(static_cast<std::uint32_t>(x < 0 ? ~x : x)) - 1;
  const std::int32_t q = high_mul(high_mul(wrap_shl(x, headroom), r.value), scale.multiplier);
  const int shift = r.bits + headroom - scale.shift;
  if (shift >= 0 && shift < 32) return divide_by_pot(q, shift);
  const auto mask = static_cast<std::int32_t>((std::uint64_t{1} << (shift & 63)) - 1);
  const std::int32_t remainder = q & mask;
  return wrap(std::int64_t{q >> (shift & 31)} + (remainder > (mask >> 1) + (q < 0 ? 1 : 0) ? 1 : 0));
}

// 1 / sqrt(x) in fixed point: the multiplier, and how far it is to be shifted to the right.
inline FixedScale inverse_root(std::int32_t x) {
  if (x <= 1) return {INT32_MAX, 0};
  int right = 11;
  while (x >= (1 << 29)) {
    x /= 4;
    ++right;
  }
  const int headroom = std::countl_zero(static_cast<std::uint32_t>(x)) - 1, pairs = headroom / 2 - 1;
  right -= pairs;
  x = wrap_shl(x, 2 * pairs);
  // Newton's method, x as Q3.
  const std::int32_t in = x >> 1;
  const std::int32_t half_in = divide_by_pot(in, 1);
  constexpr std::int32_t kThreeHalves = (1 << 28) + (1 << 27);
  std::int32_t y = 1 << 28;
  for (int i = 0; i < 5; ++i) {
    const std::int32_t cube = saturating_shl(high_mul(high_mul(y, y), y), 6);
    const std::int32_t next = wrap(std::int64_t{high_mul(kThreeHalves, y)} - high_mul(half_in, cube));
    y = saturating_shl(next, 3);
  }
  y = high_mul(y, 1518500250);  // sqrt(1/2)
  if (right < 0) {
    y = wrap_shl(y, -right);
    right = 0;
  }
  return {y, -right};
}

// A function of 16 bits as 513 samples, 128 apart, interpolated.
MOTE_INLINE std::int16_t interpolate(const std::int16_t* table, std::int32_t x) {
  const std::int32_t at = 256 + (x >> 7), part = x & 127;
  const auto slope = static_cast<std::int16_t>(table[at + 1] - table[at]);
  return static_cast<std::int16_t>(table[at] + ((slope * part + 64) >> 7));
}

// The samples of f over [low, high], such that the interpolation halves the error in the middle of a step; `inverse` is
// what a result is multiplied by to be in units of y, whose zero point is 0. Computed in T, f32 or f64.
template <class T, class F>
void sample_16_bits(T low, T high, T inverse, F f, std::int16_t* table) {
  const T step = (high - low) / 512;
  auto clamp16 = [](T x) { return static_cast<std::int16_t>(x > 32767 ? 32767 : x >= -32768 ? x : -32768); };
  for (int i = 0; i < 512; ++i) {
    const T at = low + static_cast<T>(i) * step;
    const T value = f(at), middle = f(at + step / 2), next = f(low + static_cast<T>(i + 1) * step);
    const T sample = std::round(value * inverse);
    const T error = std::round((next * inverse + sample) / 2) - std::round(middle * inverse);
    table[i] = clamp16(sample - std::round(error / 2));
  }
  table[512] = clamp16(std::round(f(high) * inverse));
}

}  // namespace mote::fixed
