// Internal: the depthwise block (drivers.h) over the vector layer, one instance per ISA file. Lanes run across
// channels; a step is one output row of up to seven pixels by one register of channels. A tap outside of the image
// reads zeros.
#pragma once

#include <limits>

#include "kernels/compact.h"
#include "kernels/conv/depthwise_lines_impl.h"
#include "kernels/conv/drivers.h"
#include "simd/vec.h"

namespace mote::kernels::MOTE_SIMD_NS {
namespace {

using namespace simd::MOTE_SIMD_NS;
using conv::DepthwiseBlock;
using i64 = std::int64_t;

#if defined(MOTE_SIMD_SCALAR)
inline constexpr int kPixels = kCompact ? 1 : 2;
#else
inline constexpr int kPixels = 7;
#endif

// The most pixels of a step of groups of G channels.
MOTE_INLINE constexpr int most_pixels(int group) { return kCompact && group > 1 ? 1 : kPixels; }

// A step: where its inputs lie and where its pixels go.
struct Step {
  // Lines: one pointer per (kd, kh), to the first input column. Table: one per (kd, kh, input column).
  const float* const* x;
  i64 lines;
  i64 x_pixel;
  float* y;
  const float* residual;  // or null
  i64 channel;            // from which on, where kByLines
};

MOTE_INLINE F32 load_some(const float* p, int n) { return n == kLanes ? load(p) : load_n(p, n); }
MOTE_INLINE int lanes_at(const DepthwiseBlock& s, i64 c) {
  return static_cast<int>(s.channels - c < kLanes ? s.channels - c : kLanes);
}

#if defined(__aarch64__)
inline constexpr bool kClampAlways = false;  // a comparison and a choice per bound and register
#else
inline constexpr bool kClampAlways = true;
#endif
// Where results go, in registers: the compiler takes their stores for ones to anything.
struct Target {
  float* y;
  const float* residual;  // or null
  i64 residual_row;
  bool clamp;
  F32 lo, hi;
};
MOTE_INLINE Target target_of(const DepthwiseBlock& s, const Step& t) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  return {t.y, t.residual, s.residual_row, kClampAlways || s.lo > -kInf || s.hi < kInf, set(s.lo), set(s.hi)};
}

// P pixels of n channels from c on.
template <int P>
MOTE_INLINE void put(const Target& t, i64 pixel, i64 c, int n, F32 (&acc)[P]) {
  if (t.residual) {
#pragma GCC unroll 8
    for (int i = 0; i < P; ++i) acc[i] += load_some(t.residual + i * t.residual_row + c, n);
  }
  if (t.clamp) {
#pragma GCC unroll 8
    for (int i = 0; i < P; ++i) acc[i] = min(t.hi, max(t.lo, acc[i]));
  }
  float* y = t.y + c;
#pragma GCC unroll 8
  for (int i = 0; i < P; ++i) {
    if (n == kLanes) {
      store(y + i * pixel, acc[i]);
    } else {
      store_n(y + i * pixel, acc[i], n);
    }
  }
}

template <bool kLoad>
MOTE_INLINE F32 load_if(const float* p) {
  if constexpr (kLoad) return load(p);
  return zero();
}
// Per lane, channel e of the lane's group; v is loaded from p, which points at channel c.
template <int G>
MOTE_INLINE F32 of_group(F32 v, const float* p, i64 c, int e) {
  if constexpr (G == 1) return v;
  if constexpr (G > kLanes) return set((p - c % G)[e]);
  return permute(v, (iota_i32() & set_i32(~(G - 1))) + set_i32(e));
}

// P pixels by one register of channels, in groups of G channels. Every input column is loaded once per line and goes to
// the outputs that it reaches, which keeps the taps of an output, and the channels of a tap, in ascending order.
template <int G, int KW, int S, int P, bool kTable, bool kFull>
MOTE_INLINE void channels(const Step& t, const float* bias, const float* w, i64 c, int n, i64 y_pixel,
                          const Target& to) {
  constexpr int kColumns = (P - 1) * S + KW;
  F32 acc[P];
  const F32 start = bias ? (kFull ? load(bias + c) : load_n(bias + c, n)) : zero();
#pragma GCC unroll 8
  for (int i = 0; i < P; ++i) acc[i] = start;
  for (i64 line = 0; line < t.lines; ++line, w += KW * G * 16) {
    F32 f[KW];
    if constexpr (G == 1) {
#pragma GCC unroll 8
      for (int k = 0; k < KW; ++k) f[k] = load(w + k * 16);
    }
    const float* const* x = t.x + line * (kTable ? kColumns : 1);
    const float* first = x[0] + c;
#pragma GCC unroll 32
    for (int col = 0; col < kColumns; ++col) {
      const float* p = kTable ? x[col] + c : first + col * t.x_pixel;
      const F32 v = kFull || G > kLanes ? load_if<(G <= kLanes)>(p) : load_n(p, n);
#pragma GCC unroll 8
      for (int e = 0; e < G; ++e) {
        const F32 a = of_group<G>(v, p, c, e);
#pragma GCC unroll 8
        for (int k = 0; k < KW; ++k) {
          if ((col - k) % S != 0 || col < k || (col - k) / S >= P) continue;
          F32& sum = acc[(col - k) / S];
          sum = fma(a, G == 1 ? f[k] : load(w + (k * G + e) * 16), sum);
        }
      }
    }
  }
  put(to, y_pixel, c, kFull ? kLanes : n, acc);
}

template <int G, int KW, int S, int P, bool kTable>
MOTE_NOINLINE void step(const DepthwiseBlock& s, const Step& step) noexcept {
  const Target to = target_of(s, step);
  const Step t = step;
  const float *bias = s.bias, *w = s.w;
  const i64 panel = s.shape->taps() * G * 16, count = s.channels, y_pixel = s.y_pixel;
  i64 c = kByLines ? t.channel : 0;
  for (; c + kLanes <= count; c += kLanes) {
    channels<G, KW, S, P, kTable, true>(t, bias, w + c / 16 * panel + c % 16, c, kLanes, y_pixel, to);
  }
  if (c < count) {
    channels<G, KW, S, P, kTable, false>(t, bias, w + c / 16 * panel + c % 16, c, lanes_at(s, c), y_pixel, to);
  }
}

// Two output rows at a time of a square kernel of stride 1: an input line in between is loaded once for both. For ISAs
// with registers for it.
inline constexpr bool kPairs = kLanes == 16 && !kCompact;

template <int K, int P, bool kTable, bool kFull>
MOTE_INLINE void channels_of_pair(const float* const* x, const float* bias, const float* w, i64 c, int n, i64 x_pixel,
                                  i64 y_pixel, const Target& upper, const Target& lower) {
  constexpr int kColumns = P - 1 + K;
  F32 acc[2][P];
  const F32 start = bias ? (kFull ? load(bias + c) : load_n(bias + c, n)) : zero();
#pragma GCC unroll 8
  for (int i = 0; i < P; ++i) acc[0][i] = acc[1][i] = start;
  F32 f[K], above[K];  // of the row above, whose tap this line is, and of the row below
#pragma GCC unroll 8
  for (int line = 0; line <= K; ++line) {
#pragma GCC unroll 8
    for (int k = 0; k < K; ++k) {
      if (line > 0) above[k] = f[k];
      if (line < K) f[k] = load(w + (line * K + k) * 16);
    }
    const float* first = x[line * (kTable ? kColumns : 1)] + c;
#pragma GCC unroll 32
    for (int col = 0; col < kColumns; ++col) {
      const float* p = kTable ? x[line * kColumns + col] + c : first + col * x_pixel;
      const F32 v = kFull ? load(p) : load_n(p, n);
#pragma GCC unroll 8
      for (int k = 0; k < K; ++k) {
        const int i = col - k;
        if (i < 0 || i >= P) continue;
        if (line < K) acc[0][i] = fma(v, f[k], acc[0][i]);
        if (line > 0) acc[1][i] = fma(v, above[k], acc[1][i]);
      }
    }
  }
  put(upper, y_pixel, c, kFull ? kLanes : n, acc[0]);
  put(lower, y_pixel, c, kFull ? kLanes : n, acc[1]);
}

template <int K, int P, bool kTable>
MOTE_NOINLINE void step_of_pair(const DepthwiseBlock& s, const Step& step) noexcept {
  const Step t = step;
  Step below = t;
  below.y += s.out[2] * s.y_pixel;
  if (t.residual) below.residual += s.out[2] * s.residual_row;
  const Target upper = target_of(s, t), lower = target_of(s, below);
  const i64 x_pixel = t.x_pixel, y_pixel = s.y_pixel;
  const float *bias = s.bias, *w = s.w;
  const i64 count = s.channels;
  i64 c = 0;
  for (; c + kLanes <= count; c += kLanes) {
    channels_of_pair<K, P, kTable, true>(t.x, bias, w + c / 16 * (K * K * 16) + c % 16, c, kLanes, x_pixel, y_pixel,
                                         upper, lower);
  }
  if (c < count) {
    channels_of_pair<K, P, kTable, false>(t.x, bias, w + c / 16 * (K * K * 16) + c % 16, c, lanes_at(s, c), x_pixel,
                                          y_pixel, upper, lower);
  }
}

// Any kernel: one pixel, a pointer per tap.
MOTE_NOINLINE void any_step(const DepthwiseBlock& s, const Step& t) noexcept {
  const Target to = target_of(s, t);
  const i64 taps = t.lines;
  for (i64 c = kByLines ? t.channel : 0; c < s.channels; c += kLanes) {
    const int n = lanes_at(s, c);
    const float* w = s.w + c / 16 * taps * 16 + c % 16;
    F32 acc[1] = {s.bias ? load_some(s.bias + c, n) : zero()};
    for (i64 k = 0; k < taps; ++k) acc[0] = fma(load_some(t.x[k] + c, n), load(w + k * 16), acc[0]);
    put(to, 0, c, n, acc);
  }
}

using StepFn = void (*)(const DepthwiseBlock&, const Step&) noexcept;

template <int G, int KW, int S, int P = kPixels>
StepFn step_for(int pixels, bool table) {
  if constexpr (G == 1 && !kCompact) {
    if (!table && pixels == kPixels) return &step<G, KW, S, kPixels, false>;
  }
  if constexpr (P > 1) {
    if (pixels < P) return step_for < G, KW, S, has_height(P - 1, kPixels) ? P - 1 : 1 > (pixels, table);
  }
  return &step < G, KW, P == 1 ? 1 : S, P, true > ;  // one pixel has no stride
}

template <int G>
StepFn step_of_group(const conv::Shape& k, int pixels) {
  return k.stride[2] == 1 ? step_for<G, 3, 1, most_pixels(G)>(pixels, true)
                          : step_for<G, 3, 2, most_pixels(G)>(pixels, true);
}

template <int K, int P = kPixels>
StepFn pair_for(int pixels, bool table) {
  if constexpr (kPairs) {
    if (!table && pixels == kPixels) return &step_of_pair<K, kPixels, false>;
    if constexpr (P > 1) {
      if (pixels < P) return pair_for<K, P - 1>(pixels, table);
    }
    return &step_of_pair<K, P, true>;
  }
  return nullptr;
}

bool has_pair(const DepthwiseBlock& s) {
  const conv::Shape& k = *s.shape;
  bool r = kPairs && s.group == 1 && k.kernel[0] == 1 && k.kernel[1] == k.kernel[2] &&
           (k.kernel[2] == 3 || k.kernel[2] == 5);
  for (int d : {1, 2}) r = r && k.stride[d] == 1 && k.dilation[d] == 1;
  return r;
}

StepFn choose_step(const DepthwiseBlock& s, int pixels, bool table) {
  const conv::Shape& k = *s.shape;
  if (s.group == 2) return step_of_group<2>(k, pixels);
  if (s.group == 4) return step_of_group<4>(k, pixels);
  if (s.group == 8) return step_of_group<8>(k, pixels);
  const i64 kw = k.kernel[2], stride = k.stride[2];
  if constexpr (kPixels > 1) {
    if (kw == 3) return stride == 1 ? step_for<1, 3, 1>(pixels, table) : step_for<1, 3, 2>(pixels, table);
    if (kw == 5) return stride == 1 ? step_for<1, 5, 1>(pixels, table) : step_for<1, 5, 2>(pixels, table);
  }
  if constexpr (!kCompact) return step_for<1, 7, 1>(pixels, table);
  return nullptr;
}

bool has_step(const DepthwiseBlock& s) {
  const conv::Shape& k = *s.shape;
  if (kPixels == 1 && s.group == 1) return false;
  const i64 kw = k.kernel[2], stride = k.stride[2];
  return k.dilation[2] == 1 && (((kw == 3 || kw == 5) && stride <= 2) || (!kCompact && kw == 7 && stride == 1));
}

// Fills the pointers of a step that reads `lines` lines per depth: per line, `columns` of them from input column iw on,
// `gap` apart, or just the first one.
void point(const DepthwiseBlock& s, i64 row, i64 lines, i64 iw, i64 columns, i64 gap, bool table) {
  const conv::Shape& k = *s.shape;
  const float** out = s.pointers;
  const i64 od = row / s.out[1], oh = row % s.out[1];
  for (i64 kd = 0; kd < k.kernel[0]; ++kd) {
    const i64 id = od * k.stride[0] - k.pad_begin[0] + kd * k.dilation[0];
    for (i64 kh = 0; kh < lines; ++kh) {
      const i64 ih = oh * k.stride[1] - k.pad_begin[1] + kh * k.dilation[1];
      const bool inside = id >= 0 && id < k.in[0] && ih >= 0 && ih < k.in[1];
      const i64 at_row = s.x_rows > 0 ? (inside ? ih % s.x_rows : 0) : id * k.in[1] + ih;
      const float* line = s.x + at_row * k.in[2] * s.x_pixel;
      if (!table) {
        *out++ = line + iw * s.x_pixel;
        continue;
      }
      for (i64 i = 0; i < columns; ++i) {
        const i64 at = iw + i * gap;
        *out++ = inside && at >= 0 && at < k.in[2] ? line + at * s.x_pixel : s.zeros;
      }
    }
  }
}

// Output rows [r, r + rows), rows 1 or 2, of one depth, from a channel on that is a multiple of kLanes.
void run_rows(const DepthwiseBlock& s, i64 r, i64 rows, i64 channel) {
  const conv::Shape& k = *s.shape;
  const i64 width = s.out[2], stride = k.stride[2], lines = k.kernel[1] + rows - 1;
  const bool fast = has_step(s);
  const i64 most = fast ? most_pixels(static_cast<int>(s.group)) : 1;
  const i64 steps = kCompact ? width / most + width % most : (width + most - 1) / most;
  const i64 id = r / s.out[1] * k.stride[0] - k.pad_begin[0], ih = r % s.out[1] * k.stride[1] - k.pad_begin[1];
  const bool rows_inside = id >= 0 && id + (k.kernel[0] - 1) * k.dilation[0] < k.in[0] && ih >= 0 &&
                           ih + (lines - 1) * k.dilation[1] < k.in[1];
  for (i64 i = 0, ow = 0, pixels; i < steps; ++i, ow += pixels) {
    pixels = kCompact ? next_height(width - ow, most) : (i + 1) * width / steps - ow;
    const i64 iw = ow * stride - k.pad_begin[2];
    Step t{s.pointers, k.kernel[0] * lines, s.x_pixel, s.y + ((r - s.y_row) * width + ow) * s.y_pixel, nullptr,
           channel};
    if (s.residual) t.residual = s.residual + (r * width + ow) * s.residual_row;
    if (!fast) {
      point(s, r, lines, iw, k.kernel[2], k.dilation[2], true);
      t.lines = k.taps();
      any_step(s, t);
      continue;
    }
    const int count = static_cast<int>(pixels);
    const i64 columns = (pixels - 1) * stride + k.kernel[2];
    const bool table = kCompact || s.group > 1 || count != kPixels || !rows_inside || iw < 0 || iw + columns > k.in[2];
    point(s, r, lines, iw, columns, 1, table);
    if (rows == 2) {
      (k.kernel[2] == 3 ? pair_for<3>(count, table) : pair_for<5>(count, table))(s, t);
    } else {
      choose_step(s, count, table)(s, t);
    }
  }
}

void run_depthwise_block(const DepthwiseBlock& s) noexcept {
  const bool lines = has_lines(s), pairs = lines ? has_pair_of_lines(*s.shape) : has_pair(s);
  for (i64 r = s.row_begin, rows; r < s.row_end; r += rows) {
    rows = pairs && r + 1 < s.row_end && (r + 1) % s.out[1] != 0 ? 2 : 1;
    if (lines) {
      run_lines(s, r, rows);
      const i64 done = s.channels / 8 * 8;
      for (i64 i = 0; i < rows && done < s.channels; ++i) run_rows(s, r + i, 1, done);
    } else {
      run_rows(s, r, rows, 0);
    }
    if (!s.program) continue;
    const i64 first = r * s.out[2];
    MOTE_SIMD_BASE_NS::apply_epilogue(*s.program, {s.y + (first - s.y_row * s.out[2]) * s.y_pixel, s.y_pixel,
                                                   rows * s.out[2], s.channels, s.program_row + first, 1, 0});
  }
}

}  // namespace
}  // namespace mote::kernels::MOTE_SIMD_NS
