// Control flow: bodies become functions with explicit captures; Scan and SequenceMap become loops.
//
// `if`: inputs (condition, captured...), bodies (then, else), both called with what is captured.
// `loop`: inputs (trip count or none, condition or none, carried..., captured...), one body called with (iteration,
// condition, carried..., captured...) that gives (condition, carried..., scanned...).
#include <algorithm>
#include <limits>

#include "formats/onnx/importer.h"

namespace mote::onnx {
namespace {

const GraphProto* graph_of(NodeImport& n, std::string_view name) {
  const AttributeProto* a = n.attr(name);
  if (!a || !a->g) {
    n.fail(invalid("attribute '" + std::string(name) + "' is not a graph"));
    return nullptr;
  }
  return a->g.get();
}

// The outer values that a body captures, in the order of its last inputs.
std::vector<ValueId> captured(const Scope& body) {
  std::vector<ValueId> outer;
  for (const auto& [o, inner] : body.captures) outer.push_back(o);
  return outer;
}

// A body under construction: emission goes into its function.
struct Body {
  Scope scope;
  NodeImport emit;
  Body(Scope s, NodeImport& n) : scope(std::move(s)), emit(n.importer(), scope, n.proto(), nullptr, 0, n.name()) {}
};

Result<std::unique_ptr<Body>> begin(NodeImport& n, std::string_view name, Scope& outer) {
  MOTE_ASSIGN(Scope scope, n.importer().begin_body(outer, n.name() + "/" + std::string(name)));
  return std::make_unique<Body>(std::move(scope), n);
}

Type scalar_type(DType t) { return Type::tensor(t, Shape()); }

// Imports a body that binds its inputs to values of the function already there.
Result<std::vector<ValueId>> fill(NodeImport& n, Scope& scope, const GraphProto& graph) {
  MOTE_TRY(n.importer().import_nodes(scope, graph));
  return n.importer().graph_outputs(scope, graph);
}

Status bind_input(Scope& scope, const GraphProto& graph, std::size_t i, ValueId v) {
  std::string_view name = graph.inputs[i].name;
  if (!scope.names.emplace(name, v).second) return invalid("two body inputs are named '" + std::string(name) + "'");
  return {};
}

void give(NodeImport& n, const std::vector<ValueId>& made) {
  for (int i = 0; i < n.outputs(); ++i) {
    if (!n.wants(i)) continue;
    if (static_cast<std::size_t>(i) >= made.size()) {
      n.fail(invalid("has " + std::to_string(n.outputs()) + " outputs, but its body gives " +
                     std::to_string(made.size())));
      return;
    }
    n.output(i, made[static_cast<std::size_t>(i)]);
  }
}

}  // namespace

Status import_if(NodeImport& n) {
  Importer& importer = n.importer();
  std::vector<std::unique_ptr<Body>> branches;
  std::vector<ValueId> inputs = {n.in(0)};
  std::size_t outputs = 0;
  for (std::string_view name : {"then_branch", "else_branch"}) {
    const GraphProto* graph = graph_of(n, name);
    if (!graph) return {};
    MOTE_ASSIGN(std::unique_ptr<Body> body, begin(n, name == "then_branch" ? "then" : "else", n.scope()));
    FunctionId f = body->scope.function;
    MOTE_ASSIGN(std::vector<ValueId> outs, fill(n, body->scope, *graph));
    if (!branches.empty() && outs.size() != outputs) return invalid("its branches give different numbers of outputs");
    outputs = outs.size();
    importer.fn(f).outputs = std::move(outs);
    for (ValueId v : captured(body->scope)) {
      if (std::find(inputs.begin() + 1, inputs.end(), v) == inputs.end()) inputs.push_back(v);
    }
    branches.push_back(std::move(body));
  }
  std::vector<FunctionId> bodies;
  for (auto& body : branches) {
    // Both branches take the union of what they capture, in one order.
    std::vector<ValueId> params;
    for (std::size_t i = 1; i < inputs.size(); ++i) {
      MOTE_ASSIGN(ValueId v, importer.capture(body->scope, inputs[i]));
      params.push_back(v);
    }
    importer.fn(body->scope.function).inputs = std::move(params);
    bodies.push_back(body->scope.function);
  }
  give(n, n.emit_multi("if", std::move(inputs), static_cast<int>(outputs), {}, std::move(bodies)));
  return {};
}

namespace {

// Whether nothing but the trip count ends the loop: its condition is true at first, and the body passes it on.
bool is_counted(NodeImport& n, const Function& body) {
  auto is_true = [](const std::optional<std::vector<std::int64_t>>& v) { return v && v->size() == 1 && (*v)[0] != 0; };
  if (!n.has(0) || (n.has(1) && !is_true(n.ints_of(n.in(1))))) return false;
  ValueId v = body.outputs[0];
  for (;;) {
    const Value& value = body.values[static_cast<std::size_t>(v)];
    if (value.constant != kNone) {
      return is_true(small_ints(n.importer().module().constants[static_cast<std::size_t>(value.constant)]));
    }
    if (value.producer == kNone) return v == body.inputs[1];
    const Node& node = body.nodes[static_cast<std::size_t>(value.producer)];
    if (node.op->name != "identity") return false;
    v = node.inputs[0];
  }
}

}  // namespace

Status import_loop(NodeImport& n) {
  Importer& importer = n.importer();
  const GraphProto* graph = graph_of(n, "body");
  if (!graph) return {};
  std::size_t carried = static_cast<std::size_t>(std::max(0, n.inputs() - 2));
  if (graph->inputs.size() != carried + 2 || graph->outputs.size() < carried + 1) {
    return invalid("its body has " + std::to_string(graph->inputs.size()) + " inputs and " +
                   std::to_string(graph->outputs.size()) + " outputs, but the loop carries " + std::to_string(carried) +
                   " values");
  }
  MOTE_ASSIGN(std::unique_ptr<Body> body, begin(n, "body", n.scope()));
  FunctionId f = body->scope.function;
  for (std::size_t i = 0; i < graph->inputs.size(); ++i) {
    Type type = scalar_type(i == 0 ? DType::i64 : DType::boolean);
    if (i >= 2) {
      ValueId initial = n.in(static_cast<int>(i));
      if (initial == kNone) return invalid("carried value " + std::to_string(i - 2) + " is absent");
      type = n.type(initial);
      std::optional<Type> stated = importer.stated_type(graph->inputs[i].type);
      if (type.is_tensor())
        type = stated && stated->is_tensor() && stated->dtype == type.dtype ? *stated : Type::tensor(type.dtype);
    }
    ValueId v = importer.add_input(f, std::string(graph->inputs[i].name), std::move(type));
    MOTE_TRY(bind_input(body->scope, *graph, i, v));
  }
  MOTE_ASSIGN(importer.fn(f).outputs, fill(n, body->scope, *graph));
  std::vector<ValueId> inputs = n.all_inputs();
  inputs.resize(carried + 2, kNone);
  for (ValueId v : captured(body->scope)) inputs.push_back(v);
  int outputs = static_cast<int>(graph->outputs.size()) - 1;
  std::int64_t counted = is_counted(n, importer.fn(f)) ? 1 : 0;
  give(n, n.emit_multi("loop", std::move(inputs), outputs,
                       {{"carried", static_cast<std::int64_t>(carried)}, {"counted", counted}}, {f}));
  return {};
}

namespace {

struct ScanInput {
  ValueId value;
  std::int64_t axis = 0;
  bool reverse = false;
};

// The loop that a scan is, in `at`'s function, whose scope is `outer`. Gives final states and stacked outputs.
Result<std::vector<ValueId>> scan_loop(NodeImport& n, NodeImport& at, const GraphProto& graph,
                                       const std::vector<ValueId>& states, const std::vector<ScanInput>& scans) {
  Importer& importer = n.importer();
  if (graph.inputs.size() != states.size() + scans.size() || graph.outputs.size() < states.size()) {
    return invalid("its body has " + std::to_string(graph.inputs.size()) + " inputs, but the scan passes " +
                   std::to_string(states.size() + scans.size()));
  }
  ValueId extents = at.emit("shape", {scans[0].value});
  ValueId trips = at.emit("gather", {extents, at.scalar_int(scans[0].axis)}, {{"axis", std::int64_t{0}}});
  ValueId last = kNone;
  MOTE_ASSIGN(std::unique_ptr<Body> body, begin(n, "body", at.scope()));
  FunctionId f = body->scope.function;
  ValueId iteration = importer.add_input(f, "iteration", scalar_type(DType::i64));
  ValueId condition = importer.add_input(f, "condition", scalar_type(DType::boolean));
  for (std::size_t i = 0; i < states.size(); ++i) {
    ValueId v = importer.add_input(f, std::string(graph.inputs[i].name), at.type(states[i]));
    MOTE_TRY(bind_input(body->scope, graph, i, v));
  }
  for (std::size_t i = 0; i < scans.size(); ++i) {
    ValueId index = iteration;
    if (scans[i].reverse) {
      if (last == kNone) last = at.emit("sub", {trips, at.scalar_int(1)});
      if (at.failed()) return std::vector<ValueId>();
      MOTE_ASSIGN(ValueId from, importer.capture(body->scope, last));
      index = body->emit.emit("sub", {from, iteration});
    }
    if (at.failed()) return std::vector<ValueId>();
    MOTE_ASSIGN(ValueId whole, importer.capture(body->scope, scans[i].value));
    ValueId element = body->emit.emit("gather", {whole, index}, {{"axis", scans[i].axis}});
    at.take_failure(body->emit);
    if (at.failed()) return std::vector<ValueId>();
    MOTE_TRY(bind_input(body->scope, graph, states.size() + i, element));
  }
  MOTE_ASSIGN(std::vector<ValueId> outs, fill(n, body->scope, graph));
  ValueId go_on = body->emit.emit("identity", {condition});
  at.take_failure(body->emit);
  if (at.failed()) return std::vector<ValueId>();
  outs.insert(outs.begin(), go_on);
  importer.fn(f).outputs = std::move(outs);
  std::vector<ValueId> inputs = {trips, kNone};
  inputs.insert(inputs.end(), states.begin(), states.end());
  for (ValueId v : captured(body->scope)) inputs.push_back(v);
  return at.emit_multi("loop", std::move(inputs), static_cast<int>(graph.outputs.size()),
                       {{"carried", static_cast<std::int64_t>(states.size())}, {"counted", std::int64_t{1}}}, {f});
}

std::int64_t at_or_zero(const std::vector<std::int64_t>& v, std::size_t i) { return i < v.size() ? v[i] : 0; }

// Inputs from `first` on: states, then `num_scan_inputs` scanned ones.
Status split_scan_inputs(NodeImport& n, int first, std::vector<ValueId>& states, std::vector<ScanInput>& scans) {
  std::int64_t count = n.attr_int("num_scan_inputs", 0);
  if (count < 1 || count > n.inputs() - first) return invalid("num_scan_inputs is " + std::to_string(count));
  for (int i = first; i < n.inputs(); ++i) {
    if (!n.has(i)) return invalid("input " + std::to_string(i) + " is absent");
    if (i < n.inputs() - count) {
      states.push_back(n.in(i));
    } else {
      scans.push_back(ScanInput{n.in(i)});
    }
  }
  return {};
}

// A scanned output as the attributes want it: backwards, or stacked along another axis than the first.
ValueId arranged(NodeImport& n, ValueId v, bool reverse, std::int64_t axis) {
  constexpr std::int64_t kBegin = std::numeric_limits<std::int64_t>::min();
  if (reverse) v = n.emit("slice", {v, n.ints({-1}), n.ints({kBegin}), n.ints({0}), n.ints({-1})});
  if (axis == 0) return v;
  if (!n.has_rank(v)) {
    n.unsupported("Scan with scan_output_axes on outputs of unknown rank");
    return kNone;
  }
  std::int64_t rank = n.rank(v);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) {
    n.fail(invalid("scan_output_axes is outside the output's rank"));
    return kNone;
  }
  std::vector<std::int64_t> perm;
  for (std::int64_t i = 1; i < rank; ++i) perm.push_back(i);
  perm.insert(perm.begin() + axis, 0);
  return n.emit("transpose", {v}, {{"perm", std::move(perm)}});
}

}  // namespace

