// Elementwise operators.
#include <algorithm>
#include <cmath>

#include "formats/tflite/node.h"

namespace mote::tflite {
namespace {

Status binary(NodeContext& n, std::string_view op, fbs::Activation activation) {
  n.output(0, n.activate(n.emit(op, {n.in(0), n.in(1)}), activation));
  return {};
}

template <class T>
fbs::Activation activation_of(const T* options) {
  return options ? options->activation() : fbs::Activation::NONE;
}

Status clamp(NodeContext& n, double low, double high) {
  DType t = n.dtype(n.in(0));
  n.output(0, n.emit("clip", {n.in(0), n.scalar(low, t), n.scalar(high, t)}));
  return {};
}

}  // namespace

Status import_add(NodeContext& n) {
  return binary(n, "add", activation_of(n.options<fbs::ArithmeticOptions>(fbs::BuiltinOptions::Add)));
}
Status import_sub(NodeContext& n) {
  return binary(n, "sub", activation_of(n.options<fbs::ArithmeticOptions>(fbs::BuiltinOptions::Sub)));
}
Status import_mul(NodeContext& n) {
  return binary(n, "mul", activation_of(n.options<fbs::ActivationOptions>(fbs::BuiltinOptions::Mul)));
}
Status import_div(NodeContext& n) {
  return binary(n, "div", activation_of(n.options<fbs::ActivationOptions>(fbs::BuiltinOptions::Div)));
}

// x as it is after being kept in so many bits: rounded to the grid from min to max, moved so that zero is on it.
Status import_fake_quant(NodeContext& n) {
  auto* o = n.options<fbs::FakeQuantOptions>(fbs::BuiltinOptions::FakeQuant);
  if (!o) return invalid("has no options");
  if (o->num_bits() < 2 || o->num_bits() > 16 || !(o->min() < o->max()))
    return invalid("has no range, or not 2 to 16 bits");
  float low = o->narrow_range() ? 1.0f : 0.0f, high = static_cast<float>((1 << o->num_bits()) - 1);
  float step = (o->max() - o->min()) / (high - low), zero = low - o->min() / step;
  zero = std::clamp(std::round(zero), low, high);
  float from = (low - zero) * step, to = (high - zero) * step;
  auto number = [&](float v) { return n.scalar(static_cast<double>(v), DType::f32); };
  ValueId steps = n.emit(
      "mul", {n.emit("sub", {n.emit("clip", {n.in(0), number(from), number(to)}), number(from)}), number(1.0f / step)});
  // Not negative, so that halves go up.
  ValueId whole = n.emit("floor", {n.emit("add", {steps, number(0.5f)})});
  n.output(0, n.emit("add", {n.emit("mul", {whole, number(step)}), number(from)}));
  return {};
}

Status import_relu6(NodeContext& n) { return clamp(n, 0, 6); }
Status import_relu_0_to_1(NodeContext& n) { return clamp(n, 0, 1); }
Status import_relu_n1_to_1(NodeContext& n) { return clamp(n, -1, 1); }

}  // namespace mote::tflite
