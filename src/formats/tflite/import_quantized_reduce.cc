// Sums and means of quantized tensors.
#include "formats/tflite/compose.h"
#include "formats/tflite/quantized.h"

namespace mote::tflite {
namespace {

struct Axes {
  Ints axes;
  bool keep = false;
  std::int64_t count = 1;  // elements that become one
};

// Axes that a run decides.
struct OpenAxes {
  ValueId axes, count;  // i64: a vector; a scalar, how many elements become one
};

OpenAxes open_axes(NodeContext& n, ValueId x) {
  const int rank = n.need_rank(x);
  if (n.failed()) return {};
  OpenAxes o;
  o.axes = n.emit("mod", {vector_of(n, n.in(1)), n.scalar_int(std::max(rank, 1))});
  const ValueId every = iota(n, n.ints({rank}));
  const ValueId named = n.emit("cast", {n.emit("equal", {unsqueezed(n, o.axes, {1}), every})}, {{"to", DType::i64}});
  const ValueId reduced = n.emit("reduce_max", {named, n.ints({0})}, {{"keepdims", std::int64_t{0}}});
  // An extent, or 1 of axes that stay.
  const ValueId extent =
      n.emit("where", {n.emit("equal", {reduced, n.scalar_int(1)}), extents(n, x, 0, rank), n.scalar_int(1)});
  o.count = n.emit("reduce_prod", {extent, n.ints({0})}, {{"keepdims", std::int64_t{0}}});
  return o;
}

// The sum of x over such axes as i32.
ValueId open_sum(NodeContext& n, const Scaled& x, const OpenAxes& axes) {
  auto* o = n.options<fbs::ReducerOptions>(fbs::BuiltinOptions::Reducer);
  return n.emit("reduce_sum", {n.cast(x.value, DType::i32), axes.axes},
                {{"keepdims", std::int64_t{o && o->keep_dims()}}, {"noop_with_empty_axes", std::int64_t{1}}});
}

// The same times a multiplier and shift of fixed point [2], in units of y.
void reduce_open(NodeContext& n, const Scaled& x, const OpenAxes& axes, ValueId scale) {
  const ValueId zeros = n.cast(n.emit("mul", {axes.count, n.scalar_int(x.zero)}), DType::i32);
  n.output(0, n.emit("requantize_linear", {open_sum(n, x, axes), scale, zero_of(n, scaled_output(n)), zeros},
                     {{"rounding", std::string("fixed")}}));
}

bool read_axes(NodeContext& n, ValueId x, Axes* to) {
  auto* o = n.options<fbs::ReducerOptions>(fbs::BuiltinOptions::Reducer);
  to->keep = o && o->keep_dims();
  const int rank = n.need_rank(x);
  Ints axes = n.need_ints(1, "the axes");
  if (n.failed()) return false;
  for (std::int64_t a : axes) to->axes.push_back(n.axis(a, rank));
  if (n.failed()) return false;
  std::sort(to->axes.begin(), to->axes.end());
  to->axes.erase(std::unique(to->axes.begin(), to->axes.end()), to->axes.end());
  for (std::int64_t a : to->axes) {
    const Dim& d = n.shape(x)[static_cast<std::size_t>(a)];
    if (!d.is_const()) {
      n.unsupported(std::string(n.op_name()) + " of a quantized tensor over extents that a run decides");
      return false;
    }
    to->count *= d.value();
  }
  return true;
}

ValueId summed(NodeContext& n, const Scaled& x, const Axes& axes) {
  if (axes.axes.empty()) return n.cast(x.value, DType::i32);
  return n.emit("reduce_sum", {n.cast(x.value, DType::i32), n.ints(axes.axes)},
                {{"keepdims", std::int64_t{axes.keep}}});
}

// The scale over a number of elements, an i64 scalar: as quantized_mean divides.
ValueId divided(NodeContext& n, FixedScale scale, ValueId count) {
  Ints powers;
  for (int i = 0; i <= 32; ++i) powers.push_back(std::int64_t{1} << i);
  const ValueId reached = n.emit("cast", {n.emit("less_or_equal", {n.ints(powers), count})}, {{"to", DType::i64}});
  // How many powers from 1 on are not above the count, less one; more never fit.
  ValueId shift = n.emit("reduce_sum", {reached, n.ints({0})}, {{"keepdims", std::int64_t{0}}});
  shift = n.emit("max", {n.emit("sub", {shift, n.scalar_int(1)}), n.scalar_int(0)});
  shift = n.emit("min", {shift, n.scalar_int(std::max(0, std::min(32, 31 + scale.shift)))});
  const ValueId power = n.emit("gather", {n.ints(powers), shift}, {{"axis", std::int64_t{0}}});
  const ValueId multiplier =
      n.emit("div", {n.emit("mul", {power, n.scalar_int(scale.multiplier)}), n.emit("max", {count, n.scalar_int(1)})});
  const ValueId pair = joined(
      n, {unsqueezed(n, multiplier, {0}), unsqueezed(n, n.emit("sub", {n.scalar_int(scale.shift), shift}), {0})});
  return n.cast(pair, DType::i32);
}

}  // namespace

// The sum in i32, scaled by a multiplier that the number of elements is divided out of.
Status quantized_mean(NodeContext& n) {
  const Scaled x = scaled_input(n, 0), y = scaled_output(n);
  Axes axes;
  if (n.failed()) return {};
  FixedScale scale = fixed_scale(static_cast<double>(x.scale) / static_cast<double>(y.scale));
  if (!n.ints_of(n.in(1))) {
    const OpenAxes open = open_axes(n, x.value);
    reduce_open(n, x, open, divided(n, scale, open.count));
    return {};
  }
  if (!read_axes(n, x.value, &axes)) return {};
  if (axes.count > 0) {
    int shift = 63 - std::countl_zero(static_cast<std::uint64_t>(axes.count));
    shift = std::min({shift, 32, 31 + scale.shift});
    scale.multiplier = static_cast<std::int32_t>((std::int64_t{scale.multiplier} << shift) / axes.count);
    scale.shift -= shift;
  }
  const ValueId zeros = n.scalar(static_cast<double>(x.zero * axes.count), DType::i32);
  n.output(0, n.emit("requantize_linear",
                     {summed(n, x, axes), integers(n, DType::i32, {scale.multiplier, scale.shift}, {2}), zero_of(n, y),
                      zeros},
                     {{"rounding", std::string("fixed")}}));
  return {};
}

// Unsigned integers in fixed point; signed ones, which the reference kernel leaves out, in f32 as the other kernel has
// them: the sum times the ratio of the scales, plus a bias for the zero points.
Status quantized_sum(NodeContext& n) {
  const Scaled x = scaled_input(n, 0), y = scaled_output(n);
  if (n.failed()) return {};
  const bool open = !n.ints_of(n.in(1));
  Axes axes;
  OpenAxes decided;
  if (open) decided = open_axes(n, x.value);
  if (!open && !read_axes(n, x.value, &axes)) return {};
  if (is_signed_int(x.dtype)) {
    const float ratio = x.scale / y.scale, share = -static_cast<float>(x.zero) * ratio;
    const ValueId count =
        open ? n.cast(decided.count, DType::f32) : n.scalar(static_cast<double>(axes.count), DType::f32);
    const ValueId sum = n.cast(open ? open_sum(n, x, decided) : summed(n, x, axes), DType::f32);
    const ValueId real = n.emit("add", {n.emit("mul", {sum, n.scalar(static_cast<double>(ratio), DType::f32)}),
                                        n.emit("mul", {n.scalar(static_cast<double>(share), DType::f32), count})});
    n.output(0, n.emit("quantize_linear", {real, n.scalar(1, DType::f32), zero_of(n, y)},
                       {{"rounding", std::string("half_away")}}));
    return {};
  }
  const double scale = static_cast<double>(x.scale) / static_cast<double>(y.scale);
  if (open) {
    const FixedScale fixed = fixed_scale(scale);
    reduce_open(n, x, decided, integers(n, DType::i32, {fixed.multiplier, fixed.shift}, {2}));
    return {};
  }
  n.output(0, n.emit("requantize_linear",
                     {summed(n, x, axes), n.scalar(scale, DType::f64), zero_of(n, y),
                      n.scalar(static_cast<double>(x.zero * axes.count), DType::i32)},
                     {{"rounding", std::string("fixed")}}));
  return {};
}

}  // namespace mote::tflite
