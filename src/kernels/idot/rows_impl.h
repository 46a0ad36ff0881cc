// A's rows as the register tiles read them: in place, or copied. For the ISA of the including file.
#pragma once

#include "kernels/compact.h"
#include "kernels/idot/idot.h"
#include "simd/dot8.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

using namespace simd::MOTE_SIMD_NS;

// Few bytes without a call.
MOTE_INLINE void copy_bytes(std::uint8_t* to, const std::uint8_t* from, std::int64_t n) {
  if (n > 64) {
    __builtin_memcpy(to, from, static_cast<std::size_t>(n));
    return;
  }
  for (; n >= 8; n -= 8, to += 8, from += 8) __builtin_memcpy(to, from, 8);
  if (n & 4) {
    __builtin_memcpy(to, from, 4);
    to += 4;
    from += 4;
  }
  for (std::int64_t i = 0; i < (n & 3); ++i) to[i] = from[i];
}

MOTE_INLINE void put_word(std::uint8_t* to, std::int64_t i, std::uint16_t value) {
  __builtin_memcpy(to + 2 * i, &value, 2);
}

MOTE_INLINE void widen_bytes(std::uint8_t* to, const std::uint8_t* from, std::int64_t n, std::uint8_t flip) {
  std::int64_t i = 0;
#if defined(__AVX2__) && !defined(MOTE_SIMD_SCALAR)
  const __m128i flips = _mm_set1_epi8(static_cast<char>(flip));
  for (; i + 16 <= n; i += 16) {
    const __m128i x = _mm_xor_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i)), flips);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + 2 * i), _mm256_cvtepu8_epi16(x));
  }
  if (i + 8 <= n) {
    const __m128i x = _mm_xor_si128(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from + i)), flips);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 2 * i), _mm_cvtepu8_epi16(x));
    i += 8;
  }
#endif
  for (; i < n; ++i) put_word(to, i, static_cast<std::uint8_t>(from[i] ^ flip));
}
MOTE_INLINE void fill_words(std::uint8_t* to, std::int64_t n, std::uint16_t value) {
  for (std::int64_t i = 0; i < n; ++i) put_word(to, i, value);
}

// What A's values are, and as what they are copied: bytes as they are, or, where a step is two of them, as words in the
// kernel's form, into which `flip` turns signed ones; words as they are. kInPlace: a row may be read where it lies.
struct OfBytes {
  static constexpr std::int64_t kValue = 1, kCopied = kDepth == 2 ? 2 : 1;
  static constexpr bool kInPlace = kDepth != 2;
  static MOTE_INLINE void copy(std::uint8_t* to, const std::uint8_t* from, std::int64_t n, std::uint8_t flip) {
    if constexpr (kDepth == 2) {
      widen_bytes(to, from, n, flip);
    } else {
      copy_bytes(to, from, n);
    }
  }
  static MOTE_INLINE void fill(std::uint8_t* to, std::int64_t n, std::uint16_t value, std::uint8_t flip) {
    if constexpr (kDepth == 2) {
      fill_words(to, n, static_cast<std::uint8_t>(value ^ flip));
    } else {
      __builtin_memset(to, value, static_cast<std::size_t>(n));
    }
  }
};
struct OfWords {
  static constexpr std::int64_t kValue = 2, kCopied = 2;
  static constexpr bool kInPlace = true;
  static MOTE_INLINE void copy(std::uint8_t* to, const std::uint8_t* from, std::int64_t n, std::uint8_t) {
    copy_bytes(to, from, 2 * n);
  }
  static MOTE_INLINE void fill(std::uint8_t* to, std::int64_t n, std::uint16_t value, std::uint8_t) {
    fill_words(to, n, value);
  }
};

// A pixel of the result, counted on from one to the next.
struct Pixel {
  std::int64_t image, at[3];
  MOTE_INLINE Pixel(const Window& w, std::int64_t q)
      : image(q / w.out[2] / w.out[1] / w.out[0]),
        at{q / w.out[2] / w.out[1] % w.out[0], q / w.out[2] % w.out[1], q % w.out[2]} {}
  MOTE_INLINE void next(const Window& w) {
    if (++at[2] < w.out[2]) return;
    at[2] = 0;
    if (++at[1] < w.out[1]) return;
    at[1] = 0;
    if (++at[0] < w.out[0]) return;
    at[0] = 0;
    ++image;
  }
};

// The rows of a tile: `first` + at[r], of segments as Block has them.
struct Rows {
  const std::uint8_t* first;
  std::int64_t* at;
  std::int64_t* segments;
  std::int64_t segment_bytes, tail;
  std::uint8_t* copy;
  std::uint16_t fill;
  std::uint8_t flip;
};

