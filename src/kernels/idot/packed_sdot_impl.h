// Register tiles of bytes by sdot: a row by four columns an instruction. For the ISA of the including file.
// Instructions are spelled out and in the order of the source, because GCC otherwise copies and spills sums.
#pragma once

#include "kernels/idot/packed_operands_impl.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

inline constexpr int kRows = 6;
inline constexpr std::int64_t kPackedStep = 16, kStepBytes = kRows * 16;

template <int R>
struct Sums {
  int32x4_t v[R][4];
};

// The products of quad L of each row.
template <int L, int R>
MOTE_INLINE void quad(Sums<R>& s, const int8x16_t (&a)[R], const std::int8_t*& b) {
#pragma GCC unroll 4
  for (int v = 0; v < 4; v += 2) {
    int8x16_t w[2];
    load_two(w[0], w[1], b);
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
#if defined(__GNUC__)
        asm volatile("sdot %0.4s, %1.16b, %2.4b[%3]" : "+w"(s.v[r][v + h]) : "w"(w[h]), "w"(a[r]), "n"(L));
#else
        s.v[r][v + h] = vdotq_laneq_s32(s.v[r][v + h], w[h], a[r], L);
#endif
      }
    }
  }
}

template <bool Other, int R>
MOTE_INLINE void add_products(Sums<R>& s, Tile t) {
  int8x16_t a[R];
  for (std::uint64_t i = static_cast<std::uint64_t>(t.k) / 16; i > 0; --i) {
    load_some(a, t.a);
    t.a += kStepBytes - 16 * R;
    quad<0>(s, a, t.b);
    quad<1>(s, a, t.b);
    quad<2>(s, a, t.b);
    quad<3>(s, a, t.b);
  }
  const std::int64_t rest = t.k & 15;
  if (rest == 0) return;
  load_some(a, t.a);
  quad<0>(s, a, t.b);
  if (rest > 4) quad<1>(s, a, t.b);
  if (rest > 8) quad<2>(s, a, t.b);
}

template <int R>
MOTE_INLINE void subtract_zeros(Sums<R>& s, const std::int32_t* zero, const std::int32_t* row_sums) {
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) s.v[r][v] = vmlsq_n_s32(s.v[r][v], vld1q_s32(zero + 4 * v), row_sums[r]);
  }
}

// Four columns of row r.
template <int R>
MOTE_INLINE int32x4_t columns_of(const Sums<R>& s, int r, int v) {
  return s.v[r][v];
}

// Bytes [i, i + n) of a tile's rows from `k` on; n is a multiple of 4.
MOTE_INLINE void pack_bytes(const std::uint8_t* const (&rows)[kRows], std::int64_t i, std::int64_t n, uint8x16_t flip,
                            std::int64_t k, std::int8_t* to) {
  const std::uint32_t flips = vgetq_lane_u32(vreinterpretq_u32_u8(flip), 0);
  auto words = [&](std::int8_t* at) {
    for (int r = 0; r < kRows; ++r) {
      std::uint32_t x;
      __builtin_memcpy(&x, rows[r] + i, 4);
      x ^= flips;
      __builtin_memcpy(at + 16 * r, &x, 4);
    }
    i += 4;
  };
  const std::int64_t end = i + n;
  to += k / 16 * kStepBytes;
  if (k % 16 != 0) {
    for (k %= 16; k < 16 && i < end; k += 4) words(to + k);
    to += kStepBytes;
  }
  for (; i + 16 <= end; i += 16, to += kStepBytes) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; r += 2) {
      const uint8x16_t x = veorq_u8(vld1q_u8(rows[r] + i), flip), y = veorq_u8(vld1q_u8(rows[r + 1] + i), flip);
      vst1q_s8(to + 16 * r, vreinterpretq_s8_u8(x));
      vst1q_s8(to + 16 * r + 16, vreinterpretq_s8_u8(y));
    }
  }
  for (; i < end; to += 4) words(to);
}

}  // namespace
}  // namespace mote::kernels::idot::MOTE_SIMD_NS
