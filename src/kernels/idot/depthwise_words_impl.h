// Depthwise convolutions to bytes on NEON by pointers to the pixels under the taps, multiplied as 16 bits. For the ISA
// of the including file.
#pragma once

#include "kernels/idot/depthwise_taps_impl.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

#if defined(__ARM_NEON) && !defined(MOTE_SIMD_SCALAR)
inline constexpr int kPixels = 4;  // that share a load of the filters

struct WordRange {
  F32 low, high;
  I32 least, greatest, zero;
  uint8x16_t flip;
};

MOTE_INLINE uint8x16_t load_channels(const std::uint8_t* p, std::int64_t n) {
  if (n >= 16) return vld1q_u8(p);
  std::uint8_t bytes[16] = {};
  for (std::int64_t i = 0; i < n; ++i) bytes[i] = p[i];
  return vld1q_u8(bytes);
}

// Channels [c, c + 16) of P pixels, or the first n of them.
template <int P>
MOTE_INLINE void word_channels(const Params& p, const Filters& f, const WordRange& range,
                               const std::uint8_t* const (*taps)[kMostQuadTaps], std::int64_t c, std::int64_t n,
                               std::uint8_t* const* to) {
  int32x4_t acc[P][4];
#pragma GCC unroll 4
  for (int part = 0; part < 4; ++part) {
    const int32x4_t add = vld1q_s32(f.pair_add + c + 4 * part);
#pragma GCC unroll 4
    for (int i = 0; i < P; ++i) acc[i][part] = add;
  }
  const std::int64_t pairs = pairs_of(p.k);
  const std::int16_t* weights = f.pairs + c * pairs * 2;
  for (std::int64_t q = 0; q < pairs; ++q, weights += 32) {
    const int16x8x2_t first = vld2q_s16(weights), second = vld2q_s16(weights + 16);
#pragma GCC unroll 4
    for (int i = 0; i < P; ++i) {
#pragma GCC unroll 2
      for (int tap = 0; tap < 2; ++tap) {
        const uint8x16_t x = veorq_u8(load_channels(taps[i][2 * q + tap] + c, n), range.flip);
        const int16x8_t low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(x))),
                        high = vreinterpretq_s16_u16(vmovl_high_u8(x));
        acc[i][0] = vmlal_s16(acc[i][0], vget_low_s16(low), vget_low_s16(first.val[tap]));
        acc[i][1] = vmlal_high_s16(acc[i][1], low, first.val[tap]);
        acc[i][2] = vmlal_s16(acc[i][2], vget_low_s16(high), vget_low_s16(second.val[tap]));
        acc[i][3] = vmlal_high_s16(acc[i][3], high, second.val[tap]);
      }
    }
  }
  I32 bytes[P][4];
  if (p.recipe == Recipe::kFixed) {
#pragma GCC unroll 4
    for (int part = 0; part < 4; ++part) {
      const std::int64_t j = c + 4 * part;
      const Fixed fixed = fixed_of(load(f.scales.fixed.multiplier + j), load(f.scales.fixed.shift + j));
#pragma GCC unroll 4
      for (int i = 0; i < P; ++i)
        bytes[i][part] = min(max(scale_fixed({acc[i][part]}, fixed), range.least), range.greatest) + range.zero;
    }
  } else {
#pragma GCC unroll 4
    for (int part = 0; part < 4; ++part) {
      const F32 factor = load(f.scales.f32.factor + c + 4 * part);
#pragma GCC unroll 4
      for (int i = 0; i < P; ++i)
        bytes[i][part] = to_i32(within(to_f32({acc[i][part]}) * factor, range.low, range.high)) + range.zero;
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < P; ++i) {
    if (n >= 16) {
      store_low_bytes(to[i] + c, bytes[i]);
      continue;
    }
    std::uint8_t some[16];
    store_low_bytes(some, bytes[i]);
    for (std::int64_t j = 0; j < n; ++j) to[i][c + j] = some[j];
  }
}

template <int P>
MOTE_NOINLINE void word_pixels(const Params& p, const Filters& f, const WordRange& range,
                               const std::uint8_t* const (*taps)[kMostQuadTaps], std::uint8_t* const* to) {
  std::int64_t c = 0;
  for (; c + 16 <= p.groups; c += 16) word_channels<P>(p, f, range, taps, c, 16, to);
  if (c < p.groups) word_channels<P>(p, f, range, taps, c, p.groups - c, to);
}

void depthwise_words(const Params& p, const Filters& f, TileRange range) {
  const bool is_signed = p.out == DType::i8;
  const std::int32_t low = is_signed ? least<std::int8_t>(p) : least<std::uint8_t>(p),
                     high = is_signed ? greatest<std::int8_t>(p) : greatest<std::uint8_t>(p), zero = f.flags[1];
  const WordRange to_range{set(static_cast<float>(low - zero)),
                           set(static_cast<float>(high - zero)),
                           set_i32(low - zero),
                           set_i32(high - zero),
                           set_i32(zero),
                           vdupq_n_u8(p.a_signed ? 0x80 : 0)};
  const std::uint8_t* taps[kPixels][kMostQuadTaps];
  std::uint8_t* to[kPixels];
  int count = 0;
  const std::int64_t padded = pairs_of(p.k) * 2;
  walk_taps(p, f, padded, range, [&](const std::uint8_t* const* at, std::uint8_t* result) {
    for (std::int64_t t = 0; t < padded; ++t) taps[count][t] = at[t];
    to[count] = result;
    if (++count < kPixels) return;
    word_pixels<kPixels>(p, f, to_range, taps, to);
    count = 0;
  });
  for (int i = 0; i < count; ++i) word_pixels<1>(p, f, to_range, taps + i, to + i);
}
#endif

}  // namespace
}  // namespace mote::kernels::idot::MOTE_SIMD_NS
