// From sums to results: parameters, requantization, what rows of results become. For the ISA of the including file.
#pragma once

#include "kernels/compact.h"
#include "kernels/idot/idot.h"
#include "simd/dot8.h"
#include "simd/fixed.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

using namespace simd::MOTE_SIMD_NS;

template <int N>
struct Count {
  static constexpr int value = N;
};

struct Finish {
  const std::int32_t *add, *zero;
  Scales scales;
  Recipe recipe;
  bool zeros;
  std::int32_t y_zero, low, high;
};

// From the scales of column `j` on.
MOTE_INLINE Scales advanced(Scales s, Recipe recipe, std::int64_t j) {
  if (recipe == Recipe::kHalfAway) {
    s.f64 += j;
  } else if (recipe == Recipe::kFixed || recipe == Recipe::kFixedWide) {
    s.fixed = {s.fixed.multiplier + j, s.fixed.shift + j};
  } else {
    s.f32 = {s.f32.factor + j, s.f32.bias + j};
  }
  return s;
}

template <class T>
constexpr bool kFloating = static_cast<T>(0.5f) != static_cast<T>(0);
template <class T>
constexpr bool kBytes = sizeof(T) == 1;

template <class T>
MOTE_INLINE void store_out(T* to, I32 v, int n) {
  if constexpr (!kBytes<T>) {
    n == kLanes ? store(to, v) : store_n(to, v, n);
  } else if constexpr (static_cast<T>(-1) < static_cast<T>(0)) {
    n == kLanes ? store_i8(to, v) : store_i8_n(to, v, n);
  } else {
    n == kLanes ? store_u8(to, v) : store_u8_n(to, v, n);
  }
}

// x between bounds that are integers, or the lower one where x is NaN; a zero may change its sign, which an integer
// lacks.
MOTE_INLINE F32 within(F32 x, F32 low, F32 high) {
#if defined(__ARM_NEON) && !defined(MOTE_SIMD_SCALAR)
  return {vminnmq_f32(vmaxnmq_f32(x.v, low.v), high.v)};
#else
  return min(max(x, low), high);
#endif
}

// `n` columns of one row from their sums; `row_sum` is that of A's unsigned bytes.
template <class T>
MOTE_ONCE void finish(const Finish& e, const std::int32_t* sums, std::int32_t row_sum, T* to, std::int64_t n) {
  for (std::int64_t j = 0; j < n; j += kLanes) {
    int m = static_cast<int>(n - j < kLanes ? n - j : kLanes);
    I32 v = load(sums + j) + load(e.add + j);
    if (e.zeros) v = v - load(e.zero + j) * set_i32(row_sum);
    if constexpr (kFloating<T>) {
      F32 y = to_f32(v) * load(e.scales.f32.factor + j) + load(e.scales.f32.bias + j);
      m == kLanes ? store(to + j, y) : store_n(to + j, y, m);
    } else if constexpr (!kBytes<T>) {
      store_out(to + j, v, m);
    } else if (e.recipe == Recipe::kHalfEven) {
      // The conversion takes halves to the even one.
      F32 low = set(static_cast<float>(e.low - e.y_zero)), high = set(static_cast<float>(e.high - e.y_zero));
      F32 q = min(max(to_f32(v) * load(e.scales.f32.factor + j), low), high);
      store_out(to + j, to_i32(q) + set_i32(e.y_zero), m);
    } else {
      I32 q = e.recipe == Recipe::kFixed
                  ? scale_fixed(v, fixed_of(load(e.scales.fixed.multiplier + j), load(e.scales.fixed.shift + j)))
                  : half_away(v, e.scales.f64 + j);
      q = min(max(q, set_i32(e.low - e.y_zero)), set_i32(e.high - e.y_zero));
      store_out(to + j, q + set_i32(e.y_zero), m);
    }
  }
}

// The parameters from column `j` of a group on.
MOTE_INLINE void move_to(Finish& e, const Params& p, const Shared& s, std::int64_t batch, std::int64_t group,
                         std::int64_t j) {
  const std::int64_t padded = panels_of(p.n) * kPanel, column = group * padded + j;
  e.add = s.add + (p.b_batch != 0 ? batch * p.groups * padded : 0) + column;
  e.zero = s.zero + column;
  e.scales = advanced(s.scales, p.recipe, column);
}

// The program over `rows` finished rows of `n` columns.
template <class T>
MOTE_INLINE void apply(const Params& p, T* to, std::int64_t rows, std::int64_t n, std::int64_t row, std::int64_t col) {
  if constexpr (kFloating<T>) {
    if (p.epilogue.count > 0)
      kernels::MOTE_SIMD_BASE_NS::apply_epilogue(p.epilogue, {to, p.c_row, rows, n, row, 1, col});
  }
}

template <class T>
MOTE_INLINE std::int32_t least(const Params& p) {
  constexpr std::int32_t kLow = static_cast<T>(-1) < static_cast<T>(0) ? -128 : 0;
  return p.low > kLow ? p.low : kLow;
}
template <class T>
MOTE_INLINE std::int32_t greatest(const Params& p) {
  constexpr std::int32_t kHigh = static_cast<T>(-1) < static_cast<T>(0) ? 127 : 255;
  return p.high < kHigh ? p.high : kHigh;
}

// What all columns share.
template <class T>
MOTE_INLINE Finish finish_of(const Params& p, const Shared& s) {
  Finish e{};
  e.recipe = p.recipe;
  e.zeros = s.flags[0] != 0;
  e.y_zero = s.flags[1];
  e.low = least<T>(p);
  e.high = greatest<T>(p);
  return e;
}

}  // namespace
}  // namespace mote::kernels::idot::MOTE_SIMD_NS
