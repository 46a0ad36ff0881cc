// Products of words of A by bytes of B. For the ISA of the including file.
//
// A step of a register tile is two k of 16 columns, by pairs of words, which the rows hold in place. A pair adds at
// most 2^23 to a sum: where i32 is not enough for all of them, sums go to i64 after every kMostPairs.
#pragma once

#include "kernels/idot/rows_impl.h"
#include "kernels/idot/words_finish_impl.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

inline constexpr std::int64_t kMostPairs = 255;

// As Block, of pairs of words.
struct WordBlock {
  const std::uint8_t* rows[kWordRows];
  const std::int64_t* segments;
  std::int64_t segment_count, segment_bytes, tail;
  const std::int8_t* b;
  std::uint32_t flip;  // what makes A's words signed, two of them
  std::int64_t most;   // steps after which sums go to `wide`
  std::int32_t* sums;  // [rows][16]
  std::int64_t* wide;  // [rows][16]
};

template <int R>
MOTE_INLINE void fold_words(const WordBlock& t, const Words16 (&acc)[R]) {
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) fold(acc[r], t.sums + r * 16);
}

// Flip: A's words may be unsigned.
template <int R, bool Flip>
MOTE_NOINLINE void multiply_words(const WordBlock& t) {
  Words16 acc[R];
  const std::uint8_t* rows[R];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
    acc[r] = no_words();
    rows[r] = t.rows[r];
  }
  const std::int8_t* b = t.b;
  std::int64_t left = t.most;
  std::uint8_t tail[4 * R] = {};
  const std::int64_t segments = t.segment_count + (t.tail > 0 ? 1 : 0);
  for (std::int64_t s = 0; s < segments; ++s) {
    std::int64_t i = 0, end = 4;
    if (s < t.segment_count) {
      i = t.segments[s];
      end = i + t.segment_bytes;
    } else {
      // One more word of each row.
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        __builtin_memcpy(tail + 4 * r, rows[r] + t.segment_bytes, 2);
        rows[r] = tail + 4 * r;
      }
    }
    while (i < end) {
      const std::int64_t stop = end - i <= 4 * left ? end : i + 4 * left;
      left -= (stop - i) / 4;
      for (; i < stop; i += 4, b += 32) {
        const WordStep w = load_word_step(b);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
          std::uint32_t pair;
          __builtin_memcpy(&pair, rows[r] + i, 4);
          accumulate(acc[r], Flip ? pair ^ (kCompact ? t.flip : 0x80008000u) : pair, w);
        }
      }
      if (left > 0) continue;
      left = t.most;
      fold_words(t, acc);
      for (int j = 0; j < R * 16; ++j) t.wide[j] += t.sums[j];
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) acc[r] = no_words();
    }
  }
  fold_words(t, acc);
}

// Calls f with the number of rows, 1 to R, as a constant.
template <int R, class F>
MOTE_INLINE void with_word_rows(int rows, F f) {
  if constexpr (R > 1) {
    if (rows < R) return with_word_rows < kCompact ? 1 : R - 1 > (rows, f);
  }
  f(Count<R>());
}

// The sums of rows of words, as if all were signed.
MOTE_INLINE void sum_words(const Params& p, const Rows& a, std::int64_t rows, std::int64_t* sums) {
  const std::uint16_t flip = p.a_signed ? 0 : 0x8000;
  const bool apart = p.access == Access::kImage;  // segments have offsets of their own
  for (std::int64_t r = 0; r < rows; ++r) {
    std::int64_t sum = 0;
    for (std::int64_t s = 0; s < p.segments.count; ++s) {
      const std::uint8_t* from = a.first + a.at[r] + (apart ? a.segments[s] : s * p.segments.pitch * 2);
      for (std::int64_t i = 0; i < p.segments.length; ++i) {
        std::uint16_t word;
        __builtin_memcpy(&word, from + 2 * i, 2);
        sum += static_cast<std::int16_t>(word ^ flip);
      }
    }
    sums[r] = sum;
  }
}

