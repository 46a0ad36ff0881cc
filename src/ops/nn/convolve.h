// What the convolutions share: inference, and one naive loop over doubles for every layout, rank and group.
#pragma once

#include <span>
#include <vector>

#include "ops/nn/window.h"
#include "ops/reference.h"

namespace mote {

// Output 0 of a convolution of inputs `x` and `w` with weights OIX / OXI.
Status infer_convolution(InferContext& ctx, int x, int w, DType dtype);

// A convolution of known extents: window and element strides, whatever the layouts.
struct Convolution {
  std::int64_t batch, in_channels, out_channels, group;
  Window window;
  std::int64_t x_batch, x_channel, y_batch, y_channel, w_out, w_in;
  std::vector<std::int64_t> x_space, y_space, w_space;
  std::vector<std::int64_t> y_shape;

  std::int64_t y_count() const;
  std::int64_t channel_of(std::int64_t y_index) const { return y_index / y_channel % out_channels; }
};
// Checks that the extents of x and w fit each other, and those of `bias` where it is not null.
Result<Convolution> convolution_of(const ReferenceContext& ctx, const TensorView& x, const TensorView& w,
                                   const TensorView* bias);

// A run of output positions along the last spatial axis that one tap reaches without padding: element offsets of its
// first position in x and y.
struct Run {
  std::int64_t x, y, count;
};
struct Tap {
  std::int64_t w;
  std::vector<Run> runs;
};
std::vector<Tap> taps_of(const Convolution& c);

// Adds the convolution of x and w to y. Padding adds nothing.
void convolve(const Convolution& c, std::span<const double> x, std::span<const double> w, std::span<double> y);

// Subtracts from each weight the zero point of its output channel; `zero` holds one value or one per channel.
void subtract_weight_zero(const Convolution& c, std::span<const double> zero, std::span<double> w);

}  // namespace mote
