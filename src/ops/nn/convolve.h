// What the convolutions share: inference, and one naive loop over doubles for every layout, rank and group.
#pragma once

#include <span>
#include <vector>

#include "ops/nn/window.h"
#include "ops/reference.h"

namespace mote {

// Output 0 of a convolution of inputs `x` and `w` with weights OIX / OXI. `bias` is an optional input, or -1.
Status infer_convolution(InferContext& ctx, int x, int w, int bias, DType dtype);
// Fails unless input i is absent or has one value for each of `channels`, or, where `scalar` is set, a single one.
Status check_per_channel(const InferContext& ctx, int i, const Dim& channels, bool scalar);

// A convolution of known extents: window and element strides, whatever the layouts.
struct Convolution {
  std::int64_t batch, in_channels, out_channels, group;
  Window window;
  std::int64_t x_batch, x_channel, y_batch, y_channel, w_out, w_in;
  std::vector<std::int64_t> x_space, y_space, w_space;

  std::int64_t channel_of(std::int64_t y_index) const { return y_index / y_channel % out_channels; }
};
// Of operands that inference accepted.
Result<Convolution> convolution_of(const ReferenceContext& ctx, const TensorView& x, const TensorView& w,
                                   const TensorView& y);
// Sets each output to the bias of its channel.
void fill_bias(ReferenceContext& ctx, const Convolution& c, const TensorView& bias, std::span<double> y);

// A run of output positions along the last spatial axis that one tap reaches without padding, no longer than a piece of
// the context: element offsets of its first position in x and y.
struct Run {
  std::int64_t x, y, count;
};
struct Tap {
  std::int64_t w;
  std::vector<Run> runs;
};
std::vector<Tap> taps_of(ReferenceContext& ctx, const Convolution& c);

// Adds the convolution of x and w to y. Padding adds nothing.
void convolve(ReferenceContext& ctx, const Convolution& c, std::span<const double> x, std::span<const double> w,
              std::span<double> y);

// Subtracts from each weight the zero point of its output channel; `zero` holds one value or one per channel.
void subtract_weight_zero(ReferenceContext& ctx, const Convolution& c, std::span<const double> zero,
                          std::span<double> w);

}  // namespace mote
