// Depthwise convolutions to bytes by pointers to the pixels under the taps, two taps per instruction. For the ISA of
// the including file.
#pragma once

#include "kernels/idot/depthwise_impl.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

// Calls f(pointers to the pixels under the taps, result) for the pixels of a range of tiles. Pointers beyond the taps,
// up to `padded`, and those of taps in padding are to f.fill. Elements of the image have so many bytes.
template <int kValueBytes = 1, class F>
MOTE_INLINE void walk_taps(const Params& p, const Filters& f, std::int64_t padded, TileRange range, F pixel) {
  const Window& w = p.window;
  const std::int64_t taps = p.k;
  const std::int64_t column = p.a_row * kValueBytes, row = w.in[2] * column, plane = w.in[1] * row,
                     image = w.in[0] * plane;
  std::int64_t offset[kMostQuadTaps];
  bool fits = true;
  for (int d = 0; d < 3; ++d) fits = fits && (w.kernel[d] - 1) * w.dilation[d] < w.in[d];
  for (std::int64_t t = 0; fits && t < taps; ++t) {
    offset[t] = t / w.kernel[2] / w.kernel[1] * w.dilation[0] * plane +
                t / w.kernel[2] % w.kernel[1] * w.dilation[1] * row + t % w.kernel[2] * w.dilation[2] * column;
  }
  const std::int64_t begin = p.rows.begin(range.begin), end = p.rows.begin(range.end);
  std::int64_t o[3] = {begin / w.out[2] / w.out[1] % w.out[0], begin / w.out[2] % w.out[1], begin % w.out[2]};
  const std::uint8_t* x = p.a + begin / w.out[2] / w.out[1] / w.out[0] * image;
  const std::uint8_t* at[kMostQuadTaps];
  bool follows = false;  // whether `at` is that of the pixel before, inside of the image
  for (std::int64_t q = begin; q < end; ++q) {
    std::int64_t start[3];
    bool inside = fits;
    for (int d = 0; d < 3; ++d) {
      start[d] = o[d] * w.stride[d] - w.pad[d];
      inside = inside && start[d] >= 0 && start[d] + (w.kernel[d] - 1) * w.dilation[d] < w.in[d];
    }
    if (inside && follows) {
      for (std::int64_t t = 0; t < taps; ++t) at[t] += w.stride[2] * column;
    } else if (inside) {
      const std::uint8_t* first = x + (start[0] * plane + start[1] * row + start[2] * column);
      for (std::int64_t t = 0; t < taps; ++t) at[t] = first + offset[t];
    } else {
      for (std::int64_t t = 0; t < taps; ++t) {
        const std::int64_t d = start[0] + t / w.kernel[2] / w.kernel[1] * w.dilation[0],
                           h = start[1] + t / w.kernel[2] % w.kernel[1] * w.dilation[1],
                           l = start[2] + t % w.kernel[2] * w.dilation[2];
        const bool in = d >= 0 && d < w.in[0] && h >= 0 && h < w.in[1] && l >= 0 && l < w.in[2];
        at[t] = in ? x + d * plane + h * row + l * column : f.fill;
      }
    }
    follows = inside;
    // The next pixel.
    if (++o[2] == w.out[2]) {
      o[2] = 0;
      follows = false;
      if (++o[1] == w.out[1]) {
        o[1] = 0;
        if (++o[0] == w.out[0]) {
          o[0] = 0;
          x += image;
        }
      }
    }
    for (std::int64_t t = taps; t < padded; ++t) at[t] = f.fill;
    pixel(at, reinterpret_cast<std::uint8_t*>(p.c) + q * p.c_row);
  }
}

#if defined(__AVX2__) && !defined(MOTE_SIMD_SCALAR)
MOTE_INLINE __m128i load_channels(const std::uint8_t* p, std::int64_t n) {
  if (n >= 16) return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  if (n == 8) return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  std::uint8_t bytes[16] = {};
  for (std::int64_t i = 0; i < n; ++i) bytes[i] = p[i];
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
}
MOTE_INLINE void store_channels(std::uint8_t* p, __m128i v, std::int64_t n) {
  if (n >= 16) return _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v);
  if (n == 8) return _mm_storel_epi64(reinterpret_cast<__m128i*>(p), v);
  std::uint8_t bytes[16];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes), v);
  for (std::int64_t i = 0; i < n; ++i) p[i] = bytes[i];
}