Status import_scan(NodeImport& n) {
  const GraphProto* graph = graph_of(n, "body");
  if (!graph) return {};
  std::vector<ValueId> states;
  std::vector<ScanInput> scans;
  MOTE_TRY(split_scan_inputs(n, 0, states, scans));
  std::vector<std::int64_t> axes = n.attr_ints("scan_input_axes"), backwards = n.attr_ints("scan_input_directions");
  for (std::size_t i = 0; i < scans.size(); ++i) {
    scans[i].axis = at_or_zero(axes, i);
    scans[i].reverse = at_or_zero(backwards, i) != 0;
  }
  MOTE_ASSIGN(std::vector<ValueId> made, scan_loop(n, n, *graph, states, scans));
  if (n.failed() || made.empty()) return {};
  std::vector<std::int64_t> out_axes = n.attr_ints("scan_output_axes"),
                            out_backwards = n.attr_ints("scan_output_directions");
  for (std::size_t i = states.size(); i < made.size(); ++i) {
    std::size_t k = i - states.size();
    made[i] = arranged(n, made[i], at_or_zero(out_backwards, k) != 0, at_or_zero(out_axes, k));
  }
  give(n, made);
  return {};
}

// Opset 8: every input has a batch axis in front, and the scan runs for each sample.
Status import_scan_batched(NodeImport& n) {
  Importer& importer = n.importer();
  const GraphProto* graph = graph_of(n, "body");
  if (!graph) return {};
  if (n.has(0)) {
    n.unsupported("Scan of opset 8 with sequence_lens");
    return {};
  }
  std::vector<ValueId> states, inner_states;
  std::vector<ScanInput> scans, inner_scans;
  MOTE_TRY(split_scan_inputs(n, 1, states, scans));
  std::vector<std::int64_t> backwards = n.attr_ints("directions");
  MOTE_ASSIGN(std::unique_ptr<Body> body, begin(n, "sample", n.scope()));
  FunctionId f = body->scope.function;
  ValueId iteration = importer.add_input(f, "sample", scalar_type(DType::i64));
  ValueId condition = importer.add_input(f, "condition", scalar_type(DType::boolean));
  auto sample = [&](ValueId outer) -> Result<ValueId> {
    MOTE_ASSIGN(ValueId all, importer.capture(body->scope, outer));
    return body->emit.emit("gather", {all, iteration}, {{"axis", std::int64_t{0}}});
  };
  for (ValueId s : states) {
    MOTE_ASSIGN(ValueId v, sample(s));
    inner_states.push_back(v);
  }
  for (std::size_t i = 0; i < scans.size(); ++i) {
    MOTE_ASSIGN(ValueId v, sample(scans[i].value));
    inner_scans.push_back(ScanInput{v, 0, at_or_zero(backwards, i) != 0});
  }
  n.take_failure(body->emit);
  if (n.failed()) return {};
  MOTE_ASSIGN(std::vector<ValueId> outs, scan_loop(n, body->emit, *graph, inner_states, inner_scans));
  outs.insert(outs.begin(), body->emit.emit("identity", {condition}));
  n.take_failure(body->emit);
  if (n.failed()) return {};
  importer.fn(f).outputs = outs;
  ValueId batch = n.emit("gather", {n.emit("shape", {scans[0].value}), n.scalar_int(0)}, {{"axis", std::int64_t{0}}});
  std::vector<ValueId> inputs = {batch, kNone};
  for (ValueId v : captured(body->scope)) inputs.push_back(v);
  give(n, n.emit_multi("loop", std::move(inputs), static_cast<int>(outs.size()) - 1,
                       {{"carried", std::int64_t{0}}, {"counted", std::int64_t{1}}}, {f}));
  return {};
}

