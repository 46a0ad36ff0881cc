// Arithmetic and comparisons of quantized tensors.
#include "formats/tflite/quantized.h"

namespace mote::tflite {
namespace {

using Ints = std::vector<std::int64_t>;

// Sums of 16 bits whose scales are powers of two are only shifted, where the file says so.
bool power_of_two(float scale) {
  int exponent = 0;
  return scale > 0 && std::abs(std::frexp(static_cast<double>(scale), &exponent) - 0.5) < 2e-4;
}

}  // namespace

Status binary(NodeContext& n, std::string function, fbs::Activation activation, bool shifts) {
  const Scaled a = scaled_input(n, 0), b = scaled_input(n, 1);
  Scaled y = scaled_output(n);
  if (n.failed()) return {};
  const bool open = !is_int(y.dtype);  // files of old converters leave the type open
  if (open) y.dtype = b.dtype;
  const bool shifted =
      shifts && y.dtype == DType::i16 && power_of_two(a.scale) && power_of_two(b.scale) && power_of_two(y.scale);
  std::vector<Attrs::Item> attrs = {{"function", std::move(function)},
                                    {"rounding", std::string(shifted ? "shift" : "fixed")}};
  if (Ints range = range_of(y, activation); !range.empty()) attrs.emplace_back("y_range", std::move(range));
  const ValueId v = n.emit(
      "qlinear_binary",
      {a.value, scale_of(n, a), zero_of(n, a), b.value, scale_of(n, b), zero_of(n, b), scale_of(n, y), zero_of(n, y)},
      std::move(attrs));
  if (!open) {
    n.output(0, v);
    return {};
  }
  return n.failed() ? Status() : n.importer().bind(n.scope(), n.output_index(0), v);
}

Status quantized_add(NodeContext& n) {
  auto* o = n.options<fbs::ArithmeticOptions>(fbs::BuiltinOptions::Add);
  return binary(n, "add", o ? o->activation() : fbs::Activation::NONE, !o || o->pot_scale_int16());
}
Status quantized_sub(NodeContext& n) {
  auto* o = n.options<fbs::ArithmeticOptions>(fbs::BuiltinOptions::Sub);
  return binary(n, "sub", o ? o->activation() : fbs::Activation::NONE, !o || o->pot_scale_int16());
}
// Of 16 bits with a result of 8, operands count as fractions of 2^15 and the result as one of 2^7, whatever the scales.
Status quantized_mul(NodeContext& n) {
  auto* o = n.options<fbs::ActivationOptions>(fbs::BuiltinOptions::Mul);
  const Scaled x = scaled_input(n, 0), y = scaled_output(n);
  if (n.failed()) return {};
  if (x.dtype == DType::i16 && n.dtype(n.in(1)) == DType::i16 && bits_of(y.dtype) == 8) {
    const ValueId a = n.cast(x.value, DType::i32), b = n.cast(n.in(1), DType::i32);
    const Ints range = range_of(y, o ? o->activation() : fbs::Activation::NONE);
    const bool open = range.empty();
    const ValueId v =
        n.emit("add", {rounded_shift(n, high_product(n, a, b), 8), n.scalar(static_cast<double>(y.zero), DType::i32)});
    n.output(0, n.cast(n.emit("clip", {v, n.scalar(static_cast<double>(open ? y.least() : range[0]), DType::i32),
                                       n.scalar(static_cast<double>(open ? y.greatest() : range[1]), DType::i32)}),
                       y.dtype));
    return {};
  }
  return binary(n, "mul", o ? o->activation() : fbs::Activation::NONE, false);
}

// Both at twice the greater scale with 7 more bits, subtracted, squared, in units of y.
Status quantized_squared_difference(NodeContext& n) {
  const Scaled a = scaled_input(n, 0), b = scaled_input(n, 1), y = scaled_output(n);
  if (n.failed()) return {};
  const double twice = 2 * static_cast<double>(std::max(a.scale, b.scale));
  auto ready = [&](const Scaled& x) {
    const ValueId shifted = n.emit("mul", {centered(n, x), n.scalar(128, DType::i32)});
    return scaled_ints(n, shifted, static_cast<double>(x.scale) / twice);
  };
  const ValueId d = n.emit("sub", {ready(a), ready(b)});
  Scaled square;
  square.value = n.emit("mul", {d, d});
  square.dtype = DType::i32;
  n.output(0, rescaled(n, square, twice * twice / (static_cast<double>(1 << 14) * static_cast<double>(y.scale)), y));
  return {};
}

// Negative x times alpha; each in units of y.
Status quantized_prelu(NodeContext& n) {
  const Scaled x = scaled_input(n, 0), alpha = scaled_input(n, 1), y = scaled_output(n);
  if (n.failed()) return {};
  const ValueId in = centered(n, x);
  Scaled product;
  product.value = n.emit("mul", {in, centered(n, alpha)});
  product.dtype = DType::i32;
  const ValueId below = rescaled(n, product, static_cast<double>(x.scale * alpha.scale / y.scale), y);
  const ValueId above = rescaled(n, x, static_cast<double>(x.scale / y.scale), y);
  const ValueId negative = n.emit("less", {in, n.scalar(0, DType::i32)});
  n.output(0, n.emit("where", {negative, below, above}));
  return {};
}

namespace {

// Of values in fixed point with 8 more bits.
Status compare(NodeContext& n, std::string_view op) {
  const Scaled a = scaled_input(n, 0), b = scaled_input(n, 1);
  if (n.failed()) return {};
  if (a.same_units(b)) {
    n.output(0, n.emit(op, {a.value, b.value}));
    return {};
  }
  auto ready = [&](const Scaled& x) {
    return scaled_ints(n, n.emit("mul", {centered(n, x), n.scalar(256, DType::i32)}), static_cast<double>(x.scale));
  };
  n.output(0, n.emit(op, {ready(a), ready(b)}));
  return {};
}

}  // namespace

Status quantized_equal(NodeContext& n) { return compare(n, "equal"); }
Status quantized_not_equal(NodeContext& n) {
  const Scaled a = scaled_input(n, 0), b = scaled_input(n, 1);
  if (n.failed()) return {};
  auto ready = [&](const Scaled& x) {
    if (a.same_units(b)) return x.value;
    return scaled_ints(n, n.emit("mul", {centered(n, x), n.scalar(256, DType::i32)}), static_cast<double>(x.scale));
  };
  n.output(0, n.emit("not", {n.emit("equal", {ready(a), ready(b)})}));
  return {};
}
Status quantized_greater(NodeContext& n) { return compare(n, "greater"); }
Status quantized_greater_equal(NodeContext& n) { return compare(n, "greater_or_equal"); }
Status quantized_less(NodeContext& n) { return compare(n, "less"); }
Status quantized_less_equal(NodeContext& n) { return compare(n, "less_or_equal"); }

// Of tensors with different scales, each of 8 bits is brought to the units of the result first, in f32; those of 16
// stay what they are, as the reference kernel has it.
Status quantized_concatenation(NodeContext& n) {
  auto* o = n.options<fbs::ConcatenationOptions>(fbs::BuiltinOptions::Concatenation);
  if (!o) return invalid("has no options");
  const Scaled y = scaled_output(n);
  std::vector<ValueId> parts;
  for (int i = 0; i < n.inputs(); ++i) {
    const Scaled x = scaled_input(n, i);
    if (n.failed()) return {};
    if (x.same_units(y) || bits_of(x.dtype) > 8) {
      parts.push_back(x.value);
      continue;
    }
    const float scale = x.scale * (1.0f / y.scale), bias = -static_cast<float>(x.zero) * scale;
    Ints table;
    for (std::int64_t k = 0; k < 256; ++k) {
      const std::int64_t stored = k > x.greatest() ? k - 256 : k;
      const float v = std::round(static_cast<float>(stored) * scale + bias);
      table.push_back(std::clamp<std::int64_t>(clamp_to_int(static_cast<double>(v), -65536, 65536) + y.zero, y.least(),
                                               y.greatest()));
    }
    parts.push_back(n.emit("lookup", {x.value, integers(n, y.dtype, table, {256})}));
  }
  if (parts.empty()) return invalid("has no operands");
  const int rank = n.need_rank(parts[0]);
  if (n.failed()) return {};
  n.output(0, n.emit("concat", parts, {{"axis", n.axis(o->axis(), rank)}}));
  return {};
}

// Rows as they are stored.
Status quantized_embedding_lookup(NodeContext& n) {
  n.output(0, n.emit("gather", {n.in(1), n.in(0)}, {{"axis", std::int64_t{0}}}));
  return {};
}

// Paddings are [rank, 2]; what is padded with is 0, or operand 2.
Status quantized_pad(NodeContext& n) {
  const Scaled x = scaled_input(n, 0), y = scaled_output(n);
  const Ints pairs = n.need_ints(1, "the paddings");
  if (n.failed()) return {};
  if (pairs.size() % 2 != 0) return invalid("its paddings are no pairs");
  Ints pads;
  for (std::size_t side : {0, 1}) {
    for (std::size_t i = side; i < pairs.size(); i += 2) pads.push_back(pairs[i]);
  }
  const ValueId value = n.has(2) ? n.in(2) : n.scalar(static_cast<double>(y.zero), x.dtype);
  n.output(0, n.emit("pad", {x.value, n.ints(pads), value}));
  return {};
}

}  // namespace mote::tflite
