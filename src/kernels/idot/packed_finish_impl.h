// From sums on NEON to bytes, and tiles of packed rows by panels. For the ISA of the including file.
#pragma once

#include "kernels/idot/packed_impl.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

// What four sums are scaled by: factors, or multipliers and shifts. Halves go to the even integer, or away from zero;
// what leaves i32 ends at its ends, which the narrowing below does not tell apart from what it really is.
template <bool FixedPoint>
struct Scaling {
  float32x4_t factor;
  MOTE_INLINE int32x4_t operator()(int32x4_t sum) const {
    return vcvtnq_s32_f32(vmulq_f32(vcvtq_f32_s32(sum), factor));
  }
};
template <>
struct Scaling<true> {
  int32x4_t multiplier, left, right, shifts_right;  // right: negative; shifts_right: all ones where it does
  MOTE_INLINE int32x4_t operator()(int32x4_t sum) const {
    const int32x4_t x = vqrdmulhq_s32(vshlq_s32(sum, left), multiplier);
    return vrshlq_s32(vsraq_n_s32(x, vandq_s32(x, shifts_right), 31), right);
  }
};
template <class V>
MOTE_INLINE V load_four(const void* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
// Of four columns from j on.
template <bool FixedPoint>
MOTE_INLINE Scaling<FixedPoint> scaling_of(const Scales& s, std::int64_t j) {
  if constexpr (FixedPoint) {
    const int32x4_t shift = load_four<int32x4_t>(s.fixed.shift + j), none = vdupq_n_s32(0),
                    right = vminq_s32(shift, none);
    return {load_four<int32x4_t>(s.fixed.multiplier + j), vmaxq_s32(shift, none), right,
            vreinterpretq_s32_u32(vcltzq_s32(right))};
  } else {
    return {load_four<float32x4_t>(s.f32.factor + j)};
  }
}

MOTE_INLINE int16x8_t to_words(int32x4_t x, int32x4_t y, int16x8_t zero) {
  return vqaddq_s16(vqmovn_high_s32(vqmovn_s32(x), y), zero);
}
template <bool SignedC>
MOTE_INLINE uint8x16_t to_bytes(int16x8_t x, int16x8_t y) {
  if constexpr (SignedC) return vreinterpretq_u8_s8(vqmovn_high_s16(vqmovn_s16(x), y));
  return vqmovun_high_s16(vqmovun_s16(x), y);
}

// Rows of bytes: where they go, how many columns, and, where e.zeros, the sums of A's rows.
struct Bytes {
  std::uint8_t* c;
  std::int64_t c_row, width;
  const std::int32_t* row_sums;
};

#if defined(__ARM_FEATURE_MATMUL_INT8)
// What whole tiles of sums are scaled to, as their registers hold them, to rows of 16 bytes.
using TileParts = int32x4_t[kRows / 2][8];
template <bool FixedPoint>
MOTE_INLINE void scale_tile(const Sums<kRows>& s, const Scales& scales, TileParts& x) {
#pragma GCC unroll 8
  for (int v = 0; v < 8; ++v) {
    const auto scaled = scaling_of<FixedPoint>(scales, 4 * v);
#pragma GCC unroll 4
    for (int r = 0; r < kRows / 2; ++r) x[r][v] = scaled(s.v[r][v]);
  }
}
// to_words: of two registers.
template <bool SignedC, class F>
MOTE_INLINE void put_tile(const TileParts& x, F to_words, std::uint8_t* c, std::int64_t c_row) {
#pragma GCC unroll 4
  for (int r = 0; r < kRows / 2; ++r, c += 2 * c_row) {
    // Two bytes of one row, then of the other.
    const uint8x16_t low = to_bytes<SignedC>(to_words(x[r][0], x[r][1]), to_words(x[r][2], x[r][3])),
                     high = to_bytes<SignedC>(to_words(x[r][4], x[r][5]), to_words(x[r][6], x[r][7]));
    const uint16x8_t a = vreinterpretq_u16_u8(low), b = vreinterpretq_u16_u8(high);
    vst1q_u8(c, vreinterpretq_u8_u16(vuzp1q_u16(a, b)));
    vst1q_u8(c + c_row, vreinterpretq_u8_u16(vuzp2q_u16(a, b)));
  }
}
#else
// What whole tiles of sums are scaled to, to rows of 16 bytes.
using TileParts = int32x4_t[kRows][4];
template <bool FixedPoint>
MOTE_INLINE void scale_tile(const Sums<kRows>& s, const Scales& scales, TileParts& x) {
#pragma GCC unroll 4
  for (int v = 0; v < 4; ++v) {
    const auto scaled = scaling_of<FixedPoint>(scales, 4 * v);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) x[r][v] = scaled(columns_of(s, r, v));
  }
}
// to_words: of two registers.
template <bool SignedC, class F>
MOTE_INLINE void put_tile(const TileParts& x, F to_words, std::uint8_t* c, std::int64_t c_row) {
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r, c += c_row)
    vst1q_u8(c, to_bytes<SignedC>(to_words(x[r][0], x[r][1]), to_words(x[r][2], x[r][3])));
}
#endif

