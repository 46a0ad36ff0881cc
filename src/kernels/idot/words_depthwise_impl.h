// Depthwise convolutions of words of A by bytes of B, two taps per instruction on x86. For the ISA of the including
// file.
#pragma once

#include "kernels/idot/depthwise_taps_impl.h"
#include "kernels/idot/words_impl.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

// 16 words, of which `n` are there.
MOTE_INLINE const std::uint8_t* sixteen_words(const std::uint8_t* p, std::int64_t n, std::uint8_t (&room)[32]) {
  if (n >= 16) return p;
  __builtin_memset(room, 0, 32);
  __builtin_memcpy(room, p, static_cast<std::size_t>(2 * n));
  return room;
}

// The sums of channels [c, c + n) of one pixel, n <= 16.
#if defined(__AVX2__) && !defined(MOTE_SIMD_SCALAR)
MOTE_INLINE void tap_sums(const Params& p, const Filters& f, const std::uint8_t* const* taps, std::int64_t c,
                          std::int64_t n, std::int32_t* sums) {
  auto load = [](const void* q) { return _mm256_loadu_si256(static_cast<const __m256i*>(q)); };
  const __m256i flip = _mm256_set1_epi16(static_cast<std::int16_t>(p.a_signed ? 0 : -0x8000));
  const std::int64_t pairs = pairs_of(p.k);
  const std::int16_t* weights = f.pairs + c * pairs * 2;
  __m256i low = _mm256_setzero_si256(), high = low;
  alignas(32) std::uint8_t room[2][32];
  for (std::int64_t q = 0; q < pairs; ++q, weights += 32) {
    const __m256i a = _mm256_xor_si256(load(sixteen_words(taps[2 * q] + 2 * c, n, room[0])), flip),
                  b = _mm256_xor_si256(load(sixteen_words(taps[2 * q + 1] + 2 * c, n, room[1])), flip);
    low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), load(weights)));
    high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), load(weights + 16)));
  }
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums), _mm256_permute2x128_si256(low, high, 0x20));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + 8), _mm256_permute2x128_si256(low, high, 0x31));
}
#else
MOTE_INLINE void tap_sums(const Params& p, const Filters& f, const std::uint8_t* const* taps, std::int64_t c,
                          std::int64_t n, std::int32_t* sums) {
  constexpr int kParts = 16 / kLanes;
  I32 acc[kParts];
  for (int i = 0; i < kParts; ++i) acc[i] = set_i32(0);
  const I32 middle = set_i32(1 << 15);
  alignas(32) std::uint8_t room[32];
  for (std::int64_t t = 0; t < p.k; ++t) {
    const std::uint8_t* a = sixteen_words(taps[t] + 2 * c, n, room);
    for (int i = 0; i < kParts; ++i) {
      const I32 value = p.a_signed ? load_i16(reinterpret_cast<const std::int16_t*>(a) + i * kLanes)
                                   : load_u16(reinterpret_cast<const std::uint16_t*>(a) + i * kLanes) - middle;
      acc[i] = acc[i] + value * load(f.weights + t * f.pitch + c + i * kLanes);
    }
  }
  for (int i = 0; i < kParts; ++i) store(sums + i * kLanes, acc[i]);
}
#endif

// The same in i64, whatever the taps.
MOTE_INLINE void wide_tap_sums(const Params& p, const Filters& f, std::int64_t q, std::int64_t c, std::int64_t n,
                               std::int64_t* sums) {
  const Window& w = p.window;
  const Pixel pixel(w, q);
  const std::uint32_t flip = p.a_signed ? 0 : 0x8000;
  for (std::int64_t i = 0; i < 16; ++i) sums[i] = 0;
  for (std::int64_t t = 0; t < p.k; ++t) {
    const std::int64_t tap[3] = {t / w.kernel[2] / w.kernel[1], t / w.kernel[2] % w.kernel[1], t % w.kernel[2]};
    std::int64_t at = pixel.image;
    bool inside = true;
    for (int d = 0; d < 3; ++d) {
      const std::int64_t x = pixel.at[d] * w.stride[d] - w.pad[d] + tap[d] * w.dilation[d];
      inside = inside && x >= 0 && x < w.in[d];
      if (inside) at = at * w.in[d] + x;
    }
    const std::uint8_t* a = inside ? p.a + 2 * (at * p.a_row + c) : f.fill;
    for (std::int64_t i = 0; i < n; ++i) {
      std::uint16_t word;
      __builtin_memcpy(&word, a + 2 * i, 2);
      sums[i] += std::int64_t{static_cast<std::int16_t>(word ^ flip)} * f.weights[t * f.pitch + c + i];
    }
  }
}

}  // namespace

// NOLINTNEXTLINE(misc-definitions-in-headers): one namespace per including file
void depthwise_of_words(const Params& p, TileRange range) noexcept {
  const Filters f = filters_of(p);
  const WordFinish all = word_finish_of(p, f.add, f.add, f.wide_add, f.scales, f.flags);
  std::int64_t q = p.rows.begin(range.begin);
  auto finish = [&](const std::int32_t* sums, const std::int64_t* wide, std::int64_t c, std::int64_t n) {
    finish_words(p, advanced(all, c), sums, wide, nullptr, q * p.c_row + c, 1, n);
  };
  auto pixel_done = [&] {
    apply_words(p, q * p.c_row, 1, p.groups, q, 0);
    ++q;
  };
  alignas(64) std::int32_t sums[16];
  if (all.narrow && p.k <= kMostQuadTaps) {
    walk_taps<2>(p, f, pairs_of(p.k) * 2, range, [&](const std::uint8_t* const* at, std::uint8_t*) {
      for (std::int64_t c = 0; c < p.groups; c += 16) {
        const std::int64_t n = p.groups - c < 16 ? p.groups - c : 16;
        tap_sums(p, f, at, c, n, sums);
        finish(sums, nullptr, c, n);
      }
      pixel_done();
    });
    return;
  }
  const std::int64_t end = p.rows.begin(range.end);
  while (q < end) {
    for (std::int64_t c = 0; c < p.groups; c += 16) {
      const std::int64_t n = p.groups - c < 16 ? p.groups - c : 16;
      std::int64_t wide[16];
      wide_tap_sums(p, f, q, c, n, wide);
      for (int i = 0; i < 16; ++i) sums[i] = static_cast<std::int32_t>(static_cast<std::uint64_t>(wide[i]));
      finish(sums, wide, c, n);
    }
    pixel_done();
  }
}

}  // namespace mote::kernels::idot::MOTE_SIMD_NS
