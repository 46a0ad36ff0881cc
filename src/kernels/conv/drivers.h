// Internal to conv: what the files of the algorithms offer to conv.cc.
#pragma once

#include <limits>

#include "base/half.h"
#include "kernels/conv/conv.h"
#include "kernels/dot/block.h"

namespace mote::kernels::conv {

using i64 = std::int64_t;

constexpr i64 ceil_div(i64 a, i64 b) { return (a + b - 1) / b; }
constexpr i64 round_up(i64 a, i64 b) { return ceil_div(a, b) * b; }

// The canonical order of k is by chunks of this many channels.
inline constexpr i64 kChunk = 32;

// A depthwise block, or one of groups of few channels: output rows [row_begin, row_end) of one image, counted over
// depth and height.
struct DepthwiseBlock {
  const float* x;  // the image
  i64 x_pixel;
  i64 x_rows;  // x holds this many rows of an image of one depth, row r at r % x_rows; 0: all of them
  const Shape* shape;
  i64 out[kMaxSpatial];
  i64 row_begin, row_end;
  i64 channels;
  i64 group;       // channels of a group: 1, 2, 4 or 8
  const float* w;  // panels of 16 channels, [tap][channel of the group][16]
  const float* bias;
  float* y;  // the image, from row y_row on
  i64 y_pixel, y_row;
  const float* residual;  // for the image's first pixel, or null
  i64 residual_row;
  float lo, hi;
  const Epilogue* program;
  i64 program_row;         // of the image's first pixel
  const float* zeros;      // `channels` of them
  const float** pointers;  // room for taps x 7
};
using DepthwiseFn = void (*)(const DepthwiseBlock& block) noexcept;

// One tile of a Winograd transform, forth and back.
struct WinogradInput {
  const float* const* pixels;  // of the tile, row by row
  i64 channels;
  float* v;  // row of the first position; whole registers of channels are written
  i64 v_step;
};
struct WinogradOutput {
  const float* m;  // row of the first position; whole registers are read
  i64 m_step;
  i64 n;
  const float* bias;
  float* y;  // the tile's first pixel
  i64 y_pixel, y_width;
  int rows, cols;  // pixels of the tile inside of the image
  const float* residual;
  i64 residual_row;
  float lo, hi;
  const Epilogue* program;
  i64 program_row, program_col;
};
struct WinogradFns {
  void (*input43)(const WinogradInput&) noexcept;
  void (*input23)(const WinogradInput&) noexcept;
  void (*output43)(const WinogradOutput&) noexcept;
  void (*output23)(const WinogradOutput&) noexcept;
  dot::BlockFn block;
};

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

inline float load_weight(const Weights& w, i64 i) {
  if (w.dtype == DType::f32) return static_cast<const float*>(w.data)[i];
  const std::uint16_t h = static_cast<const std::uint16_t*>(w.data)[i];
  return w.dtype == DType::f16 ? f16_to_f32(h) : bf16_to_f32(h);
}

// Where each output channel's weights lie in one row of f32, [channels][taps]: a few channels of a panel with all their
// taps are turned at once, so that packing reads the file's rows from end to end.
inline constexpr i64 kTurned = 16, kMostTaps = 25;
struct TurnedRows {
  float at[kTurned * kMostTaps * dot::kPanel];  // [channel][tap][output channel]

  static bool can(const Shape& s, const Weights& w) {
    return w.dtype == DType::f32 && w.tap_stride == 1 && w.channel_stride == s.taps() && s.taps() > 1 &&
           s.taps() <= kMostTaps;
  }
  // Channels [c, c + count), at most kTurned, of `width` output channels from `first` on.
  void read(dot::TransposeFn transpose, const Weights& w, i64 taps, i64 first, int width, i64 c, i64 count) {
    transpose(static_cast<const float*>(w.data) + first * w.out_stride + c * taps, w.out_stride, count * taps, width,
              at);
  }
  const float* row(i64 channel, i64 tap, i64 taps) const { return at + (channel * taps + tap) * dot::kPanel; }
};

void pack_winograd(Algorithm algorithm, const Shape& shape, const Weights& weights, std::int64_t first,
                   std::int64_t count, float* dst) noexcept;
Work setup_winograd(const dot::Kernel& kernel, Algorithm algorithm, Params* params);
void run_winograd(const Params& params, TileRange range, Algorithm algorithm, const WinogradFns& fns) noexcept;

Work setup_direct(const dot::Kernel& kernel, Params* params);
Work setup_depthwise(const dot::Kernel& kernel, Params* params);
void run_direct(const Params& params, TileRange range, dot::BlockFn block, dot::RoundFn round = nullptr) noexcept;
void run_depthwise(const Params& params, TileRange range, DepthwiseFn block) noexcept;

}  // namespace mote::kernels::conv

// The ISA files of dot and conv.
#define MOTE_DOT_KERNEL(ns, isa, numerics, rows, macs)              \
  namespace mote::kernels::dot {                                    \
  void block_##ns(const Block& block) noexcept;                     \
  }                                                                 \
  namespace mote::kernels::conv {                                   \
  void depthwise_##ns(const DepthwiseBlock& block) noexcept;        \
  void winograd_input43_##ns(const WinogradInput& tile) noexcept;   \
  void winograd_input23_##ns(const WinogradInput& tile) noexcept;   \
  void winograd_output43_##ns(const WinogradOutput& tile) noexcept; \
  void winograd_output23_##ns(const WinogradOutput& tile) noexcept; \
  }
#include "kernels/dot/kernels.inc"
#undef MOTE_DOT_KERNEL

#define MOTE_DOT_PAIR_KERNEL(ns, isa, rows, macs)                               \
  namespace mote::kernels::dot {                                                \
  void block_pairs_##ns(const Block& block) noexcept;                           \
  void round_pairs_##ns(const float* src, std::int64_t n, float* dst) noexcept; \
  }
#include "kernels/dot/pairs.inc"
#undef MOTE_DOT_PAIR_KERNEL
