// Depthwise convolutions to bytes on NEON by rows of the image. For the ISA of the including file.
//
// 16 channels at a time, rows of the image are brought into the form that is multiplied, once for all results over
// them:
//   words  a row as 16 bits, [2 halves of 8 channels][columns][8]; a ring holds those under one row of the result
//   quads  four rows side by side, [columns][16][4] bytes, for sdot: those under two rows of the result where these are
//          neighbours, else under one
// where columns start at the padding. Filters stand per 16 channels, the last of which overlap those before where there
// are fewer: words [2 halves][rows][kernel width][8], quads [2 halves][quads][rows of the result][kernel width][8][4].
#pragma once

#include "kernels/idot/depthwise_impl.h"
#include "kernels/idot/packed_finish_impl.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

// How sums become bytes.
struct ColumnFinish {
  Scales scales;
  Recipe recipe;
  bool finite, plain;  // plain: unsigned results, with neither a zero point nor bounds
  int16x8_t zero;
  uint8x8_t flip, low, high;  // of results, which are made unsigned
};

// The same pointer, of which the compiler knows nothing, so that it counts on from it.
template <class T>
MOTE_INLINE const T* apart(const T* p) {
#if defined(__GNUC__)
  asm("" : "+r"(p));
#endif
  return p;
}

// Eight bytes to `to`, which moves on.
MOTE_INLINE void store_eight(std::uint8_t*& to, uint8x8_t y, std::int64_t step) {
#if defined(__GNUC__)
  asm volatile("st1 {%1.8b}, [%0], %2" : "+r"(to) : "w"(y), "r"(step) : "memory");
#else
  vst1_u8(to, y);
  to += step;
#endif
}

// Of factors that may be infinite or NaN, of which the lower bound comes.
struct AnyScaling {
  float32x4_t factor;
  MOTE_INLINE int32x4_t operator()(int32x4_t sum) const {
    return vcvtnq_s32_f32(vmaxnmq_f32(vmulq_f32(vcvtq_f32_s32(sum), factor), vdupq_n_f32(-0x1p31f)));
  }
};

template <int N, class S>
MOTE_INLINE void scale_columns(int32x4_t (&acc)[N][2], const S& first, const S& second) {
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) {
    acc[i][0] = first(acc[i][0]);
    acc[i][1] = second(acc[i][1]);
  }
}

template <bool Plain>
MOTE_INLINE uint8x8_t eight_bytes(int32x4_t x, int32x4_t y, const ColumnFinish& e) {
  if constexpr (Plain) return vqmovun_s16(vqmovn_high_s32(vqmovn_s32(x), y));
  return veor_u8(vmin_u8(vmax_u8(vqmovun_s16(to_words(x, y, e.zero)), e.low), e.high), e.flip);
}

template <bool Plain, int P, int N>
MOTE_INLINE void put_columns(const int32x4_t (&acc)[N][2], const ColumnFinish& e, std::uint8_t* (&to)[N / P],
                             std::int64_t c_row) {
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) store_eight(to[i / P], eight_bytes<Plain>(acc[i][0], acc[i][1], e), c_row);
}

// Results of 8 channels, P each from to[i] on, c_row apart.
template <int P, int N>
MOTE_INLINE void finish_columns(int32x4_t (&acc)[N][2], const ColumnFinish& e, std::int64_t c,
                                std::uint8_t* (&to)[N / P], std::int64_t c_row) {
  if (e.recipe == Recipe::kFixed) {
    scale_columns(acc, scaling_of<true>(e.scales, c), scaling_of<true>(e.scales, c + 4));
  } else {
    const auto first = load_four<float32x4_t>(e.scales.f32.factor + c),
               second = load_four<float32x4_t>(e.scales.f32.factor + c + 4);
    if (e.finite) {
      scale_columns(acc, Scaling<false>{first}, Scaling<false>{second});
    } else {
      scale_columns(acc, AnyScaling{first}, AnyScaling{second});
    }
  }
  e.plain ? put_columns<true, P>(acc, e, to, c_row) : put_columns<false, P>(acc, e, to, c_row);
}

