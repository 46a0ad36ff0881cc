// The model as a whole: signatures, subgraphs, tensors and their names.
#include "formats/tflite/importer.h"

#include <algorithm>
#include <queue>

#include "base/log.h"
#include "base/text.h"
#include "formats/tflite/node.h"

namespace mote::tflite {
namespace {

flatbuffers::uoffset_t at(std::int64_t i) { return static_cast<flatbuffers::uoffset_t>(i); }

std::string as_symbol(std::string_view text) {
  std::string s(text.substr(0, 100));
  for (char& c : s) {
    bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
    if (!ok) c = '_';
  }
  if (s.empty() || (s[0] >= '0' && s[0] <= '9')) s = "_" + s;
  return s;
}

}  // namespace

Result<Module> import_tflite(std::shared_ptr<const Source> model, const ImportOptions& options) {
  MOTE_ASSIGN(File file, File::open(model, options));
  Result<Module> whole = Importer(std::move(file), options).run();
  if (whole.ok() || options.signature.empty() || whole.status().code() != Code::kUnsupported) return whole;
  MOTE_ASSIGN(File again, File::open(std::move(model), options));
  Result<Module> alone = Importer(std::move(again), options).run(options.signature);
  if (!alone.ok() || alone->signatures.empty()) return whole;
  log(LogLevel::kWarning, concat("signature ", quoted(options.signature), " is read without the others, of which Mote ",
                                 "lacks something: ", whole.status().message()));
  return alone;
}

Result<Module> Importer::run(std::string_view only) {
  module_.name = text_of(tflite_.subgraph(0).name());
  std::vector<Entry> all = entries();
  if (!only.empty()) std::erase_if(all, [&](const Entry& e) { return e.name != only; });
  auto place = [&](const Entry& e, Status s) {
    return all.size() > 1 && !s.ok() ? std::move(s).at(concat("signature ", quoted(e.name))) : std::move(s);
  };
  for (const Entry& e : all) MOTE_TRY(place(e, signature(e.name, e.subgraph, e.def)));
  read_metadata();
  if (has_missing()) {
    if (!options_.missing) return missing_status();
    *options_.missing = missing_texts();
  }
  unique_names();
  return std::move(module_);
}

Result<Type> Importer::input_type(const fbs::Tensor& tensor, std::string_view name) {
  DType dtype = dtype_of(tensor.type());
  if (dtype == DType::none) return unsupported(concat("is of type ", name_of(tensor.type())));
  std::vector<std::int64_t> extents = ints_of(tensor.shape()), open = ints_of(tensor.shape_signature());
  Shape shape;
  for (std::size_t i = 0; i < extents.size(); ++i) {
    if (open.empty() || open[i] >= 0) {
      shape.emplace_back(extents[i]);
      continue;
    }
    std::string base = as_symbol(concat(name.substr(0, 90), "_d", i)), symbol = base;
    for (int k = 2; module_.find_symbol(symbol); ++k) symbol = concat(base, "_", k);
    module_.symbols.push_back(Symbol{symbol});
    shape.push_back(Dim::symbol(symbol));
  }
  return Type::tensor(dtype, std::move(shape));
}

Type Importer::stated_type(const fbs::Tensor& tensor) {
  DType dtype = dtype_of(tensor.type());
  std::vector<std::int64_t> extents = ints_of(tensor.shape()), open = ints_of(tensor.shape_signature());
  if (extents.empty() && !tensor.has_rank()) return Type::tensor(dtype);
  Shape shape;
  for (std::size_t i = 0; i < extents.size(); ++i) {
    shape.push_back(open.empty() || open[i] >= 0 ? Dim(extents[i]) : Dim::symbol(fresh_name()));
  }
  return Type::tensor(dtype, std::move(shape));
}

Result<ValueId> Importer::less_start(Frame& frame, VariableId id, ValueId v) {
  const std::int8_t start = variable(id).start;
  if (start == 0) return v;
  const ConstantId c = module_.add_constant(variable(id).name + "/start", DType::i8, {},
                                            to_bytes(std::span<const std::int8_t>(&start, 1)));
  MOTE_ASSIGN(ValueId bits, constant_value(frame.function, c));
  const Op* op = find_op("bitwise_xor");
  if (!op) miss("bitwise_xor", variable(id).name);
  MOTE_ASSIGN(std::vector<ValueId> made, emit(frame.function, op, variable(id).name + "/started", {v, bits}, {}, 1));
  return made[0];
}

Result<ValueId> Importer::as_output(Frame& frame, ValueId v, const std::vector<ValueId>& taken, std::string_view name) {
  const Value& given = value(frame.function, v);
  if (given.producer != kNone && std::find(taken.begin(), taken.end(), v) == taken.end()) return v;
  const Op* identity = find_op("identity");
  if (!identity) miss("identity", name);
  MOTE_ASSIGN(std::vector<ValueId> copy, emit(frame.function, identity, std::string(name), {v}, {}, 1));
  value(frame.function, copy[0]).name = name;
  return copy[0];
}

Result<std::int32_t> Importer::subgraph_index(std::int64_t index) const {
  if (index < 0 || index >= tflite_.subgraphs()) {
    return invalid(concat("calls subgraph ", index, " of ", tflite_.subgraphs()));
  }
  return static_cast<std::int32_t>(index);
}

Result<std::vector<Argument>> Importer::inline_subgraph(Frame& frame, std::int32_t index,
                                                        std::vector<Argument> arguments, std::string prefix) {
  const fbs::SubGraph& graph = tflite_.subgraph(index);
  std::string shown = text_of(graph.name()).empty() ? std::to_string(index) : quoted(text_of(graph.name()));
  if (std::find(active_.begin(), active_.end(), index) != active_.end()) {
    return invalid(concat("subgraph ", shown, " calls itself"));
  }
  if (static_cast<int>(active_.size()) >= options_.limits.max_depth) return invalid("subgraphs are nested too deeply");
  if (module_.functions.size() > options_.limits.max_functions) {
    return Status(Code::kResourceExhausted,
                  concat("more than ", options_.limits.max_functions, " bodies of control flow"));
  }
  if (arguments.size() != size_of(graph.inputs())) {
    return invalid(
        concat("subgraph ", shown, " has ", size_of(graph.inputs()), " inputs, but is given ", arguments.size()));
  }
  active_.push_back(index);
  Scope scope{&frame, &graph, index, std::move(prefix), {}, {}};
  scope.values.assign(size_of(graph.tensors()), kNone);
  scope.handles.assign(size_of(graph.tensors()), {});
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    auto t = static_cast<std::size_t>(graph.inputs()->Get(at(static_cast<std::int64_t>(i))));
    scope.values[t] = arguments[i].value;
    scope.handles[t] = arguments[i].handle;
  }
  MOTE_ASSIGN(std::vector<std::size_t> sorted, order(scope));
  for (std::size_t i : sorted)
    MOTE_TRY(import_operator(scope, *graph.operators()->Get(at(static_cast<std::int64_t>(i)))));
  std::vector<Argument> results;
  for (std::size_t i = 0; i < size_of(graph.outputs()); ++i) {
    std::int32_t t = graph.outputs()->Get(at(static_cast<std::int64_t>(i)));
    MOTE_ASSIGN(ValueId v, lookup(scope, t));
    results.push_back({v, scope.handles[static_cast<std::size_t>(t)]});
  }
  active_.pop_back();
  return results;
}

