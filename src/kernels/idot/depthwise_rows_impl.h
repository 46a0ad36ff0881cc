// Depthwise convolutions to bytes by rows of the image, two rows of taps per instruction. For the ISA of the including
// file.
//
// Rows 2j and 2j + 1 of the padded image, widened to words and interleaved, make a pair of rows, which every row of the
// result above it reads: [columns][channels of a block][2]. A ring holds as many as one row of the result needs. Rows
// of the result that start in the middle of a pair have filters of their own, moved by a row. Interleaving 16 channels
// leaves channels 0 to 3 and 8 to 11 in the first register, the others in the second, which packing undoes.
#pragma once

#include "kernels/compact.h"
#include "kernels/idot/depthwise_taps_impl.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

#if defined(__AVX2__) && !defined(__AVX512VNNI__) && !defined(MOTE_SIMD_SCALAR)
#define MOTE_ROWS 1
// V registers of 8 channels from channel `c` on, `n` of which are there: all where Full. One of a compact build asks
// the parameters at run time for what else it is an instance of.
template <int VV, bool Full, bool FixedPoint, bool SignedA>
struct RowBlock {
  static constexpr int V = VV;
  static constexpr std::int64_t kBytes = V * 32;  // of a column of a pair of rows
  const Params& p;
  const Filters& f;
  std::int64_t c, n;
  const std::uint8_t* plane;  // of the image
  std::uint8_t* slots;
  __m256 high_y, scale[V];
  __m256i zero, least_y, greatest_y, add[V];
  Fixed8 fixed[V];

  MOTE_INLINE bool fixed_point() const { return kCompact ? p.recipe == Recipe::kFixed : FixedPoint; }
  MOTE_INLINE bool signed_a() const { return kCompact ? p.a_signed : SignedA; }

  static MOTE_INLINE __m256i load(const void* q) { return _mm256_loadu_si256(static_cast<const __m256i*>(q)); }
  static MOTE_INLINE void store(void* q, __m256i v) { _mm256_storeu_si256(static_cast<__m256i*>(q), v); }
  static MOTE_INLINE __m128i load_half(const void* q) { return _mm_loadu_si128(static_cast<const __m128i*>(q)); }
  // The values of register v of 16 or 8 channels.
  template <class T>
  static MOTE_INLINE __m256i in_order(const T* q, int v) {
    if constexpr (V == 1) return load(q);
    return _mm256_set_m128i(load_half(q + 8 + 4 * v), load_half(q + 4 * v));
  }

  MOTE_INLINE void load_parameters() {
    const bool is_signed = p.out == DType::i8;
    const std::int32_t low = is_signed ? least<std::int8_t>(p) : least<std::uint8_t>(p),
                       high = is_signed ? greatest<std::int8_t>(p) : greatest<std::uint8_t>(p);
    zero = _mm256_set1_epi16(static_cast<std::int16_t>(f.flags[1]));
    least_y = _mm256_set1_epi16(static_cast<std::int16_t>(low));
    greatest_y = _mm256_set1_epi16(static_cast<std::int16_t>(high));
    high_y = _mm256_set1_ps(static_cast<float>(high - f.flags[1]));
    for (int v = 0; v < V; ++v) {
      add[v] = in_order(f.row_add + c, v);
      if (fixed_point()) {
        fixed[v] = fixed8_of(in_order(f.scales.fixed.multiplier + c, v), in_order(f.scales.fixed.shift + c, v));
      } else {
        scale[v] = _mm256_castsi256_ps(in_order(f.scales.f32.factor + c, v));
      }
    }
  }

  MOTE_INLINE __m256i widened(const std::uint8_t* q) const {
    const __m128i bytes = Full && V == 2 ? load_half(q)
                          : Full         ? _mm_loadl_epi64(reinterpret_cast<const __m128i*>(q))
                                         : load_channels(q, n);
    return signed_a() ? _mm256_cvtepi8_epi16(bytes) : _mm256_cvtepu8_epi16(bytes);
  }

