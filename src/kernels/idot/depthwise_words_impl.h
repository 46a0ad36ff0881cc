// Depthwise convolutions to bytes on NEON, multiplied as 16 bits. For the ISA of the including file.
//
// Pixels of one row of the result, kPixels at a time: what they read, by rows of the filter, comes by pointers to
// columns of the image or to padding. A column is widened once for all pixels that it lies under.
#pragma once

#include "kernels/idot/depthwise_impl.h"
#include "kernels/idot/packed_finish_impl.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

inline constexpr int kPixels = 4;
inline constexpr std::int64_t kMostColumns = 1024;  // of all rows of the filter

// What all tiles share, and where one stands: columns[row * pitch + column], pixels c_row apart.
struct WordTile {
  const Params& p;
  const Filters& f;
  std::int64_t rows, pitch;
  const std::uint8_t* const* columns;
  std::uint8_t* c;
  int16x8_t zero;
  uint8x16_t flip, low, high;  // of results, which are made unsigned
};

// Channels [c, c + 16) of P pixels, SX columns apart, by rows of KW taps.
template <int KW, int SX, int P, bool SignedA>
MOTE_INLINE void word_channels(const WordTile& t, const std::int16_t* weights, std::int64_t c) {
  int32x4_t acc[P][4];
#pragma GCC unroll 4
  for (int part = 0; part < 4; ++part) {
#pragma GCC unroll 4
    for (int i = 0; i < P; ++i) acc[i][part] = vld1q_s32(t.f.pair_add + c + 4 * part);
  }
  const std::uint8_t* const* columns = t.columns;
  for (std::int64_t row = 0; row < t.rows; ++row, columns += t.pitch, weights += KW * 16) {
    int16x8_t w[KW][2];
#pragma GCC unroll 8
    for (int i = 0; i < KW; ++i) {
      w[i][0] = vld1q_s16(weights + 16 * i);
      w[i][1] = vld1q_s16(weights + 16 * i + 8);
    }
#pragma GCC unroll 16
    for (int x = 0; x < (P - 1) * SX + KW; ++x) {
      const uint8x16_t bytes = vld1q_u8(columns[x] + c);
      int16x8_t low, high;
      if constexpr (SignedA) {
        low = vmovl_s8(vget_low_s8(vreinterpretq_s8_u8(bytes)));
        high = vmovl_high_s8(vreinterpretq_s8_u8(bytes));
      } else {
        low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(bytes)));
        high = vreinterpretq_s16_u16(vmovl_high_u8(bytes));
      }
#pragma GCC unroll 4
      for (int i = 0; i < P; ++i) {
        const int tap = x - i * SX;
        if (tap < 0 || tap >= KW) continue;
        acc[i][0] = vmlal_s16(acc[i][0], vget_low_s16(low), vget_low_s16(w[tap][0]));
        acc[i][1] = vmlal_high_s16(acc[i][1], low, w[tap][0]);
        acc[i][2] = vmlal_s16(acc[i][2], vget_low_s16(high), vget_low_s16(w[tap][1]));
        acc[i][3] = vmlal_high_s16(acc[i][3], high, w[tap][1]);
      }
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
template <int KW, int SX, int P, bool SignedA>
MOTE_NOINLINE void word_pixels(const WordTile& t) {
  const std::int16_t* weights = t.f.pairs;
  for (std::int64_t c = 0; c < t.p.groups; c += 16, weights += t.p.k * 16)
    word_channels<KW, SX, P, SignedA>(t, weights, c + 16 <= t.p.groups ? c : t.p.groups - 16);
}

// Pointers to the columns under `count` pixels of the result from `q` on, which lie in one row of it.
template <int KW, int SX>
MOTE_INLINE void find_columns(const Params& p, const Filters& f, const Pixel& q, WordTile& t,
                              const std::uint8_t** columns) {
  const Window& w = p.window;
  const std::int64_t row_taps = w.kernel[2] / KW, step = KW == 1 ? w.stride[2] : 1;
  for (std::int64_t row = 0; row < t.rows; ++row) {
    const std::int64_t i = row / row_taps, d = q.at[0] * w.stride[0] - w.pad[0] + i / w.kernel[1] * w.dilation[0],
                       h = q.at[1] * w.stride[1] - w.pad[1] + i % w.kernel[1] * w.dilation[1];
    std::int64_t x = q.at[2] * w.stride[2] - w.pad[2] + row % row_taps * w.dilation[2];
    const bool inside = d >= 0 && d < w.in[0] && h >= 0 && h < w.in[1];
    const std::uint8_t* line = p.a + ((q.image * w.in[0] + d) * w.in[1] + h) * w.in[2] * p.a_row;
    for (std::int64_t n = 0; n < t.pitch; ++n, x += step)
      *columns++ = inside && x >= 0 && x < w.in[2] ? line + x * p.a_row : f.fill;
  }
}

template <int KW, int SX, bool SignedA>
void depthwise_tiles(WordTile t, TileRange range) {
  const Params& p = t.p;
  const Window& w = p.window;
  const std::uint8_t* columns[kMostColumns];
  t.rows = p.k / KW;
  const std::int64_t most = (kMostColumns / t.rows - KW) / SX + 1;
  std::int64_t q = p.rows.begin(range.begin);
  const std::int64_t end = p.rows.begin(range.end);
  while (q < end) {
    const Pixel pixel(w, q);
    std::int64_t count = w.out[2] - pixel.at[2];
    if (count > end - q) count = end - q;
    if (count > most) count = most;
    t.pitch = (count - 1) * SX + KW;
    find_columns<KW, SX>(p, t.f, pixel, t, columns);
    for (std::int64_t i = 0; i < count;) {
      // The last whole tile overlaps the one before.
      const std::int64_t first = count >= kPixels && i + kPixels > count ? count - kPixels : i;
      t.columns = columns + first * SX;
      t.c = reinterpret_cast<std::uint8_t*>(p.c) + (q + first) * p.c_row;
      if (count >= kPixels) {
        word_pixels<KW, SX, kPixels, SignedA>(t);
        i = first + kPixels;
      } else {
        word_pixels<KW, SX, 1, SignedA>(t);
        ++i;
      }
    }
    q += count;
  }
}

template <bool SignedA>
MOTE_INLINE void depthwise_words_of(const WordTile& t, TileRange range) {
  const Window& w = t.p.window;
  const bool dense = w.dilation[2] == 1;
  if (dense && w.kernel[2] == 3 && w.stride[2] == 1) return depthwise_tiles<3, 1, SignedA>(t, range);
  if (dense && w.kernel[2] == 3 && w.stride[2] == 2) return depthwise_tiles<3, 2, SignedA>(t, range);
  if (dense && w.kernel[2] == 5 && w.stride[2] == 1) return depthwise_tiles<5, 1, SignedA>(t, range);
  if (dense && w.kernel[2] == 5 && w.stride[2] == 2) return depthwise_tiles<5, 2, SignedA>(t, range);
  depthwise_tiles<1, 1, SignedA>(t, range);
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
                   0,
                   nullptr,
                   nullptr,
                   vdupq_n_s16(static_cast<std::int16_t>(f.flags[1] + flip)),
                   bytes_of(flip),
                   bytes_of(low + flip),
                   bytes_of(high + flip)};
  p.a_signed ? depthwise_words_of<true>(t, range) : depthwise_words_of<false>(t, range);
}

}  // namespace
}  // namespace mote::kernels::idot::MOTE_SIMD_NS