// Operators stand in the order in which they run. Where one reads what a later one gives, they are sorted; among those
// that may run, the first in the file comes first.
Result<std::vector<std::size_t>> Importer::order(const Scope& scope) const {
  const auto* ops = scope.graph->operators();
  std::size_t n = size_of(ops);
  std::vector<std::int64_t> producer(size_of(scope.graph->tensors()), -1);
  auto op = [&](std::size_t i) -> const fbs::Operator& { return *ops->Get(at(static_cast<std::int64_t>(i))); };
  for (std::size_t i = 0; i < n; ++i) {
    for (std::int64_t t : ints_of(op(i).outputs())) {
      std::int64_t& p = producer[static_cast<std::size_t>(t)];
      if (p >= 0) return invalid(concat(tensor_name(*scope.graph, static_cast<std::int32_t>(t)), " is given twice"));
      p = static_cast<std::int64_t>(i);
    }
  }
  std::vector<std::size_t> waiting(n, 0), sorted(n);
  std::vector<std::vector<std::size_t>> readers(n);
  bool in_order = true;
  for (std::size_t i = 0; i < n; ++i) {
    sorted[i] = i;
    for (std::int64_t t : ints_of(op(i).inputs())) {
      if (t < 0 || producer[static_cast<std::size_t>(t)] < 0) continue;
      auto p = static_cast<std::size_t>(producer[static_cast<std::size_t>(t)]);
      if (p >= i) in_order = false;
      readers[p].push_back(i);
      ++waiting[i];
    }
  }
  if (in_order) return sorted;
  sorted.clear();
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
  for (std::size_t i = 0; i < n; ++i) {
    if (waiting[i] == 0) ready.push(i);
  }
  while (!ready.empty()) {
    std::size_t i = ready.top();
    ready.pop();
    sorted.push_back(i);
    for (std::size_t r : readers[i]) {
      if (--waiting[r] == 0) ready.push(r);
    }
  }
  if (sorted.size() != n) return invalid("operators depend on each other in a cycle");
  return sorted;
}

