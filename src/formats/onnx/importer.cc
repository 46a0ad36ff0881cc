// The model as a whole: opsets, metadata, the main graph, names.
#include "formats/onnx/importer.h"

#include <algorithm>

namespace mote::onnx {
namespace {

std::string quoted(std::string_view s) { return "'" + std::string(s.substr(0, 200)) + "'"; }

bool is_symbol_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

std::string as_symbol(std::string_view text) {
  std::string s(text.substr(0, 100));
  for (char& c : s) {
    if (!is_symbol_char(c)) c = '_';
  }
  if (s.empty() || (s[0] >= '0' && s[0] <= '9')) s = "_" + s;
  return s;
}

}  // namespace

Result<Module> import_onnx(std::shared_ptr<const Source> model, const ImportOptions& options) {
  return Importer(std::move(model), options).run();
}

Result<Module> Importer::run() {
  MOTE_TRY(parse_model(file_->bytes(), options_.limits, model_));
  module_.name = model_.graph.name;
  MOTE_TRY(read_opsets());
  MOTE_TRY(read_metadata());
  for (const FunctionProto& f : model_.functions) functions_[{f.domain, f.name, f.overload}] = &f;
  MOTE_TRY(main_graph());
  if (has_missing()) {
    if (!options_.missing) return missing_status();
    *options_.missing = missing_texts();
  }
  unique_names();
  return std::move(module_);
}

Status Importer::read_opsets() {
  for (OpsetProto& o : model_.opsets) {
    if (o.domain == "ai.onnx") o.domain = "";
    if (o.version < 1) return invalid("operator set " + quoted(o.domain) + " has version " + std::to_string(o.version));
    if (o.domain.empty() && o.version > kNewestOpset) {
      return unsupported("the model uses operator set " + std::to_string(o.version) + "; Mote reads 1 to " +
                         std::to_string(kNewestOpset))
          .hint("export it with an older opset_version");
    }
  }
  for (FunctionProto& f : model_.functions) {
    for (OpsetProto& o : f.opsets) {
      if (o.domain == "ai.onnx") o.domain = "";
    }
  }
  return {};
}

Status Importer::read_metadata() {
  auto put = [&](std::string key, std::string_view v) {
    if (!v.empty()) module_.metadata.emplace_back(std::move(key), std::string(v));
  };
  for (const auto& [k, v] : model_.metadata) module_.metadata.emplace_back(std::string(k), std::string(v));
  put("onnx.ir_version", std::to_string(model_.ir_version));
  for (const OpsetProto& o : model_.opsets) {
    put(o.domain.empty() ? "onnx.opset" : "onnx.opset." + std::string(o.domain), std::to_string(o.version));
  }
  put("onnx.producer_name", model_.producer_name);
  put("onnx.producer_version", model_.producer_version);
  put("onnx.domain", model_.domain);
  if (model_.model_version != 0) put("onnx.model_version", std::to_string(model_.model_version));
  put("onnx.doc", model_.doc);
  return {};
}

Result<std::int64_t> Importer::opset(const Scope& scope, std::string_view domain) const {
  for (const std::vector<OpsetProto>* list : {scope.opsets, &model_.opsets}) {
    if (!list) continue;
    for (const OpsetProto& o : *list) {
      if (o.domain == domain) return o.version;
    }
  }
  if (domain.empty() && model_.ir_version >= 3) {
    return invalid("the model does not say which version of ONNX's operators it uses")
        .hint("opset_import is missing; export the model again");
  }
  return std::int64_t{1};
}

Result<Dim> Importer::input_dim(const DimProto& dim, std::string_view input, std::size_t axis) {
  if (dim.value) {
    if (*dim.value >= 0) return Dim(*dim.value);
    if (*dim.value != -1) {
      return invalid("input " + quoted(input) + ": dimension " + std::to_string(axis) + " is " +
                     std::to_string(*dim.value));
    }
  }
  std::string name;
  if (!dim.param.empty()) {
    auto known = symbols_.find(dim.param);
    if (known != symbols_.end()) return Dim::symbol(known->second);
    // An expression over dimensions that have been named already.
    std::string text(dim.param);
    std::erase(text, ' ');
    if (text.size() <= 200) {
      if (Result<Dim> d = Dim::parse(text); d.ok() && d->symbol_name().empty()) {
        std::vector<std::string> used;
        d->collect_symbols(used);
        if (std::all_of(used.begin(), used.end(), [&](const std::string& s) { return module_.find_symbol(s); })) {
          return d;
        }
      }
    }
    name = as_symbol(dim.param);
  } else {
    name = as_symbol(std::string(input.substr(0, 90)) + "_d" + std::to_string(axis));
  }
  std::string base = name;
  for (int k = 2; module_.find_symbol(name); ++k) name = base + "_" + std::to_string(k);
  if (!dim.param.empty()) symbols_.emplace(dim.param, name);
  module_.symbols.push_back(Symbol{name});
  return Dim::symbol(name);
}

Status Importer::main_graph() {
  MOTE_ASSIGN(FunctionId main, add_function("main"));
  module_.signatures.push_back(Signature{"main", main, {}});
  const GraphProto& graph = model_.graph;
  Scope scope;
  scope.function = main;
  std::set<std::string_view> initialized;
  for (const TensorProto& t : graph.initializers) initialized.insert(t.name);
  for (const SparseTensorProto& t : graph.sparse_initializers) initialized.insert(t.values.name);
  for (const std::string& name : options_.overrides) initialized.erase(name);
  // Plain names first, so that expressions over them are understood wherever they stand.
  for (const ValueInfoProto& input : graph.inputs) {
    if (initialized.count(input.name) || !input.type.shape) continue;
    for (const DimProto& d : *input.type.shape) {
      if (!d.value && !d.param.empty() && std::all_of(d.param.begin(), d.param.end(), is_symbol_char)) {
        MOTE_TRY(input_dim(d, input.name, 0).ok() ? Status() : internal_error("symbol"));
      }
    }
  }
  for (const ValueInfoProto& input : graph.inputs) {
    if (initialized.count(input.name)) continue;
    if (input.name.empty()) return invalid("a graph input has no name").at("byte " + std::to_string(input.offset));
    Result<Type> type =
        type_of(input.type, [&](const DimProto& d, std::size_t axis) { return input_dim(d, input.name, axis); });
    if (!type.ok()) return std::move(type).status().at("input " + quoted(input.name));
    if (type->is_tensor() && type->dtype == DType::none) {
      return invalid("input " + quoted(input.name) + " has no element type");
    }
    ValueId v = add_input(main, std::string(input.name), *std::move(type));
    if (!scope.names.emplace(input.name, v).second) return invalid("two graph inputs are named " + quoted(input.name));
  }
  MOTE_TRY(import_nodes(scope, graph));
  MOTE_ASSIGN(fn(main).outputs, graph_outputs(scope, graph));
  read_states(graph);
  return {};
}

// What the writer left of the module's states.
void Importer::read_states(const GraphProto& graph) {
  constexpr std::string_view kPrefix = "mote.state.";
  const Function& main = fn(0);
  auto position = [](const auto& list, std::string_view name) {
    auto it = std::find_if(list.begin(), list.end(), [&](const auto& v) { return v == name; });
    return it == list.end() ? kNone : static_cast<std::int32_t>(it - list.begin());
  };
  std::vector<std::string_view> inputs, outputs;
  for (ValueId v : main.inputs) inputs.push_back(value(0, v).name);
  for (const ValueInfoProto& o : graph.outputs) outputs.push_back(o.name);
  for (const auto& [k, v] : model_.metadata) {
    if (!k.starts_with(kPrefix)) continue;
    std::int32_t input = position(inputs, k.substr(kPrefix.size())), output = position(outputs, v);
    if (input == kNone || output == kNone) continue;
    module_.signatures[0].states.push_back(State{std::string(k.substr(kPrefix.size())), input, output});
    std::erase_if(module_.metadata, [&](const auto& m) { return m.first == k; });
  }
}

Result<Scope> Importer::begin_body(Scope& outer, std::string_view name) {
  Scope scope;
  scope.outer = &outer;
  scope.depth = outer.depth + 1;
  if (scope.depth > options_.limits.max_depth) return invalid("graphs and functions are nested too deeply");
  scope.opsets = outer.opsets;
  scope.attributes = outer.attributes;
  MOTE_ASSIGN(scope.function, add_function(fn(outer.function).name + "/" + std::string(name)));
  return scope;
}

Status Importer::initializers(Scope& scope, const GraphProto& graph) {
  auto is_given = [&](std::string_view name) {
    return scope.depth == 0 && scope.names.contains(name) && std::ranges::count(options_.overrides, name) > 0;
  };
  auto add = [&](std::string_view name, Result<Constant> c) -> Status {
    if (!c.ok()) return std::move(c).status().at("initializer " + quoted(name));
    c->name = scope.prefix + std::string(name);
    MOTE_ASSIGN(ConstantId id, add_constant(*std::move(c)));
    MOTE_ASSIGN(ValueId v, constant_value(scope.function, id));
    if (name.empty()) return invalid("an initializer has no name");
    if (!scope.names.emplace(name, v).second) return invalid("two values are named " + quoted(name));
    return {};
  };
  for (const TensorProto& t : graph.initializers) {
    if (!is_given(t.name)) MOTE_TRY(add(t.name, tensor(t)));
  }
  for (const SparseTensorProto& t : graph.sparse_initializers) {
    if (!is_given(t.values.name)) MOTE_TRY(add(t.values.name, sparse_tensor(t)));
  }
  return {};
}

Status Importer::import_nodes(Scope& scope, const GraphProto& graph) {
  for (const ValueInfoProto& v : graph.value_infos) scope.stated.emplace(v.name, &v.type);
  for (const ValueInfoProto& v : graph.outputs) scope.stated.emplace(v.name, &v.type);
  MOTE_TRY(initializers(scope, graph));
  MOTE_ASSIGN(std::vector<std::size_t> sorted, order(graph.nodes, scope));
  for (std::size_t i : sorted) MOTE_TRY(import_node(scope, graph.nodes[i]));
  return {};
}

Result<std::vector<ValueId>> Importer::graph_outputs(Scope& scope, const GraphProto& graph) {
  std::vector<ValueId> outputs;
  for (const ValueInfoProto& o : graph.outputs) {
    MOTE_ASSIGN(std::optional<ValueId> v, lookup(scope, o.name));
    if (!v || *v == kNone) {
      return invalid("graph output " + quoted(o.name) + " is given by no node").at("byte " + std::to_string(o.offset));
    }
    const Value& given = value(scope.function, *v);
    bool again = std::find(outputs.begin(), outputs.end(), *v) != outputs.end();
    // A model may give an input back, under its own name; what else nothing makes is copied.
    bool is_input = !scope.outer && given.constant == kNone;
    if ((given.producer == kNone && !is_input) || again) {
      const Op* identity = find_op("identity");
      if (!identity) miss("identity", o.name);
      MOTE_ASSIGN(std::vector<ValueId> copy, emit(scope.function, identity, std::string(o.name), {*v}, {}, 1));
      value(scope.function, copy[0]).name = o.name;
      v = copy[0];
    }
    outputs.push_back(*v);
  }
  return outputs;
}

std::optional<Type> Importer::stated_type(const TypeProto& type) {
  Result<Type> t = type_of(type, [&](const DimProto& d, std::size_t) -> Result<Dim> {
    if (d.value && *d.value >= 0) return Dim(*d.value);
    auto symbol = symbols_.find(d.param);
    return Dim::symbol(!d.param.empty() && symbol != symbols_.end() ? symbol->second : fresh_name());
  });
  if (!t.ok() || (t->is_tensor() && t->dtype == DType::none)) return std::nullopt;
  return *t;
}

std::optional<Type> Importer::stated_type(Scope& scope, std::string_view name) {
  auto it = scope.stated.find(name);
  return it == scope.stated.end() ? std::nullopt : stated_type(*it->second);
}

Result<std::optional<ValueId>> Importer::lookup(Scope& scope, std::string_view name) {
  if (auto it = scope.names.find(name); it != scope.names.end()) return std::optional(it->second);
  if (!scope.outer) return std::optional<ValueId>();
  MOTE_ASSIGN(std::optional<ValueId> outer, lookup(*scope.outer, name));
  if (!outer || *outer == kNone) return outer;
  MOTE_ASSIGN(ValueId v, capture(scope, *outer));
  scope.names.emplace(name, v);
  return std::optional(v);
}

Result<ValueId> Importer::capture(Scope& scope, ValueId outer) {
  FunctionId from = scope.outer->function;
  if (from == scope.function) return outer;
  if (ConstantId c = value(from, outer).constant; c != kNone) return constant_value(scope.function, c);
  for (const auto& [o, inner] : scope.captures) {
    if (o == outer) return inner;
  }
  ValueId v = add_input(scope.function, value(from, outer).name, value(from, outer).type);
  known(scope.function, v) = known(from, outer);
  scope.captures.emplace_back(outer, v);
  return v;
}

Status Importer::bind(Scope& scope, std::string_view name, ValueId v, std::string_view node_name) {
  if (name.empty()) return {};
  Value& given = value(scope.function, v);
  if (given.name.empty()) {
    given.name = scope.prefix + std::string(name);
  } else if (given.constant == kNone) {
    const Op* identity = find_op("identity");
    if (!identity) miss("identity", node_name);
    MOTE_ASSIGN(std::vector<ValueId> copy, emit(scope.function, identity, std::string(node_name), {v}, {}, 1));
    v = copy[0];
    value(scope.function, v).name = scope.prefix + std::string(name);
  }
  if (!scope.names.emplace(name, v).second) {
    return invalid("value " + quoted(name) + " is given twice").at("node " + quoted(node_name));
  }
  return {};
}

Result<Constant> Importer::tensor(const TensorProto& t) {
  return constant_of(t, file_, [&](std::string_view location) -> Result<std::shared_ptr<const Source>> {
    if (auto it = external_.find(location); it != external_.end()) return it->second;
    if (!options_.external_data) {
      return unsupported("the model keeps data in another file, " + quoted(location) +
                         ", which cannot be reached here");
    }
    MOTE_ASSIGN(std::shared_ptr<const Source> source, options_.external_data(location));
    external_.emplace(std::string(location), source);
    return source;
  });
}

Result<Constant> Importer::sparse_tensor(const SparseTensorProto& t) {
  auto external = [&](std::string_view location) -> Result<std::shared_ptr<const Source>> {
    return unsupported("a sparse tensor in external data (" + std::string(location) + ")");
  };
  return constant_of(t, file_, external, options_.max_constants);
}

}  // namespace mote::onnx