// `a`: the rows of the tile before it, unless it is `fresh`; then those of this one.
// NOLINTNEXTLINE(misc-definitions-in-headers): one namespace per including file
void run_word_tile(const Params& p, std::int64_t tile, std::byte* scratch, bool fresh, Rows& a) {
  const Shared s = shared_of(p);
  const std::int64_t padded = panels_of(p.n) * kPanel;
  const auto [batch, group, row, rows, col, col_end] = tile_of(p, tile);
  const std::int64_t channel = group * (p.gather ? p.window.channels : 0);
  if (fresh) a = rows_of<OfWords>(p, row, rows, p.a + 2 * (batch * p.a_batch + channel), scratch);

  alignas(64) std::int32_t sums[kWordRows * 16];
  std::int64_t wide[kWordRows * 16];
  WordBlock t;
  t.segments = a.segments;
  t.segment_count = p.access == Access::kImage ? p.segments.count : 1;
  t.segment_bytes = a.segment_bytes;
  t.tail = a.tail;
  t.sums = sums;
  t.flip = p.a_signed ? 0 : 0x80008000u;
  t.wide = wide;
  const std::int64_t k = p.segments.packed_k(), panel_bytes = quads_of(k) * 64;
  const std::int64_t columns = (p.b_batch != 0 ? batch * p.groups : 0) * padded + group * padded;
  WordFinish all = word_finish_of(p, s.add + columns, s.zero + group * padded, s.wide_add + columns,
                                  advanced(s.scales, p.recipe, group * padded), s.flags);
  all.zeros = s.flags[0] != 0;
  t.most = all.narrow ? std::int64_t{1} << 58 : kMostPairs;
  auto* row_sums = reinterpret_cast<std::int64_t*>(scratch + row_scratch_of(p).partial);
  if (all.zeros && fresh) sum_words(p, a, rows, row_sums);
  const auto* b = reinterpret_cast<const std::int8_t*>(p.b + batch * p.b_batch + group * packed_size(k, p.n));
  for (std::int64_t j = col; j < col_end; j += kPanel) {
    const std::int64_t width = p.n - j < kPanel ? p.n - j : kPanel;
    t.b = b + j / kPanel * panel_bytes;
    const WordFinish e = advanced(all, j);
    for (std::int64_t r = 0, height = 0; r < rows; r += height) {
      height = even_height<std::int64_t>(rows - r, kWordRows);
      for (std::int64_t i = 0; i < height; ++i) t.rows[i] = a.first + a.at[r + i];
      if (!e.narrow) __builtin_memset(wide, 0, sizeof wide);
      with_word_rows<kWordRows>(static_cast<int>(height), [&](auto h) {
        constexpr int kHeight = decltype(h)::value;
        if constexpr (kCompact) {
          multiply_words<kHeight, true>(t);
        } else {
          p.a_signed ? multiply_words<kHeight, false>(t) : multiply_words<kHeight, true>(t);
        }
      });
      if (!e.narrow) {
        for (std::int64_t i = 0; i < height * 16; ++i) wide[i] += sums[i];
      }
      const std::int64_t c = batch * p.c_batch + (row + r) * p.c_row + group * p.n + j;
      finish_words(p, e, sums, wide, row_sums + r, c, height, width);
      apply_words(p, c, height, width, batch * p.m + row + r, group * p.n + j);
    }
  }
}

}  // namespace

// NOLINTNEXTLINE(misc-definitions-in-headers): one namespace per including file
void run_words(const Params& p, TileRange range) noexcept {
  Rows a{};
  for (std::int64_t t = range.begin; t < range.end; ++t)
    run_word_tile(p, t, range.scratch, t == range.begin || t % p.cols.count == 0, a);
}

}  // namespace mote::kernels::idot::MOTE_SIMD_NS
