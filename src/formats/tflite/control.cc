// Control flow: bodies become functions that take and give explicitly what they use, the variables among it.
//
// `if`: inputs (condition, arguments..., variables...), bodies (then, else), both called with what follows the
// condition. `loop`: inputs (no trip count, condition, carried...), one body called with (iteration, condition,
// carried...) that gives (condition, carried...); carried are the arguments and the variables. CALL and
// STABLEHLO_COMPOSITE are inlined. CALL_ONCE is an `if` on a mark that is a state itself.
#include <algorithm>

#include "base/text.h"
#include "formats/tflite/node.h"

namespace mote::tflite {
namespace {

std::vector<Argument> arguments_of(NodeContext& n, int first) {
  std::vector<Argument> out;
  for (int i = first; i < n.inputs(); ++i) out.push_back({n.in(i), n.handle(i)});
  return out;
}

std::vector<Handle> handles_of(const std::vector<Argument>& arguments) {
  std::vector<Handle> out;
  for (const Argument& a : arguments) out.push_back(a.handle);
  return out;
}

bool is_handle(const Argument& a) { return a.handle.kind != Handle::Kind::kNone; }

// A body under construction, the arguments that its subgraph gets.
struct Body {
  Frame frame;
  std::vector<Argument> arguments;
};

// Adds the inputs that stand for arguments and variables.
Status take_inputs(NodeContext& n, Body& body, const std::vector<Argument>& arguments,
                   const std::set<VariableId>& variables, const std::vector<Type>& types) {
  Importer& importer = n.importer();
  std::size_t k = 0;
  for (const Argument& a : arguments) {
    if (is_handle(a)) {
      body.arguments.push_back(a);
      continue;
    }
    if (a.value == kNone) return invalid("an argument is absent");
    const std::string& name = importer.value(n.frame().function, a.value).name;
    body.arguments.push_back({importer.add_input(body.frame.function, name, types[k++]), {}});
  }
  for (VariableId v : variables) {
    body.frame.variables[v] = importer.add_input(body.frame.function, importer.variable(v).name, types[k++]);
  }
  return {};
}

// What the operator passes to a body: values of the arguments, then of the variables.
Result<std::vector<ValueId>> passed(NodeContext& n, const std::vector<Argument>& arguments,
                                    const std::set<VariableId>& variables) {
  std::vector<ValueId> out;
  for (const Argument& a : arguments) {
    if (!is_handle(a)) out.push_back(a.value);
  }
  for (VariableId v : variables) {
    MOTE_ASSIGN(ValueId value, n.importer().read_variable(n.frame(), v));
    out.push_back(value);
  }
  return out;
}

// Appends the results and the variables' values to the body's outputs.
Status give_outputs(NodeContext& n, Body& body, const std::vector<Argument>& results,
                    const std::set<VariableId>& variables) {
  std::vector<ValueId>& outputs = n.importer().fn(body.frame.function).outputs;
  auto give = [&](ValueId v) -> Status {
    if (v == kNone) return invalid("a body gives a resource");
    MOTE_ASSIGN(ValueId out, n.importer().as_output(body.frame, v, outputs, n.name()));
    n.importer().fn(body.frame.function).outputs.push_back(out);
    return {};
  };
  for (const Argument& a : results) {
    if (!is_handle(a)) MOTE_TRY(give(a.value));
  }
  for (VariableId v : variables) MOTE_TRY(give(body.frame.variables[v]));
  return {};
}

// Makes `made` the operator's results and the new values of the variables.
void give_results(NodeContext& n, const std::vector<Argument>& results, const std::vector<ValueId>& made,
                  const std::set<VariableId>& variables) {
  if (n.failed()) return;
  std::size_t k = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (is_handle(results[i])) {
      n.output_handle(static_cast<int>(i), results[i].handle);
    } else {
      n.output(static_cast<int>(i), made[k++]);
    }
  }
  for (VariableId v : variables) n.frame().variables[v] = made[k++];
}

Status check_results(NodeContext& n, std::size_t count) {
  if (count == static_cast<std::size_t>(n.outputs())) return {};
  return invalid(concat("has ", n.outputs(), " results, but its subgraph gives ", count));
}

std::vector<Type> types_of(NodeContext& n, const std::vector<ValueId>& values) {
  std::vector<Type> out;
  for (ValueId v : values) out.push_back(n.type(v));
  return out;
}

// One branch of an `if`: the subgraph, or for -1 what is passed as it is.
Result<std::vector<Argument>> branch(NodeContext& n, Body& body, std::int32_t subgraph, std::string_view name) {
  if (subgraph < 0) return body.arguments;
  return n.importer().inline_subgraph(body.frame, subgraph, body.arguments, concat(n.name(), "/", name, "/"));
}

}  // namespace

