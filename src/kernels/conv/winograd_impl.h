// Internal: the Winograd transforms F(4x4, 3x3) and F(2x2, 3x3) over the vector layer, one instance per ISA file. The
// order of the operations is fixed, so that every ISA gives the same bits. Points 0, 1, -1, 2, -2, infinity (0, 1, -1,
// infinity); the matrices are those of Lavin and Gray, "Fast algorithms for convolutional neural networks" (2015).
#pragma once

#include "kernels/conv/drivers.h"
#include "simd/vec.h"

namespace mote::kernels::MOTE_SIMD_NS {
namespace {

using namespace simd::MOTE_SIMD_NS;
using conv::WinogradInput;
using conv::WinogradOutput;
using i64 = std::int64_t;

// t = B^T d.
template <int T>
MOTE_INLINE void input_line(const F32* d, F32* t) {
  if constexpr (T == 4) {
    const F32 four = set(4), five = set(5), two = set(2);
    t[0] = fma(four, d[0], fnma(five, d[2], d[4]));
    const F32 a = fnma(four, d[2], d[4]), b = fnma(four, d[1], d[3]);
    t[1] = a + b;
    t[2] = a - b;
    const F32 c = d[4] - d[2], e = d[3] - d[1];
    t[3] = fma(two, e, c);
    t[4] = fnma(two, e, c);
    t[5] = fma(four, d[1], fnma(five, d[3], d[5]));
  } else {
    t[0] = d[0] - d[2];
    t[1] = d[1] + d[2];
    t[2] = d[2] - d[1];
    t[3] = d[1] - d[3];
  }
}

// y = A^T m.
template <int T>
MOTE_INLINE void output_line(const F32* m, F32* y) {
  if constexpr (T == 4) {
    const F32 a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4];
    y[0] = m[0] + a + c;
    y[1] = fma(set(2), d, b);
    y[2] = fma(set(4), c, a);
    y[3] = fma(set(8), d, b) + m[5];
  } else {
    y[0] = m[0] + m[1] + m[2];
    y[1] = m[1] - m[2] - m[3];
  }
}

// One tile, all channels: (T + 2)^2 pixels to as many rows of V.
template <int T>
MOTE_NOINLINE void input(const WinogradInput& s) noexcept {
  constexpr int N = T + 2;
  for (i64 c = 0; c < s.channels; c += kLanes) {
    const int n = s.channels - c < kLanes ? static_cast<int>(s.channels - c) : kLanes;
    F32 mid[N][N];  // [column][row]
    for (int j = 0; j < N; ++j) {
      F32 d[N], t[N];
#pragma GCC unroll 6
      for (int i = 0; i < N; ++i) {
        const float* p = s.pixels[i * N + j] + c;
        d[i] = n == kLanes ? load(p) : load_n(p, n);
      }
      input_line<T>(d, t);
#pragma GCC unroll 6
      for (int i = 0; i < N; ++i) mid[j][i] = t[i];
    }
    float* v = s.v + c;
    for (int i = 0; i < N; ++i) {
      F32 d[N], t[N];
#pragma GCC unroll 6
      for (int j = 0; j < N; ++j) d[j] = mid[j][i];
      input_line<T>(d, t);
#pragma GCC unroll 6
      for (int j = 0; j < N; ++j, v += s.v_step) store(v, t[j]);
    }
  }
}

// One tile, n columns: (T + 2)^2 rows of M to the pixels of the tile that lie inside of the image.
template <int T>
MOTE_NOINLINE void output(const WinogradOutput& s) noexcept {
  constexpr int N = T + 2;
  const F32 lo = set(s.lo), hi = set(s.hi);
  for (i64 c = 0; c < s.n; c += kLanes) {
    const int n = s.n - c < kLanes ? static_cast<int>(s.n - c) : kLanes;
    F32 mid[T][N];
    for (int j = 0; j < N; ++j) {
      F32 m[N], y[T];
#pragma GCC unroll 6
      for (int i = 0; i < N; ++i) m[i] = load(s.m + (i * N + j) * s.m_step + c);
      output_line<T>(m, y);
#pragma GCC unroll 4
      for (int i = 0; i < T; ++i) mid[i][j] = y[i];
    }
    const F32 bias = s.bias ? (n == kLanes ? load(s.bias + c) : load_n(s.bias + c, n)) : zero();
    for (int i = 0; i < s.rows; ++i) {
      F32 y[T];
      output_line<T>(mid[i], y);
      for (int j = 0; j < s.cols; ++j) {
        const i64 pixel = i * s.y_width + j;
        F32 v = y[j] + bias;
        if (s.residual) {
          const float* r = s.residual + pixel * s.residual_row + c;
          v += n == kLanes ? load(r) : load_n(r, n);
        }
        v = min(hi, max(lo, v));
        float* p = s.y + pixel * s.y_pixel + c;
        if (n == kLanes) {
          store(p, v);
        } else {
          store_n(p, v, n);
        }
      }
    }
  }
  if (!s.program) return;
  for (int i = 0; i < s.rows; ++i) {
    const i64 pixel = i * s.y_width;
    MOTE_SIMD_BASE_NS::apply_epilogue(
        *s.program, {s.y + pixel * s.y_pixel, s.y_pixel, s.cols, s.n, s.program_row + pixel, 1, s.program_col});
  }
}

}  // namespace
}  // namespace mote::kernels::MOTE_SIMD_NS
