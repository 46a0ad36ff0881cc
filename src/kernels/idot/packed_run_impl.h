// Tiles of products of bytes on NEON. For the ISA of the including file.
#pragma once

#include "kernels/idot/packed_finish_impl.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

// `rows` packed rows, the first of which is `row`, by a panel, one tile after the other.
template <class T, bool Other>
MOTE_INLINE void finish_panel(const Params& p, Tile t, std::int64_t rows, std::int64_t tile_bytes, const Finish& e,
                              const std::int32_t* row_sums, T* c, std::int64_t row, std::int64_t column,
                              std::int64_t width) {
  std::int32_t sums[kRows * 16];
  for (std::int64_t r = 0; r < rows; r += kRows, t.a += tile_bytes, c += kRows * p.c_row) {
    const std::int64_t height = rows - r < kRows ? rows - r : kRows;
    multiply_rows<Other>(t, height, sums);
    for (std::int64_t i = 0; i < height; ++i)
      finish(e, sums + i * 16, e.zeros ? row_sums[r + i] : 0, c + i * p.c_row, width);
    apply(p, c, height, width, row + r, column);
  }
}

template <class T, bool Other>
void run_packed(const Params& p, std::int64_t tile, std::byte* scratch, bool fresh, Rows& a) {
  const Shared s = shared_of(p);
  const auto [batch, group, row, rows, col, col_end] = tile_of(p, tile);
  const RowScratch at = row_scratch_of(p);
  auto* row_sums = reinterpret_cast<std::int32_t*>(scratch + at.sums);
  auto* packed = reinterpret_cast<std::int8_t*>(scratch + at.packed);
  const std::uint8_t* from = p.a + batch * p.a_batch + group * (p.gather ? p.window.channels : 0);
  if (fresh) a = rows_of<OfBytes>(p, row, rows, from, scratch);
  Finish e = finish_of<T>(p, s);
  if (e.zeros && fresh) sum_rows(p, a, rows, row_sums);
  const std::int64_t k = p.segments.packed_k(), tile_bytes = packed_tile_bytes(k);
  const std::int64_t segments = p.access == Access::kImage ? p.segments.count : 1;
  const auto* b = reinterpret_cast<const std::int8_t*>(p.b + batch * p.b_batch + group * packed_size(k, p.n));
  T* c = reinterpret_cast<T*>(p.c) + batch * p.c_batch + group * p.n;
  [[maybe_unused]] const bool quick = p.recipe != Recipe::kHalfAway && s.flags[4] == 0;
  for (std::int64_t r = 0; r < rows; r += p.packed_rows) {
    const std::int64_t height = rows - r < p.packed_rows ? rows - r : p.packed_rows;
    // Those of the tile before may still be there.
    if (fresh || rows > p.packed_rows)
      pack_tiles(a, r, height, segments, p.signed_kernel && !p.a_signed ? 0x80 : 0, tile_bytes, packed);
    for (std::int64_t j = col; j < col_end; j += kPanel) {
      const std::int64_t width = p.n - j < kPanel ? p.n - j : kPanel;
      const Tile t{packed, b + j / kPanel * quads_of(k) * 64, k};
      T* to = c + (row + r) * p.c_row + j;
      move_to(e, p, s, batch, group, j);
      if constexpr (kBytes<T>) {
        constexpr bool kSignedC = static_cast<T>(-1) < static_cast<T>(0);
        const Bytes bytes{reinterpret_cast<std::uint8_t*>(to), p.c_row, width, row_sums + r};
        if (quick && p.recipe == Recipe::kFixed) {
          requantize<Other, true, kSignedC>(t, height, tile_bytes, e, bytes);
          continue;
        }
        if (quick) {
          requantize<Other, false, kSignedC>(t, height, tile_bytes, e, bytes);
          continue;
        }
      }
      finish_panel<T, Other>(p, t, height, tile_bytes, e, row_sums + r, to, batch * p.m + row + r, group * p.n + j,
                             width);
    }
  }
}

// `a`: the rows of the tile before it, unless it is `fresh`; then those of this one.
template <class T>
MOTE_INLINE void run_tile(const Params& p, std::int64_t tile, std::byte* scratch, bool fresh, Rows& a) {
  // See add_products.
  if (kDepth == 8 && (p.depth == kHalves ? shared_of(p).flags[3] != 0 : !p.a_signed))
    return run_packed<T, true>(p, tile, scratch, fresh, a);
  run_packed<T, false>(p, tile, scratch, fresh, a);
}

}  // namespace
}  // namespace mote::kernels::idot::MOTE_SIMD_NS
