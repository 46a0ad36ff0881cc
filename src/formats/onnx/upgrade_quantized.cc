// Operators on quantized tensors that ONNX Runtime's quantizer writes: the float operator between dequantize and
// quantize.
#include "formats/onnx/importer.h"

namespace mote::onnx {
namespace {

ValueId dequantized(NodeImport& n, int first) {
  return n.emit("dequantize_linear", {n.in(first), n.in(first + 1), n.in(first + 2)});
}

void quantized(NodeImport& n, ValueId y, ValueId scale, ValueId zero) {
  // Without a zero point the type is that of the first operand.
  std::vector<Attrs::Item> attrs;
  if (zero == kNone) attrs.emplace_back("output_dtype", n.dtype(n.in(0)));
  n.output(0, n.emit("quantize_linear", {y, scale, zero}, std::move(attrs)));
}

}  // namespace

// QLinearAdd, QLinearMul.
Status qlinear_binary(NodeImport& n) {
  ValueId y = n.emit(n.op(), {dequantized(n, 0), dequantized(n, 3)});
  quantized(n, y, n.in(6), n.in(7));
  return {};
}

// QLinearSigmoid, QLinearLeakyRelu, QLinearSoftmax, QLinearAveragePool, QLinearGlobalAveragePool.
Status qlinear_unary(NodeImport& n) {
  if (n.attr_int("channels_last", 0) != 0) {
    n.unsupported(std::string(n.proto().op_type) + " with channels_last=1");
    return {};
  }
  bool old_softmax = n.proto().op_type == "QLinearSoftmax" && n.attr_int("opset", 13) < 13;
  if (old_softmax && n.attr_int("axis", 1) != -1) {
    n.unsupported("QLinearSoftmax of opset " + std::to_string(n.attr_int("opset", 13)));
    return {};
  }
  Attrs attrs = n.attributes_for(n.op(), {"channels_last", "opset"});
  ValueId y = n.emit_with(n.op(), {dequantized(n, 0)}, 1, std::move(attrs))[0];
  quantized(n, y, n.in(3), n.in(4));
  return {};
}

// Inputs: output scale and zero point, then tensor, scale and zero point for each part.
Status qlinear_concat(NodeImport& n) {
  std::vector<ValueId> parts;
  for (int i = 2; i < n.inputs(); i += 3) {
    parts.push_back(dequantized(n, i));
  }
  ValueId y = n.emit("concat", std::move(parts), {{"axis", n.attr_int("axis", 0)}});
  n.output(0, n.emit("quantize_linear", {y, n.in(0), n.in(1)}));
  return {};
}

// A, B dequantized, B by column; C holds 32-bit integers in units of a_scale * b_scale.
Status qgemm(NodeImport& n) {
  Attrs attrs;
  double alpha = n.attr_float("alpha", 1);
  std::int64_t trans_b = n.attr_int("transB", 0);
  attrs.set("alpha", alpha);
  attrs.set("transA", n.attr_int("transA", 0));
  attrs.set("transB", trans_b);
  ValueId b = n.emit("dequantize_linear", {n.in(3), n.in(4), n.in(5)}, {{"axis", std::int64_t{trans_b != 0 ? 0 : 1}}});
  std::vector<ValueId> inputs = {dequantized(n, 0), b};
  if (n.has(6)) {
    ValueId unit = n.emit("mul", {n.in(1), n.in(4)});
    if (alpha != 1) unit = n.emit("mul", {unit, n.scalar(alpha, DType::f32)});
    inputs.push_back(n.emit("dequantize_linear", {n.in(6), unit}, {{"axis", std::int64_t{-1}}}));
  }
  ValueId y = n.emit_with("gemm", inputs, 1, std::move(attrs))[0];
  if (!n.has(7)) {
    n.output(0, y);
    return {};
  }
  quantized(n, y, n.in(7), n.in(8));
  return {};
}

// The float LSTM of the sequence as it is quantized, over dequantized weights, which lie as [directions, k, 4 *
// hidden]. Operands 8 to 11: scale and zero point of W and of R, [directions] or [directions, 4 * hidden].
Status dynamic_quantize_lstm(NodeImport& n) {
  const std::int64_t directions = n.attr_string("direction", "forward") == "bidirectional" ? 2 : 1;
  auto weights = [&](int operand, int scale) {
    auto f32 = [&](ValueId v) { return n.emit("cast", {v}, {{"to", DType::f32}}); };
    auto spread = [&](ValueId v) { return n.emit("reshape", {v, n.ints({directions, 1, -1})}); };
    ValueId w = f32(n.in(operand));
    if (n.has(scale + 1)) w = n.emit("sub", {w, spread(f32(n.in(scale + 1)))});
    w = n.emit("mul", {w, spread(n.in(scale))});
    return n.emit("transpose", {w}, {{"perm", std::vector<std::int64_t>{0, 2, 1}}});
  };
  std::vector<ValueId> x = n.emit_multi("dynamic_quantize_linear", {n.in(0)}, 3);
  std::vector<ValueId> inputs = n.all_inputs();
  inputs.resize(8, kNone);
  inputs[0] = n.emit("dequantize_linear", {x[0], x[1], x[2]});
  inputs[1] = weights(1, 8);
  inputs[2] = weights(2, 10);
  std::vector<ValueId> y = n.emit_with("lstm", std::move(inputs), 3, n.attributes_for("lstm"));
  for (int i = 0; i < 3; ++i) n.output(i, y[static_cast<std::size_t>(i)]);
  return {};
}

}  // namespace mote::onnx
