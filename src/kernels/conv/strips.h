// strips: two or three convolutions in a row in one pass over the rows: [1x1 to more channels] -> depthwise -> [1x1 to
// fewer]. A tile is a range of output rows. It makes the expanded rows that the next few output rows read in a ring of
// rows, the depthwise result of these in a buffer, and from that the output, so that neither map ever leaves the cache.
//
// Every output keeps the chain that the single convolutions give it (numerics class `chain`): the same bits as these,
// for any partition of the tiles. Images are two-dimensional and channels-last as in conv.h; weights are those of
// conv::pack for kDot and kDepthwise. The programs between have no operands; the last one's are indexed as conv's.
#pragma once

#include "kernels/conv/conv.h"

namespace mote::kernels::conv {

struct StripShape {
  Shape depth;                             // the depthwise convolution; its pitches are not read
  std::int64_t channels = 0;               // of x: those of `depth`, unless there is an expansion
  std::int64_t out_channels = 0;           // of y: those of `depth`, unless there is a projection
  bool expands = false, projects = false;  // at least one of them
  std::int64_t x_pixel = 0, y_pixel = 0;   // in floats; 0: dense
};

struct StripParams {
  // Set by the caller before every run. Biases may be null.
  const float* x = nullptr;
  const float *expand_w = nullptr, *expand_bias = nullptr;
  const float *depth_w = nullptr, *depth_bias = nullptr;
  const float *project_w = nullptr, *project_bias = nullptr;
  float* y = nullptr;
  Epilogue expand, depth, last;  // `depth` applies where there is a projection
  // Set by setup.
  StripShape shape;
  dot::Fused expand_fused, depth_fused, last_fused;
  std::int64_t out[2];               // rows and columns of y
  std::int64_t row_step, row_tiles;  // output rows of a tile
  std::int64_t step;                 // output rows made at a time
  std::int64_t ring, ring_pixel, buffer_pixel;
};

struct StripKernel {
  const char* name;
  Isa isa;
  Numerics numerics;
  const char* dot;  // the row of dot that it is built on
  KernelFn<StripParams> run;
};

// The rows of strips.inc, best first. `run` is null in a row that this build does not contain.
std::span<const StripKernel> strip_kernels();
const StripKernel& select_strips(const CpuFeatures& cpu);

// Whether strips can compute the shape: two dimensions, and a kernel that the depthwise block has steps for.
bool supports_strips(const StripShape& shape);
// Whether they are likely to be faster than one convolution after the other, by shape alone: the maps between are too
// large for a cache that the rows, and the weights, fit.
bool suit_strips(const StripShape& shape);

// Fills the second half of `params`; its programs must hold their ops already.
Work setup_strips(const StripKernel& kernel, const StripShape& shape, StripParams* params);

}  // namespace mote::kernels::conv
