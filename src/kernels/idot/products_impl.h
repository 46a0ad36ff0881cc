// The sums of a register tile: rows of A by panels of B. For the ISA of the including file.
#pragma once

#include "kernels/idot/finish_impl.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

// Rows and panels of a register tile.
#if defined(__AVX512BW__) && !defined(MOTE_SIMD_SCALAR)
inline constexpr int kRows = 6, kPanels = 4;
#elif defined(__ARM_FEATURE_MATMUL_INT8) && !defined(MOTE_SIMD_SCALAR)
inline constexpr int kRows = 6, kPanels = 1;  // 24 registers of sums, of pairs of rows and columns
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
  std::uint32_t flip;  // what turns A's bytes into those of the kernel; with i8mm only whether they are unsigned
};

#if defined(__ARM_FEATURE_MATMUL_INT8) && !defined(MOTE_SIMD_SCALAR)
// Of a pair of rows, sixteen bytes each: the first eight of both, and the last.
struct Pair {
  int8x16_t first, second;
};
MOTE_INLINE Pair pair_of(const std::uint8_t* p, const std::uint8_t* q) {
  const int64x2_t a = vreinterpretq_s64_u8(vld1q_u8(p)), b = vreinterpretq_s64_u8(vld1q_u8(q));
  return {vreinterpretq_s8_s64(vzip1q_s64(a, b)), vreinterpretq_s8_s64(vzip2q_s64(a, b))};
}

template <bool Unsigned>
MOTE_INLINE int32x4_t two_by_two(int32x4_t sum, int8x16_t a, int8x16_t b) {
#if defined(__GNUC__)
  if constexpr (Unsigned) {
    asm volatile("usmmla %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(a), "w"(b));
  } else {
    asm volatile("smmla %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(a), "w"(b));
  }
  return sum;
#else
  return Unsigned ? vusmmlaq_s32(sum, vreinterpretq_u8_s8(a), b) : vmmlaq_s32(sum, a, b);
#endif
}

// One step, eight k, of each pair of rows. In place and in the order of the source, as below.
template <bool Unsigned, int Pairs>
MOTE_INLINE void matrices(int32x4_t (&acc)[Pairs][8], const int8x16_t (&a)[Pairs], const std::int8_t* b) {
#pragma GCC unroll 4
  for (int v = 0; v < 8; v += 2) {
    const int8x16_t w = vld1q_s8(b + 16 * v), w2 = vld1q_s8(b + 16 * v + 16);
#pragma GCC unroll 4
    for (int r = 0; r < Pairs; ++r) {
      acc[r][v] = two_by_two<Unsigned>(acc[r][v], a[r], w);
      acc[r][v + 1] = two_by_two<Unsigned>(acc[r][v + 1], a[r], w2);
    }
  }
}

// R rows of a panel, from `start` if any. Unsigned: A's bytes are. An odd last row is multiplied twice.
template <int R, int P, bool Unsigned>
MOTE_INLINE void products(const Block& t, const std::int32_t* start, Columns16 (&out)[R][P]) {
  static_assert(P == 1);
  constexpr int kPairs = (R + 1) / 2;
  int32x4_t acc[kPairs][8];
#pragma GCC unroll 8
  for (int v = 0; v < 8; ++v) {
    std::int64_t two = 0;
    if (start) __builtin_memcpy(&two, start + 2 * v, 8);
#pragma GCC unroll 4
    for (int r = 0; r < kPairs; ++r) acc[r][v] = vreinterpretq_s32_s64(vdupq_n_s64(two));
  }
  const std::int8_t* b = t.b;
  const std::uint8_t* rows[2 * kPairs];
#pragma GCC unroll 8
  for (int r = 0; r < 2 * kPairs; ++r) rows[r] = t.rows[r < R ? r : R - 1];
  for (std::int64_t s = 0; s < t.segment_count; ++s) {
    std::int64_t i = t.segments[s];
    const std::int64_t end = i + t.segment_bytes;
    for (; i + 16 <= end; i += 16, b += 256) {
      int8x16_t first[kPairs], second[kPairs];
#pragma GCC unroll 4
      for (int r = 0; r < kPairs; ++r) {
        const Pair both = pair_of(rows[2 * r] + i, rows[2 * r + 1] + i);
        first[r] = both.first;
        second[r] = both.second;
      }
      matrices<Unsigned>(acc, first, b);
      matrices<Unsigned>(acc, second, b + 128);
    }
    if (i == end) continue;
    int8x16_t a[kPairs];
#pragma GCC unroll 4
    for (int r = 0; r < kPairs; ++r)
      a[r] = vreinterpretq_s8_u8(vcombine_u8(vld1_u8(rows[2 * r] + i), vld1_u8(rows[2 * r + 1] + i)));
    matrices<Unsigned>(acc, a, b);
    b += 128;
  }
  if (t.tail > 0) {
    std::uint8_t tail[2 * kPairs][8] = {};
    for (int r = 0; r < 2 * kPairs; ++r) {
      for (std::int64_t i = 0; i < t.tail; ++i) tail[r][i] = rows[r][t.segment_bytes + i];
    }
    int8x16_t a[kPairs];
#pragma GCC unroll 4
    for (int r = 0; r < kPairs; ++r)
      a[r] = vreinterpretq_s8_u8(vcombine_u8(vld1_u8(tail[2 * r]), vld1_u8(tail[2 * r + 1])));
    matrices<Unsigned>(acc, a, b);
  }
  auto row_of = [](int32x4_t x, int32x4_t y, bool second) {
    const int64x2_t p = vreinterpretq_s64_s32(x), q = vreinterpretq_s64_s32(y);
    return vreinterpretq_s32_s64(second ? vzip2q_s64(p, q) : vzip1q_s64(p, q));
  };
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) out[r][0].v[v] = row_of(acc[r / 2][2 * v], acc[r / 2][2 * v + 1], r % 2 != 0);
  }
}

#else
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
#endif

}  // namespace
}  // namespace mote::kernels::idot::MOTE_SIMD_NS