// Rows of sums, [rows][16], with nothing added yet.
template <bool FixedPoint, bool SignedC>
MOTE_NOINLINE void put_sums(const Finish& e, const std::int32_t* sums, std::int64_t rows, const Bytes& to) {
  const int16x8_t y_zero = vdupq_n_s16(static_cast<std::int16_t>(e.y_zero));
  for (std::int64_t r = 0; r < rows; ++r, sums += 16) {
    int32x4_t x[4];
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) {
      x[v] = vaddq_s32(vld1q_s32(sums + 4 * v), vld1q_s32(e.add + 4 * v));
      if (e.zeros) x[v] = vmlsq_n_s32(x[v], vld1q_s32(e.zero + 4 * v), to.row_sums[r]);
      x[v] = scaling_of<FixedPoint>(e.scales, 4 * v)(x[v]);
    }
    const uint8x16_t bytes = to_bytes<SignedC>(to_words(x[0], x[1], y_zero), to_words(x[2], x[3], y_zero));
    std::uint8_t* c = to.c + r * to.c_row;
    if (to.width >= 16) {
      vst1q_u8(c, bytes);
      continue;
    }
    std::uint8_t some[16];
    vst1q_u8(some, bytes);
    copy_bytes(c, some, to.width);
  }
}

// Bytes of rows to between bounds that are narrower than their type.
template <bool SignedC>
MOTE_NOINLINE void clamp_rows(std::int32_t low, std::int32_t high, std::int64_t rows, const Bytes& to) {
  auto bytes_of = [](std::int32_t x) { return vdupq_n_u8(static_cast<std::uint8_t>(x)); };
  // Signed ones in the order of unsigned ones.
  const uint8x16_t flip = bytes_of(SignedC ? 128 : 0), least = veorq_u8(bytes_of(low), flip),
                   greatest = veorq_u8(bytes_of(high), flip);
  for (std::int64_t r = 0; r < rows; ++r) {
    std::uint8_t* c = to.c + r * to.c_row;
    std::uint8_t some[16] = {};
    if (to.width < 16) copy_bytes(some, c, to.width);
    const uint8x16_t x = veorq_u8(vld1q_u8(to.width < 16 ? some : c), flip);
    const uint8x16_t y = veorq_u8(vminq_u8(vmaxq_u8(x, least), greatest), flip);
    if (to.width >= 16) {
      vst1q_u8(c, y);
      continue;
    }
    vst1q_u8(some, y);
    copy_bytes(c, some, to.width);
  }
}