Status import_if(NodeContext& n) {
  auto* o = n.options<fbs::IfOptions>(fbs::BuiltinOptions::If);
  if (!o || !n.has(0)) return invalid("has no options or no condition");
  Importer& importer = n.importer();
  std::vector<Argument> arguments = arguments_of(n, 1), results;
  std::set<VariableId> variables;
  std::int32_t subgraphs[2];
  for (int b : {0, 1}) {
    MOTE_ASSIGN(subgraphs[b], importer.subgraph_index(b == 0 ? o->then_subgraph() : o->else_subgraph()));
    MOTE_ASSIGN(std::set<VariableId> used, importer.variables_of(subgraphs[b], handles_of(arguments)));
    variables.merge(used);
  }
  MOTE_ASSIGN(std::vector<ValueId> inputs, passed(n, arguments, variables));
  std::vector<FunctionId> bodies;
  for (int b : {0, 1}) {
    Body body;
    MOTE_ASSIGN(body.frame.function, importer.add_function(concat(n.name(), b == 0 ? "/then" : "/else")));
    MOTE_TRY(take_inputs(n, body, arguments, variables, types_of(n, inputs)));
    MOTE_ASSIGN(std::vector<Argument> made, branch(n, body, subgraphs[b], b == 0 ? "then" : "else"));
    MOTE_TRY(check_results(n, made.size()));
    if (b == 1 && handles_of(made) != handles_of(results)) return invalid("its branches give different resources");
    MOTE_TRY(give_outputs(n, body, made, variables));
    results = std::move(made);
    bodies.push_back(body.frame.function);
  }
  inputs.insert(inputs.begin(), n.in(0));
  int count = static_cast<int>(importer.fn(bodies[0]).outputs.size());
  give_results(n, results, n.emit_multi("if", std::move(inputs), count, {}, std::move(bodies)), variables);
  return {};
}

namespace {

struct Loop {
  std::int32_t cond, body;
  std::vector<Argument> arguments;
  std::set<VariableId> variables;
};

// The loop's condition, in `body`'s frame, over `arguments`.
Result<ValueId> condition(NodeContext& n, Frame& frame, const Loop& loop, const std::vector<Argument>& arguments) {
  MOTE_ASSIGN(std::vector<Argument> made,
              n.importer().inline_subgraph(frame, loop.cond, arguments, concat(n.name(), "/condition/")));
  if (made.size() != 1 || made[0].value == kNone) return invalid("its condition does not give one value");
  return made[0].value;
}

// The body for carried values of these types.
Result<Body> loop_body(NodeContext& n, const Loop& loop, const std::vector<Type>& types,
                       std::vector<Argument>& results) {
  Importer& importer = n.importer();
  Body body;
  MOTE_ASSIGN(body.frame.function, importer.add_function(concat(n.name(), "/body")));
  importer.add_input(body.frame.function, "iteration", Type::tensor(DType::i64, Shape()));
  importer.add_input(body.frame.function, "condition", Type::tensor(DType::boolean, Shape()));
  MOTE_TRY(take_inputs(n, body, loop.arguments, loop.variables, types));
  MOTE_ASSIGN(results, importer.inline_subgraph(body.frame, loop.body, body.arguments, concat(n.name(), "/body/")));
  MOTE_TRY(check_results(n, results.size()));
  if (handles_of(results) != handles_of(loop.arguments)) return invalid("its body gives other resources than it takes");
  MOTE_ASSIGN(ValueId again, condition(n, body.frame, loop, results));
  MOTE_TRY(give_outputs(n, body, {{again, {}}}, {}));
  MOTE_TRY(give_outputs(n, body, results, loop.variables));
  return body;
}

}  // namespace

