// conv: channels-last f32 convolution in one to three spatial dimensions, with groups, strides, dilations and any
// padding.
//
//   y[n, o.., g * N/G + j] = epilogue(bias[..] + sum over taps and c of x[n, o * stride - pad + tap * dilation.., g *
//   C/G + c] * w)
//
// x is [batch, D, H, W, C] with pixels `x_pixel` floats apart, y likewise, so that either may be a slice of a wider
// tensor; lower ranks have leading dimensions of size 1. Weights are packed once, in the layout of the chosen
// algorithm. Numerics: `chain` for kDot, kDirect and kDepthwise: one chain of fused multiply-adds per output that
// starts at the bias, in the order chunk of 32 channels -> kd -> kh -> kw -> channel. A padded tap multiplies zero. The
// algorithm, and with it the numerics class, depends on the shape only. Epilogue operands are indexed by row = pixel of
// y (batch included) and column = channel of y.
#pragma once

#include <span>
#include <string_view>

#include "base/cpu.h"
#include "base/inline.h"
#include "kernels/dot/dot.h"
#include "kernels/epilogue.h"
#include "kernels/kernel.h"
#include "mote/dtype.h"

namespace mote::kernels::conv {

inline constexpr int kMaxSpatial = 3;  // D, H, W

struct Shape {
  std::int64_t batch = 1, channels = 0, out_channels = 0, groups = 1;
  std::int64_t in[kMaxSpatial] = {1, 1, 1}, kernel[kMaxSpatial] = {1, 1, 1};
  std::int64_t stride[kMaxSpatial] = {1, 1, 1}, dilation[kMaxSpatial] = {1, 1, 1};
  std::int64_t pad_begin[kMaxSpatial] = {}, pad_end[kMaxSpatial] = {};  // may be negative
  std::int64_t x_pixel = 0, y_pixel = 0;                                // in floats; 0: dense
  dot::Store store = dot::Store::kF32;                                  // of the weights: of kDot f16 and bf16 too
  Tiling tiling = Tiling::kUsual;

  // 0 where the kernel is larger than the padded input.
  std::int64_t out(int d) const;
  MOTE_INLINE std::int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  std::int64_t in_pixels() const { return in[0] * in[1] * in[2]; }
  std::int64_t out_pixels() const { return out(0) * out(1) * out(2); }
};

enum class Algorithm : std::uint8_t {
  kDot,
  kDirect,
  kDepthwise,
  kWinograd23,
  kWinograd43,
  kGrouped,
  kDotPairs,  // those of pairs round x and w to bf16; numerics class `fast`
  kDirectPairs
};
std::string_view name_of(Algorithm algorithm);

// Can the algorithm do the shape? kDirect does every one.
bool supports(Algorithm algorithm, const Shape& shape);
// By shape only; the same on every machine.
Algorithm choose(const Shape& shape);
// In place of that where bf16 may be computed with: pairs, where they are supported and no transform in f32 beats them.
Algorithm choose_pairs(const Shape& shape);

// Weights as the model has them: element (o, c, tap) of [out_channels, channels / groups, taps] at the sum of index *
// stride. ONNX's OIHW has strides (C/G * taps, taps, 1), TFLite's OHWI (taps * C/G, 1, C/G).
struct Weights {
  const void* data;
  DType dtype;  // f32, f16 or bf16
  std::int64_t out_stride, channel_stride, tap_stride;
};

std::int64_t packed_size(Algorithm algorithm, const Shape& shape);  // in floats
void pack(Algorithm algorithm, const Shape& shape, const Weights& weights, float* dst) noexcept;
// Output channels [first, first + count) alone, where `weights` start at the first of them; `dst` is that of pack().
// `first` must be a multiple of 16, and the shape have packs_in_parts().
bool packs_in_parts(Algorithm algorithm, const Shape& shape);
void pack_part(Algorithm algorithm, const Shape& shape, const Weights& weights, std::int64_t first, std::int64_t count,
               float* dst) noexcept;

struct Params {
  // Set by the caller before every run.
  const float* x = nullptr;
  const float* w = nullptr;     // packed
  const float* bias = nullptr;  // out_channels floats, or null
  float* y = nullptr;
  Epilogue epilogue;  // its operands' data too
  // Set by setup.
  Shape shape;
  dot::Fused fused;
  dot::Params dot;     // of kDot
  std::int64_t group;  // of kDepthwise and kGrouped: channels of a group
  // kDirect: a tile is `row_step` output rows by `col_step` output channels of one group. Rows read either the input in
  // place or a padded copy of the input rows they need, the strip.
  std::int64_t out[kMaxSpatial];
  std::int64_t row_step, row_tiles, col_step, col_tiles;
  std::int64_t width_step, width_tiles;  // pieces of long rows
  bool in_place, rows_outer;
  bool pairs;                   // kDirectPairs: channels count words of two
  int merge;                    // the spatial dimension whose taps are one piece of memory, or 0
  bool split_rows, split_cols;  // strip: one run of rows (columns) per kernel row (column), not one that they share
  std::int64_t strip_rows, strip_cols, strip_pixel;
  std::int64_t chunk_block;  // chunks of a block
  // kWinograd*: a tile is tile_block Winograd tiles by col_step columns, m_cols of them at a time.
  std::int64_t tile_block, m_cols;
};

struct Kernel {
  const char* name;
  Algorithm algorithm;
  Isa isa;
  Numerics numerics;
  const char* dot;       // the row of dot that it is built on
  KernelFn<Params> run;  // null where this build does not contain it
};

std::span<const Kernel> kernels();
const Kernel& select(Algorithm algorithm, const CpuFeatures& cpu);

using Work = dot::Work;

// Fills the second half of `params`; params.epilogue must hold its ops already. The shape must be valid: positive
// dimensions, groups that divide both channel counts.
Work setup(const Kernel& kernel, const Shape& shape, Params* params);

}  // namespace mote::kernels::conv