// What is multiplied: `rows` of the image in a ring, or quads of them, and their filters.
struct ColumnSource {
  const std::byte* slots[kMostPairRows * 2];
  std::int64_t rows, columns;
  const std::byte* weights;  // of 8 channels
};

// P results in a row, SX columns apart, of 8 channels, by words. Rows: s.rows, or 0 where they are not known.
template <int KW, int SX, int P, int Rows>
MOTE_INLINE void add_columns(const ColumnSource& s, std::int64_t x, std::int64_t half, const std::int16_t*,
                             int32x4_t (&acc)[P][2]) {
  const auto* weights = reinterpret_cast<const std::int16_t*>(s.weights);
#pragma GCC unroll 3
  for (std::int64_t row = 0; row < (Rows > 0 ? Rows : s.rows); ++row, weights += KW * 8) {
    const auto* from = apart(reinterpret_cast<const std::int16_t*>(s.slots[row]) + (half * s.columns + x) * 8);
    int16x8_t w[KW];
#pragma GCC unroll 8
    for (int i = 0; i < KW; ++i) w[i] = vld1q_s16(weights + 8 * i);
#pragma GCC unroll 24
    for (int l = 0; l < (P - 1) * SX + KW; ++l) {
      const int16x8_t column = vld1q_s16(from + 8 * l);
#pragma GCC unroll 8
      for (int i = 0; i < P; ++i) {
        const int tap = l - i * SX;
        if (tap < 0 || tap >= KW) continue;
        acc[i][0] = vmlal_s16(acc[i][0], vget_low_s16(column), vget_low_s16(w[tap]));
        acc[i][1] = vmlal_high_s16(acc[i][1], column, w[tap]);
      }
    }
  }
}

#if defined(__ARM_FEATURE_DOTPROD)
// The same by quads, of N / P rows of the result: acc[row * P + i]. Column L and those after it.
template <int KW, int SX, int P, int L, int N>
MOTE_INLINE void add_quads(const std::int8_t* from, const std::int8_t* weights, int32x4_t (&acc)[N][2]) {
  if constexpr (L < (P - 1) * SX + KW) {
    int8x16_t column[2];
    load_two_at<64 * L>(column[0], column[1], from);
#pragma GCC unroll 8
    for (int i = 0; i < N; ++i) {
      const int tap = L - i % P * SX;
      if (tap < 0 || tap >= KW) continue;
      const std::int8_t* w = weights + (i / P * KW + tap) * 32;
      acc[i][0] = vdotq_s32(acc[i][0], column[0], vld1q_s8(w));
      acc[i][1] = vdotq_s32(acc[i][1], column[1], vld1q_s8(w + 16));
    }
    add_quads<KW, SX, P, L + 1>(from, weights, acc);
  }
}
template <int KW, int SX, int P, int Rows, int N>
MOTE_INLINE void add_columns(const ColumnSource& s, std::int64_t x, std::int64_t half, const std::int8_t*,
                             int32x4_t (&acc)[N][2]) {
  const auto* weights = reinterpret_cast<const std::int8_t*>(s.weights);
  for (std::int64_t quad = 0; quad < (Rows > 0 ? Rows : s.rows); ++quad, weights += N / P * KW * 32)
    add_quads<KW, SX, P, 0>(reinterpret_cast<const std::int8_t*>(s.slots[quad]) + x * 64 + half * 32, weights, acc);
}
#endif