  // The pair of rows `first` and `first` + 1 of the image.
  MOTE_INLINE void pair_rows(std::int64_t first, std::uint8_t* slot) const {
    const Window& w = p.window;
    const std::int64_t width = p.piece_columns;
    // Columns [begin, end) of the piece lie in the image; a padding below 0 cuts columns off.
    const std::int64_t left = w.pad[2] > 0 ? w.pad[2] : 0, right = w.in[2] + w.pad[2];
    const std::int64_t begin = left < width ? left : width;
    std::int64_t end = right < width ? right : width;
    if (end < begin) end = begin;
    const std::uint8_t* rows[2];
    std::int64_t step[2];
    for (int i = 0; i < 2; ++i) {
      const bool inside = first + i >= 0 && first + i < w.in[1];
      rows[i] = (inside ? plane + ((first + i) * w.in[2] + begin - w.pad[2]) * p.a_row : f.fill) + c;
      step[i] = inside ? p.a_row : 0;
    }
    const __m256i padding = _mm256_set1_epi16(static_cast<std::int16_t>(f.flags[0]));
    for (std::int64_t x = 0; x < begin * V; ++x) store(slot + x * 32, padding);
    for (std::int64_t x = end * V; x < width * V; ++x) store(slot + x * 32, padding);
    std::uint8_t* to = slot + begin * kBytes;
    for (std::int64_t x = begin; x < end; ++x, to += kBytes, rows[0] += step[0], rows[1] += step[1]) {
      const __m256i a = widened(rows[0]), b = widened(rows[1]);
      if constexpr (V == 2) {
        store(to, _mm256_unpacklo_epi16(a, b));
        store(to + 32, _mm256_unpackhi_epi16(a, b));
      } else {
        const __m128i first_half = _mm256_castsi256_si128(a), second_half = _mm256_castsi256_si128(b);
        store(to, _mm256_set_m128i(_mm_unpackhi_epi16(first_half, second_half),
                                   _mm_unpacklo_epi16(first_half, second_half)));
      }
    }
  }

  // The words of the results of one pixel.
  MOTE_ONCE __m256i result(const __m256i (&acc)[V]) const {
    __m256i y[V];
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) {
      if (fixed_point()) {
        y[v] = scale_fixed8(acc[v], fixed[v]);
      } else {
        // What is too small for an integer, or is none, becomes the least one.
        y[v] = _mm256_cvtps_epi32(_mm256_min_ps(high_y, _mm256_mul_ps(_mm256_cvtepi32_ps(acc[v]), scale[v])));
      }
    }
    const __m256i words = _mm256_adds_epi16(_mm256_packs_epi32(y[0], y[V - 1]), zero);
    return _mm256_and_si256(_mm256_min_epi16(_mm256_max_epi16(words, least_y), greatest_y), _mm256_set1_epi16(255));
  }

  // N results in a row from the pairs of rows that `pairs` points to, at byte `at` of them.
  template <int N>
  MOTE_INLINE void results(const std::uint8_t* const* pairs, std::int64_t at, const std::int16_t* weights,
                           std::uint8_t* to) const {
    const std::int64_t taps = pair_rows_of(p.window.kernel[1]), columns = p.window.kernel[2],
                       step = p.window.stride[2] * kBytes;
    __m256i acc[N][V];
#pragma GCC unroll 4
    for (int i = 0; i < N; ++i) {
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) acc[i][v] = add[v];
    }
    auto add_tap = [&](const std::uint8_t* x, const std::int16_t* w) {
      __m256i b[V];
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) b[v] = load(w + 16 * v);
#pragma GCC unroll 4
      for (int i = 0; i < N; ++i) {
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v)
          acc[i][v] = _mm256_add_epi32(acc[i][v], _mm256_madd_epi16(b[v], load(x + i * step + 32 * v)));
      }
    };
    for (std::int64_t t = 0; t < taps; ++t, weights += 32 * columns) {
      const std::uint8_t* x = pairs[t] + at;
      if (columns == 3) {  // most of them
        add_tap(x, weights);
        add_tap(x + kBytes, weights + 32);
        add_tap(x + 2 * kBytes, weights + 64);
        continue;
      }
      for (std::int64_t l = 0; l < columns; ++l) add_tap(x + l * kBytes, weights + l * 32);
    }
