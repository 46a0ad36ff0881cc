// From sums of words to results. For the ISA of the including file.
#pragma once

#include "kernels/idot/finish_impl.h"
#include "simd/dot16.h"
#include "simd/words.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

// As Finish, of sums that may be 64 bits wide, and of results that may be words.
struct WordFinish {
  const std::int32_t *add, *zero;
  const std::int64_t* wide_add;
  Scales scales;
  Recipe recipe;
  bool zeros, narrow;
  std::int32_t y_zero, low, high;
  DType out;
};
MOTE_INLINE WordFinish word_finish_of(const Params& p, const std::int32_t* add, const std::int32_t* zero,
                                      const std::int64_t* wide_add, Scales scales, const std::int32_t* flags) {
  const bool is_signed = p.out == DType::i16 || p.out == DType::i8, bytes = p.out == DType::i8 || p.out == DType::u8;
  const std::int32_t values = bytes ? 1 << 8 : 1 << 16, low = is_signed ? -values / 2 : 0, high = low + values - 1;
  return {add,
          zero,
          wide_add,
          scales,
          p.recipe,
          false,
          flags[2] != 0,
          flags[1],
          p.low > low ? p.low : low,
          p.high < high ? p.high : high,
          p.out};
}

// From column `j` on.
MOTE_INLINE WordFinish advanced(WordFinish e, std::int64_t j) {
  e.add += j;
  e.zero += j;
  e.wide_add += j;
  e.scales = advanced(e.scales, e.recipe, j);
  return e;
}

template <class T>
MOTE_INLINE void store_words(T* to, I32 v, int n) {
  if constexpr (sizeof(T) == 2) {
    if (n == kLanes) return store_16(to, v);
    T lanes[kLanes];
    store_16(lanes, v);
    for (int i = 0; i < n; ++i) to[i] = lanes[i];
  } else {
    store_out(to, v, n);
  }
}

// `rows` rows, c_row apart, of n columns from their sums, [rows][16]; row_sums are those of A's words.
template <class T>
MOTE_NOINLINE void finish_narrow(const WordFinish& e, const std::int32_t* sums, const std::int64_t* row_sums, T* to,
                                 std::int64_t c_row, std::int64_t rows, std::int64_t n) {
  for (std::int64_t j = 0; j < n; j += kLanes) {
    const int m = static_cast<int>(n - j < kLanes ? n - j : kLanes);
    const I32 add = load(e.add + j), zero = load(e.zero + j);
    auto each = [&](auto put) {
      for (std::int64_t r = 0; r < rows; ++r) {
        I32 v = load(sums + r * 16 + j) + add;
        if (e.zeros) v = v - zero * set_i32(static_cast<std::int32_t>(static_cast<std::uint64_t>(row_sums[r])));
        put(to + r * c_row + j, v);
      }
    };
    if constexpr (kFloating<T>) {
      const F32 factor = load(e.scales.f32.factor + j), bias = load(e.scales.f32.bias + j);
      each([&](T* at, I32 v) {
        const F32 y = to_f32(v) * factor + bias;
        m == kLanes ? store(at, y) : store_n(at, y, m);
      });
    } else if (e.recipe == Recipe::kHalfEven) {
      // The conversion takes halves to the even one.
      const F32 low = set(static_cast<float>(e.low - e.y_zero)), high = set(static_cast<float>(e.high - e.y_zero)),
                factor = load(e.scales.f32.factor + j);
      const I32 y_zero = set_i32(e.y_zero);
      each([&](T* at, I32 v) { store_words(at, to_i32(within(to_f32(v) * factor, low, high)) + y_zero, m); });
    } else {
      const I32 low = set_i32(e.low - e.y_zero), high = set_i32(e.high - e.y_zero), y_zero = set_i32(e.y_zero);
      auto put = [&](T* at, I32 q) { store_words(at, min(max(q, low), high) + y_zero, m); };
      if (e.recipe == Recipe::kHalfAway) {
        each([&](T* at, I32 v) { put(at, half_away(v, e.scales.f64 + j)); });
        continue;
      }
      const I32 multiplier = load(e.scales.fixed.multiplier + j), shift = load(e.scales.fixed.shift + j);
      if (e.recipe == Recipe::kFixedWide) {
        const FixedWide f = wide_of(multiplier, shift);
        each([&](T* at, I32 v) { put(at, scale_wide(v, f)); });
      } else {
        const Fixed f = fixed_of(multiplier, shift);
        each([&](T* at, I32 v) { put(at, scale_fixed(v, f)); });
      }
    }
  }
}

