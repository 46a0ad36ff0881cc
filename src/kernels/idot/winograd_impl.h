// Winograd's form of 3x3 convolutions of bytes. For the ISA of the including file.
#pragma once

#include "kernels/idot/winograd.h"
#include "kernels/idot/words_impl.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

#if defined(__AVX2__) && !defined(__AVX512BW__) && !defined(__AVXVNNI__) && !defined(MOTE_SIMD_SCALAR)
#define MOTE_WINOGRAD 1
using Words = __m256i;
inline constexpr int kWide = 16, kTileRows = 6;  // words of one register; tiles multiplied at once
MOTE_INLINE Words load256(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
MOTE_INLINE Words widened(const std::uint8_t* p, std::uint8_t flip) {
  const __m128i flips = _mm_set1_epi8(static_cast<char>(flip));
  return _mm256_cvtepu8_epi16(_mm_xor_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)), flips));
}
MOTE_INLINE Words plus(Words x, Words y) { return _mm256_add_epi16(x, y); }
MOTE_INLINE Words minus(Words x, Words y) { return _mm256_sub_epi16(x, y); }
MOTE_INLINE void store_wide(std::int16_t* p, Words v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
MOTE_INLINE I32 quarter(I32 x) { return {_mm256_srai_epi32(x.v, 2)}; }

// R tiles of one position by a panel of pairs: m[R][16].
template <int R>
MOTE_INLINE void multiply_tiles(const std::int16_t* v, std::int64_t v_row, const std::int16_t* u, std::int64_t pairs,
                                std::int32_t* m) {
  __m256i acc[R][2];
  const std::int16_t* rows[R];
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
    acc[r][0] = acc[r][1] = _mm256_setzero_si256();
    rows[r] = v + r * v_row;
  }
  for (std::int64_t i = 0; i < pairs; ++i, u += 32) {
    const __m256i w[2] = {load256(u), load256(u + 16)};
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      std::int32_t words;
      __builtin_memcpy(&words, rows[r] + 2 * i, 4);
      const __m256i pair = _mm256_set1_epi32(words);
#pragma GCC unroll 2
      for (int q = 0; q < 2; ++q) acc[r][q] = _mm256_add_epi32(acc[r][q], _mm256_madd_epi16(pair, w[q]));
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
    store(m + r * 16, I32{acc[r][0]});
    store(m + r * 16 + 8, I32{acc[r][1]});
  }
}

#elif defined(__ARM_NEON) && !defined(__ARM_FEATURE_DOTPROD) && !defined(MOTE_SIMD_SCALAR)
#define MOTE_WINOGRAD 1
using Words = int16x8_t;
inline constexpr int kWide = 8, kTileRows = 5;
MOTE_INLINE Words widened(const std::uint8_t* p, std::uint8_t flip) {
  return vreinterpretq_s16_u16(vmovl_u8(veor_u8(vld1_u8(p), vdup_n_u8(flip))));
}
MOTE_INLINE Words plus(Words x, Words y) { return vaddq_s16(x, y); }
MOTE_INLINE Words minus(Words x, Words y) { return vsubq_s16(x, y); }
MOTE_INLINE void store_wide(std::int16_t* p, Words v) { vst1q_s16(p, v); }
MOTE_INLINE I32 quarter(I32 x) { return {vshrq_n_s32(x.v, 2)}; }

// The products of channel L of each tile's eight.
template <int L, int R>
MOTE_INLINE void multiply_channel(int32x4_t (&acc)[R][4], const int16x8_t (&x)[R], const std::int16_t* u) {
  const int16x8_t w = vld1q_s16(u), w2 = vld1q_s16(u + 8);
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    acc[r][0] = vmlal_laneq_s16(acc[r][0], vget_low_s16(w), x[r], L);
    acc[r][1] = vmlal_high_laneq_s16(acc[r][1], w, x[r], L);
    acc[r][2] = vmlal_laneq_s16(acc[r][2], vget_low_s16(w2), x[r], L);
    acc[r][3] = vmlal_high_laneq_s16(acc[r][3], w2, x[r], L);
  }
}

// The same by a panel of single channels.
template <int R>
MOTE_INLINE void multiply_tiles(const std::int16_t* v, std::int64_t v_row, const std::int16_t* u, std::int64_t pairs,
                                std::int32_t* m) {
  int32x4_t acc[R][4];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) acc[r][0] = acc[r][1] = acc[r][2] = acc[r][3] = vdupq_n_s32(0);
  std::int64_t i = 0;
  for (; i + 8 <= 2 * pairs; i += 8, u += 128) {
    int16x8_t x[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) x[r] = vld1q_s16(v + r * v_row + i);
    multiply_channel<0>(acc, x, u);
    multiply_channel<1>(acc, x, u + 16);
    multiply_channel<2>(acc, x, u + 32);
    multiply_channel<3>(acc, x, u + 48);
    multiply_channel<4>(acc, x, u + 64);
    multiply_channel<5>(acc, x, u + 80);
    multiply_channel<6>(acc, x, u + 96);
    multiply_channel<7>(acc, x, u + 112);
  }
  for (; i < 2 * pairs; ++i, u += 16) {
    int16x8_t x[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) x[r] = vdupq_n_s16(v[r * v_row + i]);
    multiply_channel<0>(acc, x, u);
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int q = 0; q < 4; ++q) vst1q_s32(m + r * 16 + q * 4, acc[r][q]);
  }
}
#endif

