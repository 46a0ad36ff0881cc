// Module -> ModelProto -> bytes, through the rows of ops.inc read backwards.
#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <set>

#include "formats/onnx/onnx.h"
#include "formats/onnx/rows.h"
#include "formats/onnx/types.h"
#include "ir/infer.h"

namespace mote::onnx {
namespace {

constexpr int kOldestWritten = 18, kIrVersion = 10;

struct Names {
  std::map<ValueId, std::string_view> by_value;
};

class Exporter {
 public:
  Exporter(const Module& module, const ExportOptions& options) : module_(module), options_(options) {}
  Result<std::string> run();

 private:
  const Function& fn(FunctionId f) const { return module_.functions[static_cast<std::size_t>(f)]; }
  static const Value& value(const Function& f, ValueId v) { return f.values[static_cast<std::size_t>(v)]; }

  std::string_view keep(std::string s) { return kept_.emplace_back(std::move(s)); }
  // A name nothing else in the file has: subgraphs see the names around them.
  std::string_view claim(const std::string& wanted);
  std::string_view name_of(const Function& f, Names& names, ValueId v);
  void metadata();
  Status constant(ConstantId id, std::string_view name);
  Status stored_bytes(const Constant& c, TensorProto& t, std::span<const std::byte> bytes);
  Result<std::vector<std::byte>> transformed(const Constant& c);
  TypeProto type(const Type& t);
  ValueInfoProto info(std::string_view name, const Type& t);
  Status function(FunctionId id, Names& names, GraphProto& graph);
  Status outputs(const Function& f, Names& names, GraphProto& graph);
  Status node(const Function& f, Names& names, const Node& n, GraphProto& graph);
  Status bodies(const Function& f, Names& names, const Node& n, NodeProto& out);
  Status attributes(const Function& f, const Node& n, NodeProto& out);
  void label_tensors(const Node& n, DType dtype, NodeProto& out);
  Result<AttributeProto> attribute(const Function& f, const Node& n, const std::string& name, const AttrValue& v);
  void need(std::string_view domain, int version);