template <class V>
MOTE_INLINE void place_rows(const Params& p, std::int64_t row, std::int64_t rows, const std::uint8_t* a, Rows& to) {
  const Window& w = p.window;
  const std::int64_t pixel = p.a_row * V::kValue;
  to.first = a;
  to.segments[0] = 0;
  if (p.gather) {
    const std::int64_t line = w.in[2] * pixel, plane = w.in[1] * line;
    Pixel q(w, row);
    for (std::int64_t r = 0; r < rows; ++r, q.next(w)) {
      to.at[r] = (q.image * w.in[0] + q.at[0] * w.stride[0]) * plane + q.at[1] * w.stride[1] * line +
                 q.at[2] * w.stride[2] * pixel;
    }
  } else {
    for (std::int64_t r = 0; r < rows; ++r) to.at[r] = (row + r) * pixel;
  }
  if constexpr (V::kInPlace) {
    const std::int64_t step = V::kValue == 2 ? 2 : kDepth;
    to.segment_bytes = p.k / step * step * V::kValue;
    to.tail = p.k % step * V::kValue;
    return;
  }
  const std::int64_t pitch = p.segments.pitch * V::kCopied;
  for (std::int64_t r = 0; r < rows; ++r) {
    std::uint8_t* copy = to.copy + r * pitch;
    V::copy(copy, a + to.at[r], p.k, to.flip);
    if (p.segments.pitch != p.k) put_word(copy, p.k, 0);
    to.at[r] = r * pitch;
  }
  to.first = to.copy;
  to.segment_bytes = pitch;
}

// The piece of the image under pixels [row, row + rows) of the result, which are whole rows of it or part of one.
template <class V>
MOTE_INLINE void image_rows(const Params& p, std::int64_t row, std::int64_t rows, const std::uint8_t* a, Rows& to) {
  const Window& w = p.window;
  const Pixel q(w, row);
  const std::int64_t channels = w.channels, width = p.piece_columns;
  const std::int64_t left = q.at[2] * w.stride[2] - w.pad[2], top = q.at[1] * w.stride[1] - w.pad[1];
  // Columns of the piece that lie in the image.
  const std::int64_t begin = left < 0 ? (-left < width ? -left : width) : 0;
  std::int64_t end = w.in[2] - left < width ? w.in[2] - left : width;
  if (end < begin) end = begin;
  const std::int64_t bands = (rows + w.out[2] - 1) / w.out[2];
  const std::int64_t height = (bands - 1) * w.stride[1] + (w.kernel[1] - 1) * w.dilation[1] + 1;
  const std::int64_t pixel = p.a_row * V::kValue;
  const std::uint8_t* plane = a + (q.image * w.in[0] + q.at[0]) * w.in[1] * w.in[2] * pixel;
  for (std::int64_t y = 0; y < height; ++y) {
    std::uint8_t* line = to.copy + y * p.piece_pitch;
    const std::int64_t h = top + y;
    if (h < 0 || h >= w.in[1]) {
      V::fill(line, width * channels, to.fill, to.flip);
      continue;
    }
    V::fill(line, begin * channels, to.fill, to.flip);
    const std::uint8_t* from = plane + (h * w.in[2] + left + begin) * pixel;
    std::uint8_t* at = line + begin * channels * V::kCopied;
    if (p.a_row == channels) {
      V::copy(at, from, (end - begin) * channels, to.flip);
    } else {
      for (std::int64_t x = begin; x < end; ++x, from += pixel, at += channels * V::kCopied)
        V::copy(at, from, channels, to.flip);
    }
    V::fill(line + end * channels * V::kCopied, (width - end) * channels, to.fill, to.flip);
  }
  std::int64_t at = 0, x = 0;
  for (std::int64_t r = 0, line = 0; r < rows; ++r) {
    to.at[r] = at;
    at += w.stride[2] * channels * V::kCopied;
    if (++x < w.out[2]) continue;
    x = 0;
    at = ++line * w.stride[1] * p.piece_pitch;
  }
  const bool joined = w.dilation[2] == 1;
  for (std::int64_t s = 0, j = 0; j < w.kernel[1]; ++j) {
    for (std::int64_t l = 0; l < (joined ? 1 : w.kernel[2]); ++l)
      to.segments[s++] = j * w.dilation[1] * p.piece_pitch + l * w.dilation[2] * channels * V::kCopied;
  }
  to.first = to.copy;
  to.segment_bytes = p.segments.pitch * V::kCopied;
}

