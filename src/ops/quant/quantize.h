// Scales and zero points of quantize_linear and dequantize_linear: one for the whole tensor, one per index of an axis,
// or one per block along an axis.
#pragma once

#include <algorithm>
#include <limits>

#include "ops/infer_util.h"
#include "ops/loops.h"

namespace mote {

// Checks that the parameter (scale or zero point) input i fits input 0, by the attributes axis and block_size.
Status check_quant_param(const InferContext& ctx, int i);

// Which element of a scale belongs to which element of x.
class QuantIndex {
 public:
  // Inference has checked the shapes.
  QuantIndex(const TensorView& x, const TensorView& scale, std::int64_t axis, std::int64_t block);
  std::int64_t operator()(std::int64_t i) const {
    if (one_) return 0;
    std::int64_t outer = i / (n_ * inner_), along = i / inner_ % n_, in = i % inner_;
    return per_axis_ ? along : (outer * blocks_ + along / block_) * inner_ + in;
  }
  // How many elements from i on, at least one, have the same.
  std::int64_t run(std::int64_t i) const {
    if (one_) return std::numeric_limits<std::int64_t>::max();
    if (per_axis_) return inner_ - i % inner_;
    const std::int64_t along = i % n_;
    return inner_ == 1 ? std::min(block_ - along % block_, n_ - along) : 1;
  }

 private:
  bool one_ = false, per_axis_ = false;
  std::int64_t n_ = 1, inner_ = 1, block_ = 1, blocks_ = 1;
};

// round_half_even(x) + zero, saturated to an integer dtype; NaN gives 0.
std::int64_t quantized(double x, std::int64_t zero, DType dtype);

}  // namespace mote
