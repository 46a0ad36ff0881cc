// Register tiles: rows of A by panels of B. For the ISA of the including file.
#pragma once

#include "kernels/idot/products_impl.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

// sums[r * kPanels * 16 + column].
template <int R, int P, bool Flip>
MOTE_NOINLINE void multiply(const Block& t, std::int32_t* sums) {
  Columns16 acc[R][P];
  products<R, P, Flip>(t, acc);
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int q = 0; q < P; ++q) fold(acc[r][q], sums + (r * kPanels + q) * 16);
  }
}

// Rows of bytes: where they go, how many columns, and, where e.zeros, the sums of A's rows.
struct Bytes {
  std::uint8_t* c;
  std::int64_t c_row;
  int width;
  const std::int32_t* row_sums;
};

// The same as `multiply`, requantized from the registers.
template <int R, int P, bool Flip, bool FixedPoint>
MOTE_NOINLINE void requantize(const Block& t, const Finish& e, const Bytes& to) {
  Columns16 acc[R][P];
  products<R, P, Flip>(t, acc);
  [[maybe_unused]] const F32 low = set(static_cast<float>(e.low - e.y_zero)),
                             high = set(static_cast<float>(e.high - e.y_zero));
  [[maybe_unused]] const I32 least_y = set_i32(e.low - e.y_zero), greatest_y = set_i32(e.high - e.y_zero);
  const I32 y_zero = set_i32(e.y_zero);
  // In registers: the compiler takes the stores below for ones to anything.
  const std::int32_t *add = e.add, *zero = e.zeros ? e.zero : nullptr, *row_sums = to.row_sums;
  [[maybe_unused]] const float* factor = FixedPoint ? nullptr : e.scales.f32.factor;
  std::uint8_t* c_first = to.c;
  const std::int64_t c_row = to.c_row;
  const int columns = to.width;
#pragma GCC unroll 16
  for (int q = 0; q < P; ++q) {
    const int width = columns - 16 * q;
    if (width <= 0) break;
    [[maybe_unused]] Fixed fixed[16 / kLanes];
    if constexpr (FixedPoint) {
#pragma GCC unroll 4
      for (int part = 0; part < 16 / kLanes; ++part) {
        const int j = q * 16 + part * kLanes;
        fixed[part] = fixed_of(load(e.scales.fixed.multiplier + j), load(e.scales.fixed.shift + j));
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      I32 sums[16 / kLanes], bytes[16 / kLanes];
#pragma GCC unroll 4
      for (int part = 0; part < 16 / kLanes; ++part) {
        sums[part] = lanes_of(acc[r][q], part) + load(add + q * 16 + part * kLanes);
      }
      if (zero) {
#pragma GCC unroll 4
        for (int part = 0; part < 16 / kLanes; ++part)
          sums[part] = sums[part] - load(zero + q * 16 + part * kLanes) * set_i32(row_sums[r]);
      }
#pragma GCC unroll 4
      for (int part = 0; part < 16 / kLanes; ++part) {
        I32 v = sums[part];
        if constexpr (FixedPoint) {
          v = min(max(scale_fixed(v, fixed[part]), least_y), greatest_y);
        } else {
          // The conversion takes halves to the even one.
          v = to_i32(within(to_f32(v) * load(factor + q * 16 + part * kLanes), low, high));
        }
        bytes[part] = v + y_zero;
      }
      std::uint8_t* c = c_first + r * c_row + q * 16;
      if (width >= 16) {
        store_low_bytes(c, bytes);
        continue;
      }
#pragma GCC unroll 4
      for (int part = 0; part < 16 / kLanes; ++part) {
        const int n = width - part * kLanes < kLanes ? width - part * kLanes : kLanes;
        if (n > 0) store_low_bytes(c + part * kLanes, bytes[part], n);
      }
    }
  }
}

// Calls f with the number of rows as a constant.
template <class F>
MOTE_INLINE void with_rows(std::int64_t rows, F f) {
  switch (rows) {
    case 1:
      return f(Count<1>());
    case 2:
      if constexpr (has_height(2, kRows)) f(Count<2>());
      return;
    case 3:
      if constexpr (kRows >= 3 && has_height(3, kRows)) f(Count<3>());
      return;
    case 4:
      if constexpr (kRows >= 4 && has_height(4, kRows)) f(Count<4>());
      return;
    case 5:
      if constexpr (kRows >= 5 && has_height(5, kRows)) f(Count<5>());
      return;
    case 6:
      if constexpr (kRows >= 6) f(Count<6>());
      return;
    default:
      return;
  }
}

template <int P>
MOTE_INLINE void multiply_rows(const Block& t, std::int64_t rows, std::int32_t* sums) {
  with_rows(rows, [&](auto r) {
    constexpr int kHeight = decltype(r)::value;
    if constexpr (kDepth == 2) {
      multiply<kHeight, P, false>(t, sums);
    } else if constexpr (kCompact && kDepth == 4) {
      multiply<kHeight, P, true>(t, sums);
    } else {
      t.flip ? multiply<kHeight, P, true>(t, sums) : multiply<kHeight, P, false>(t, sums);
    }
  });
}
template <int P>
MOTE_INLINE void requantize_rows(const Block& t, std::int64_t rows, const Finish& e, const Bytes& to) {
  with_rows(rows, [&](auto r) {
    constexpr int kHeight = decltype(r)::value;
    const bool fixed = e.recipe == Recipe::kFixed;
    if constexpr (kDepth == 2) {
      fixed ? requantize<kHeight, P, false, true>(t, e, to) : requantize<kHeight, P, false, false>(t, e, to);
    } else if (fixed) {
      t.flip ? requantize<kHeight, P, true, true>(t, e, to) : requantize<kHeight, P, false, true>(t, e, to);
    } else {
      t.flip ? requantize<kHeight, P, true, false>(t, e, to) : requantize<kHeight, P, false, false>(t, e, to);
    }
  });
}

}  // namespace
}  // namespace mote::kernels::idot::MOTE_SIMD_NS