Result<ValueId> Importer::lookup(Scope& scope, std::int32_t tensor) {
  auto i = static_cast<std::size_t>(tensor);
  if (scope.values[i] != kNone) return scope.values[i];
  const fbs::Tensor& t = *scope.graph->tensors()->Get(at(tensor));
  if (scope.handles[i].kind != Handle::Kind::kNone) return kNone;
  auto name = [&] { return tensor_name(*scope.graph, tensor); };
  if (t.is_variable()) {
    MOTE_ASSIGN(VariableId id, variable(concat("tensor ", scope.index, "/", tensor), Type()));
    return read_variable(*scope.frame, id);
  }
  std::vector<std::int64_t> shape = ints_of(t.shape());
  bool empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  Result<std::optional<Range>> data = tflite_.data(t);
  if (!data.ok()) return std::move(data).status().at(name());
  if (!*data && !empty) return invalid(concat(name(), " is read, but nothing gives it and it holds no data"));
  auto key = std::pair(&t, 0);
  auto it = constants_.find(key);
  if (it == constants_.end()) {
    Result<Constant> c = constant_of(*scope.graph, tensor, tflite_, options_.max_constants);
    if (!c.ok()) {
      if (c.status().code() != Code::kUnsupported) return std::move(c).status().at(name());
      // Listed with whatever else is missing; what reads it is still looked at.
      miss(std::string(c.status().message()), text_of(t.name()));
      ValueId v = fn(scope.frame->function).add_value(std::string(text_of(t.name())), stated_type(t));
      scope.values[i] = v;
      return v;
    }
    MOTE_ASSIGN(ConstantId id, add_constant(*std::move(c)));
    it = constants_.emplace(key, id).first;
  }
  MOTE_ASSIGN(scope.values[i], constant_value(scope.frame->function, it->second));
  return scope.values[i];
}

Status Importer::bind(Scope& scope, std::int32_t tensor, ValueId v) {
  const fbs::Tensor& t = *scope.graph->tensors()->Get(at(tensor));
  Value& given = value(scope.frame->function, v);
  std::string name = scope.prefix + std::string(text_of(t.name()));
  if (given.name.empty() && given.producer != kNone) given.name = std::move(name);
  scope.values[static_cast<std::size_t>(tensor)] = v;
  return {};
}

Status Importer::import_operator(Scope& scope, const fbs::Operator& op) {
  std::string name(scope.prefix);
  if (size_of(op.outputs()) != 0) {
    name += text_of(scope.graph->tensors()->Get(at(op.outputs()->Get(0)))->name());
  }
  const fbs::OperatorCode& code = tflite_.code(op);
  fbs::BuiltinOperator which = operator_of(code);
  const Row* row = find_row(which);
  NodeContext n(*this, scope, op, name);
  auto place = [&](Status s) {
    return s.ok() ? std::move(s) : std::move(s).at(concat(n.op_name(), " ", quoted(name)));
  };
  // What Mote does not have is listed whatever it reads.
  if (can_convert(n, row)) MOTE_TRY(place(n.resolve_inputs()));
  n.fail(convert(n, row));
  MOTE_TRY(place(n.status()));
  for (int i = 0; i < n.outputs(); ++i) {
    auto t = static_cast<std::size_t>(n.output_index(i));
    if (scope.values[t] != kNone || scope.handles[t].kind != Handle::Kind::kNone) continue;
    if (!n.missed()) return place(internal_error(concat("result ", i, " was not made")));
    const fbs::Tensor& tensor = *n.output_tensor(i);
    scope.values[t] =
        fn(scope.frame->function).add_value(scope.prefix + std::string(text_of(tensor.name())), stated_type(tensor));
  }
  return {};
}

Status Importer::note_quantization(const fbs::Tensor& tensor, std::string_view port) {
  if (!is_quantized(tensor)) return {};
  Result<Quantization> q = quantization_of(tensor);
  if (!q.ok() || !q->per_tensor()) return {};
  std::string key = concat("mote.quantization.", port);
  if (!module_.find_metadata(key))
    module_.metadata.emplace_back(key, concat(static_cast<double>(q->scale()), ",", q->zero_point()));
  return {};
}

}  // namespace mote::tflite
