// Register tiles of bytes by smmla: two rows by two columns an instruction. For the ISA of the including file.
// Instructions are spelled out and in the order of the source, because GCC otherwise copies and spills sums.
#pragma once

#include "kernels/idot/packed_operands_impl.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

inline constexpr int kRows = 6;
inline constexpr std::int64_t kPackedStep = 8, kStepBytes = kRows * 8;  // k of a step of packed rows, and its bytes

// Sums of two rows by two columns.
template <int R>
struct Sums {
  static constexpr int kPairs = (R + 1) / 2;
  int32x4_t v[kPairs][8];
};

template <bool Unsigned>
MOTE_INLINE void two_by_two(int32x4_t& sum, int8x16_t a, int8x16_t b) {
#if defined(__GNUC__)
  if constexpr (Unsigned) {
    asm volatile("usmmla %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(a), "w"(b));
  } else {
    asm volatile("smmla %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(a), "w"(b));
  }
#else
  sum = Unsigned ? vusmmlaq_s32(sum, vreinterpretq_u8_s8(a), b) : vmmlaq_s32(sum, a, b);
#endif
}

// Eight k. Other: A's bytes are unsigned. An odd last row stands twice.
template <bool Other, int R>
MOTE_INLINE void octet(Sums<R>& s, Tile& t) {
  constexpr int kPairs = Sums<R>::kPairs;
  int8x16_t a[kPairs];
  load_some(a, t.a);
  t.a += kStepBytes - 16 * kPairs;
#pragma GCC unroll 4
  for (int v = 0; v < 8; v += 2) {
    int8x16_t w, w2;
    load_two(w, w2, t.b);
#pragma GCC unroll 4
    for (int r = 0; r < kPairs; ++r) {
      two_by_two<Other>(s.v[r][v], a[r], w);
      two_by_two<Other>(s.v[r][v + 1], a[r], w2);
    }
  }
}

template <class T>
MOTE_INLINE int32x4_t two_columns(const T* p) {
  std::int64_t two;
  __builtin_memcpy(&two, p, 8);
  return vreinterpretq_s32_s64(vdupq_n_s64(two));
}
// Values of 16 columns as the registers of sums hold them.
template <class T>
MOTE_INLINE void spread_columns(const T* from, T* to) {
  for (int v = 0; v < 8; ++v) {
    const int32x4_t x = two_columns(from + 2 * v);
    __builtin_memcpy(to + 4 * v, &x, 16);
  }
}
template <int R>
MOTE_INLINE void subtract_zeros(Sums<R>& s, const std::int32_t* zero, const std::int32_t* row_sums) {
#pragma GCC unroll 4
  for (int r = 0; r < Sums<R>::kPairs; ++r) {
    const int32x4_t a = vcombine_s32(vdup_n_s32(row_sums[2 * r]), vdup_n_s32(row_sums[2 * r + 1]));
#pragma GCC unroll 8
    for (int v = 0; v < 8; ++v) s.v[r][v] = vmlsq_s32(s.v[r][v], two_columns(zero + 2 * v), a);
  }
}

// The sums of each row: out[r * 16 + column].
template <int R>
MOTE_INLINE void store_sums(const Sums<R>& s, std::int32_t* out) {
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < 8; v += 2) {
      const int64x2_t x = vreinterpretq_s64_s32(s.v[r / 2][v]), y = vreinterpretq_s64_s32(s.v[r / 2][v + 1]);
      vst1q_s32(out + r * 16 + 2 * v, vreinterpretq_s32_s64(r % 2 != 0 ? vzip2q_s64(x, y) : vzip1q_s64(x, y)));
    }
  }
}

// Bytes [i, i + n) of a tile's rows from `k` on; n is a multiple of 8.
MOTE_INLINE void pack_bytes(const std::uint8_t* const (&rows)[kRows], std::int64_t i, std::int64_t n, uint8x16_t,
                            std::int64_t k, std::int8_t* to) {
  to += k / 8 * kStepBytes;
  const std::int64_t end = i + n;
  for (; i + 16 <= end; i += 16, to += 2 * kStepBytes) {
#pragma GCC unroll 4
    for (int r = 0; r < kRows; r += 2) {
      const int64x2_t x = vreinterpretq_s64_u8(vld1q_u8(rows[r] + i)),
                      y = vreinterpretq_s64_u8(vld1q_u8(rows[r + 1] + i));
      vst1q_s8(to + r * 8, vreinterpretq_s8_s64(vzip1q_s64(x, y)));
      vst1q_s8(to + r * 8 + kStepBytes, vreinterpretq_s8_s64(vzip2q_s64(x, y)));
    }
  }
  if (i == end) return;
  for (int r = 0; r < kRows; ++r) vst1_s8(to + r * 8, vreinterpret_s8_u8(vld1_u8(rows[r] + i)));
}

}  // namespace
}  // namespace mote::kernels::idot::MOTE_SIMD_NS
