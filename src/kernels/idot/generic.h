// The products, for the ISA of the including file.
#include "kernels/idot/depthwise_quads_impl.h"
#include "kernels/idot/depthwise_rows_impl.h"
#include "kernels/idot/rows_impl.h"
#include "kernels/idot/winograd_impl.h"
#include "kernels/idot/words_depthwise_impl.h"
#include "kernels/idot/words_impl.h"

#if defined(__ARM_NEON) && !defined(MOTE_SIMD_SCALAR)
#include "kernels/idot/depthwise_columns_impl.h"
#include "kernels/idot/depthwise_words_impl.h"
#include "kernels/idot/packed_run_impl.h"
#else
#include "kernels/idot/block_impl.h"
#include "kernels/idot/pairs_impl.h"
#endif

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

#if !defined(__ARM_NEON) || defined(MOTE_SIMD_SCALAR)
// `panels` panels of a tile.
MOTE_INLINE void requantize_panels(const Block& t, std::int64_t rows, int panels, const Finish& e, Recipe recipe,
                                   const Bytes& to) {
  if (panels == kPanels) return requantize_rows<kPanels>(t, rows, e, to);
  Block some = t;
  Finish columns = e;
  Bytes part = to;
  for (int q = 0, two = 0; q < panels; q += 1 + two) {
    two = kPanels > 2 && panels - q >= 2;
    if (two) {
      requantize_rows<(kPanels > 2 ? 2 : 1)>(some, rows, columns, part);
    } else {
      requantize_rows<1>(some, rows, columns, part);
    }
    const int step = 16 * (1 + two);
    some.b += (1 + two) * t.panel_bytes;
    columns.add += step;
    columns.zero += step;
    columns.scales = advanced(columns.scales, recipe, step);
    part.c += step;
    part.width -= step;
  }
}

// `a`: the rows of the tile before it, unless it is `fresh`; then those of this one.
template <class T>
void run_tile(const Params& p, std::int64_t tile, std::byte* scratch, bool fresh, Rows& a) {
  const Shared s = shared_of(p);
  const auto [batch, group, row, rows, col, col_end] = tile_of(p, tile);
  auto* row_sums = reinterpret_cast<std::int32_t*>(scratch + row_scratch_of(p).sums);
  const std::uint8_t* from = p.a + batch * p.a_batch + group * (p.gather ? p.window.channels : 0);
  if (fresh) a = rows_of<OfBytes>(p, row, rows, from, scratch);

  Block t;
  t.segments = a.segments;
  t.segment_count = p.access == Access::kImage ? p.segments.count : 1;
  t.segment_bytes = a.segment_bytes;
  t.tail = a.tail;
  const std::int64_t k = p.segments.packed_k();
  t.panel_bytes = quads_of(k) * 64;
  t.flip = p.a_signed != kSignedA && kDepth != 2 ? 0x80808080u : 0u;
  Finish e = finish_of<T>(p, s);
  if (e.zeros && fresh) sum_rows(p, a, rows, row_sums);
  const auto* b = reinterpret_cast<const std::int8_t*>(p.b + batch * p.b_batch + group * packed_size(k, p.n));
  T* c = reinterpret_cast<T*>(p.c) + batch * p.c_batch + group * p.n;
  [[maybe_unused]] alignas(64) std::int32_t sums[kRows * kPanels * 16];
  for (std::int64_t j = col; j < col_end; j += kPanels * 16) {
    const int panels = static_cast<int>((col_end - j + 15) / 16 < kPanels ? (col_end - j + 15) / 16 : kPanels);
    const std::int64_t width = p.n - j < panels * 16 ? p.n - j : panels * 16;
    t.b = b + j / kPanel * t.panel_bytes;
    move_to(e, p, s, batch, group, j);
    [[maybe_unused]] const bool bytes = kBytes<T> && p.recipe != Recipe::kHalfAway;
    if constexpr (kBytes<T> && kPairPanels) {
      if (bytes) {
        const Bytes to{reinterpret_cast<std::uint8_t*>(c) + row * p.c_row + j, p.c_row, static_cast<int>(width),
                       row_sums};
        requantize_pairs(t, a, rows, e, to, reinterpret_cast<std::int32_t*>(scratch + row_scratch_of(p).partial),
                         p.out == DType::i8);
        continue;
      }
    }
    for (std::int64_t r = 0, height; r < rows; r += height) {
      height = next_height<std::int64_t>(rows - r, kRows);
      for (int i = 0; i < height; ++i) t.rows[i] = a.first + a.at[r + i];
      if constexpr (kBytes<T> && !kPairPanels && !kCompact) {
        if (bytes) {
          const Bytes to{reinterpret_cast<std::uint8_t*>(c) + (row + r) * p.c_row + j, p.c_row, static_cast<int>(width),
                         row_sums + r};
          requantize_panels(t, height, panels, e, p.recipe, to);
          continue;
        }
      }
      if (panels == kPanels) {
        multiply_rows<kPanels>(t, height, sums);
      } else {
        Block one = t;
        for (int q = 0; q < panels; ++q, one.b += t.panel_bytes) multiply_rows<1>(one, height, sums + q * 16);
      }
      for (int i = 0; i < height; ++i) {
        finish(e, sums + i * kPanels * 16, e.zeros ? row_sums[r + i] : 0, c + (row + r + i) * p.c_row + j, width);
      }
      apply(p, c + (row + r) * p.c_row + j, height, width, batch * p.m + row + r, group * p.n + j);
    }
  }
}
#endif

template <class T>
void run_as(const Params& p, TileRange range) {
  Rows a{};
  for (std::int64_t t = range.begin; t < range.end; ++t)
    run_tile<T>(p, t, range.scratch, t == range.begin || t % p.cols.count == 0, a);
}

}  // namespace

// NOLINTNEXTLINE(misc-definitions-in-headers): one namespace per including file
void depthwise(const Params& p, TileRange range) noexcept {
#if defined(MOTE_QUADS)
#undef MOTE_QUADS
  if (const Filters f = filters_of(p); f.flags[2] != 0) return depthwise_quads(p, f, range);
#endif
#if defined(MOTE_ROWS)
#undef MOTE_ROWS
  if (p.depthwise == Depthwise::kRows) return depthwise_rows(p, range);
#endif
#if defined(__AVX2__) && !defined(MOTE_SIMD_SCALAR)
  if (const Filters f = filters_of(p); f.flags[3] != 0) return depthwise_pairs(p, f, range);
#endif
#if defined(__ARM_NEON) && !defined(MOTE_SIMD_SCALAR)
  if (p.depthwise == Depthwise::kRows) return depthwise_columns(p, range);
  if (const Filters f = filters_of(p); f.flags[3] != 0) return depthwise_words(p, f, range);
#endif
  if (p.out == DType::i32) return depthwise_as<std::int32_t>(p, range);
  if (p.out == DType::f32) return depthwise_as<float>(p, range);
  if (p.out == DType::u8) return depthwise_as<std::uint8_t>(p, range);
  depthwise_as<std::int8_t>(p, range);
}

// NOLINTNEXTLINE(misc-definitions-in-headers): one namespace per including file
void run(const Params& p, TileRange range) noexcept {
  if (p.out == DType::i32) return run_as<std::int32_t>(p, range);
  if (p.out == DType::f32) return run_as<float>(p, range);
  if (p.out == DType::u8) return run_as<std::uint8_t>(p, range);
  run_as<std::int8_t>(p, range);
}

}  // namespace mote::kernels::idot::MOTE_SIMD_NS