  const Module& module_;
  const ExportOptions& options_;
  ModelProto model_;
  std::deque<std::string> kept_;
  std::deque<std::vector<std::byte>> kept_bytes_;
  std::set<std::string, std::less<>> taken_;
  std::map<ConstantId, std::string_view> constants_;
  std::vector<NodeProto> fills_;  // constants of one repeated element
  std::map<std::string_view, std::int64_t> opsets_;
  std::size_t bytes_ = 0;
  bool external_ = false;
  std::map<std::string_view, std::size_t> missing_;  // ops that ONNX does not have
};

std::string_view Exporter::claim(const std::string& wanted) {
  std::string name = wanted.empty() ? "value" : wanted;
  for (int k = 2; !taken_.insert(name).second; ++k) name = wanted + "_" + std::to_string(k);
  return keep(std::move(name));
}

std::string_view Exporter::name_of(const Function& f, Names& names, ValueId v) {
  if (v == kNone) return {};
  if (ConstantId c = value(f, v).constant; c != kNone) {
    auto it = constants_.find(c);
    if (it == constants_.end()) {
      it = constants_.emplace(c, claim(module_.constants[static_cast<std::size_t>(c)].name)).first;
    }
    return it->second;
  }
  auto it = names.by_value.find(v);
  if (it == names.by_value.end()) it = names.by_value.emplace(v, claim(value(f, v).name)).first;
  return it->second;
}

void Exporter::need(std::string_view domain, int version) {
  std::int64_t& v = opsets_[domain];
  v = std::max<std::int64_t>(v, version);
}

void Exporter::metadata() {
  model_.ir_version = kIrVersion;
  opsets_[""] = kOldestWritten;
  model_.producer_name = "mote";
  for (const auto& [k, v] : module_.metadata) {
    if (k == "onnx.opset") {
      need("", std::atoi(v.c_str()));
    } else if (k == "onnx.producer_name") {
      model_.producer_name = v;
    } else if (k == "onnx.producer_version") {
      model_.producer_version = v;
    } else if (k == "onnx.domain") {
      model_.domain = v;
    } else if (k == "onnx.model_version") {
      model_.model_version = std::atoll(v.c_str());
    } else if (k == "onnx.doc") {
      model_.doc = v;
    } else if (k.starts_with("onnx.opset.")) {
      need(keep(k.substr(11)), std::atoi(v.c_str()));
    } else if (!k.starts_with("onnx.")) {
      model_.metadata.emplace_back(k, v);
    }
  }
}

TypeProto Exporter::type(const Type& t) {
  TypeProto out;
  if (!t.is_tensor()) {
    out.kind = t.kind == Type::Kind::kList ? TypeProto::Kind::kSequence : TypeProto::Kind::kOptional;
    out.elem = std::make_unique<TypeProto>(type(*t.of));
    return out;
  }
  if (t.dtype == DType::none) return out;
  out.kind = TypeProto::Kind::kTensor;
  out.elem_type = number_of(t.dtype);
  if (!t.shape) return out;
  out.shape.emplace();
  for (const Dim& d : *t.shape) {
    DimProto& dim = out.shape->emplace_back();
    std::vector<std::string> symbols;
    d.collect_symbols(symbols);
    bool is_fresh =
        std::any_of(symbols.begin(), symbols.end(), [](const std::string& s) { return is_fresh_symbol(s); });
    if (d.is_const()) {
      dim.value = d.value();
    } else if (!is_fresh) {
      dim.param = keep(d.to_string());
    }
  }
  return out;
}

ValueInfoProto Exporter::info(std::string_view name, const Type& t) {
  ValueInfoProto v;
  v.name = name;
  v.type = type(t);
  return v;
}

Status Exporter::stored_bytes(const Constant& c, TensorProto& t, std::span<const std::byte> bytes) {
  if (external_ && bytes.size() > options_.external_above) {
    MOTE_ASSIGN(std::uint64_t offset, options_.write_external(bytes));
    t.is_external = true;
    t.external_data = {{"location", options_.external_name},
                       {"offset", keep(std::to_string(offset))},
                       {"length", keep(std::to_string(bytes.size()))}};
    return {};
  }
  bytes_ += bytes.size();
  if (bytes_ > options_.max_bytes) {
    return Status(Code::kResourceExhausted, "the constants do not fit in one file").at("constant '" + c.name + "'");
  }
  t.raw_data = bytes;
  return {};
}

Result<std::vector<std::byte>> Exporter::transformed(const Constant& c) {
  std::vector<std::byte> bytes(c.stored().begin(), c.stored().end());
  std::vector<std::int64_t> shape = c.stored_shape;
  for (const Transform& t : c.transforms) {
    if (t.kind == Transform::Kind::kReshape) {
      shape = t.ints;
      continue;
    }
    std::size_t width = static_cast<std::size_t>(bits_of(c.stored_dtype)) / 8, rank = shape.size();
    if (t.kind == Transform::Kind::kCast || width == 0) {
      return unsupported("a cast constant cannot be written").at("constant '" + c.name + "'");
    }
    std::vector<std::int64_t> out_shape, strides(rank, 1), step, index(rank, 0);
    for (std::size_t i = rank; i-- > 1;) strides[i - 1] = strides[i] * shape[i];
    for (std::int64_t p : t.ints) {
      out_shape.push_back(shape[static_cast<std::size_t>(p)]);
      step.push_back(strides[static_cast<std::size_t>(p)]);
    }
    std::vector<std::byte> moved(bytes.size());
    for (std::size_t k = 0; k < bytes.size() / width; ++k) {
      std::int64_t from = 0;
      for (std::size_t i = 0; i < rank; ++i) from += index[i] * step[i];
      std::memcpy(moved.data() + k * width, bytes.data() + static_cast<std::size_t>(from) * width, width);
      for (std::size_t i = rank; i-- > 0 && ++index[i] == out_shape[i];) index[i] = 0;
    }
    bytes = std::move(moved);
    shape = std::move(out_shape);
  }
  return bytes;
}

Status Exporter::constant(ConstantId id, std::string_view name) {
  const Constant& c = module_.constants[static_cast<std::size_t>(id)];
  auto extents = constant_extents(c.type.shape.value_or(Shape()));
  if (!extents) return internal_error("constant of unknown shape").at("constant '" + c.name + "'");
  TensorProto t;
  t.name = name;
  t.data_type = number_of(c.type.dtype);
  t.dims = *extents;
  if (c.encoding == Encoding::kStrings) {
    MOTE_ASSIGN(std::vector<std::string> strings, strings_of(c));
    for (std::string& s : strings) t.string_data.push_back(keep(std::move(s)));
  } else if (c.encoding == Encoding::kFill) {
    // ConstantOfShape makes it.
    if (c.stored_dtype != c.type.dtype)
      return unsupported("a cast constant cannot be written").at("constant '" + c.name + "'");
    NodeProto fill;
    std::string_view shape_name = claim(std::string(name) + "_shape");
    fill.op_type = "ConstantOfShape";
    fill.name = name;
    fill.inputs = {shape_name};
    fill.outputs = {name};
    AttributeProto a;
    a.name = "value";
    a.type = AttributeType::kTensor;
    a.t = std::make_unique<TensorProto>();
    a.t->data_type = t.data_type;
    a.t->dims = {1};
    a.t->raw_data = c.stored();
    fill.attributes.push_back(std::move(a));
    fills_.push_back(std::move(fill));
    TensorProto shape;
    shape.name = shape_name;
    shape.data_type = number_of(DType::i64);
    shape.dims = {static_cast<std::int64_t>(extents->size())};
    shape.raw_data = kept_bytes_.emplace_back(to_bytes(std::span<const std::int64_t>(*extents)));
    model_.graph.initializers.push_back(std::move(shape));
    return {};
  } else {
    std::span<const std::byte> bytes = c.stored();
    if (!c.transforms.empty()) {
      MOTE_ASSIGN(std::vector<std::byte> made, transformed(c));
      bytes = kept_bytes_.emplace_back(std::move(made));
    }
    MOTE_TRY(stored_bytes(c, t, bytes));
  }
  model_.graph.initializers.push_back(std::move(t));
  return {};
}

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

Status Exporter::bodies(const Function& f, Names& names, const Node& n, NodeProto& out) {
  bool is_loop = n.op->name == "loop";
  out.op_type = is_loop ? "Loop" : "If";
  // Inputs of the node that are no captures.
  std::size_t own = 1;
  if (is_loop) {
    const AttrValue* carried = n.attrs.find("carried");
    const std::int64_t* count = carried ? std::get_if<std::int64_t>(carried) : nullptr;
    own = 2 + static_cast<std::size_t>(count ? *count : 0);
  }
  for (std::size_t b = 0; b < n.bodies.size(); ++b) {
    const Function& body = fn(n.bodies[b]);
    Names inner;
    std::size_t explicit_inputs = is_loop ? own : 0;
    for (std::size_t i = explicit_inputs; i < body.inputs.size(); ++i) {
      std::size_t outer = i - explicit_inputs + own;
      if (outer >= n.inputs.size()) return internal_error("a body takes more than it is given");
      inner.by_value[body.inputs[i]] = name_of(f, names, n.inputs[outer]);
    }
    AttributeProto a;
    a.name = is_loop ? "body" : b == 0 ? "then_branch" : "else_branch";
    a.type = AttributeType::kGraph;
    a.g = std::make_unique<GraphProto>();
    a.g->name = keep(body.name);
    for (std::size_t i = 0; i < explicit_inputs; ++i) {
      a.g->inputs.push_back(info(name_of(body, inner, body.inputs[i]), value(body, body.inputs[i]).type));
    }
    MOTE_TRY(function(n.bodies[b], inner, *a.g));
    out.attributes.push_back(std::move(a));
  }
  out.inputs.resize(std::min(out.inputs.size(), own));
  return {};
}

Status Exporter::node(const Function& f, Names& names, const Node& n, GraphProto& graph) {
  NodeProto out;
  out.name = n.name;
  for (ValueId v : n.inputs) out.inputs.push_back(name_of(f, names, v));
  for (ValueId v : n.outputs) out.outputs.push_back(name_of(f, names, v));
  if (!n.bodies.empty() && (n.op->name == "if" || n.op->name == "loop")) {
    MOTE_TRY(bodies(f, names, n, out));
  } else if (const Row* row = find_row_of_op(n.op->name)) {
    out.op_type = row->name;
    out.domain = row->domain;
    need(row->domain, row->since);
    MOTE_TRY(attributes(f, n, out));
  } else {
    ++missing_[n.op->name];
  }
  std::size_t least = out.op_type == "Loop" && out.domain.empty() ? 2 : 0;  // absent ones are written too
  while (out.inputs.size() > least && out.inputs.back().empty()) out.inputs.pop_back();
  while (!out.outputs.empty() && out.outputs.back().empty()) out.outputs.pop_back();
  graph.nodes.push_back(std::move(out));
  return {};
}

// Outputs are made by nodes of the graph itself, or are inputs of the whole model; others pass through an Identity.
Status Exporter::outputs(const Function& f, Names& names, GraphProto& graph) {
  std::set<ValueId> given;
  for (ValueId v : f.outputs) {
    std::string_view name = name_of(f, names, v);
    bool fresh = given.insert(v).second, is_input = value(f, v).producer == kNone && value(f, v).constant == kNone;
    bool is_whole = &f == &fn(module_.signatures[0].function);
    if (!fresh || (value(f, v).producer == kNone && !(is_input && is_whole))) {
      NodeProto identity;
      identity.op_type = "Identity";
      identity.inputs = {name};
      name = claim(value(f, v).name + "_out");
      identity.name = name;
      identity.outputs = {name};
      graph.nodes.push_back(std::move(identity));
    }
    graph.outputs.push_back(info(name, value(f, v).type));
  }
  return {};
}

Status Exporter::function(FunctionId id, Names& names, GraphProto& graph) {
  const Function& f = fn(id);
  for (const Node& n : f.nodes) MOTE_TRY(node(f, names, n, graph));
  return outputs(f, names, graph);
}

Result<std::string> Exporter::run() {
  if (module_.signatures.empty()) return invalid("the module has no signature");
  metadata();
  const Signature& signature = module_.signatures[0];
  const Function& main = fn(signature.function);
  model_.graph.name = module_.name.empty() ? "main" : std::string_view(module_.name);
  Names names;
  for (ValueId v : main.inputs) model_.graph.inputs.push_back(info(name_of(main, names, v), value(main, v).type));
  // Inputs and outputs come first in the choice of names.
  for (ValueId v : main.outputs) {
    if (value(main, v).constant == kNone) name_of(main, names, v);
  }
  for (const State& s : signature.states) {
    auto name = [&](const std::vector<ValueId>& list, std::int32_t i) {
      return value(main, list[static_cast<std::size_t>(i)]).name;
    };
    model_.metadata.emplace_back(keep("mote.state." + name(main.inputs, s.input)), keep(name(main.outputs, s.output)));
  }
  MOTE_TRY(function(signature.function, names, model_.graph));
  if (!missing_.empty()) {
    std::string list;
    for (const auto& [op, count] : missing_) {
      list += (list.empty() ? "" : ", ") + std::string(op) + " (" + std::to_string(count) + " nodes)";
    }
    return unsupported("ONNX has no operator for: " + list).hint("convert before lowering and packing");
  }
  std::size_t total = 0;
  for (const auto& [id, name] : constants_) total += module_.constants[static_cast<std::size_t>(id)].size;
  external_ = options_.write_external && total > options_.max_bytes - (options_.max_bytes >> 4);
  for (const auto& [id, name] : constants_) MOTE_TRY(constant(id, name));
  fills_.insert(fills_.end(), std::make_move_iterator(model_.graph.nodes.begin()),
                std::make_move_iterator(model_.graph.nodes.end()));
  model_.graph.nodes = std::move(fills_);
  for (const auto& [domain, version] : opsets_) model_.opsets.push_back(OpsetProto{domain, version});
  return serialize(model_);
}

}  // namespace

Result<std::string> export_onnx(const Module& module, const ExportOptions& options) {
  return Exporter(module, options).run();
}

}  // namespace mote::onnx
