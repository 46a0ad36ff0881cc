// Attributes of the nodes that are written.
#include "formats/emitter.h"
#include "formats/onnx/exporter.h"

namespace mote::onnx {
namespace {

// Attributes that ONNX wants as tensors, of the type of the node's first input or of the one named.
struct TensorAttribute {
  std::string_view op, name;
  DType dtype;  // none: that of input 0
};
constexpr TensorAttribute kTensorAttributes[] = {
    {"tree_ensemble", "nodes_splits", DType::none}, {"tree_ensemble", "nodes_hitrates", DType::none},
    {"tree_ensemble", "leaf_weights", DType::none}, {"tree_ensemble", "membership_values", DType::none},
    {"tree_ensemble", "nodes_modes", DType::u8},
};

}  // namespace

Result<AttributeProto> Exporter::attribute(const Function& f, const Node& n, const std::string& name,
                                           const AttrValue& v) {
  AttributeProto a;
  a.name = name;
  for (const TensorAttribute& t : kTensorAttributes) {
    if (t.op != n.op->name || t.name != name) continue;
    DType dtype = t.dtype != DType::none ? t.dtype : value(f, n.inputs[0]).type.dtype;
    std::vector<std::byte> bytes;
    if (const auto* ints = std::get_if<std::vector<std::int64_t>>(&v)) {
      for (std::int64_t i : *ints) bytes.push_back(static_cast<std::byte>(i));
    } else if (const auto* floats = std::get_if<std::vector<double>>(&v)) {
      std::vector<float> narrow(floats->begin(), floats->end());
      if (dtype != DType::f64) dtype = DType::f32;
      bytes =
          dtype == DType::f64 ? to_bytes(std::span<const double>(*floats)) : to_bytes(std::span<const float>(narrow));
    }
    a.type = AttributeType::kTensor;
    a.t = std::make_unique<TensorProto>();
    a.t->data_type = number_of(dtype);
    a.t->dims = {static_cast<std::int64_t>(bytes.size()) * 8 / bits_of(dtype)};
    a.t->raw_data = kept_bytes_.emplace_back(std::move(bytes));
    return a;
  }
  if (n.op->name == "optional" && name == "type") {
    a.type = AttributeType::kTypeProto;
    a.tp = std::make_unique<TypeProto>(type(*value(f, n.outputs[0]).type.of));
    return a;
  }
  switch (kind_of(v)) {
    case AttrKind::kInt:
      a.type = AttributeType::kInt;
      a.i = std::get<std::int64_t>(v);
      break;
    case AttrKind::kFloat:
      a.type = AttributeType::kFloat;
      a.f = static_cast<float>(std::get<double>(v));
      break;
    case AttrKind::kString:
      a.type = AttributeType::kString;
      a.s = std::get<std::string>(v);
      break;
    case AttrKind::kInts:
      a.type = AttributeType::kInts;
      a.ints = std::get<std::vector<std::int64_t>>(v);
      break;
    case AttrKind::kFloats: {
      a.type = AttributeType::kFloats;
      const auto& list = std::get<std::vector<double>>(v);
      a.floats.assign(list.begin(), list.end());
      break;
    }
    case AttrKind::kStrings: {
      a.type = AttributeType::kStrings;
      const auto& list = std::get<std::vector<std::string>>(v);
      a.strings.assign(list.begin(), list.end());
      break;
    }
    case AttrKind::kDType:
      a.type = AttributeType::kInt;
      a.i = number_of(std::get<DType>(v));
      break;
  }
  return a;
}

// Values of a label_encoder that are neither f32, i64 nor strings, and what stands for others: tensors of `dtype`.
void Exporter::label_tensors(const Node& n, DType dtype, NodeProto& out) {
  auto tensor = [&](std::string_view name, std::span<const double> elements) {
    AttributeProto& a = out.attributes.emplace_back();
    a.name = name;
    a.type = AttributeType::kTensor;
    a.t = std::make_unique<TensorProto>();
    a.t->name = name;
    a.t->data_type = number_of(dtype);
    a.t->dims = {static_cast<std::int64_t>(elements.size())};
    std::vector<std::byte>& bytes = kept_bytes_.emplace_back();
    for (double x : elements) {
      std::vector<std::byte> one = element_bytes(x, dtype);
      bytes.insert(bytes.end(), one.begin(), one.end());
    }
    a.t->raw_data = bytes;
  };
  std::vector<double> values = attr_floats(*n.op, n.attrs, "values_floats");
  double otherwise = attr_float(*n.op, n.attrs, "default_float");
  if (values.empty()) {
    std::vector<std::int64_t> whole = attr_ints(*n.op, n.attrs, "values_int64s");
    values.assign(whole.begin(), whole.end());
    otherwise = static_cast<double>(attr_int(*n.op, n.attrs, "default_int64"));
  }
  tensor("values_tensor", values);
  tensor("default_tensor", std::span(&otherwise, 1));
}

Status Exporter::attributes(const Function& f, const Node& n, NodeProto& out) {
  const AttrValue* dtype = n.op->name == "label_encoder" ? n.attrs.find("dtype") : nullptr;
  if (dtype) label_tensors(n, std::get<DType>(*dtype), out);
  for (const auto& [name, v] : n.attrs.items()) {
    if (!n.bodies.empty()) continue;  // what it says is in the graph's form
    if (dtype && !name.starts_with("keys_")) continue;
    MOTE_ASSIGN(AttributeProto a, attribute(f, n, name, v));
    out.attributes.push_back(std::move(a));
  }
  return {};
}

}  // namespace mote::onnx