// One iteration per element of the first sequence; outputs are collected in sequences.
Status import_sequence_map(NodeImport& n) {
  Importer& importer = n.importer();
  const GraphProto* graph = graph_of(n, "body");
  if (!graph) return {};
  if (graph->inputs.size() != static_cast<std::size_t>(n.inputs())) {
    return invalid("passes " + std::to_string(n.inputs()) + " inputs to a body with " +
                   std::to_string(graph->inputs.size()));
  }
  MOTE_ASSIGN(std::unique_ptr<Body> body, begin(n, "body", n.scope()));
  FunctionId f = body->scope.function;
  ValueId iteration = importer.add_input(f, "iteration", scalar_type(DType::i64));
  ValueId condition = importer.add_input(f, "condition", scalar_type(DType::boolean));
  std::vector<ValueId> lists, outs = {body->emit.emit("identity", {condition})};
  for (const ValueInfoProto& o : graph->outputs) {
    lists.push_back(importer.add_input(f, std::string(o.name) + "_list", Type::list(Type())));
  }
  for (int i = 0; i < n.inputs(); ++i) {
    MOTE_ASSIGN(ValueId v, importer.capture(body->scope, n.in(i)));
    if (!n.type(n.in(i)).is_tensor()) v = body->emit.emit("sequence_at", {v, iteration});
    n.take_failure(body->emit);
    if (n.failed()) return {};
    MOTE_TRY(bind_input(body->scope, *graph, static_cast<std::size_t>(i), v));
  }
  MOTE_ASSIGN(std::vector<ValueId> items, fill(n, body->scope, *graph));
  ValueId trips = n.emit("sequence_length", {n.in(0)});
  std::vector<ValueId> inputs = {trips, kNone};
  for (std::size_t i = 0; i < items.size(); ++i) {
    Type item = importer.value(f, items[i]).type;
    DType dtype = item.is_tensor() ? item.dtype : DType::none;
    importer.value(f, lists[i]).type = Type::list(Type::tensor(dtype));
    outs.push_back(body->emit.emit("sequence_insert", {lists[i], items[i]}));
    inputs.push_back(n.emit("sequence_empty", {}, {{"dtype", dtype}}));
  }
  n.take_failure(body->emit);
  if (n.failed()) return {};
  importer.fn(f).outputs = outs;
  for (ValueId v : captured(body->scope)) inputs.push_back(v);
  give(n, n.emit_multi("loop", std::move(inputs), static_cast<int>(items.size()),
                       {{"carried", static_cast<std::int64_t>(items.size())}, {"counted", std::int64_t{1}}}, {f}));
  return {};
}

}  // namespace mote::onnx
