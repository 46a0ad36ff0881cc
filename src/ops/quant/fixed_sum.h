// Sums of two quantized values in fixed point, as TensorFlow Lite's reference kernels define them.
#pragma once

#include <algorithm>

#include "base/fixed_point.h"

namespace mote {

// Two operands brought to twice the greater scale, with `left` more bits, added, and brought to the scale of y: the
// recipe `fixed`.
struct FixedSum {
  FixedScale a, b, y;
  int left;

  FixedSum(float a_scale, float b_scale, float y_scale, bool wide) : left(wide ? 15 : 20) {
    const double twice = 2 * static_cast<double>(std::max(a_scale, b_scale));
    a = fixed_scale(static_cast<double>(a_scale) / twice);
    b = fixed_scale(static_cast<double>(b_scale) / twice);
    y = fixed_scale(twice / (static_cast<double>(1 << left) * static_cast<double>(y_scale)));
  }
  std::int32_t operator()(std::int32_t u, std::int32_t v, bool negative) const {
    const std::int64_t x = scale_fixed(fixed::wrap_shl(u, left), a), z = scale_fixed(fixed::wrap_shl(v, left), b);
    return scale_fixed(fixed::wrap(negative ? x - z : x + z), y);
  }
};

}  // namespace mote
