// Rows of quantized tensors normalized: the logarithm of softmax, and over their length.
#include "base/fixed_math.h"
#include "formats/tflite/quantized.h"

namespace mote::tflite {

// Distances from the greatest element of a row and the logarithm of the sum of their exponentials in Q5, their
// difference in units of 1/16. The exponentials are summed in Q12; the logarithm is that of f64.
Status quantized_log_softmax(NodeContext& n) {
  const Scaled x = scaled_input(n, 0), y = scaled_output(n);
  if (n.failed()) return {};
  if (bits_of(x.dtype) != 8) {
    n.unsupported("LOG_SOFTMAX of tensors of 16 bits");
    return {};
  }
  if (y.scale != 1.0f / 16) return invalid("the scale of its result is not 1/16");
  const FixedScale scale = fixed_scale(std::min(static_cast<double>(x.scale) * 0x1p26, 0x1p31 - 1));
  const double radius = std::floor(31 * 0x1p26 / std::ldexp(1.0, scale.shift));
  constexpr std::int64_t kFar = std::int64_t{64} << 26;  // beyond what 8 bits of the result hold
  std::vector<std::int64_t> terms, distances;
  for (int below = 0; below < 256; ++below) {
    const bool counts = below <= radius;
    const std::int32_t q5 = counts ? scale_fixed(-below, scale) : 0;
    terms.push_back(counts ? fixed::divide_by_pot(fixed::exp_of_negative(q5), 12) : 0);
    distances.push_back(counts ? -std::int64_t{q5} : kFar);
  }
  const ValueId in = n.cast(x.value, DType::i64), last = n.ints({-1});
  const ValueId below = n.emit("sub", {n.emit("reduce_max", {in, last}, {{"keepdims", std::int64_t{1}}}), in});
  auto looked_up = [&](const std::vector<std::int64_t>& table) {
    return n.emit("gather", {integers(n, DType::i64, table, {256}), below}, {{"axis", std::int64_t{0}}});
  };
  const ValueId sum = n.emit("reduce_sum", {looked_up(terms), last}, {{"keepdims", std::int64_t{1}}});
  const ValueId real = n.emit("log", {n.emit("mul", {n.cast(sum, DType::f64), n.scalar(0x1p-19, DType::f64)})});
  const ValueId log = n.emit("round", {n.emit("mul", {real, n.scalar(0x1p26, DType::f64)})});
  const ValueId size = n.emit("add", {looked_up(distances), n.cast(log, DType::i64)});
  // In 16ths, halves away from zero; a row of one may have a logarithm a little below 0.
  const ValueId halves = n.emit("add", {size, n.scalar(1 << 21, DType::i64)});
  const ValueId units = n.emit("div", {halves, n.scalar(1 << 22, DType::i64)});
  const ValueId stored = n.emit("sub", {n.scalar(static_cast<double>(y.zero), DType::i64), units});
  n.output(0, n.cast(n.emit("clip", {stored, n.scalar(static_cast<double>(y.least()), DType::i64),
                                     n.scalar(static_cast<double>(y.greatest()), DType::i64)}),
                     y.dtype));
  return {};
}

// Each row over the root of the sum of its squares, in 128ths: rounded first with some more bits, that the size of the
// sum decides, halves up, and then without them, halves away from zero. In f64, where the reference has five steps of
// Newton's method.
Status quantized_l2_normalization(NodeContext& n) {
  const Scaled x = scaled_input(n, 0), y = scaled_output(n);
  if (n.failed()) return {};
  if (bits_of(x.dtype) != 8) {
    n.unsupported("L2_NORMALIZATION of tensors of 16 bits");
    return {};
  }
  if (y.scale != 1.0f / 128) return invalid("the scale of its result is not 1/128");
  const ValueId in = centered(n, x);
  const ValueId squares =
      n.emit("reduce_sum", {n.emit("mul", {in, in}), n.ints({-1})}, {{"keepdims", std::int64_t{1}}});
  const ValueId norm = n.emit("sqrt", {n.cast(n.emit("max", {squares, n.scalar(1, DType::i32)}), DType::f64)});
  std::vector<std::int64_t> steps, powers = {1};
  for (int bit = x.dtype == DType::u8 ? 7 : 21; bit < 31; bit += 2) {
    steps.push_back(std::int64_t{1} << bit);
    powers.push_back(2 * powers.back());
  }
  const auto count = static_cast<std::int64_t>(steps.size());
  const ValueId reached = n.emit("greater_or_equal", {squares, integers(n, DType::i32, steps, {count})});
  const ValueId bits =
      n.emit("reduce_sum", {n.cast(reached, DType::i64), n.ints({-1})}, {{"keepdims", std::int64_t{1}}});
  const ValueId power = n.cast(
      n.emit("gather", {integers(n, DType::i64, powers, {count + 1}), bits}, {{"axis", std::int64_t{0}}}), DType::f64);
  auto by = [&](std::string_view op, ValueId a, ValueId b) { return n.emit(op, {a, b}); };
  const ValueId wide = by("mul", by("mul", n.cast(in, DType::f64), n.scalar(128, DType::f64)), power);
  const ValueId first = n.emit("floor", {by("add", by("div", wide, norm), n.scalar(0.5, DType::f64))});
  const ValueId half = n.emit(
      "where", {by("less", first, n.scalar(0, DType::f64)), n.scalar(-0.5, DType::f64), n.scalar(0.5, DType::f64)});
  const ValueId units = n.cast(by("add", by("div", first, power), half), DType::i32);
  const ValueId stored = n.emit("add", {units, n.scalar(static_cast<double>(y.zero), DType::i32)});
  n.output(0, n.cast(n.emit("clip", {stored, n.scalar(static_cast<double>(y.least()), DType::i32),
                                     n.scalar(static_cast<double>(y.greatest()), DType::i32)}),
                     y.dtype));
  return {};
}

}  // namespace mote::tflite