// O rows of `width` results of 16 channels from `c` on, `next_row` of them apart. T: of words or of quads.
template <class T, int KW, int SX, int P, int O, int Rows>
MOTE_NOINLINE void multiply_columns(ColumnSource s, const ColumnFinish& finish, const std::int32_t* add, std::int64_t c,
                                    std::int64_t width, std::uint8_t* to, std::int64_t c_row, std::int64_t next_row) {
  const ColumnFinish e = finish;  // in registers
  const std::int64_t half_bytes = s.rows * O * KW * (sizeof(T) == 2 ? 16 : 32);
  for (std::int64_t half = 0; half < 2; ++half, c += 8, to += 8, s.weights += half_bytes) {
    for (std::int64_t x = 0; x < width; x += P) {
      // The last tile overlaps the one before.
      const std::int64_t first = x + P <= width ? x : width - P;
      int32x4_t acc[P * O][2];
#pragma GCC unroll 8
      for (int i = 0; i < P * O; ++i) load_two_at(acc[i][0], acc[i][1], add + c);
      add_columns<KW, SX, P, Rows>(s, first * SX, half, static_cast<const T*>(nullptr), acc);
      std::uint8_t* at[O] = {to + first * c_row};
      if constexpr (O == 2) at[1] = at[0] + next_row * c_row;
      finish_columns<P>(acc, e, c, at, c_row);
    }
  }
}

// Bytes to words, n of them 16 channels wide and `step` apart; the other half lies `half` words on.
template <bool SignedA>
MOTE_INLINE void widen_columns(const std::uint8_t* from, std::int64_t step, std::int64_t n, std::int64_t half,
                               std::int16_t* to) {
  auto low = [](uint8x16_t x) {
    if constexpr (SignedA) return vmovl_s8(vget_low_s8(vreinterpretq_s8_u8(x)));
    return vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(x)));
  };
  auto high = [](uint8x16_t x) {
    if constexpr (SignedA) return vmovl_high_s8(vreinterpretq_s8_u8(x));
    return vreinterpretq_s16_u16(vmovl_high_u8(x));
  };
  std::int16_t* other = to + half;
  for (; n >= 2; n -= 2, from += 2 * step, to += 16, other += 16) {
    const uint8x16_t x = vld1q_u8(from), y = vld1q_u8(from + step);
    const int16x8_t a = low(x), b = low(y), c = high(x), d = high(y);
    vst1q_s16(to, a);
    vst1q_s16(to + 8, b);
    vst1q_s16(other, c);
    vst1q_s16(other + 8, d);
  }
  if (n == 0) return;
  const uint8x16_t x = vld1q_u8(from);
  vst1q_s16(to, low(x));
  vst1q_s16(other, high(x));
}

// Four rows side by side, from their first columns, which are `step` apart.
MOTE_INLINE void weave_columns(const std::uint8_t* const (&rows)[4], const std::int64_t (&step)[4], std::int64_t n,
                               uint8x16_t flip, std::uint8_t* to) {
  auto put = [&](const std::uint8_t* a, const std::uint8_t* b, const std::uint8_t* c, const std::uint8_t* d) {
    const uint8x16x4_t x = {veorq_u8(vld1q_u8(a), flip), veorq_u8(vld1q_u8(b), flip), veorq_u8(vld1q_u8(c), flip),
                            veorq_u8(vld1q_u8(d), flip)};
    vst4q_u8(to, x);
    to += 64;
  };
  const std::int64_t each = step[0];
  const std::uint8_t *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3];
  if (each == step[1] && each == step[2] && each == step[3]) {
    for (std::int64_t at = 0; n > 0; --n, at += each) put(a + at, b + at, c + at, d + at);
  } else {
    for (; n > 0; --n, a += step[0], b += step[1], c += step[2], d += step[3]) put(a, b, c, d);
  }
}

// A band of rows of the result and some channels of one image.
struct ColumnBand {
  const Params& p;
  const Filters& f;
  const std::uint8_t* image;
  std::uint8_t* c;
  std::int64_t row, row_end, begin, end;  // begin, end: the columns that lie in the image
  std::byte* scratch;

  // Row y of the padded image from column `begin` on, or null.
  const std::uint8_t* line(std::int64_t y, std::int64_t channel) const {
    const Window& w = p.window;
    const std::int64_t h = y - w.pad[1];
    return h >= 0 && h < w.in[1] ? image + (h * w.in[2] + begin - w.pad[2]) * p.a_row + channel : nullptr;
  }