// R rows of a tile: sums[r * 16 + column].
template <bool Other, int R>
MOTE_NOINLINE void multiply_tile(const Tile& t, std::int32_t* sums) {
  Sums<R> s;
#pragma GCC unroll 8
  for (auto& row : s.v) {
#pragma GCC unroll 8
    for (int32x4_t& v : row) v = vdupq_n_s32(0);
  }
  add_products<Other>(s, t);
  store_sums(s, sums);
}
template <bool Other, int R = kRows>
MOTE_INLINE void multiply_rows(const Tile& t, std::int64_t rows, std::int32_t* sums) {
  if constexpr (R > 1) {
    if (rows < R) return multiply_rows<Other, R - 1>(t, rows, sums);
  }
  multiply_tile<Other, R>(t, sums);
}

// Whole tiles by 16 columns, requantized from registers.
template <bool Other, bool FixedPoint, bool SignedC>
MOTE_NOINLINE void requantize_tiles(Tile t, std::int64_t tiles, std::int64_t tile_bytes, const Finish& e,
                                    const Bytes& to) {
  const int16x8_t y_zero = vdupq_n_s16(static_cast<std::int16_t>(e.y_zero));
  const bool nothing_added = e.y_zero == 0;
  // In registers: the compiler takes stores of bytes for ones to anything.
  const std::int32_t *zero = e.zeros ? e.zero : nullptr, *row_sums = to.row_sums;
#if defined(__ARM_FEATURE_DOTPROD) && !defined(__ARM_FEATURE_MATMUL_INT8)
  const std::int32_t* start = e.add;
#else
  alignas(16) std::int32_t start[32];
  spread_columns(e.add, start);
#endif
#if defined(__ARM_FEATURE_MATMUL_INT8)
  alignas(16) std::int32_t multipliers[32], shifts[32];
  alignas(16) float factors[32];
  Scales scales;
  if constexpr (FixedPoint) {
    spread_columns(e.scales.fixed.multiplier, multipliers);
    spread_columns(e.scales.fixed.shift, shifts);
    scales.fixed = {multipliers, shifts};
  } else {
    spread_columns(e.scales.f32.factor, factors);
    scales.f32 = {factors, nullptr};
  }
#else
  const Scales scales = e.scales;
#endif
  std::uint8_t* c = to.c;
  const std::int64_t c_row = to.c_row;
  for (; tiles > 0; --tiles, t.a += tile_bytes, row_sums += kRows, c += kRows * c_row) {
    Sums<kRows> s;
    start_sums(s, start);
    if (zero) subtract_zeros(s, zero, row_sums);
    add_products<Other>(s, t);
    TileParts x;
    scale_tile<FixedPoint>(s, scales, x);
    if (nothing_added) {
      put_tile<SignedC>(
          x, [](auto a, auto b) { return vqmovn_high_s32(vqmovn_s32(a), b); }, c, c_row);
    } else {
      put_tile<SignedC>(
          x, [&](auto a, auto b) { return to_words(a, b, y_zero); }, c, c_row);
    }
  }
}

// `rows` packed rows by a panel to bytes.
template <bool Other, bool FixedPoint, bool SignedC>
MOTE_INLINE void requantize(const Tile& t, std::int64_t rows, std::int64_t tile_bytes, const Finish& e,
                            const Bytes& to) {
  const std::int64_t tiles = to.width >= 16 ? rows / kRows : 0;
  if (tiles > 0) requantize_tiles<Other, FixedPoint, SignedC>(t, tiles, tile_bytes, e, to);
  std::int32_t sums[kRows * 16];
  for (std::int64_t r = tiles * kRows; r < rows; r += kRows) {
    const std::int64_t height = rows - r < kRows ? rows - r : kRows;
    multiply_rows<Other>({t.a + r / kRows * tile_bytes, t.b, t.k}, height, sums);
    put_sums<FixedPoint, SignedC>(e, sums, height, {to.c + r * to.c_row, to.c_row, to.width, to.row_sums + r});
  }
  constexpr std::int32_t kLow = SignedC ? -128 : 0;
  if (e.low > kLow || e.high < kLow + 255) clamp_rows<SignedC>(e.low, e.high, rows, to);
}

}  // namespace
}  // namespace mote::kernels::idot::MOTE_SIMD_NS
