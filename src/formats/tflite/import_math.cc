// Elementwise operators.
#include "formats/tflite/compose.h"

namespace mote::tflite {
namespace {

Status binary(NodeContext& n, std::string_view op, fbs::Activation activation) {
  n.output(0, n.activate(n.emit(op, {n.in(0), n.in(1)}), activation));
  return {};
}

Status clamp(NodeContext& n, double low, double high) {
  DType t = n.dtype(n.in(0));
  n.output(0, n.emit("clip", {n.in(0), n.scalar(low, t), n.scalar(high, t)}));
  return {};
}

Status complex_mul(NodeContext& n) {
  const ValueId a = complex_part(n, n.in(0), 0), b = complex_part(n, n.in(0), 1), c = complex_part(n, n.in(1), 0),
                d = complex_part(n, n.in(1), 1);
  auto times = [&](ValueId x, ValueId y) { return n.emit("mul", {x, y}); };
  n.output(0, complex_of(n, n.emit("sub", {times(a, c), times(b, d)}), n.emit("add", {times(a, d), times(b, c)})));
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
  if (n.dtype(n.in(0)) == DType::c64) return complex_mul(n);
  return binary(n, "mul", activation_of(n.options<fbs::ActivationOptions>(fbs::BuiltinOptions::Mul)));
}
Status import_div(NodeContext& n) {
  return binary(n, "div", activation_of(n.options<fbs::ActivationOptions>(fbs::BuiltinOptions::Div)));
}

Status import_relu6(NodeContext& n) { return clamp(n, 0, 6); }
Status import_relu_0_to_1(NodeContext& n) { return clamp(n, 0, 1); }
Status import_relu_n1_to_1(NodeContext& n) { return clamp(n, -1, 1); }

}  // namespace mote::tflite
