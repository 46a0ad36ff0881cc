// Functions of one tensor.
#include <cmath>

#include "formats/tflite/compose.h"

namespace mote::tflite {

Status import_elu(NodeContext& n) {
  n.same("elu", {n.in(0)}, {{"alpha", 1.0}});
  return {};
}

Status import_gelu(NodeContext& n) {
  auto* o = n.options<fbs::GeluOptions>(fbs::BuiltinOptions::Gelu);
  n.same("gelu", {n.in(0)}, {{"approximate", std::string(o && o->approximate() ? "tanh" : "none")}});
  return {};
}

Status import_leaky_relu(NodeContext& n) {
  auto* o = n.options<fbs::LeakyReluOptions>(fbs::BuiltinOptions::LeakyRelu);
  n.same("leaky_relu", {n.in(0)}, {{"alpha", static_cast<double>(o ? o->alpha() : 0.0f)}});
  return {};
}

Status import_rsqrt(NodeContext& n) {
  n.output(0, n.emit("reciprocal", {n.emit("sqrt", {n.in(0)})}));
  return {};
}

Status import_square(NodeContext& n) {
  n.same("mul", {n.in(0), n.in(0)});
  return {};
}

Status import_zeros_like(NodeContext& n) {
  ValueId x = n.in(0);
  int rank = n.need_rank(x);
  if (n.failed()) return {};
  n.output(0, filled(n, n.scalar(0, n.dtype(x)), extents(n, x, 0, rank)));
  return {};
}

// Complex numbers lose their imaginary part, or gain one of 0.
Status import_cast(NodeContext& n) {
  const fbs::Tensor* to = n.output_tensor(0);
  DType t = to ? dtype_of(to->type()) : DType::none;
  if (t == DType::none) return invalid("its result has no type that is known");
  ValueId x = n.in(0);
  if (n.dtype(x) == t) {
    n.output(0, n.emit("identity", {x}));
    return {};
  }
  if (n.dtype(x) == DType::c64) x = complex_part(n, x, 0);
  if (t != DType::c64) {
    n.output(0, n.emit("cast", {x}, {{"to", t}}));
    return {};
  }
  ValueId real = n.cast(x, DType::f32);
  int rank = n.need_rank(real);
  if (n.failed()) return {};
  real = unsqueezed(n, real, {rank});
  ValueId imaginary = n.emit("mul", {real, n.scalar(0, DType::f32)});
  n.output(0, n.emit("bitcast", {joined(n, {real, imaginary}, rank)}, {{"to", DType::c64}}));
  return {};
}

// Values pressed into [min, max], of which the nearest of 2^bits steps stays; the range is moved so that 0 is a step.
Status import_fake_quant(NodeContext& n) {
  auto* o = n.options<fbs::FakeQuantOptions>(fbs::BuiltinOptions::FakeQuant);
  if (!o || o->num_bits() < 2 || o->num_bits() > 16 || !(o->min() < o->max())) return invalid("has no usable options");
  float least = o->narrow_range() ? 1.0f : 0.0f;
  auto most = static_cast<float>((1 << o->num_bits()) - 1);
  float scale = (o->max() - o->min()) / (most - least), zero = least - o->min() / scale;
  float step = zero < least ? least : zero > most ? most : std::round(zero);
  double low = static_cast<double>((least - step) * scale), high = static_cast<double>((most - step) * scale);
  ValueId v = n.emit("clip", {n.in(0), n.scalar(low, DType::f32), n.scalar(high, DType::f32)});
  v = n.emit("mul",
             {n.emit("sub", {v, n.scalar(low, DType::f32)}), n.scalar(static_cast<double>(1.0f / scale), DType::f32)});
  v = n.emit("floor", {n.emit("add", {v, n.scalar(0.5, DType::f32)})});
  v = n.emit("mul", {v, n.scalar(static_cast<double>(scale), DType::f32)});
  n.output(0, n.emit("add", {v, n.scalar(low, DType::f32)}));
  return {};
}

}  // namespace mote::tflite