#pragma GCC unroll 4
    for (int i = 0; i < N; i += 2) {
      // Quarters: 8 channels of the first, of the second, then the other 8 of both; of 8 channels, twice 4 of each.
      const __m256i first = result(acc[i]), second = N > 1 ? result(acc[(i + 1) % N]) : first;
      __m256i bytes = _mm256_packus_epi16(first, second);
      bytes = V == 1 ? _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 0, 4, 2, 6, 2, 6))
                     : _mm256_permute4x64_epi64(bytes, 0xd8);
      put(to + i * p.c_row, _mm256_castsi256_si128(bytes));
      if constexpr (N > 1) put(to + (i + 1) * p.c_row, _mm256_extracti128_si256(bytes, 1));
    }
  }
  MOTE_INLINE void put(std::uint8_t* to, __m128i bytes) const {
    if constexpr (Full && V == 2) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
    } else if constexpr (Full) {
      _mm_storel_epi64(reinterpret_cast<__m128i*>(to), bytes);
    } else {
      store_channels(to, bytes, n);
    }
  }

  // Rows [top, top + rows) of the result, from `to` on.
  MOTE_NOINLINE void band(std::int64_t top, std::int64_t rows, std::uint8_t* to) {
    load_parameters();
    const Window& w = p.window;
    const std::int64_t taps = pair_rows_of(w.kernel[1]), slot_bytes = p.piece_columns * kBytes,
                       step = w.stride[2] * kBytes;
    const std::int16_t* filters[2] = {f.rows + c * row_words_of(w),
                                      f.rows + c * row_words_of(w) + taps * w.kernel[2] * 32};
    const std::uint8_t* pairs[kMostPairRows];
    std::int64_t made = top * w.stride[1] / 2, ring = 0;  // the next pair of rows, and its place
    for (std::int64_t y = top; y < top + rows; ++y, to += w.out[2] * p.c_row) {
      const std::int64_t start = y * w.stride[1], first = start / 2;
      if (made < first) made = first;
      for (; made < first + taps; ++made) {
        pair_rows(2 * made - w.pad[1], slots + ring * slot_bytes);
        ring = ring + 1 == taps ? 0 : ring + 1;
      }
      // The oldest one lies where the next one goes.
      for (std::int64_t t = 0, i = ring; t < taps; ++t, i = i + 1 == taps ? 0 : i + 1)
        pairs[t] = slots + i * slot_bytes;
      const std::int16_t* weights = filters[start % 2];
      std::int64_t x = 0;
      for (; x + 4 <= w.out[2]; x += 4) results<4>(pairs, x * step, weights, to + x * p.c_row);
      if (w.out[2] >= 4 && x + 1 < w.out[2]) {  // four that end there, some for the second time
        x = w.out[2] - 4;
        results<4>(pairs, x * step, weights, to + x * p.c_row);
        continue;
      }
      for (; x < w.out[2]; ++x) results<1>(pairs, x * step, weights, to + x * p.c_row);
    }
  }
};

template <bool FixedPoint, bool SignedA>
void depthwise_rows_as(const Params& p, const Filters& f, TileRange range) {
  const Window& w = p.window;
  auto* slots = reinterpret_cast<std::uint8_t*>(range.scratch);
  for (std::int64_t t = range.begin; t < range.end; ++t) {
    const std::int64_t part = t % p.cols.count, band = t / p.cols.count % p.rows.count,
                       image = t / p.cols.count / p.rows.count;
    const std::int64_t top = p.rows.begin(band), rows = p.rows.end(band) - top, end = p.cols.end(part);
    const std::uint8_t* plane = p.a + image * w.in[1] * w.in[2] * p.a_row;
    std::uint8_t* to = reinterpret_cast<std::uint8_t*>(p.c) + (image * w.out[1] + top) * w.out[2] * p.c_row;
    for (std::int64_t c = p.cols.begin(part); c < end; c += 16) {
      const std::int64_t n = end - c;
      auto run = [&](auto block) { block.band(top, rows, to + c); };
      if constexpr (kCompact) {
        run(RowBlock<2, false, FixedPoint, SignedA>{p, f, c, n, plane, slots, {}, {}, {}, {}, {}, {}, {}});
      } else if (n >= 16) {
        run(RowBlock<2, true, FixedPoint, SignedA>{p, f, c, 16, plane, slots, {}, {}, {}, {}, {}, {}, {}});
      } else if (n > 8) {
        run(RowBlock<2, false, FixedPoint, SignedA>{p, f, c, n, plane, slots, {}, {}, {}, {}, {}, {}, {}});
      } else if (n == 8) {
        run(RowBlock<1, true, FixedPoint, SignedA>{p, f, c, n, plane, slots, {}, {}, {}, {}, {}, {}, {}});
      } else {
        run(RowBlock<1, false, FixedPoint, SignedA>{p, f, c, n, plane, slots, {}, {}, {}, {}, {}, {}, {}});
      }
    }
  }
}

void depthwise_rows(const Params& p, TileRange range) {
  const Filters f = filters_of(p);
  [[maybe_unused]] const bool fixed = p.recipe == Recipe::kFixed;
  if constexpr (kCompact) {
    depthwise_rows_as<false, false>(p, f, range);
  } else if (p.a_signed) {
    fixed ? depthwise_rows_as<true, true>(p, f, range) : depthwise_rows_as<false, true>(p, f, range);
  } else {
    fixed ? depthwise_rows_as<true, false>(p, f, range) : depthwise_rows_as<false, false>(p, f, range);
  }
}
#endif

}  // namespace
}  // namespace mote::kernels::idot::MOTE_SIMD_NS
