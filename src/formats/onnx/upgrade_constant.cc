// Constants: the operator Constant in all its forms, and tensors filled with one value.
#include <algorithm>

#include "formats/onnx/importer.h"

namespace mote::onnx {
namespace {

template <class T>
Constant from_list(DType dtype, std::span<const T> values, bool is_scalar) {
  Constant c;
  c.stored_dtype = dtype;
  if (!is_scalar) c.stored_shape = {static_cast<std::int64_t>(values.size())};
  c.type = Type::tensor(dtype, Shape(c.stored_shape.begin(), c.stored_shape.end()));
  std::vector<std::byte> bytes = to_bytes(values);
  c.size = bytes.size();
  c.source = std::make_shared<BufferSource>(std::move(bytes));
  return c;
}

Result<Constant> from_strings(NodeImport& n, std::span<const std::string_view> values, bool is_scalar) {
  TensorProto t;
  t.data_type = number_of(DType::string);
  if (!is_scalar) t.dims = {static_cast<std::int64_t>(values.size())};
  t.string_data.assign(values.begin(), values.end());
  return n.importer().tensor(t);
}

Result<Constant> value_of(NodeImport& n) {
  if (const AttributeProto* a = n.attr("value"); a && a->t) return n.importer().tensor(*a->t);
  if (const AttributeProto* a = n.attr("sparse_value"); a && a->sparse) return n.importer().sparse_tensor(*a->sparse);
  if (const AttributeProto* a = n.attr("value_float")) {
    return from_list(DType::f32, std::span<const float>(&a->f, 1), true);
  }
  if (const AttributeProto* a = n.attr("value_int")) {
    return from_list(DType::i64, std::span<const std::int64_t>(&a->i, 1), true);
  }
  if (const AttributeProto* a = n.attr("value_floats")) {
    return from_list(DType::f32, std::span<const float>(a->floats), false);
  }
  if (const AttributeProto* a = n.attr("value_ints")) {
    return from_list(DType::i64, std::span<const std::int64_t>(a->ints), false);
  }
  if (const AttributeProto* a = n.attr("value_string")) return from_strings(n, std::span(&a->s, 1), true);
  if (const AttributeProto* a = n.attr("value_strings")) return from_strings(n, a->strings, false);
  return invalid("has no value");
}

// `shape` filled with the one element of `value`: a constant where the shape is one.
ValueId filled(NodeImport& n, ValueId shape, Constant value) {
  bool is_constant = shape != kNone && n.importer().value(n.scope().function, shape).constant != kNone;
  auto extents = n.ints_of(shape);
  bool whole_bytes = value.encoding == Encoding::kPlain && bits_of(value.stored_dtype) >= 8;
  bool valid = extents && std::all_of(extents->begin(), extents->end(), [](std::int64_t d) { return d >= 0; });
  if (is_constant && valid && whole_bytes) {
    value.encoding = Encoding::kFill;
    value.stored_shape = *extents;
    value.type = Type::tensor(value.stored_dtype, Shape(extents->begin(), extents->end()));
    value.name = n.name();
    return n.constant(std::move(value));
  }
  value.stored_shape.clear();
  value.type = Type::tensor(value.stored_dtype, Shape());
  value.name = n.name() + "/value";
  return n.emit("expand", {n.constant(std::move(value)), shape});
}

}  // namespace

Status constant(NodeImport& n) {
  Result<Constant> c = value_of(n);
  if (!c.ok()) return std::move(c).status();
  c->name = n.scope().prefix + std::string(n.proto().outputs.empty() ? "" : n.proto().outputs[0]);
  n.output(0, n.constant(*std::move(c)));
  return {};
}

Status constant_of_shape(NodeImport& n) {
  float zero = 0;
  Constant value = from_list(DType::f32, std::span<const float>(&zero, 1), true);
  if (const AttributeProto* a = n.attr("value"); a && a->t) {
    MOTE_ASSIGN(value, n.importer().tensor(*a->t));
    bool one = std::all_of(value.stored_shape.begin(), value.stored_shape.end(), [](std::int64_t d) { return d == 1; });
    if (!one) return invalid("attribute 'value' has more than one element");
  }
  n.output(0, filled(n, n.in(0), std::move(value)));
  return {};
}

Status constant_fill(NodeImport& n) {
  DType dtype = dtype_of_number(n.attr_int("dtype", 1));
  if (n.attr_int("input_as_shape", 0) == 0 && n.has(0)) {
    ValueId value = n.scalar(n.attr_float("value", 0), dtype);
    n.output(0, n.emit("expand", {value, n.emit("shape", {n.in(0)})}));
    return {};
  }
  ValueId shape = n.has(0) ? n.in(0) : n.ints(n.attr_ints("shape"));
  n.output(0, n.emit("expand", {n.scalar(n.attr_float("value", 0), dtype), shape}));
  return {};
}

}  // namespace mote::onnx