struct PairRange {
  __m256 low, high;
  __m256i least, greatest, zero;
  __m128i flip;
  bool is_signed;
};
PairRange pair_range(const Params& p, const Filters& f) {
  const bool is_signed = p.out == DType::i8;
  const std::int32_t low = is_signed ? least<std::int8_t>(p) : least<std::uint8_t>(p),
                     high = is_signed ? greatest<std::int8_t>(p) : greatest<std::uint8_t>(p), zero = f.flags[1];
  return {_mm256_set1_ps(static_cast<float>(low - zero)),
          _mm256_set1_ps(static_cast<float>(high - zero)),
          _mm256_set1_epi32(low - zero),
          _mm256_set1_epi32(high - zero),
          _mm256_set1_epi32(zero),
          _mm_set1_epi8(static_cast<char>(p.a_signed ? 0x80 : 0)),
          is_signed};
}
// 16 results that are within the range, as bytes.
MOTE_INLINE __m128i pair_bytes(const PairRange& range, __m256i a, __m256i b) {
  // Packing works per half: the middle quarters come out exchanged.
  const __m256i packed = _mm256_permute4x64_epi64(
      _mm256_packs_epi32(_mm256_add_epi32(a, range.zero), _mm256_add_epi32(b, range.zero)), 0xd8);
  const __m128i first = _mm256_castsi256_si128(packed), second = _mm256_extracti128_si256(packed, 1);
  return range.is_signed ? _mm_packs_epi16(first, second) : _mm_packus_epi16(first, second);
}

// Channels [c, c + 16) of one pixel, or the first n of them.
MOTE_INLINE void pair_channels(const Params& p, const Filters& f, const PairRange& range,
                               const std::uint8_t* const* taps, std::int64_t c, std::int64_t n, std::uint8_t* to) {
  auto words = [](const std::int16_t* q) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(q)); };
  auto sums = [](const std::int32_t* q) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(q)); };
  __m256i acc[2] = {sums(f.pair_add + c), sums(f.pair_add + c + 8)};
  const std::int64_t pairs = pairs_of(p.k);
  const std::int16_t* weights = f.pairs + c * pairs * 2;
  for (std::int64_t q = 0; q < pairs; ++q, weights += 32) {
    const __m128i a = _mm_xor_si128(load_channels(taps[2 * q] + c, n), range.flip),
                  b = _mm_xor_si128(load_channels(taps[2 * q + 1] + c, n), range.flip);
    const __m256i low = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b)),
                  high = _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b));
    acc[0] = _mm256_add_epi32(acc[0], _mm256_madd_epi16(low, words(weights)));
    acc[1] = _mm256_add_epi32(acc[1], _mm256_madd_epi16(high, words(weights + 16)));
  }
  for (int i = 0; i < 2; ++i) {
    if (p.recipe == Recipe::kFixed) {
      const Fixed8 fixed =
          fixed8_of(sums(f.scales.fixed.multiplier + c + 8 * i), sums(f.scales.fixed.shift + c + 8 * i));
      acc[i] = _mm256_min_epi32(_mm256_max_epi32(scale_fixed8(acc[i], fixed), range.least), range.greatest);
    } else {
      const __m256 x = _mm256_mul_ps(_mm256_cvtepi32_ps(acc[i]), _mm256_loadu_ps(f.scales.f32.factor + c + 8 * i));
      acc[i] = _mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(x, range.low), range.high));
    }
  }
  store_channels(to + c, pair_bytes(range, acc[0], acc[1]), n);
}

void depthwise_pairs(const Params& p, const Filters& f, TileRange range) {
  const PairRange to_range = pair_range(p, f);
  walk_taps(p, f, pairs_of(p.k) * 2, range, [&](const std::uint8_t* const* at, std::uint8_t* to) {
    std::int64_t c = 0;
    for (; kCompact ? c < p.groups : c + 16 <= p.groups; c += 16)
      pair_channels(p, f, to_range, at, c, kCompact ? p.groups - c : 16, to);
    if (c < p.groups) pair_channels(p, f, to_range, at, c, p.groups - c, to);
  });
}
#endif

}  // namespace
}  // namespace mote::kernels::idot::MOTE_SIMD_NS