  // Row y of the padded image.
  MOTE_NOINLINE void widen(std::int64_t y, std::int64_t channel, std::int16_t* to) const {
    const std::int64_t columns = p.piece_columns, half = columns * 8;
    auto put = [&](const std::uint8_t* from, std::int64_t step, std::int64_t first, std::int64_t last) {
      p.a_signed ? widen_columns<true>(from, step, last - first, half, to + 8 * first)
                 : widen_columns<false>(from, step, last - first, half, to + 8 * first);
    };
    const std::uint8_t* from = line(y, channel);
    if (!from) return put(f.fill, 0, 0, columns);
    put(f.fill, 0, 0, begin);
    put(from, p.a_row, begin, end);
    put(f.fill, 0, end, columns);
  }
  // Rows y to y + 3 of it.
  MOTE_NOINLINE void weave(std::int64_t y, std::int64_t channel, std::uint8_t* to) const {
    const uint8x16_t flip = vdupq_n_u8(p.a_signed ? 0 : 0x80);
    const std::uint8_t* rows[4];
    const std::uint8_t* const padding[4] = {f.fill, f.fill, f.fill, f.fill};
    std::int64_t step[4];
    const std::int64_t none[4] = {};
    for (int i = 0; i < 4; ++i) {
      rows[i] = line(y + i, channel);
      step[i] = rows[i] ? p.a_row : 0;
      if (!rows[i]) rows[i] = f.fill;
    }
    weave_columns(padding, none, begin, flip, to);
    weave_columns(rows, step, end - begin, flip, to + 64 * begin);
    weave_columns(padding, none, p.piece_columns - end, flip, to + 64 * end);
  }

  template <int KW, int SX>
  void by_words(const ColumnFinish& e, std::int64_t channel, const std::byte* weights) const {
    const Window& w = p.window;
    constexpr int kAtOnce = 8;
    const std::int64_t slot_bytes = p.piece_columns * 32;
    auto slot_of = [&](std::int64_t y) { return scratch + y % w.kernel[1] * slot_bytes; };
    std::int64_t ready = row * w.stride[1];
    ColumnSource s{{}, w.kernel[1], p.piece_columns, weights};
    for (std::int64_t y = row; y < row_end; ++y) {
      const std::int64_t top = y * w.stride[1];
      for (ready = ready < top ? top : ready; ready < top + w.kernel[1]; ++ready)
        widen(ready, channel, reinterpret_cast<std::int16_t*>(slot_of(ready)));
      for (std::int64_t i = 0; i < w.kernel[1]; ++i) s.slots[i] = slot_of(top + i);
      std::uint8_t* to = c + y * w.out[2] * p.c_row + channel;
      auto multiply = [&](auto at_once, auto rows) {
        multiply_columns<std::int16_t, KW, SX, decltype(at_once)::value, 1, decltype(rows)::value>(
            s, e, f.row_add, channel, w.out[2], to, p.c_row, 0);
      };
      if (w.out[2] < kAtOnce) {
        multiply(Count<1>(), Count<0>());
      } else if (KW == 3 && s.rows == 3) {
        multiply(Count<kAtOnce>(), Count < KW == 3 ? 3 : 0 > ());
      } else {
        multiply(Count<kAtOnce>(), Count<0>());
      }
    }
  }

#if defined(__ARM_FEATURE_DOTPROD)
  template <int KW, int SX>
  void by_quads(const ColumnFinish& e, std::int64_t channel, const std::byte* weights) const {
    const Window& w = p.window;
    const std::int64_t together = quad_rows_of(w);
    ColumnSource s{{}, row_quads_of(w), p.piece_columns, weights};
    for (std::int64_t i = 0; i < s.rows; ++i) s.slots[i] = scratch + i * p.piece_columns * 64;
    for (std::int64_t y = row; y < row_end; y += together) {
      // The second of two for a single last row, which it overwrites.
      const std::int64_t first = y + together <= row_end ? y : y - 1;
      for (std::int64_t i = 0; i < s.rows; ++i)
        weave(first * w.stride[1] + 4 * i, channel,
              reinterpret_cast<std::uint8_t*>(scratch) + i * p.piece_columns * 64);
      std::uint8_t* to = c + y * w.out[2] * p.c_row + channel;
      auto multiply = [&](auto at_once, auto results, auto rows) {
        multiply_columns<std::int8_t, KW, SX, decltype(at_once)::value, decltype(results)::value,
                         decltype(rows)::value>(s, e, f.row_add, channel, w.out[2], to, p.c_row,
                                                first == y ? w.out[2] : 0);
      };
      constexpr int kOne = KW == 3 ? 1 : 0;
      if (together == 2) {
        if (w.out[2] < 4) {
          multiply(Count<1>(), Count<2>(), Count<0>());
        } else {
          kOne == 1 && s.rows == 1 ? multiply(Count<4>(), Count<2>(), Count<kOne>())
                                   : multiply(Count<4>(), Count<2>(), Count<0>());
        }
      } else {
        w.out[2] < 4 ? multiply(Count<1>(), Count<1>(), Count<0>()) : multiply(Count<4>(), Count<1>(), Count<0>());
      }
    }
  }
#endif