Status import_while(NodeContext& n) {
  auto* o = n.options<fbs::WhileOptions>(fbs::BuiltinOptions::While);
  if (!o) return invalid("has no options");
  Importer& importer = n.importer();
  Loop loop{0, 0, arguments_of(n, 0), {}};
  MOTE_ASSIGN(loop.cond, importer.subgraph_index(o->cond_subgraph()));
  MOTE_ASSIGN(loop.body, importer.subgraph_index(o->body_subgraph()));
  for (std::int32_t s : {loop.cond, loop.body}) {
    MOTE_ASSIGN(std::set<VariableId> used, importer.variables_of(s, handles_of(loop.arguments)));
    loop.variables.merge(used);
  }
  MOTE_ASSIGN(std::vector<ValueId> inputs, passed(n, loop.arguments, loop.variables));
  MOTE_ASSIGN(ValueId start, condition(n, n.frame(), loop, loop.arguments));
  std::vector<Type> types = types_of(n, inputs);
  std::vector<Argument> results;
  Body body;
  // Extents that an iteration changes are open; what that opens in turn is found by reading the body again.
  for (int round = 0;; ++round) {
    FunctionId mark = static_cast<FunctionId>(importer.module().functions.size());
    MOTE_ASSIGN(body, loop_body(n, loop, types, results));
    const Function& f = importer.fn(body.frame.function);
    bool same = true;
    for (std::size_t i = 0; i < types.size(); ++i) {
      const Type& after = f.values[static_cast<std::size_t>(f.outputs[i + 1])].type;
      if (after == types[i]) continue;
      same = false;
      Type joined = join(types[i], after, [&] { return importer.fresh_name(); });
      if (round > 0) joined.shape.reset();
      types[i] = std::move(joined);
    }
    if (same || round == 2) break;
    importer.drop_functions(mark);
  }
  inputs.insert(inputs.begin(), {kNone, start});
  std::int64_t carried = static_cast<std::int64_t>(types.size());
  std::vector<ValueId> made = n.emit_multi("loop", std::move(inputs), static_cast<int>(carried),
                                           {{"carried", carried}, {"counted", std::int64_t{0}}}, {body.frame.function});
  give_results(n, results, made, loop.variables);
  return {};
}

namespace {

Status call(NodeContext& n, std::int64_t index) {
  MOTE_ASSIGN(std::int32_t subgraph, n.importer().subgraph_index(index));
  MOTE_ASSIGN(std::vector<Argument> results,
              n.importer().inline_subgraph(n.frame(), subgraph, arguments_of(n, 0), n.name() + "/"));
  MOTE_TRY(check_results(n, results.size()));
  for (int i = 0; i < n.outputs(); ++i) {
    const Argument& a = results[static_cast<std::size_t>(i)];
    if (is_handle(a)) {
      n.output_handle(i, a.handle);
    } else {
      n.output(i, a.value);
    }
  }
  return {};
}

}  // namespace

Status import_call(NodeContext& n) {
  auto* o = n.options<fbs::CallOptions>(fbs::BuiltinOptions::Call);
  return o ? call(n, o->subgraph()) : invalid("has no options");
}

// An operation by name and version, spelled out as a subgraph of the format's own operators for those who do not know
// it.
Status import_composite(NodeContext& n) {
  auto* o = n.proto().builtin_options_2_as_StableHLOComposite();
  return o ? call(n, o->decomposition_subgraph()) : invalid("has no options");
}

Status import_call_once(NodeContext& n) {
  auto* o = n.options<fbs::CallOnceOptions>(fbs::BuiltinOptions::CallOnce);
  if (!o) return invalid("has no options");
  Importer& importer = n.importer();
  MOTE_ASSIGN(std::int32_t subgraph, importer.subgraph_index(o->init_subgraph()));
  if (size_of(importer.file().subgraph(subgraph).inputs()) != 0) return invalid("its subgraph takes inputs");
  MOTE_ASSIGN(std::set<VariableId> variables, importer.variables_of(subgraph, {}));
  MOTE_ASSIGN(VariableId mark,
              importer.variable(concat("call_once/", subgraph), Type::tensor(DType::boolean, Shape())));
  if (variables.empty()) {
    // Tables are filled; nothing is left to do in a run.
    Frame unused;
    FunctionId end = static_cast<FunctionId>(importer.module().functions.size());
    MOTE_ASSIGN(unused.function, importer.add_function("once"));
    MOTE_TRY(importer.inline_subgraph(unused, subgraph, {}, n.name() + "/").status());
    importer.drop_functions(end);
    return {};
  }
  MOTE_ASSIGN(ValueId done, importer.read_variable(n.frame(), mark));
  MOTE_ASSIGN(std::vector<ValueId> inputs, passed(n, {}, variables));
  std::vector<FunctionId> bodies;
  for (std::int32_t s : {-1, subgraph}) {
    Body body;
    MOTE_ASSIGN(body.frame.function, importer.add_function(concat(n.name(), s < 0 ? "/done" : "/once")));
    MOTE_TRY(take_inputs(n, body, {}, variables, types_of(n, inputs)));
    MOTE_TRY(branch(n, body, s, "once").status());
    MOTE_TRY(give_outputs(n, body, {}, variables));
    bodies.push_back(body.frame.function);
  }
  inputs.insert(inputs.begin(), done);
  int count = static_cast<int>(variables.size());
  give_results(n, {}, n.emit_multi("if", std::move(inputs), count, {}, std::move(bodies)), variables);
  n.frame().variables[mark] = n.scalar(1, DType::boolean);
  return {};
}

}  // namespace mote::tflite
