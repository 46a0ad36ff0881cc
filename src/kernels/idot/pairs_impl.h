// Register tiles of words by pairs, requantized to bytes from the registers. For the ISA of the including file.
//
// Where a panel is larger than the first cache, parts of it in turn pass all rows, whose sums wait in memory. Tiles are
// up to 6 rows of 16 columns, or of 8 where a panel has no more. Sums start at what is added to them. Results of two
// rows become bytes together, as unsigned ones: signed ones are less 128 at the end.
#pragma once

#include "kernels/idot/block_impl.h"
#include "kernels/idot/rows_impl.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

#if defined(__AVX2__) && !defined(__AVX512BW__) && !defined(__AVXVNNI__) && !defined(MOTE_SIMD_SCALAR) && \
    !defined(MOTE_COMPACT)
inline constexpr bool kPairPanels = true;
// A panel, and the parameters of its columns.
template <int W, bool FixedPoint>
struct PairPanel {
  const Rows& a;
  const Finish& e;
  const std::int64_t* segments;
  std::int64_t segment_count, segment_bytes;
  const std::int8_t* b;
  std::int32_t* sums;  // [rows][16]
  Bytes to;
  __m256 high_y, scale[W];
  __m256i zero, flip, least_y, greatest_y, add[W], column_zero[W];
  Fixed8 fixed[W];

  // The parameters are loaded by `multiply`.
  MOTE_INLINE PairPanel(const Rows& rows, const Finish& finish, const Block& t, const Bytes& bytes, std::int32_t* kept)
      : a(rows),
        e(finish),
        segments(t.segments),
        segment_count(t.segment_count),
        segment_bytes(t.segment_bytes),
        b(t.b),
        sums(kept),
        to(bytes) {}

  static MOTE_INLINE __m256i load(const void* q) { return _mm256_loadu_si256(static_cast<const __m256i*>(q)); }

  MOTE_INLINE void load_parameters(bool is_signed) {
    const std::int32_t shift = is_signed ? 128 : 0;
    zero = _mm256_set1_epi16(static_cast<std::int16_t>(e.y_zero + shift));
    flip = _mm256_set1_epi8(static_cast<char>(is_signed ? 0x80 : 0));
    least_y = _mm256_set1_epi8(static_cast<char>(e.low + shift));
    greatest_y = _mm256_set1_epi8(static_cast<char>(e.high + shift));
    high_y = _mm256_set1_ps(static_cast<float>(e.high - e.y_zero));
    for (int v = 0; v < W; ++v) {
      add[v] = load(e.add + 8 * v);
      column_zero[v] = load(e.zero + 8 * v);
      if constexpr (FixedPoint) {
        fixed[v] = fixed8_of(load(e.scales.fixed.multiplier + 8 * v), load(e.scales.fixed.shift + 8 * v));
      } else {
        scale[v] = _mm256_loadu_ps(e.scales.f32.factor + 8 * v);
      }
    }
  }

  MOTE_INLINE __m256i scaled(__m256i sum, int v) const {
    if constexpr (FixedPoint) return scale_fixed8(sum, fixed[v]);
    // What is too small for an integer, or is none, becomes the least one.
    return _mm256_cvtps_epi32(_mm256_min_ps(high_y, _mm256_mul_ps(_mm256_cvtepi32_ps(sum), scale[v])));
  }

  MOTE_INLINE void put(std::uint8_t* c, __m128i bytes) const {
    if (to.width >= 8 * W) {
      W == 2 ? _mm_storeu_si128(reinterpret_cast<__m128i*>(c), bytes)
             : _mm_storel_epi64(reinterpret_cast<__m128i*>(c), bytes);
      return;
    }
    std::uint8_t all[16];
    _mm_storeu_si128(reinterpret_cast<__m128i*>(all), bytes);
    for (int i = 0; i < to.width; ++i) c[i] = all[i];
  }

  // Part of the panel: bytes [from, to) of some stretches of the rows.
  struct Part {
    std::int64_t first, last, from, to;
    const std::int8_t* b;
    bool starts, ends;
  };

