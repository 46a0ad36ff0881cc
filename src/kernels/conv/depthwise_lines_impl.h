// Internal: depthwise convolution on AArch64, eight channels of a tile of pixels at a time, for square kernels. For the
// namespace of the including file. Loads and multiply-adds stand in the order of the source, because the compiler
// otherwise moves loads up and spills sums; every load and store steps its own pointer along.
#pragma once

#include <limits>

#include "kernels/conv/drivers.h"
#include "simd/vec.h"

namespace mote::kernels::MOTE_SIMD_NS {
namespace {

#if defined(__aarch64__) && defined(__GNUC__) && !defined(MOTE_SIMD_SCALAR) && !defined(MOTE_COMPACT)

using namespace simd::MOTE_SIMD_NS;
using conv::DepthwiseBlock;
using i64 = std::int64_t;

inline constexpr bool kByLines = true;
inline constexpr int kMostLines = 7;
inline constexpr i64 kTwoBytes = 32;  // of two registers

// The input lines under one or two output rows, and the tiles along them.
struct Lines {
  const char* at[kMostLines];  // of the image's first column, or zeros
  i64 pixel[kMostLines];       // bytes from one column to the next; 0 where there are zeros
  i64 column;                  // the first tile's first that lies inside of the image
  i64 outside;                 // which of its columns do not
  char* y;                     // of the first tile
  const float* residual;       // or null
  i64 tiles;
};

struct Two {
  F32 a, b;
};
MOTE_INLINE Two load_two(const char* p) {
  Two v;
  asm volatile("ldp %q0, %q1, [%2]" : "=w"(v.a.v), "=w"(v.b.v) : "r"(p));
  return v;
}
template <int kStep>
MOTE_INLINE Two take_two(const char*& p) {
  Two v;
  asm volatile("ldp %q0, %q1, [%2], %3" : "=w"(v.a.v), "=w"(v.b.v), "+r"(p) : "n"(kStep));
  return v;
}
MOTE_INLINE void put_two(char*& p, const Two& v) {
  asm volatile("stp %q1, %q2, [%0], 32" : "+r"(p) : "w"(v.a.v), "w"(v.b.v));
}
// Sums of ROWS rows of P pixels.
template <int ROWS, int P>
struct Sums {
  Two at[ROWS][P];
};

// Adds the residual, if any, of eight channels, and clamps. Out of line of the loop: bounds stay in memory.
template <int ROWS, int P>
MOTE_INLINE void finish(const DepthwiseBlock* s, const float* residual, Sums<ROWS, P>& sums) {
  asm("" : "+r"(s));
  const F32 lo = set(s->lo), hi = set(s->hi);
#pragma GCC unroll 2
  for (int r = 0; r < ROWS; ++r) {
#pragma GCC unroll 8
    for (int i = 0; i < P; ++i) {
      Two& v = sums.at[r][i];
      if (residual) {
        const float* p = residual + (r * s->out[2] + i) * s->residual_row;
        v.a += load(p);
        v.b += load(p + kLanes);
      }
      v.a = min(hi, max(lo, v.a));
      v.b = min(hi, max(lo, v.b));
    }
  }
}

// The columns of line `l` of a tile, each loaded while the one before is multiplied. f holds the filters' row that it
// meets under the upper output row, `above` the one under the lower. kSides: bit i of `outside` says that column i lies
// outside of the image and is zeros; bit 3 + i, that column i from the end on does. Loads of two registers want
// neighbours: without their names the compiler copies.
template <int K, int ROWS, int S, int P, bool kSides>
MOTE_INLINE void add_line(int l, const char*& x, i64 pixel, i64 back, i64 outside, const Two (&f)[K],
                          const Two (&above)[K], Sums<ROWS, P>& sums) {
  constexpr int kColumns = (P - 1) * S + K;
  register float32x4_t even_a asm("v28"), even_b asm("v29"), odd_a asm("v30"), odd_b asm("v31");
#pragma GCC unroll 32
  for (int next = 0; next <= kColumns; ++next) {
    if (next < kColumns) {
      const int bit = next < K / 2 ? next : kColumns - 1 - next < K / 2 ? 3 + kColumns - 1 - next : -1;
      const i64 step = !kSides && next == kColumns - 1 ? back : pixel;
      if (kSides && bit >= 0 && (outside >> bit & 1) != 0) {
        if (next % 2 == 0) {
          asm volatile("movi %0.4s, 0\n\tmovi %1.4s, 0" : "=w"(even_a), "=w"(even_b));
        } else {
          asm volatile("movi %0.4s, 0\n\tmovi %1.4s, 0" : "=w"(odd_a), "=w"(odd_b));
        }
      } else if (next % 2 == 0) {
        asm volatile("ld1 {%0.4s, %1.4s}, [%2], %3" : "=w"(even_a), "=w"(even_b), "+r"(x) : "r"(step));
      } else {
        asm volatile("ld1 {%0.4s, %1.4s}, [%2], %3" : "=w"(odd_a), "=w"(odd_b), "+r"(x) : "r"(step));
      }
    }
    const int col = next - 1;
#pragma GCC unroll 8
    for (int k = 0; k < K; ++k) {
      if (col < k || (col - k) % S != 0 || (col - k) / S >= P) continue;
#pragma GCC unroll 2
      for (int row = 0; row < ROWS; ++row) {
        if (row == 0 ? l >= K : l == 0) continue;
        Two& sum = sums.at[row][(col - k) / S];
        const Two& w = row == 0 ? f[k] : above[k];
        if (col % 2 == 0) {
          asm volatile("fmla %0.4s, %1.4s, %2.4s" : "+w"(sum.a.v) : "w"(even_a), "w"(w.a.v));
          asm volatile("fmla %0.4s, %1.4s, %2.4s" : "+w"(sum.b.v) : "w"(even_b), "w"(w.b.v));
        } else {
          asm volatile("fmla %0.4s, %1.4s, %2.4s" : "+w"(sum.a.v) : "w"(odd_a), "w"(w.a.v));
          asm volatile("fmla %0.4s, %1.4s, %2.4s" : "+w"(sum.b.v) : "w"(odd_b), "w"(w.b.v));
        }
      }
    }
  }
  if constexpr (kSides) x += back;
}

// kSides: columns or lines may lie outside of the image.
template <int K, int ROWS, int S, int P, bool kSides>
MOTE_NOINLINE void run_tiles(const DepthwiseBlock& s, const Lines& t) noexcept {
  constexpr int kLineCount = K + ROWS - 1, kColumns = (P - 1) * S + K;
  constexpr float kInf = std::numeric_limits<float>::infinity();
  asm volatile("" ::: "memory");  // what the pointers point to is read and written below
  const bool finishes = t.residual || s.lo > -kInf || s.hi < kInf;
  const i64 panel = K * K * 64, y_pixel = s.y_pixel * 4, outside = t.outside;
  const i64 taken = kSides ? kColumns - __builtin_popcountll(static_cast<unsigned long long>(outside)) : kColumns - 1;
  i64 column = t.column;
  char* y_first = t.y;
  for (i64 tile = 0; tile < t.tiles; ++tile, column += P * S, y_first += P * y_pixel) {
    const char *x[kLineCount], *w = reinterpret_cast<const char*>(s.w),
                               *bias = reinterpret_cast<const char*>(s.bias ? s.bias : s.zeros);
    i64 pixel[kLineCount], back[kLineCount];
    char* y[ROWS][P];
#pragma GCC unroll 8
    for (int l = 0; l < kLineCount; ++l) {
      pixel[l] = kSides ? t.pixel[l] : l > 0 ? pixel[0] : s.x_pixel * 4;
      back[l] = kSides || l == 0 ? kTwoBytes - taken * pixel[l] : back[0];
      x[l] = t.at[l] + column * pixel[l];
    }
#pragma GCC unroll 2
    for (int r = 0; r < ROWS; ++r) {
#pragma GCC unroll 8
      for (int i = 0; i < P; ++i) y[r][i] = y_first + (r * s.out[2] + i) * y_pixel;
    }
    const float* residual = t.residual ? t.residual + tile * P * s.residual_row : nullptr;
    i64 advance = kTwoBytes - panel;  // to the other half of a panel of 16 channels, or to the next
    for (i64 c = s.channels / 8; c > 0; --c) {
      Sums<ROWS, P> sums;
#pragma GCC unroll 2
      for (int r = 0; r < ROWS; ++r) {
#pragma GCC unroll 8
        for (int i = 0; i < P; ++i)
          sums.at[r][i] = r == ROWS - 1 && i == P - 1 ? take_two<kTwoBytes>(bias) : load_two(bias);
      }
      Two f[K], above[K];
#pragma GCC unroll 8
      for (int l = 0; l < kLineCount; ++l) {
#pragma GCC unroll 8
        for (int k = 0; k < K; ++k) {
          if (l > 0) above[k] = f[k];
          if (l < K) f[k] = take_two<64>(w);
        }
        add_line<K, ROWS, S, P, kSides>(l, x[l], pixel[l], back[l], outside, f, above, sums);
      }
      w += advance;
      advance = -panel - advance;
      if (finishes) {
        finish(&s, residual, sums);
        if (residual) residual += 8;
      }
#pragma GCC unroll 2
      for (int r = 0; r < ROWS; ++r) {
#pragma GCC unroll 8
        for (int i = 0; i < P; ++i) put_two(y[r][i], sums.at[r][i]);
      }
    }
  }
  asm volatile("" ::: "memory");
}

using TilesFn = void (*)(const DepthwiseBlock&, const Lines&) noexcept;

// For tiles of the most and nearly the most pixels there are kernels that need not look for the image's sides.
template <int K, int ROWS, int S, int kMost, int P = kMost>
TilesFn tiles_for(i64 pixels, bool sides) {
  if constexpr (P > 1) {
    if (pixels < P) return tiles_for<K, ROWS, S, kMost, P - 1>(pixels, sides);
  }
  if constexpr (P + 1 >= kMost && (ROWS == 2 || K > 3 || S > 1)) {
    if (!sides) return &run_tiles<K, ROWS, S, P, false>;
  }
  return &run_tiles<K, ROWS, S, P, true>;
}

// Pixels of a row of a tile: what 32 registers hold beside the filters.
i64 most_pixels(const conv::Shape& k, i64 rows) { return k.kernel[2] == 7 ? 6 : rows == 2 ? 4 : 8; }

TilesFn choose_tiles(const conv::Shape& k, i64 rows, i64 pixels, bool sides) {
  const i64 kernel = k.kernel[2], stride = k.stride[2];
  if (kernel == 7) return tiles_for<7, 1, 1, 6>(pixels, sides);
  if (kernel == 5) return stride == 1 ? tiles_for<5, 1, 1, 8>(pixels, sides) : tiles_for<5, 1, 2, 8>(pixels, sides);
  if (stride == 2) return tiles_for<3, 1, 2, 8>(pixels, sides);
  return rows == 2 ? tiles_for<3, 2, 1, 4>(pixels, sides) : tiles_for<3, 1, 1, 8>(pixels, sides);
}

// Whether run_lines() can do it: no side reaches past the middle of the kernel.
bool has_lines(const DepthwiseBlock& s) {
  const conv::Shape& k = *s.shape;
  const i64 kernel = k.kernel[2], stride = k.stride[2], half = kernel / 2;
  const bool known = kernel == 7 ? stride == 1 : (kernel == 3 || kernel == 5) && stride <= 2;
  return known && s.group == 1 && s.channels >= 8 && k.kernel[0] == 1 && k.kernel[1] == kernel && k.dilation[2] == 1 &&
         k.pad_begin[2] <= half && (s.out[2] - 1) * stride - k.pad_begin[2] + half < k.in[2];
}
bool has_pair_of_lines(const conv::Shape& k) {
  return k.kernel[2] == 3 && k.stride[2] == 1 && k.stride[1] == 1 && k.dilation[1] == 1;
}

// Channels but for the last s.channels % 8 of output rows [r, r + rows), 1 or 2, of one depth.
void run_lines(const DepthwiseBlock& s, i64 r, i64 rows) {
  const conv::Shape& k = *s.shape;
  const i64 width = s.out[2], stride = k.stride[2];
  const i64 id = r / s.out[1] * k.stride[0] - k.pad_begin[0], ih = r % s.out[1] * k.stride[1] - k.pad_begin[1];
  Lines t;
  bool lines_inside = true;
  for (i64 l = 0; l < k.kernel[1] + rows - 1; ++l) {
    const i64 at = ih + l * k.dilation[1];
    const bool inside = id >= 0 && id < k.in[0] && at >= 0 && at < k.in[1];
    const i64 row = s.x_rows > 0 ? at % s.x_rows : id * k.in[1] + at;
    t.at[l] = reinterpret_cast<const char*>(inside ? s.x + row * k.in[2] * s.x_pixel : s.zeros);
    t.pixel[l] = inside ? s.x_pixel * 4 : 0;
    lines_inside = lines_inside && inside;
  }
  const i64 most = most_pixels(k, rows), tiles = (width + most - 1) / most;
  const i64 small = width / tiles, larger = width % tiles;
  for (i64 i = 0; i < tiles; i += t.tiles) {
    const i64 pixels = small + (i < larger ? 1 : 0), ow = i * small + (i < larger ? i : larger);
    const i64 columns = (pixels - 1) * stride + k.kernel[2], iw = ow * stride - k.pad_begin[2];
    const i64 left = iw < 0 ? -iw : 0, right = iw + columns > k.in[2] ? iw + columns - k.in[2] : 0;
    const bool columns_inside = left == 0 && right == 0;
    t.column = iw + left;
    t.outside = ((i64{1} << left) - 1) | ((i64{1} << right) - 1) << 3;
    t.tiles = 1;
    if (columns_inside) {
      // As many alike as there are inside of the image.
      const i64 alike = (i < larger ? larger : tiles) - i, room = (k.in[2] - iw - columns) / (pixels * stride) + 1;
      t.tiles = room < alike ? room : alike;
    }
    t.y = reinterpret_cast<char*>(s.y + ((r - s.y_row) * width + ow) * s.y_pixel);
    t.residual = s.residual ? s.residual + (r * width + ow) * s.residual_row : nullptr;
    choose_tiles(k, rows, pixels, !lines_inside || !columns_inside)(s, t);
  }
}

#else
inline constexpr bool kByLines = false;
constexpr bool has_lines(const conv::DepthwiseBlock&) { return false; }
constexpr bool has_pair_of_lines(const conv::Shape&) { return false; }
MOTE_INLINE void run_lines(const conv::DepthwiseBlock&, std::int64_t, std::int64_t) {}
#endif

}  // namespace
}  // namespace mote::kernels::MOTE_SIMD_NS
