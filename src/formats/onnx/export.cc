// Module -> ModelProto -> bytes, through the rows of ops.inc read backwards.
#include <algorithm>

#include "formats/onnx/exporter.h"
#include "ir/infer.h"

namespace mote::onnx {
namespace {

constexpr int kOldestWritten = 18, kIrVersion = 10;

}  // namespace

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
  find_block_products(f);
  for (const Node& n : f.nodes) {
    if (folded_.contains(&n)) continue;
    if (block_products_.contains(&n)) {
      block_product(f, names, n, graph);
    } else {
      MOTE_TRY(node(f, names, n, graph));
    }
  }
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
  first_nodes_.insert(first_nodes_.end(), std::make_move_iterator(model_.graph.nodes.begin()),
                      std::make_move_iterator(model_.graph.nodes.end()));
  model_.graph.nodes = std::move(first_nodes_);
  for (const auto& [domain, version] : opsets_) model_.opsets.push_back(OpsetProto{domain, version});
  return serialize(model_);
}

Result<std::string> export_onnx(const Module& module, const ExportOptions& options) {
  return Exporter(module, options).run();
}

}  // namespace mote::onnx
