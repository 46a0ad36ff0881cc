// Register tiles of bytes on NEON: packed rows of A by a panel of B. For the ISA of the including file.
//
// Rows are packed by tiles of kRows, as a tile reads them:
//   sdot           [k / 16][kRows][16]
//   smmla          [k / 8][kRows][8]
//   smull, smlal2  [k / 8][kRows][16]: the first four k twice, then the others twice, for two columns of B each
#pragma once

#include "kernels/idot/rows_impl.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

// A packed tile by a panel, whose depth is `k`.
struct Tile {
  const std::int8_t *a, *b;
  std::int64_t k;
};

// Two registers from p, which moves on.
MOTE_INLINE void load_two(int8x16_t& x, int8x16_t& y, const std::int8_t*& p) {
#if defined(__GNUC__)
  asm volatile("ldp %q0, %q1, [%2], #32" : "=w"(x), "=w"(y), "+r"(p) : : "memory");
#else
  x = vld1q_s8(p);
  y = vld1q_s8(p + 16);
  p += 32;
#endif
}
// Two registers from Offset bytes on.
template <int Offset = 0, class V>
MOTE_INLINE void load_two_at(V& x, V& y, const void* p) {
#if defined(__GNUC__)
  struct Bytes {
    char bytes[Offset + 32];
  };
  asm volatile("ldp %q0, %q1, [%2, %3]" : "=w"(x), "=w"(y) : "r"(p), "n"(Offset), "m"(*static_cast<const Bytes*>(p)));
#else
  __builtin_memcpy(&x, static_cast<const char*>(p) + Offset, 16);
  __builtin_memcpy(&y, static_cast<const char*>(p) + Offset + 16, 16);
#endif
}
template <int N>
MOTE_INLINE void load_some(int8x16_t (&x)[N], const std::int8_t*& p) {
#pragma GCC unroll 4
  for (int i = 0; i + 2 <= N; i += 2) load_two(x[i], x[i + 1], p);
  if constexpr (N % 2 != 0) {
    x[N - 1] = vld1q_s8(p);
    p += 16;
  }
}

// Below, instructions are spelled out and in the order of the source, because GCC otherwise copies and spills sums.
#if defined(__ARM_FEATURE_MATMUL_INT8)
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

#elif defined(__ARM_FEATURE_DOTPROD)
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

#else
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
#endif

#if defined(__ARM_FEATURE_MATMUL_INT8) || !defined(__ARM_FEATURE_DOTPROD)
template <bool Other, int R>
MOTE_INLINE void add_products(Sums<R>& s, Tile t) {
  for (std::uint64_t i = static_cast<std::uint64_t>(t.k) / 16; i > 0; --i) {
    octet<Other>(s, t);
    octet<Other>(s, t);
  }
  if ((t.k & 15) != 0) octet<Other>(s, t);
}
#endif

// Every row of sums as `start` has them.
template <int R>
MOTE_INLINE void start_sums(Sums<R>& s, const std::int32_t* start) {
#pragma GCC unroll 8
  for (auto& row : s.v) {
    load_two_at(row[0], row[1], start);
    load_two_at<32>(row[2], row[3], start);
    if constexpr (sizeof row == 128) {
      load_two_at<64>(row[4], row[5], start);
      load_two_at<96>(row[6], row[7], start);
    }
  }
}

#if !defined(__ARM_FEATURE_MATMUL_INT8)
// The sums of each row: out[r * 16 + column].
template <int R>
MOTE_INLINE void store_sums(const Sums<R>& s, std::int32_t* out) {
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) vst1q_s32(out + r * 16 + 4 * v, columns_of(s, r, v));
  }
}
#endif

constexpr std::int64_t packed_tile_bytes(std::int64_t k) { return (k + kPackedStep - 1) / kPackedStep * kStepBytes; }

// Rows [row, row + rows) of `a`, of `segments` stretches; the last one stands where a tile lacks some. flip: what turns
// A's bytes into the kernel's.
MOTE_NOINLINE void pack_tiles(const Rows& a, std::int64_t row, std::int64_t rows, std::int64_t segments,
                              std::uint8_t flip, std::int64_t tile_bytes, std::int8_t* to) {
  const uint8x16_t flips = vdupq_n_u8(flip);
  const std::int64_t *at = a.at + row, bytes = a.segment_bytes;
  for (; rows > 0; rows -= kRows, to += tile_bytes, at += kRows) {
    const std::uint8_t* from[kRows];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) from[r] = a.first + at[r < rows ? r : rows - 1];
    for (std::int64_t s = 0; s < segments; ++s) pack_bytes(from, a.segments[s], bytes, flips, s * bytes, to);
    if (a.tail == 0) continue;
    std::uint8_t last[kRows][kDepth] = {};
    for (int r = 0; r < kRows; ++r) {
      for (std::int64_t i = 0; i < a.tail; ++i) last[r][i] = from[r][bytes + i];
      from[r] = last[r];
    }
    pack_bytes(from, 0, kDepth, flips, bytes, to);
  }
}

}  // namespace
}  // namespace mote::kernels::idot::MOTE_SIMD_NS