MOTE_INLINE std::int64_t wrapped(std::uint64_t x) { return static_cast<std::int64_t>(x); }

// One integer of a wide sum, without y's zero point.
MOTE_INLINE std::int64_t scaled_wide(const WordFinish& e, std::int64_t v, std::int64_t j) {
  if (e.recipe == Recipe::kFixedWide)
    return scale_fixed_wide(v, WideScale{e.scales.fixed.multiplier[j], e.scales.fixed.shift[j]});
  auto within_of = [](auto x, auto low, auto high) {
    x = x > low ? x : low;  // NaN becomes the lower one
    return x < high ? x : high;
  };
  if (e.recipe == Recipe::kHalfAway) {
    const double x = within_of(static_cast<double>(v) * e.scales.f64[j], -0x1p31, 0x1p31 - 1);
    return static_cast<std::int64_t>(x + (x < 0 ? -0x1.fffffffffffffp-2 : 0x1.fffffffffffffp-2));
  }
  const float low = static_cast<float>(e.low - e.y_zero), high = static_cast<float>(e.high - e.y_zero);
  return static_cast<std::int64_t>(
      __builtin_nearbyintf(within_of(static_cast<float>(v) * e.scales.f32.factor[j], low, high)));
}

// The same of sums of 64 bits.
template <class T>
MOTE_NOINLINE void finish_wide(const WordFinish& e, const std::int64_t* sums, const std::int64_t* row_sums, T* to,
                               std::int64_t c_row, std::int64_t rows, std::int64_t n) {
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t j = 0; j < n; ++j) {
      std::uint64_t sum = static_cast<std::uint64_t>(sums[r * 16 + j]) + static_cast<std::uint64_t>(e.wide_add[j]);
      if (e.zeros) sum -= static_cast<std::uint64_t>(row_sums[r] * e.zero[j]);
      const std::int64_t v = wrapped(sum);
      T& y = to[r * c_row + j];
      if constexpr (kFloating<T>) {
        const float x = static_cast<float>(v) * e.scales.f32.factor[j];
        y = x + e.scales.f32.bias[j];
      } else {
        std::int64_t q = scaled_wide(e, v, j) + e.y_zero;
        q = q > e.low ? q : e.low;
        y = static_cast<T>(q < e.high ? q : e.high);
      }
    }
  }
}

// Results of [row, row + rows) and columns [col, col + n) of C, from `c` on, from sums of 32 bits, or, where these are
// not enough, of 64.
MOTE_INLINE void finish_words(const Params& p, const WordFinish& e, const std::int32_t* sums, const std::int64_t* wide,
                              const std::int64_t* row_sums, std::int64_t c, std::int64_t rows, std::int64_t n) {
  auto as = [&](auto* to) {
    to += c;
    if (e.narrow) {
      finish_narrow(e, sums, row_sums, to, p.c_row, rows, n);
    } else {
      finish_wide(e, wide, row_sums, to, p.c_row, rows, n);
    }
  };
  switch (p.out) {
    case DType::f32:
      return as(reinterpret_cast<float*>(p.c));
    case DType::i16:
      return as(reinterpret_cast<std::int16_t*>(p.c));
    case DType::u16:
      return as(reinterpret_cast<std::uint16_t*>(p.c));
    case DType::u8:
      return as(reinterpret_cast<std::uint8_t*>(p.c));
    default:
      return as(reinterpret_cast<std::int8_t*>(p.c));
  }
}

// The program over results that are f32.
MOTE_INLINE void apply_words(const Params& p, std::int64_t c, std::int64_t rows, std::int64_t n, std::int64_t row,
                             std::int64_t col) {
  if (p.out == DType::f32) apply(p, reinterpret_cast<float*>(p.c) + c, rows, n, row, col);
}

}  // namespace
}  // namespace mote::kernels::idot::MOTE_SIMD_NS