#if defined(MOTE_WINOGRAD)
// t = B^T x.
MOTE_INLINE void input_line(const Words (&x)[4], Words (&t)[4]) {
  t[0] = minus(x[0], x[2]);
  t[1] = plus(x[1], x[2]);
  t[2] = minus(x[2], x[1]);
  t[3] = minus(x[1], x[3]);
}

// The 4x4 pixels of one tile, as if unsigned, to the positions of V, `step` words apart.
MOTE_NOINLINE void transform_tile(const std::uint8_t* const (&pixels)[kPositions], std::int64_t channels,
                                  std::uint8_t flip, std::int16_t* v, std::int64_t step) {
  for (std::int64_t c = 0; c < channels; c += kWide, v += kWide) {
    const std::int64_t n = channels - c;
    auto load_pixel = [&](int i) {
      std::uint8_t last[kWide] = {};
      if (n >= kWide) return widened(pixels[i] + c, flip);
      __builtin_memcpy(last, pixels[i] + c, static_cast<std::size_t>(n));
      return widened(last, flip);
    };
    Words rows[4][4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const Words x[4] = {load_pixel(j), load_pixel(4 + j), load_pixel(8 + j), load_pixel(12 + j)};
      Words t[4];
      input_line(x, t);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) rows[i][j] = t[i];
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      Words t[4];
      input_line(rows[i], t);
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) store_wide(v + (4 * i + j) * step, t[j]);
    }
  }
}

MOTE_NOINLINE void multiply_position(const std::int16_t* v, std::int64_t v_row, const std::int16_t* u,
                                     std::int64_t pairs, std::int32_t* m, std::int64_t tiles) {
  for (std::int64_t t = 0, height = 0; t < tiles; t += height) {
    height = even_height<std::int64_t>(tiles - t, kTileRows);
    with_word_rows<kTileRows>(static_cast<int>(height), [&](auto r) {
      multiply_tiles<decltype(r)::value>(v + t * v_row, v_row, u, pairs, m + t * 16);
    });
  }
}

// y = A^T m A / 4 of sixteen columns of one tile: y[pixel][16].
MOTE_INLINE void transform_back(const std::int32_t* m, std::int64_t step, std::int32_t* y) {
#pragma GCC unroll 4
  for (int q = 0; q < 16; q += kLanes) {
    I32 rows[2][4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const std::int32_t* at = m + q + j * step;
      const I32 a = load(at), b = load(at + 4 * step), c = load(at + 8 * step), d = load(at + 12 * step);
      rows[0][j] = a + (b + c);
      rows[1][j] = b - (c + d);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      const I32(&x)[4] = rows[i];
      store(y + 32 * i + q, quarter(x[0] + (x[1] + x[2])));
      store(y + 32 * i + 16 + q, quarter(x[1] - (x[2] + x[3])));
    }
  }
}

// A block of tiles of one image and group.
struct TileBlock {
  const Params& p;
  WinogradScratch at;
  std::byte* scratch;
  std::int64_t across, image, first, count, group;

  const std::uint8_t* plane() const {
    return p.a + image * p.window.in[1] * p.window.in[2] * p.a_row + group * p.window.channels;
  }
  std::int16_t* v() const { return reinterpret_cast<std::int16_t*>(scratch + at.v); }
  std::int32_t* m() const { return reinterpret_cast<std::int32_t*>(scratch + at.m); }
  std::int32_t* sums() const { return reinterpret_cast<std::int32_t*>(scratch + at.sums); }

  // Pixel (h, l) of the image, or one of padding.
  MOTE_INLINE const std::uint8_t* pixel(std::int64_t h, std::int64_t l) const {
    const Window& w = p.window;
    const bool inside = h >= 0 && h < w.in[1] && l >= 0 && l < w.in[2];
    return inside ? plane() + (h * w.in[2] + l) * p.a_row : reinterpret_cast<const std::uint8_t*>(scratch);
  }

  void transform() const {
    for (std::int64_t t = 0; t < count; ++t) {
      const std::int64_t h = (first + t) / across * 2 - p.window.pad[1], l = (first + t) % across * 2 - p.window.pad[2];
      const std::uint8_t* pixels[kPositions];
      for (std::int64_t i = 0; i < kPositions; ++i) pixels[i] = pixel(h + i / 4, l + i % 4);
      transform_tile(pixels, p.window.channels, p.a_signed ? 0x80 : 0, v() + t * at.v_row, at.v_step);
    }
  }

