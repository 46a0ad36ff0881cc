// conv_transpose: channels-last f32 transposed convolution in one to three spatial dimensions.
//
//   y[n, o, g * N/G + j] = epilogue(bias + sum over taps t and c with i * stride - pad + t * dilation = o of
//                                   x[n, i, g * C/G + c] * w[g * C/G + c, j, t])
//
// Output positions fall into phases, one per remainder of (o + pad) by the stride; those of a phase use the same taps,
// so that a phase is a direct convolution of stride 1 on the dot's block kernel. No intermediate is accumulated in
// memory. Numerics: `chain`, in the order chunk of 32 channels -> kd -> kh -> kw -> channel over the taps of the
// output's phase; an input outside of the image multiplies zero. Layouts and epilogue as in conv.h.
#pragma once

#include "kernels/conv/conv.h"

namespace mote::kernels::conv_transpose {

inline constexpr int kMaxSpatial = conv::kMaxSpatial;

struct Shape {
  std::int64_t batch = 1, channels = 0, out_channels = 0, groups = 1;
  std::int64_t in[kMaxSpatial] = {1, 1, 1}, out[kMaxSpatial] = {1, 1, 1}, kernel[kMaxSpatial] = {1, 1, 1};
  std::int64_t stride[kMaxSpatial] = {1, 1, 1}, dilation[kMaxSpatial] = {1, 1, 1};
  std::int64_t pad_begin[kMaxSpatial] = {};
  std::int64_t x_pixel = 0, y_pixel = 0;  // in floats; 0: dense

  std::int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  std::int64_t in_pixels() const { return in[0] * in[1] * in[2]; }
  std::int64_t out_pixels() const { return out[0] * out[1] * out[2]; }
};

// Weights: element (c, j, tap) of [channels, out_channels / groups, taps] at c * channel_stride + j * out_stride + tap
// * tap_stride. ONNX has channel_stride N/G * taps, out_stride taps, tap_stride 1.
using Weights = conv::Weights;

std::int64_t packed_size(const Shape& shape);  // in floats
void pack(const Shape& shape, const Weights& weights, float* dst) noexcept;

struct Params {
  // Set by the caller before every run.
  const float* x = nullptr;
  const float* w = nullptr;     // packed
  const float* bias = nullptr;  // out_channels floats, or null
  float* y = nullptr;
  Epilogue epilogue;  // its operands' data too
  // Set by setup. A tile is row_step output rows of one depth by col_step columns of one group.
  Shape shape;
  dot::Fused fused;
  std::int64_t row_step, row_tiles, col_step, col_tiles;
  // The strip: the input lines and columns that a tile reads, zero outside of the image. A tap of index t reaches back
  // by up to `reach` input positions.
  std::int64_t reach[kMaxSpatial];
  std::int64_t strip_lines, strip_cols, strip_pixel;
};

struct Kernel {
  const char* name;
  Isa isa;
  Numerics numerics;
  const char* dot;
  KernelFn<Params> run;  // null where this build does not contain it
};

std::span<const Kernel> kernels();
const Kernel& select(const CpuFeatures& cpu);
conv::Work setup(const Kernel& kernel, const Shape& shape, Params* params);

}  // namespace mote::kernels::conv_transpose