// All taps of every pixel.
template <class V>
MOTE_INLINE void pixel_rows(const Params& p, std::int64_t row, std::int64_t rows, const std::uint8_t* a, Rows& to) {
  const Window& w = p.window;
  const std::int64_t channels = w.channels, taps = p.segments.length / channels;
  const std::int64_t pitch = p.segments.pitch * V::kCopied;
  std::uint8_t* at = to.copy;
  Pixel q(w, row);
  for (std::int64_t r = 0; r < rows; ++r, q.next(w)) {
    to.at[r] = at - to.copy;
    for (std::int64_t t = 0; t < w.kernel[0] * w.kernel[1] * w.kernel[2]; t += taps, at += pitch) {
      const std::int64_t d = q.at[0] * w.stride[0] - w.pad[0] + t / w.kernel[2] / w.kernel[1] * w.dilation[0],
                         h = q.at[1] * w.stride[1] - w.pad[1] + t / w.kernel[2] % w.kernel[1] * w.dilation[1];
      for (std::int64_t l = 0; l < taps; ++l) {
        const std::int64_t x = q.at[2] * w.stride[2] - w.pad[2] + (t % w.kernel[2] + l) * w.dilation[2];
        std::uint8_t* tap = at + l * channels * V::kCopied;
        if (d >= 0 && d < w.in[0] && h >= 0 && h < w.in[1] && x >= 0 && x < w.in[2]) {
          const std::int64_t pixel = (((q.image * w.in[0] + d) * w.in[1] + h) * w.in[2] + x) * p.a_row * V::kValue;
          V::copy(tap, a + pixel, channels, to.flip);
        } else {
          V::fill(tap, channels, to.fill, to.flip);
        }
      }
    }
  }
  to.segments[0] = 0;
  to.first = to.copy;
  to.segment_bytes = p.segments.packed_k() * V::kCopied;
}

// The sums of the bytes of rows, as if all were unsigned.
MOTE_ONCE void sum_rows(const Params& p, const Rows& a, std::int64_t rows, std::int32_t* sums) {
  const bool apart = p.access == Access::kImage;  // segments have offsets of their own
  const bool words = kDepth == 2;
  const std::uint8_t flip = p.a_signed && !words ? 0x80 : 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    std::uint32_t sum = 0;
    for (std::int64_t s = 0; s < p.segments.count; ++s) {
      const std::uint8_t* from = a.first + a.at[r] + (apart ? a.segments[s] : s * p.segments.pitch * OfBytes::kCopied);
      for (std::int64_t i = 0; i < p.segments.length; ++i) {
        if (words) {
          std::uint16_t word;
          __builtin_memcpy(&word, from + 2 * i, 2);
          sum += word;
        } else {
          sum += static_cast<std::uint8_t>(from[i] ^ flip);
        }
      }
    }
    sums[r] = static_cast<std::int32_t>(sum);
  }
}

// The part of the products that a tile makes.
struct TilePart {
  std::int64_t batch, group, row, rows, col, col_end;
};
MOTE_ONCE TilePart tile_of(const Params& p, std::int64_t tile) {
  TilePart t;
  t.col = p.cols.begin(tile % p.cols.count);
  t.col_end = p.cols.end(tile % p.cols.count);
  tile /= p.cols.count;
  const std::int64_t row_tile = tile % p.row_tiles;
  tile /= p.row_tiles;
  t.group = tile % p.groups;
  t.batch = tile / p.groups;
  if (p.access != Access::kImage) {
    t.row = p.rows.begin(row_tile);
    t.rows = p.rows.end(row_tile) - t.row;
    return t;
  }
  const Window& w = p.window;
  const std::int64_t strip = row_tile % p.strips.count, band = row_tile / p.strips.count % p.rows.count;
  const std::int64_t x = p.strips.begin(strip), y = p.rows.begin(band);
  t.row = (row_tile / p.strips.count / p.rows.count * w.out[1] + y) * w.out[2] + x;
  t.rows = p.strips.count > 1 ? p.strips.end(strip) - x : (p.rows.end(band) - y) * w.out[2];
  return t;
}

template <class V>
MOTE_ONCE Rows rows_of(const Params& p, std::int64_t row, std::int64_t rows, const std::uint8_t* a,
                       std::byte* scratch) {
  const RowScratch at = row_scratch_of(p);
  Rows to;
  to.at = reinterpret_cast<std::int64_t*>(scratch + at.at);
  to.segments = reinterpret_cast<std::int64_t*>(scratch + at.segments);
  to.copy = reinterpret_cast<std::uint8_t*>(scratch + at.copy);
  to.tail = 0;
  to.fill = 0;
  if (p.a_zero) __builtin_memcpy(&to.fill, p.a_zero, V::kValue);  // little-endian
  to.flip = p.a_signed ? 0x80 : 0;
  if (p.access == Access::kPlace) {
    place_rows<V>(p, row, rows, a, to);
  } else if (p.access == Access::kImage) {
    image_rows<V>(p, row, rows, a, to);
  } else {
    pixel_rows<V>(p, row, rows, a, to);
  }
  return to;
}

}  // namespace
}  // namespace mote::kernels::idot::MOTE_SIMD_NS