  // Rows [row, row + R).
  template <int R>
  MOTE_INLINE void tile(std::int64_t row, const Part& part) const {
    __m256i acc[R][W];
    const std::uint8_t* rows[R];
    std::int32_t* kept = sums + row * 16;
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      rows[r] = a.first + a.at[row + r];
#pragma GCC unroll 2
      for (int v = 0; v < W; ++v) acc[r][v] = part.starts ? add[v] : load(kept + r * 16 + v * 8);
    }
    const std::int8_t* panel = part.b;
    for (std::int64_t s = part.first; s < part.last; ++s) {
      for (std::int64_t i = segments[s] + part.from, end = segments[s] + part.to; i < end; i += 4, panel += 32) {
        __m256i x[W];
#pragma GCC unroll 2
        for (int v = 0; v < W; ++v)
          x[v] = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(panel + 16 * v)));
#pragma GCC unroll 6
        for (int r = 0; r < R; ++r) {
          const __m256i pair = _mm256_set1_epi32(static_cast<int>(step_of(rows[r] + i)));
#pragma GCC unroll 2
          for (int v = 0; v < W; ++v) acc[r][v] = _mm256_add_epi32(acc[r][v], _mm256_madd_epi16(pair, x[v]));
        }
      }
    }
    if (!part.ends) {
#pragma GCC unroll 6
      for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
        for (int v = 0; v < W; ++v) _mm256_storeu_si256(reinterpret_cast<__m256i*>(kept + r * 16 + v * 8), acc[r][v]);
      }
      return;
    }
    if (e.zeros) {
#pragma GCC unroll 6
      for (int r = 0; r < R; ++r) {
        const __m256i sum = _mm256_set1_epi32(to.row_sums[row + r]);
#pragma GCC unroll 2
        for (int v = 0; v < W; ++v) acc[r][v] = _mm256_sub_epi32(acc[r][v], _mm256_mullo_epi32(column_zero[v], sum));
      }
    }
    std::uint8_t* c = to.c + row * to.c_row;
#pragma GCC unroll 6
    for (int r = 0; r < R; r += 2) {
      const int next = r + 1 < R ? r + 1 : r;
      const __m256i first = _mm256_packs_epi32(scaled(acc[r][0], 0), scaled(acc[r][W - 1], W - 1)),
                    second = _mm256_packs_epi32(scaled(acc[next][0], 0), scaled(acc[next][W - 1], W - 1));
      __m256i y = _mm256_packus_epi16(_mm256_adds_epi16(first, zero), _mm256_adds_epi16(second, zero));
      y = _mm256_xor_si256(_mm256_min_epu8(_mm256_max_epu8(y, least_y), greatest_y), flip);
      // Fours of columns, by halves of registers: those of the first row, then of the second.
      y = _mm256_permutevar8x32_epi32(
          y, W == 2 ? _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7) : _mm256_setr_epi32(0, 4, 0, 4, 2, 6, 2, 6));
      put(c + r * to.c_row, _mm256_castsi256_si128(y));
      if (next != r) put(c + next * to.c_row, _mm256_extracti128_si256(y, 1));
    }
  }

  // A part of the panel, all rows.
  MOTE_INLINE void pass(std::int64_t rows, const Part& part) const {
    // Tiles of about the same height.
    std::int64_t tiles = (rows + 5) / 6;
    for (std::int64_t row = 0, height = 0; row < rows; row += height, --tiles) {
      height = row + tiles * 6 <= rows ? 6 : (rows - row + tiles - 1) / tiles;
      if (height == 6) {
        tile<6>(row, part);
        continue;
      }
      with_rows(height, [&](auto r) {
        if constexpr (decltype(r)::value < 6) tile<decltype(r)::value>(row, part);
      });
    }
  }

  MOTE_NOINLINE void multiply(std::int64_t rows, bool is_signed) {
    load_parameters(is_signed);
    constexpr std::int64_t kPartBytes = 1024;  // of rows: 8 KB of the panel
    if (rows <= 6 || segment_count * segment_bytes <= 2 * kPartBytes)
      return pass(rows, {0, segment_count, 0, segment_bytes, b, true, true});
    const std::int8_t* at = b;
    const std::int64_t together = segment_bytes >= kPartBytes ? 1 : kPartBytes / segment_bytes;
    for (std::int64_t s = 0; s < segment_count; s += together) {
      const std::int64_t last = s + together < segment_count ? s + together : segment_count;
      for (std::int64_t from = 0, to = 0; from < segment_bytes; from = to) {
        to = segment_bytes - from < 2 * kPartBytes ? segment_bytes : from + kPartBytes;
        pass(rows, {s, last, from, to, at, s == 0 && from == 0, last == segment_count && to == segment_bytes});
        at += (last - s) * (to - from) * 8;
      }
    }
  }
};

// A panel of 16 columns, from the first row of the tile on.
MOTE_INLINE void requantize_pairs(const Block& t, const Rows& a, std::int64_t rows, const Finish& e, const Bytes& to,
                                  std::int32_t* sums, bool is_signed) {
  auto with = [&](auto width, auto fixed) {
    PairPanel<decltype(width)::value, decltype(fixed)::value == 1> panel(a, e, t, to, sums);
    panel.multiply(rows, is_signed);
  };
  const bool fixed = e.recipe == Recipe::kFixed;
  if (to.width > 8) {
    fixed ? with(Count<2>(), Count<1>()) : with(Count<2>(), Count<0>());
  } else {
    fixed ? with(Count<1>(), Count<1>()) : with(Count<1>(), Count<0>());
  }
}
#else
inline constexpr bool kPairPanels = false;
MOTE_INLINE void requantize_pairs(const Block&, const Rows&, std::int64_t, const Finish&, const Bytes&, std::int32_t*,
                                  bool) {}
#endif

}  // namespace
}  // namespace mote::kernels::idot::MOTE_SIMD_NS
