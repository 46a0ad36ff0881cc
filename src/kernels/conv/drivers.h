// Internal to conv: what the files of the algorithms offer to conv.cc.
#pragma once

#include "kernels/conv/conv.h"
#include "kernels/dot/block.h"

namespace mote::kernels::conv {

using i64 = std::int64_t;

constexpr i64 ceil_div(i64 a, i64 b) { return (a + b - 1) / b; }
constexpr i64 round_up(i64 a, i64 b) { return ceil_div(a, b) * b; }

// The canonical order of k is by chunks of this many channels.
inline constexpr i64 kChunk = 32;

// A depthwise block: output rows [row_begin, row_end) of one image, counted over depth and height.
struct DepthwiseBlock {
  const float* x;  // the image
  i64 x_pixel;
  const Shape* shape;
  i64 out[kMaxSpatial];
  i64 row_begin, row_end;
  i64 channels;
  const float* w;  // panels of 16 channels, [tap][16]
  const float* bias;
  float* y;  // the image
  i64 y_pixel;
  const float* residual;  // for the image's first pixel, or null
  i64 residual_row;
  float lo, hi;
  const Epilogue* program;
  i64 program_row;  // of the image's first pixel
};
using DepthwiseFn = void (*)(const DepthwiseBlock& block) noexcept;

Work setup_direct(const dot::Kernel& kernel, Params* params);
Work setup_depthwise(const dot::Kernel& kernel, Params* params);
void run_direct(const Params& params, TileRange range, dot::BlockFn block) noexcept;
void run_depthwise(const Params& params, TileRange range, DepthwiseFn block) noexcept;

}  // namespace mote::kernels::conv