  // The sums of A's bytes, as if all were unsigned, under the windows of each tile's pixels.
  void sum_windows() const {
    const std::uint8_t flip = p.a_signed ? 0x80 : 0;
    for (std::int64_t t = 0; t < count; ++t) {
      const std::int64_t h = (first + t) / across * 2 - p.window.pad[1], l = (first + t) % across * 2 - p.window.pad[2];
      for (std::int64_t y = 0; y < 4; ++y) {
        std::int32_t sum = 0;
        for (std::int64_t i = 0; i < 9; ++i) {
          const std::uint8_t* from = pixel(h + y / 2 + i / 3, l + y % 2 + i % 3);
          for (std::int64_t c = 0; c < p.window.channels; ++c) sum += static_cast<std::uint8_t>(from[c] ^ flip);
        }
        sums()[t * 4 + y] = sum;
      }
    }
  }

  void multiply(const std::byte* panel) const {
    const std::int64_t pairs = p.steps / kPositions;
    for (std::int64_t i = 0; i < kPositions; ++i) {
      multiply_position(v() + i * at.v_step, at.v_row, reinterpret_cast<const std::int16_t*>(panel) + i * pairs * 32,
                        pairs, m() + i * at.m_step, count);
    }
  }

  // Columns [j, j + n) of the group.
  template <class T>
  void put(const Finish& e, std::int64_t j, std::int64_t n) const {
    const Window& w = p.window;
    for (std::int64_t t = 0; t < count; ++t) {
      alignas(32) std::int32_t y[4 * kPanel];
      transform_back(m() + t * kPanel, at.m_step, y);
      const std::int64_t h = (first + t) / across * 2, l = (first + t) % across * 2;
      const std::int64_t height = w.out[1] - h < 2 ? 1 : 2, width = w.out[2] - l < 2 ? 1 : 2;
      for (std::int64_t i = 0; i < height; ++i) {
        const std::int64_t row = (image * w.out[1] + h + i) * w.out[2] + l;
        T* c = reinterpret_cast<T*>(p.c) + row * p.c_row + group * p.n + j;
        for (std::int64_t x = 0; x < width; ++x)
          finish(e, y + (2 * i + x) * kPanel, e.zeros ? sums()[t * 4 + 2 * i + x] : 0, c + x * p.c_row, n);
        apply(p, c, width, n, row, group * p.n + j);
      }
    }
  }
};

template <class T>
MOTE_INLINE void winograd_as(const Params& p, TileRange range) {
  const Window& w = p.window;
  const Shared s = shared_of(p);
  const std::int64_t across = (w.out[2] + 1) / 2, padded = panels_of(p.n) * kPanel, blocks = p.rows.count;
  std::uint8_t fill = 0;
  if (p.a_zero) __builtin_memcpy(&fill, p.a_zero, 1);
  __builtin_memset(range.scratch, fill, static_cast<std::size_t>(w.channels));
  std::int64_t transformed = -1;
  for (std::int64_t tile = range.begin; tile < range.end; ++tile) {
    const std::int64_t place = tile / p.cols.count, col = p.cols.begin(tile % p.cols.count),
                       col_end = p.cols.end(tile % p.cols.count);
    const std::int64_t row_tile = place % p.row_tiles, group = place / p.row_tiles,
                       first = p.rows.begin(row_tile % blocks);
    const TileBlock b{p,
                      winograd_scratch(p),
                      range.scratch,
                      across,
                      row_tile / blocks,
                      first,
                      p.rows.end(row_tile % blocks) - first,
                      group};
    Finish e = finish_of<T>(p, s);
    if (transformed != place) {
      b.transform();
      if (e.zeros) b.sum_windows();
    }
    transformed = place;
    const std::byte* panels = p.b + group * (panels_of(p.n) * (p.steps * 64 + kPanel * 4));
    for (std::int64_t j = col; j < col_end; j += kPanel) {
      const std::int64_t column = group * padded + j;
      e.add = s.add + column;
      e.zero = s.zero + column;
      e.scales = advanced(s.scales, p.recipe, column);
      b.multiply(panels + j / kPanel * p.steps * 64);
      b.put<T>(e, j, p.n - j < kPanel ? p.n - j : kPanel);
    }
  }
}
#endif

}  // namespace

#if defined(MOTE_WINOGRAD)
#undef MOTE_WINOGRAD
// NOLINTNEXTLINE(misc-definitions-in-headers): one namespace per including file
void run_winograd(const Params& p, TileRange range) noexcept {
  if (p.out == DType::i32) return winograd_as<std::int32_t>(p, range);
  if (p.out == DType::f32) return winograd_as<float>(p, range);
  if (p.out == DType::u8) return winograd_as<std::uint8_t>(p, range);
  winograd_as<std::int8_t>(p, range);
}
#endif

}  // namespace mote::kernels::idot::MOTE_SIMD_NS