  template <int KW, int SX>
  void run(ColumnFinish e, std::int64_t channel, std::int64_t last) const {
    for (; channel < last; channel += 16) {
      const std::int64_t first = channel + 16 <= p.groups ? channel : p.groups - 16;
      const std::byte* weights = reinterpret_cast<const std::byte*>(f.rows) + channel * row_words_of(p.window) * 2;
#if defined(__ARM_FEATURE_DOTPROD)
      if (f.flags[5] != 0) {
        by_quads<KW, SX>(e, first, weights);
        continue;
      }
#endif
      by_words<KW, SX>(e, first, weights);
    }
  }
};

ColumnFinish column_finish(const Params& p, const Filters& f) {
  const bool is_signed = p.out == DType::i8;
  const std::int32_t low = is_signed ? least<std::int8_t>(p) : least<std::uint8_t>(p),
                     high = is_signed ? greatest<std::int8_t>(p) : greatest<std::uint8_t>(p),
                     flip = is_signed ? 128 : 0, zero = f.flags[1] + flip;
  auto bytes_of = [](std::int32_t x) { return vdup_n_u8(static_cast<std::uint8_t>(x)); };
  return {f.scales,
          p.recipe,
          f.flags[4] != 0,
          zero == 0 && !is_signed && low == 0 && high == 255,
          vdupq_n_s16(static_cast<std::int16_t>(zero)),
          bytes_of(flip),
          bytes_of(low + flip),
          bytes_of(high + flip)};
}

void depthwise_columns(const Params& p, TileRange range) {
  const Filters f = filters_of(p);
  const ColumnFinish e = column_finish(p, f);
  const Window& w = p.window;
  auto within = [&](std::int64_t x) { return x < 0 ? 0 : x > p.piece_columns ? p.piece_columns : x; };
  for (std::int64_t tile = range.begin; tile < range.end; ++tile) {
    const std::int64_t part = tile % p.cols.count, place = tile / p.cols.count, band = place % p.rows.count,
                       image = place / p.rows.count;
    const ColumnBand b{p,
                       f,
                       p.a + image * w.in[1] * w.in[2] * p.a_row,
                       reinterpret_cast<std::uint8_t*>(p.c) + image * w.out[1] * w.out[2] * p.c_row,
                       p.rows.begin(band),
                       p.rows.end(band),
                       within(w.pad[2]),
                       within(w.pad[2] + w.in[2]),
                       range.scratch};
    const std::int64_t channel = p.cols.begin(part), last = p.cols.end(part);
    if (w.kernel[2] == 3) {
      w.stride[2] == 1 ? b.run<3, 1>(e, channel, last) : b.run<3, 2>(e, channel, last);
    } else {
      w.stride[2] == 1 ? b.run<5, 1>(e, channel, last) : b.run<5, 2>(e, channel, last);
    }
  }
}

}  // namespace
}  // namespace mote::kernels::idot::MOTE_SIMD_NS
