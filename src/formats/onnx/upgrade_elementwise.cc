// Older forms of elementwise operators.
#include "formats/onnx/importer.h"

namespace mote::onnx {

// Opset < 7: the second operand's axes match those of the first from `axis` on, when `broadcast` is set.
Status legacy_broadcast(NodeImport& n) {
  ValueId a = n.in(0), b = n.in(1);
  std::int64_t axis = n.attr_int("axis", -1);
  if (n.attr_int("broadcast", 0) != 0 && n.has_attr("axis") && n.has(0) && n.has(1)) {
    if (!n.has_rank(a) || !n.has_rank(b)) {
      n.unsupported(std::string(n.proto().op_type) + " with broadcast=1 on a tensor of unknown rank");
      return {};
    }
    std::int64_t rank_a = n.rank(a), rank_b = n.rank(b);
    if (axis < 0) axis += rank_a;
    std::int64_t missing = rank_a - axis - rank_b;
    if (axis < 0 || missing < 0) return invalid("axis " + std::to_string(axis) + " does not fit the operands' ranks");
    std::vector<std::int64_t> axes;
    for (std::int64_t i = 0; i < missing; ++i) axes.push_back(rank_b + i);
    if (!axes.empty()) b = n.emit("unsqueeze", {b, n.ints(std::move(axes))});
  }
  n.same(n.op(), {a, b}, n.attributes_for(n.op(), {"axis", "broadcast"}));
  return {};
}

// Opset < 11: bounds are attributes.
Status clip_attributes(NodeImport& n) {
  ValueId low = n.has_attr("min") ? n.scalar_like(n.attr_float("min", 0), n.in(0)) : kNone;
  ValueId high = n.has_attr("max") ? n.scalar_like(n.attr_float("max", 0), n.in(0)) : kNone;
  n.same("clip", {n.in(0), low, high}, {});
  return {};
}

// Opset < 7: one slope per channel, axis 1.
Status prelu_per_channel(NodeImport& n) {
  ValueId slope = n.in(1);
  if (n.has_rank(slope) && n.rank(slope) == 1 && n.has_rank(n.in(0)) && n.rank(n.in(0)) > 2) {
    std::vector<std::int64_t> axes;
    for (int i = 1; i < n.rank(n.in(0)) - 1; ++i) axes.push_back(i);
    slope = n.emit("unsqueeze", {slope, n.ints(std::move(axes))});
  }
  n.same("prelu", {n.in(0), slope}, {});
  return {};
}

// Opset 1: the defaults have fewer digits.
Status selu_short_constants(NodeImport& n) {
  Attrs attrs;
  attrs.set("alpha", n.attr_float("alpha", static_cast<double>(1.6732f)));
  attrs.set("gamma", n.attr_float("gamma", static_cast<double>(1.0507f)));
  n.same("selu", {n.in(0)}, std::move(attrs));
  return {};
}

// Opset < 6: the type is spelt out.
Status cast_to_named_type(NodeImport& n) {
  const AttributeProto* to = n.attr("to");
  if (!to) return invalid("attribute 'to' is missing");
  DType t = to->type == AttributeType::kString ? dtype_of_onnx_name(to->s) : dtype_of_number(to->i);
  if (t == DType::none) return invalid("attribute 'to' names no data type");
  Attrs attrs;
  attrs.set("to", t);
  n.same("cast", {n.in(0)}, std::move(attrs));
  return {};
}

// alpha * x + beta.
Status affine(NodeImport& n) {
  ValueId x = n.in(0);
  ValueId scaled = n.emit("mul", {x, n.scalar_like(n.attr_float("alpha", 1), x)});
  n.output(0, n.emit("add", {scaled, n.scalar_like(n.attr_float("beta", 0), x)}));
  return {};
}

// scale * x + bias[channel].
Status image_scaler(NodeImport& n) {
  ValueId x = n.in(0);
  const AttributeProto* bias = n.attr("bias");
  ValueId y = n.emit("mul", {x, n.scalar_like(n.attr_float("scale", 1), x)});
  if (bias && bias->type == AttributeType::kFloats) {
    Constant c;
    c.name = n.name() + "/bias";
    std::int64_t channels = static_cast<std::int64_t>(bias->floats.size());
    c.stored_shape = {channels, 1, 1};
    c.stored_dtype = DType::f32;
    c.type = Type::tensor(DType::f32, Shape{channels, 1, 1});
    std::vector<std::byte> bytes = to_bytes(std::span<const float>(bias->floats));
    c.size = bytes.size();
    c.source = std::make_shared<BufferSource>(std::move(bytes));
    ValueId b = n.constant(std::move(c));
    if (n.dtype(x) != DType::f32) b = n.emit("cast_like", {b, x});
    y = n.emit("add", {y, b});
  }
  n.output(0, y);
  return {};
}

// alpha * softplus(beta * x).
Status parametric_softplus(NodeImport& n) {
  ValueId x = n.in(0);
  ValueId inner = n.emit("softplus", {n.emit("mul", {x, n.scalar_like(n.attr_float("beta", 1), x)})});
  n.output(0, n.emit("mul", {inner, n.scalar_like(n.attr_float("alpha", 1), x)}));
  return {};
}

// alpha * tanh(beta * x).
Status scaled_tanh(NodeImport& n) {
  ValueId x = n.in(0);
  ValueId inner = n.emit("tanh", {n.emit("mul", {x, n.scalar_like(n.attr_float("beta", 1), x)})});
  n.output(0, n.emit("mul", {inner, n.scalar_like(n.attr_float("alpha", 1), x)}));
  return {};
}

}  // namespace mote::onnx
