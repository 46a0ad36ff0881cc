// Internal: the depthwise block (drivers.h) over the vector layer, one instance per ISA file. Lanes run across
// channels. Taps outside of the image are left out.
#pragma once

#include "kernels/conv/drivers.h"
#include "simd/vec.h"

namespace mote::kernels::MOTE_SIMD_BASE_NS {
__attribute__((weak)) void apply_epilogue(const Epilogue&, float*, std::int64_t, std::int64_t, std::int64_t) noexcept;
}

namespace mote::kernels::MOTE_SIMD_NS {
namespace {

using namespace simd::MOTE_SIMD_NS;
using conv::DepthwiseBlock;
using i64 = std::int64_t;

// The taps [begin, end) of dimension d that lie inside of the image for an output at `o`, and the input position of tap
// 0.
struct Reach {
  i64 origin, begin, end;
};
MOTE_INLINE Reach reach(const DepthwiseBlock& s, int d, i64 o) {
  const conv::Shape& c = *s.shape;
  Reach r{o * c.stride[d] - c.pad_begin[d], 0, c.kernel[d]};
  while (r.begin < r.end && r.origin + r.begin * c.dilation[d] < 0) ++r.begin;
  while (r.end > r.begin && r.origin + (r.end - 1) * c.dilation[d] >= c.in[d]) --r.end;
  return r;
}

// An output row: its taps in depth and height, and the addresses of its first pixel.
struct Row {
  Reach d, h;
  float* y;
  const float* residual;
};

MOTE_INLINE F32 load_some(const float* p, int n) { return n == kLanes ? load(p) : load_n(p, n); }

MOTE_INLINE void put(const DepthwiseBlock& s, const Row& row, i64 ow, i64 c, int n, F32 acc) {
  if (row.residual) acc += load_some(row.residual + ow * s.residual_row + c, n);
  acc = min(set(s.hi), max(set(s.lo), acc));
  float* y = row.y + ow * s.y_pixel + c;
  if (n == kLanes) {
    store(y, acc);
  } else {
    store_n(y, acc, n);
  }
}

MOTE_INLINE const float* line_of(const DepthwiseBlock& s, const Row& row, i64 kd, i64 kh) {
  const conv::Shape& c = *s.shape;
  const i64 id = row.d.origin + kd * c.dilation[0], ih = row.h.origin + kh * c.dilation[1];
  return s.x + (id * c.in[1] + ih) * c.in[2] * s.x_pixel;
}

// Any kernel, one pixel.
MOTE_NOINLINE void pixel(const DepthwiseBlock& s, const Row& row, i64 ow) noexcept {
  const conv::Shape& k = *s.shape;
  const Reach w = reach(s, 2, ow);
  for (i64 c = 0; c < s.channels; c += kLanes) {
    const int n = static_cast<int>(s.channels - c < kLanes ? s.channels - c : kLanes);
    const float* weights = s.w + c / 16 * k.taps() * 16 + c % 16;
    F32 acc = s.bias ? load_some(s.bias + c, n) : zero();
    for (i64 kd = row.d.begin; kd < row.d.end; ++kd) {
      for (i64 kh = row.h.begin; kh < row.h.end; ++kh) {
        const float* x = line_of(s, row, kd, kh) + w.origin * s.x_pixel + c;
        const float* wk = weights + (kd * k.kernel[1] + kh) * k.kernel[2] * 16;
        for (i64 kw = w.begin; kw < w.end; ++kw) {
          acc = fma(load_some(x + kw * k.dilation[2] * s.x_pixel, n), load(wk + kw * 16), acc);
        }
      }
    }
    put(s, row, ow, c, n, acc);
  }
}

// P pixels whose taps are all inside of the row, KW x any, dilation 1.
template <int KW, int S, int P>
MOTE_NOINLINE void pixels(const DepthwiseBlock& s, const Row& row, i64 ow) noexcept {
  const conv::Shape& k = *s.shape;
  const i64 xp = s.x_pixel, taps = k.taps();
  for (i64 c = 0; c < s.channels; c += kLanes) {
    const int n = static_cast<int>(s.channels - c < kLanes ? s.channels - c : kLanes);
    const float* weights = s.w + c / 16 * taps * 16 + c % 16;
    F32 acc[P];
    const F32 start = s.bias ? load_some(s.bias + c, n) : zero();
#pragma GCC unroll 8
    for (int i = 0; i < P; ++i) acc[i] = start;
    for (i64 kd = row.d.begin; kd < row.d.end; ++kd) {
      for (i64 kh = row.h.begin; kh < row.h.end; ++kh) {
        const float* x = line_of(s, row, kd, kh) + (ow * S - k.pad_begin[2]) * xp + c;
        const float* wk = weights + (kd * k.kernel[1] + kh) * KW * 16;
        if (n == kLanes) {
#pragma GCC unroll 8
          for (int kw = 0; kw < KW; ++kw) {
            const F32 f = load(wk + kw * 16);
#pragma GCC unroll 8
            for (int i = 0; i < P; ++i) acc[i] = fma(load(x + (i * S + kw) * xp), f, acc[i]);
          }
        } else {
          for (int kw = 0; kw < KW; ++kw) {
            const F32 f = load(wk + kw * 16);
#pragma GCC unroll 8
            for (int i = 0; i < P; ++i) acc[i] = fma(load_n(x + (i * S + kw) * xp, n), f, acc[i]);
          }
        }
      }
    }
#pragma GCC unroll 8
    for (int i = 0; i < P; ++i) put(s, row, ow + i, c, n, acc[i]);
  }
}

using PixelsFn = void (*)(const DepthwiseBlock&, const Row&, i64) noexcept;
struct Fast {
  PixelsFn many;
  int count;
};

Fast fast_path(const conv::Shape& k) {
  constexpr int kPixels = kLanes == 16 ? 7 : kLanes == 8 ? 7 : 4;
  if (k.dilation[2] != 1) return {nullptr, 1};
  const i64 kw = k.kernel[2], s = k.stride[2];
  if (kw == 3 && s == 1) return {&pixels<3, 1, kPixels>, kPixels};
  if (kw == 3 && s == 2) return {&pixels<3, 2, kPixels>, kPixels};
  if (kw == 5 && s == 1) return {&pixels<5, 1, kPixels>, kPixels};
  if (kw == 5 && s == 2) return {&pixels<5, 2, kPixels>, kPixels};
  if (kw == 7 && s == 1) return {&pixels<7, 1, kPixels>, kPixels};
  return {nullptr, 1};
}

void run_depthwise_block(const DepthwiseBlock& s) noexcept {
  const Fast fast = fast_path(*s.shape);
  const i64 width = s.out[2];
  // Output columns [left, right) have all their taps inside of the row.
  i64 left = 0, right = width;
  const auto inside = [&](i64 ow) {
    const Reach r = reach(s, 2, ow);
    return r.begin == 0 && r.end == s.shape->kernel[2];
  };
  while (left < right && !inside(left)) ++left;
  while (right > left && !inside(right - 1)) --right;
  for (i64 r = s.row_begin; r < s.row_end; ++r) {
    Row row{reach(s, 0, r / s.out[1]), reach(s, 1, r % s.out[1]), s.y + r * width * s.y_pixel, nullptr};
    if (s.residual) row.residual = s.residual + r * width * s.residual_row;
    for (i64 ow = 0; ow < width;) {
      if (fast.many && ow >= left && ow + fast.count <= right) {
        fast.many(s, row, ow);
        ow += fast.count;
      } else {
        pixel(s, row, ow);
        ++ow;
      }
    }
    if (!s.program) continue;
    for (i64 ow = 0; ow < width; ++ow) {
      MOTE_SIMD_BASE_NS::apply_epilogue(*s.program, row.y + ow * s.y_pixel, s.program_row + r * width + ow, 0,
                                        s.channels);
    }
  }
}

}  // namespace
}  // namespace mote::kernels::MOTE_SIMD_NS
