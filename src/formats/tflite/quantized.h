// What the conversions of quantized operators share. Results are those of TensorFlow Lite's reference kernels, bit for
// bit: docs/numerics.md says by which recipe.
#pragma once

#include <algorithm>
#include <cmath>

#include "base/checked.h"
#include "base/fixed_point.h"
#include "formats/tflite/node.h"

namespace mote::tflite {

// An operand or a result that is quantized as a whole: real = scale * (stored - zero).
struct Scaled {
  ValueId value = kNone;  // operands
  DType dtype = DType::none;
  float scale = 1;
  std::int64_t zero = 0;

  std::int64_t least() const { return is_signed_int(dtype) ? -(std::int64_t{1} << (bits_of(dtype) - 1)) : 0; }
  std::int64_t greatest() const { return least() + (std::int64_t{1} << bits_of(dtype)) - 1; }
  bool same_units(const Scaled& other) const { return scale == other.scale && zero == other.zero; }
};
// Fails the node where it is absent, or has a scale per channel or none.
Scaled scaled_input(NodeContext& n, int i);
Scaled scaled_output(NodeContext& n, int i = 0);

// Its scale and zero point as constants, in that order, as quantized ops take them.
ValueId scale_of(NodeContext& n, const Scaled& x);
ValueId zero_of(NodeContext& n, const Scaled& x);

// The stored values that a fused activation leaves of y: least and greatest, or nothing where that is all of them.
std::vector<std::int64_t> range_of(const Scaled& y, fbs::Activation activation);
std::vector<std::int64_t> range_between(const Scaled& y, float low, float high);

// x (integers less `zero`, times `scale`) in units and type of y, clamped to `range`, by the fixed-point recipe.
ValueId rescaled(NodeContext& n, const Scaled& x, double scale, const Scaled& y, std::vector<std::int64_t> range = {});
// The integers of x less its zero point, as i32.
ValueId centered(NodeContext& n, const Scaled& x);
// Integers times `scale` by the fixed-point recipe, as i32.
ValueId scaled_ints(NodeContext& n, ValueId ints, double scale);

// Raw numbers of 16-bit fixed point in i32: the upper half of twice the product, halves up; x / 2^n, halves away from
// zero.
ValueId high_product(NodeContext& n, ValueId a, ValueId b);
ValueId rounded_shift(NodeContext& n, ValueId x, int bits);

// A qlinear_binary of operands 0 and 1, clamped as the activation says. `shifts`: sums whose scales are powers of two
// are only shifted.
Status binary(NodeContext& n, std::string function, fbs::Activation activation, bool shifts);

// A constant of `count` integers.
ValueId integers(NodeContext& n, DType dtype, const std::vector<std::int64_t>& values, std::vector<std::int64_t> shape);

// lookup of operand 0 in the table of f, which gives the stored result, not yet clamped, for a stored operand.
template <class F>
Status convert_by_table(NodeContext& n, F f) {
  const Scaled x = scaled_input(n, 0), y = scaled_output(n);
  if (n.failed()) return {};
  const std::int64_t count = std::int64_t{1} << bits_of(x.dtype);
  std::vector<std::int64_t> table;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t stored = i > x.greatest() ? i - count : i;
    table.push_back(std::clamp<std::int64_t>(f(x, y, stored), y.least(), y.greatest()));
  }
  n.output(0, n.emit("lookup", {x.value, integers(n, y.dtype, table, {count})}));
  return {};
}

// The stored value of f32 `real`, as the reference kernels round their tables of 8 bits.
inline std::int64_t table_entry(const Scaled& y, float real) {
  const float rounded = std::round(real * (1 / y.scale)) + static_cast<float>(y.zero);
  return clamp_to_int(static_cast<double>(rounded), -65536, 65536);
}
inline float real_of(const Scaled& x, std::int64_t stored) { return x.scale * static_cast<float>(stored - x.zero); }

}  // namespace mote::tflite
