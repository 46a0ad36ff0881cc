// Register tiles of bytes on NEON: packed rows of A by a panel of B. For the ISA of the including file.
//
// Rows are packed by tiles of kRows, as a tile reads them:
//   sdot           [k / 16][kRows][16]
//   smmla          [k / 8][kRows][8]
//   smull, smlal2  [k / 8][kRows][16]: the first four k twice, then the others twice, for two columns of B each
#pragma once

#if defined(__ARM_FEATURE_MATMUL_INT8)
#include "kernels/idot/packed_smmla_impl.h"
#elif defined(__ARM_FEATURE_DOTPROD)
#include "kernels/idot/packed_sdot_impl.h"
#else
#include "kernels/idot/packed_smull_impl.h"
#endif

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

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
