// What the pools share: inference, and walking the windows of every channel.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "ops/nn/window.h"
#include "ops/reference.h"

namespace mote {

// Outputs of a pool with kernel_shape over input 0: the extents of its windows, one output for each dtype.
Status infer_pool(InferContext& ctx, std::span<const DType> dtypes);
// Output 0 of a pool over all spatial axes.
Status infer_global_pool(InferContext& ctx);

// One window: elements of x under its taps that are no padding, and where its result goes.
struct PoolWindow {
  std::int64_t y = 0;               // element of the output
  std::int64_t channel = 0;         // the first element of x in its image's channel
  std::vector<std::int64_t> taken;  // elements of x from there on, in row-major order of the taps
  std::int64_t counted = 0;         // taps inside the input and its pads
  std::int64_t element(std::size_t t) const { return channel + taken[t]; }
};

struct Pooling {
  ImageAxes axes;
  Window window;
};
// The node's pool over x, which its inference accepted.
Result<Pooling> pooling_of(const ReferenceContext& ctx, const TensorView& x);
// The same where the window is the whole space.
Pooling global_pooling_of(const ReferenceContext& ctx, const TensorView& x);

void for_each_window(ReferenceContext& ctx, const Pooling& p, const TensorView& x, const TensorView& y,
                     const std::function<void(const PoolWindow&)>& f);

}  // namespace mote
