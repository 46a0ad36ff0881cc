// What integer products and convolutions do with their sums: requantize to 8 bits, or give f32.
//
//   8 bits: y = clamp(round_half_even(f32(sum + bias) * f32(f32(a_scale * b_scale) / y_scale)) + y_zero_point, range)
//   f32:    y = f32(sum + bias) * f32(a_scale * b_scale), or with a bias of f32 f32(sum) * f32(a_scale * b_scale) +
//   bias
// Sums are i32, which wraps; every other step is rounded to f32.
#pragma once

#include <vector>

#include "ops/infer_util.h"
#include "ops/reference.h"

namespace mote {

inline constexpr AttrSpec kQuantizedRangeAttr = {
    "y_range", AttrKind::kInts, "ints:[]",
    "the least and the greatest value of a quantized y; empty: those of its dtype"};

// The dtype of the result: that of the zero point after input `y_scale`, f32 where that scale is absent. Checks the
// attribute y_range, and the dtype of input `bias`.
Result<DType> infer_quantized_result(const InferContext& ctx, int y_scale, int bias);

// round_half_even(x) + zero within a range (y_range, or that of the dtype); NaN gives the zero point.
class Quantizer {
 public:
  Quantizer(const std::vector<std::int64_t>& range, DType dtype, std::int32_t zero);
  std::int64_t operator()(float x) const;

 private:
  double low_, high_, zero_;
};

class Requantizer {
 public:
  struct Of {
    double a_scale, b_scale, y_scale, y_zero, bias;
  };
  // `ctx` is of a node that infer_quantized_result accepted.
  Requantizer(const ReferenceContext& ctx, DType dtype);
  // `sum` without the bias.
  void operator()(const TensorView& y, std::int64_t i, double sum, const Of& of) const;

 private:
  DType dtype_;
  bool float_bias_;
  std::vector<std::int64_t> range_;
};

}  // namespace mote
