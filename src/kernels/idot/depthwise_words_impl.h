// Depthwise convolutions to bytes on NEON by pointers to the pixels under the taps, multiplied as 16 bits: kPixels of
// one row of the result at a time. For the ISA of the including file.
#pragma once

#include "kernels/idot/depthwise_impl.h"
#include "kernels/idot/packed_finish_impl.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

inline constexpr int kPixels = 4;
inline constexpr std::int64_t kMostPointers = 1024;

// What all tiles share, and where one stands: pointers[tap * pitch + pixel].
struct WordTile {
  const Params& p;
  const Filters& f;
  std::int64_t pitch;
  const std::uint8_t* const* pointers;
  std::uint8_t* c;
  int16x8_t zero;
  uint8x16_t flip, low, high;  // of results, which are made unsigned
};

// Channels [c, c + 16) of P pixels.
template <int P, bool SignedA>
MOTE_INLINE void word_channels(const WordTile& t, const std::int16_t* weights, std::int64_t c) {
  int32x4_t acc[P][4];
#pragma GCC unroll 4
  for (int part = 0; part < 4; ++part) {
#pragma GCC unroll 4
    for (int i = 0; i < P; ++i) acc[i][part] = vld1q_s32(t.f.pair_add + c + 4 * part);
  }
  const std::uint8_t* const* pointers = t.pointers;
  for (std::int64_t tap = 0; tap < t.p.k; ++tap, pointers += t.pitch, weights += 16) {
    const int16x8_t w = vld1q_s16(weights), w2 = vld1q_s16(weights + 8);
#pragma GCC unroll 4
    for (int i = 0; i < P; ++i) {
      const uint8x16_t bytes = vld1q_u8(pointers[i] + c);
      int16x8_t low, high;
      if constexpr (SignedA) {
        low = vmovl_s8(vget_low_s8(vreinterpretq_s8_u8(bytes)));
        high = vmovl_high_s8(vreinterpretq_s8_u8(bytes));
      } else {
        low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(bytes)));
        high = vreinterpretq_s16_u16(vmovl_high_u8(bytes));
      }
      acc[i][0] = vmlal_s16(acc[i][0], vget_low_s16(low), vget_low_s16(w));
      acc[i][1] = vmlal_high_s16(acc[i][1], low, w);
      acc[i][2] = vmlal_s16(acc[i][2], vget_low_s16(high), vget_low_s16(w2));
      acc[i][3] = vmlal_high_s16(acc[i][3], high, w2);
    }
  }
  const Scales scales = advanced(t.f.scales, t.p.recipe, c);
  auto scale = [&](auto fixed) {
#pragma GCC unroll 4
    for (int part = 0; part < 4; ++part) {
      const auto scaled = scaling_of<decltype(fixed)::value != 0>(scales, 4 * part);
#pragma GCC unroll 4
      for (int i = 0; i < P; ++i) acc[i][part] = scaled(acc[i][part]);
    }
  };
  t.p.recipe == Recipe::kFixed ? scale(Count<1>()) : scale(Count<0>());
  // In registers: the compiler takes stores of bytes for ones to anything.
  const int16x8_t zero = t.zero;
  const uint8x16_t least_y = t.low, greatest_y = t.high, flip = t.flip;
  const std::int64_t c_row = t.p.c_row;
  std::uint8_t* to = t.c + c;
#pragma GCC unroll 4
  for (int i = 0; i < P; ++i, to += c_row) {
    const uint8x16_t y = to_bytes<false>(to_words(acc[i][0], acc[i][1], zero), to_words(acc[i][2], acc[i][3], zero));
    vst1q_u8(to, veorq_u8(vminq_u8(vmaxq_u8(y, least_y), greatest_y), flip));
  }
}

// All channels: where the last block is not whole, it overlaps the one before.
template <int P, bool SignedA>
MOTE_NOINLINE void word_pixels(const WordTile& t) {
  const std::int16_t* weights = t.f.pairs;
  for (std::int64_t c = 0; c < t.p.groups; c += 16, weights += t.p.k * 16)
    word_channels<P, SignedA>(t, weights, c + 16 <= t.p.groups ? c : t.p.groups - 16);
}

// Pointers to what lies under the taps of t.pitch pixels of the result from `q` on, which lie in one row of it.
MOTE_INLINE void find_pixels(const WordTile& t, const Pixel& q, const std::uint8_t** pointers) {
  const Params& p = t.p;
  const Window& w = p.window;
  for (std::int64_t tap = 0; tap < p.k; ++tap) {
    const std::int64_t i = tap / w.kernel[2], d = q.at[0] * w.stride[0] - w.pad[0] + i / w.kernel[1] * w.dilation[0],
                       h = q.at[1] * w.stride[1] - w.pad[1] + i % w.kernel[1] * w.dilation[1];
    std::int64_t x = q.at[2] * w.stride[2] - w.pad[2] + tap % w.kernel[2] * w.dilation[2];
    const bool inside = d >= 0 && d < w.in[0] && h >= 0 && h < w.in[1];
    for (std::int64_t n = 0; n < t.pitch; ++n, x += w.stride[2]) {
      const std::int64_t pixel = ((q.image * w.in[0] + d) * w.in[1] + h) * w.in[2] + x;
      *pointers++ = inside && x >= 0 && x < w.in[2] ? p.a + pixel * p.a_row : t.f.fill;
    }
  }
}

template <bool SignedA>
void depthwise_tiles(WordTile t, TileRange range) {
  const Params& p = t.p;
  const std::uint8_t* pointers[kMostPointers];
  std::int64_t q = p.rows.begin(range.begin);
  const std::int64_t end = p.rows.begin(range.end);
  for (; q < end; q += t.pitch) {
    const Pixel pixel(p.window, q);
    t.pitch = p.window.out[2] - pixel.at[2];
    if (t.pitch > end - q) t.pitch = end - q;
    if (t.pitch > kMostPointers / p.k) t.pitch = kMostPointers / p.k;
    find_pixels(t, pixel, pointers);
    for (std::int64_t i = 0; i < t.pitch;) {
      // The last whole tile overlaps the one before.
      const std::int64_t first = t.pitch >= kPixels && i + kPixels > t.pitch ? t.pitch - kPixels : i;
      t.pointers = pointers + first;
      t.c = reinterpret_cast<std::uint8_t*>(p.c) + (q + first) * p.c_row;
      t.pitch >= kPixels ? word_pixels<kPixels, SignedA>(t) : word_pixels<1, SignedA>(t);
      i = first + (t.pitch >= kPixels ? kPixels : 1);
    }
  }
}

void depthwise_words(const Params& p, const Filters& f, TileRange range) {
  const bool is_signed = p.out == DType::i8;
  const std::int32_t low = is_signed ? least<std::int8_t>(p) : least<std::uint8_t>(p),
                     high = is_signed ? greatest<std::int8_t>(p) : greatest<std::uint8_t>(p),
                     flip = is_signed ? 128 : 0;
  auto bytes_of = [](std::int32_t x) { return vdupq_n_u8(static_cast<std::uint8_t>(x)); };
  const WordTile t{p,
                   f,
                   0,
                   nullptr,
                   nullptr,
                   vdupq_n_s16(static_cast<std::int16_t>(f.flags[1] + flip)),
                   bytes_of(flip),
                   bytes_of(low + flip),
                   bytes_of(high + flip)};
  p.a_signed ? depthwise_tiles<true>(t, range) : depthwise_tiles<false>(t, range);
}

}  // namespace
}  // namespace mote::kernels::idot::MOTE_SIMD_NS
