// What the file says about how a tensor's stored numbers stand for real ones. Types describe storage alone, so this is
// the side table that conversions of quantized operators read.
#pragma once

#include <cstdint>
#include <vector>

#include "formats/tflite/file.h"

namespace mote::tflite {

// real = scale * (stored - zero_point).
struct Quantization {
  std::vector<float> scales;              // one, or one for each index of `axis`; empty: not quantized
  std::vector<std::int64_t> zero_points;  // as many as there are scales
  int axis = 0;
  // Block-wise: scales and zero points (-1: all zero) are tensors of the subgraph, one for every block of the last
  // axis.
  int block = 0;
  std::int32_t scale_tensor = -1, zero_point_tensor = -1;

  bool any() const { return !scales.empty() || block != 0; }
  bool per_tensor() const { return scales.size() == 1; }
  bool per_axis() const { return scales.size() > 1; }
  // Of a per-tensor one.
  float scale() const { return scales.empty() ? 0.0f : scales[0]; }
  std::int64_t zero_point() const { return zero_points.empty() ? 0 : zero_points[0]; }

  friend bool operator==(const Quantization&, const Quantization&) = default;
};

// Fails where the numbers of scales, of zero points and of indices along the axis do not match.
Result<Quantization> quantization_of(const fbs::Tensor& tensor);

// Whether the tensor's integers stand for real numbers: of 2, 4, 8 or 16 bits, with a scale.
bool is_quantized(const fbs::Tensor& tensor);

}  // namespace mote::tflite
