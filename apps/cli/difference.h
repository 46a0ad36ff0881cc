// How far two tensors are apart.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "media/array.h"
#include "mote/tensor.h"

namespace mote::cli {

struct Tolerance {
  double rtol = 1e-3, atol = 1e-5;
};

struct Difference {
  double max_abs = 0, mean_abs = 0;
  double max_ulp = 0;  // in units of the dtype's last place; integers: the difference itself
  double cosine = 1;
  bool ok = true;      // every |a - b| <= atol + rtol * |b|; NaN and infinities only where the other has the same
  std::string reason;  // why they cannot be compared at all
};

// The elements of a strided tensor of numbers, row-major and dense; nothing for other types.
std::vector<double> to_doubles(const TensorView& v);

// `a` against `b`, which counts as right. An array of a type that numpy lacks may have been widened in `b`.
Difference difference(const media::ArrayView& a, const media::ArrayView& b, const Tolerance& tolerance);
// The same for elements of equal shape and dtype.
Difference difference(std::span<const double> a, std::span<const double> b, DType dtype, const Tolerance& tolerance);

}  // namespace mote::cli
