// Register tiles of bytes by smull, smlal2 and sadalp, on any 64-bit Arm. For the ISA of the including file.
// Instructions are spelled out and in the order of the source, because GCC otherwise copies and spills sums.
#pragma once

#include "kernels/idot/packed_operands_impl.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

inline constexpr int kRows = 3;
inline constexpr std::int64_t kPackedStep = 8, kStepBytes = kRows * 16;

// Two sums of each of two columns.
template <int R>
struct Sums {
  int32x4_t v[R][8];
};

// Products of two columns by four k, twice: those of halves of registers are added up in 16 bits, where two of them fit
// but for those of two weights of -128. Other: there are such.
template <bool Other, int R>
MOTE_INLINE void two_columns(Sums<R>& s, int v, const int8x16_t (&a)[R], int8x16_t w) {
  int16x8_t x[R];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
#if defined(__GNUC__)
    asm volatile("smull %0.8h, %1.8b, %2.8b" : "=w"(x[r]) : "w"(w), "w"(a[r]));
#else
    x[r] = vmull_s8(vget_low_s8(w), vget_low_s8(a[r]));
#endif
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    if constexpr (Other) {
      s.v[r][v] = vpadalq_s16(vpadalq_s16(s.v[r][v], x[r]), vmull_high_s8(w, a[r]));
      continue;
    }
#if defined(__GNUC__)
    asm volatile("smlal2 %0.8h, %1.16b, %2.16b" : "+w"(x[r]) : "w"(w), "w"(a[r]));
#else
    x[r] = vmlal_high_s8(x[r], w, a[r]);
#endif
  }
  if constexpr (Other) return;
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
#if defined(__GNUC__)
    asm volatile("sadalp %0.4s, %1.8h" : "+w"(s.v[r][v]) : "w"(x[r]));
#else
    s.v[r][v] = vpadalq_s16(s.v[r][v], x[r]);
#endif
  }
}

template <bool Other, int R>
MOTE_INLINE void octet(Sums<R>& s, Tile& t) {
  int8x16_t a[R];
  load_some(a, t.a);
  t.a += kStepBytes - 16 * R;
#pragma GCC unroll 4
  for (int v = 0; v < 8; v += 2) {
    int8x16_t w, w2;
    load_two(w, w2, t.b);
    two_columns<Other>(s, v, a, w);
    two_columns<Other>(s, v + 1, a, w2);
  }
}

// Values of 16 columns as the registers of sums hold them.
MOTE_INLINE void spread_columns(const std::int32_t* add, std::int32_t* to) {
  for (int i = 0; i < 16; ++i) to[2 * i] = add[i], to[2 * i + 1] = 0;
}
template <int R>
MOTE_INLINE void subtract_zeros(Sums<R>& s, const std::int32_t* zero, const std::int32_t* row_sums) {
  const int32x4_t none = vdupq_n_s32(0);
#pragma GCC unroll 4
  for (int v = 0; v < 4; ++v) {
    const int32x4_t z = vld1q_s32(zero + 4 * v);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      s.v[r][2 * v] = vmlsq_n_s32(s.v[r][2 * v], vzip1q_s32(z, none), row_sums[r]);
      s.v[r][2 * v + 1] = vmlsq_n_s32(s.v[r][2 * v + 1], vzip2q_s32(z, none), row_sums[r]);
    }
  }
}

// Four columns of row r.
template <int R>
MOTE_INLINE int32x4_t columns_of(const Sums<R>& s, int r, int v) {
  return vpaddq_s32(s.v[r][2 * v], s.v[r][2 * v + 1]);
}

// Bytes [i, i + n) of a tile's rows from `k` on; n is a multiple of 8.
MOTE_INLINE void pack_bytes(const std::uint8_t* const (&rows)[kRows], std::int64_t i, std::int64_t n, uint8x16_t flip,
                            std::int64_t k, std::int8_t* to) {
  to += k / 8 * kStepBytes;
  auto twice = [&](std::int8_t* at, uint8x16_t bytes, bool high) {
    const uint32x4_t x = vreinterpretq_u32_u8(bytes);
    vst1q_s8(at, vreinterpretq_s8_u32(high ? vzip2q_u32(x, x) : vzip1q_u32(x, x)));
  };
  const std::int64_t end = i + n;
  for (; i + 16 <= end; i += 16, to += 2 * kStepBytes) {
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const uint8x16_t x = veorq_u8(vld1q_u8(rows[r] + i), flip);
      twice(to + 16 * r, x, false);
      twice(to + 16 * r + kStepBytes, x, true);
    }
  }
  if (i == end) return;
  for (int r = 0; r < kRows; ++r)
    twice(to + 16 * r, veorq_u8(vcombine_u8(vld1_u8(rows[r] + i), vdup_n_u8(0)), flip), false);
}

}  // namespace
}  // namespace mote::kernels::idot::MOTE_SIMD_NS
