// Register tiles: rows of A by panels of B. For the ISA of the including file.
#pragma once

#include "kernels/idot/finish_impl.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

// Rows and panels of a register tile.
#if defined(__AVX512BW__) && !defined(MOTE_SIMD_SCALAR)
inline constexpr int kRows = 6, kPanels = 4;
#elif defined(__ARM_FEATURE_DOTPROD) && !defined(MOTE_SIMD_SCALAR)
inline constexpr int kRows = 5, kPanels = 1;  // with four registers of B and one per row of A
#elif defined(__AVX2__) && !defined(MOTE_SIMD_SCALAR)
inline constexpr int kRows = 6, kPanels = 1;
#else
inline constexpr int kRows = 2, kPanels = 1;
#endif

// Whether sums start at what is added to them.
#if defined(__ARM_FEATURE_DOTPROD) && !defined(MOTE_SIMD_SCALAR)
inline constexpr bool kStarts = true;
#else
inline constexpr bool kStarts = false;
#endif

template <int N>
struct Count {
  static constexpr int value = N;
};

// A tile's operands. Each row of A is `segment_count` stretches of `segment_bytes`, whole steps, at offsets from the
// row's start; after a single stretch, `tail` more bytes, fewer than a step.
struct Block {
  const std::uint8_t* rows[kRows];
  const std::int64_t* segments;
  std::int64_t segment_count, segment_bytes, tail, panel_bytes;
  const std::int8_t* b;
  std::uint32_t flip;  // what turns A's bytes into those of the kernel
};

MOTE_INLINE std::uint32_t step_of(const std::uint8_t* p) {
  std::uint32_t v;
  __builtin_memcpy(&v, p, 4);
  return v;
}
MOTE_INLINE std::uint32_t part_of_step(const std::uint8_t* p, std::int64_t n) {
  std::uint32_t v = 0;
  for (std::int64_t i = 0; i < n; ++i) v |= static_cast<std::uint32_t>(p[i]) << 8 * i;
  return v;
}

#if defined(__ARM_FEATURE_DOTPROD) && !defined(MOTE_SIMD_SCALAR)
// The products of quad L of each row. In place and in the order of the source, because GCC otherwise copies and spills.
template <int L, int R>
MOTE_INLINE void quad(Columns16 (&acc)[R][1], const int8x16_t (&a)[R], const std::int8_t* b) {
  const Step16 w = load_step(b);
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) {
      int32x4_t sum = acc[r][0].v[v];
#if defined(__GNUC__)
      asm volatile("sdot %0.4s, %1.16b, %2.4b[%3]" : "+w"(sum) : "w"(w.v[v]), "w"(a[r]), "n"(L));
#else
      sum = vdotq_laneq_s32(sum, w.v[v], a[r], L);
#endif
      acc[r][0].v[v] = sum;
    }
  }
}
#endif

// R rows of P panels, from `start` where the ISA's sums do. Flip: A's bytes are not in the kernel's form. B is zero
// beyond k, so that what the flip makes of missing bytes does not count.
template <int R, int P, bool Flip>
MOTE_INLINE void products(const Block& t, [[maybe_unused]] const std::int32_t* start, Columns16 (&acc)[R][P]) {
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int q = 0; q < P; ++q) {
      acc[r][q] = no_columns();
#if defined(__ARM_FEATURE_DOTPROD) && !defined(MOTE_SIMD_SCALAR)
      if (!start) continue;
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) acc[r][q].v[v] = vld1q_s32(start + q * 16 + v * 4);
#endif
    }
  }
  const std::int8_t* b = t.b;
  [[maybe_unused]] const std::uint32_t flip = t.flip;
  const std::uint8_t* rows[R];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) rows[r] = t.rows[r];
  // The tail is a stretch of rows of its own; the one loop below keeps the sums in registers.
  std::uint8_t tail[4 * R];
  const std::int64_t segments = t.segment_count + (t.tail > 0 ? 1 : 0);
  for (std::int64_t s = 0; s < segments; ++s) {
    std::int64_t i = 0, end = 4;
    if (s < t.segment_count) {
      i = t.segments[s];
      end = i + t.segment_bytes;
    } else {
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        const std::uint32_t last = part_of_step(rows[r] + t.segment_bytes, t.tail);
        __builtin_memcpy(tail + 4 * r, &last, 4);
        rows[r] = tail + 4 * r;
      }
    }
#if defined(__ARM_FEATURE_DOTPROD) && !defined(MOTE_SIMD_SCALAR)
    for (; i + 16 <= end; i += 16, b += 256) {
      int8x16_t a[R];
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        uint8x16_t bytes = vld1q_u8(rows[r] + i);
        if constexpr (Flip) bytes = veorq_u8(bytes, vdupq_n_u8(0x80));
        a[r] = vreinterpretq_s8_u8(bytes);
      }
      quad<0>(acc, a, b);
      quad<1>(acc, a, b + 64);
      quad<2>(acc, a, b + 128);
      quad<3>(acc, a, b + 192);
    }
    for (; i < end; i += 4, b += 64) {
      int8x16_t a[R];
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        std::uint32_t word = step_of(rows[r] + i);
        if constexpr (Flip) word ^= flip;
        a[r] = vreinterpretq_s8_u32(vdupq_n_u32(word));
      }
      quad<0>(acc, a, b);
    }
#else
    for (; i < end; i += 4, b += 16 * kDepth) {
      Step16 bq[P];
#pragma GCC unroll 16
      for (int q = 0; q < P; ++q) bq[q] = load_step(b + q * t.panel_bytes);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        std::uint32_t a = step_of(rows[r] + i);
        if constexpr (Flip) a ^= flip;
#pragma GCC unroll 16
        for (int q = 0; q < P; ++q) accumulate(acc[r][q], a, bq[q]);
      }
    }
#endif
  }
}

// sums[r * kPanels * 16 + column].
template <int R, int P, bool Flip>
MOTE_NOINLINE void multiply(const Block& t, std::int32_t* sums) {
  Columns16 acc[R][P];
  products<R, P, Flip>(t, nullptr, acc);
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
  products<R, P, Flip>(t, e.add, acc);
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
        sums[part] = lanes_of(acc[r][q], part);
        if constexpr (!kStarts) sums[part] = sums[part] + load(add + q * 16 + part * kLanes);
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
MOTE_INLINE void with_rows(int rows, F f) {
  switch (rows) {
    case 1:
      return f(Count<1>());
    case 2:
      return f(Count<2>());
    case 3:
      if constexpr (kRows >= 3) f(Count<3>());
      return;
    case 4:
      if constexpr (kRows >= 4) f(Count<4>());
      return;
    case 5:
      if constexpr (kRows >= 5) f(Count<5>());
      return;
    case 6:
      if constexpr (kRows >= 6) f(Count<6>());
      return;
    default:
      return;
  }
}

template <int P>
MOTE_INLINE void multiply_rows(const Block& t, int rows, std::int32_t* sums) {
  with_rows(rows, [&](auto r) {
    constexpr int kHeight = decltype(r)::value;
    if constexpr (kDepth == 2) {
      multiply<kHeight, P, false>(t, sums);
    } else {
      t.flip ? multiply<kHeight, P, true>(t, sums) : multiply<kHeight, P, false>(t, sums);
    }
  });
}
template <int P>
MOTE_INLINE void requantize_rows(const Block& t, int rows, const Finish& e, const Bytes& to) {
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
