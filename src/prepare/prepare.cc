#include "prepare/prepare.h"

#include <algorithm>

#include "base/text.h"
#include "ops/decompose.h"
#include "ops/ops.h"
#include "plan/verify.h"
#include "prepare/fold.h"
#include "prepare/lower.h"
#include "prepare/precision.h"
#include "prepare/widen.h"

namespace mote {
namespace {

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

// Fixes what the caller said about symbols and input shapes.
Status bind_inputs(Module& m, const PrepareOptions& options) {
  std::map<std::string, bool> used;
  for (Signature& s : m.signatures) {
    Function& f = m.functions[at(s.function)];
    for (ValueId v : f.inputs) {
      Value& in = f.values[at(v)];
      auto shape = options.shapes.find(in.name);
      if (shape != options.shapes.end()) {
        used[in.name] = true;
        if (!in.type.is_tensor()) return invalid("input '" + in.name + "' is not a tensor");
        if (in.type.has_rank() && in.type.shape->size() != shape->second.size()) {
          return invalid("input '" + in.name + "' has rank " + std::to_string(in.type.rank()) + ", the given shape " +
                         to_string(shape->second));
        }
        in.type.shape = shape->second;
      }
      if (!in.type.has_rank()) continue;
      for (Dim& d : *in.type.shape) {
        d = d.substitute([&](std::string_view name) -> std::optional<Dim> {
          auto it = options.dims.find(std::string(name));
          if (it == options.dims.end()) return std::nullopt;
          used["dim " + it->first] = true;
          return Dim(it->second);
        });
      }
    }
    for (const auto& [in, out] : options.states) {
      State state{in, kNone, kNone};
      for (std::size_t i = 0; i < f.inputs.size(); ++i) {
        if (f.values[at(f.inputs[i])].name == in) state.input = static_cast<std::int32_t>(i);
      }
      for (std::size_t i = 0; i < f.outputs.size(); ++i) {
        if (f.values[at(f.outputs[i])].name == out) state.output = static_cast<std::int32_t>(i);
      }
      if (state.input == kNone) return invalid(concat("no input named '", in, "' to make a state of"));
      if (state.output == kNone) return invalid(concat("no output named '", out, "' to feed state '", in, "'"));
      s.states.push_back(state);
    }
  }
  for (const auto& [name, shape] : options.shapes) {
    if (!used[name])
      return invalid("the model has no input named '" + name + "'").hint("mote inspect MODEL lists the inputs");
  }
  for (const auto& [name, extent] : options.dims) {
    if (extent < 0) return invalid("dimension '" + name + "' cannot be negative");
    if (!used["dim " + name])
      return invalid("no input has a dimension named '" + name + "'").hint("mote inspect MODEL lists the symbols");
  }
  return {};
}

bool structural(const Node& n) { return n.op->is(kControl) || n.op->is(kView) || n.op->name == "identity"; }

enum class Taken { kNo, kFallback, kYes };

Taken taken(const Module& m, const Function& f, const Node& n, const PrepareOptions& options) {
  if (structural(n)) return Taken::kYes;
  NodeView view{m, f, n};
  Taken best = Taken::kNo;
  for (const Target* t : options.targets) {
    if (best == Taken::kYes || (best == Taken::kFallback && t->is_fallback())) continue;
    if (t->claim(view, options.target)) best = t->is_fallback() ? Taken::kFallback : Taken::kYes;
  }
  return best;
}

// Nodes that cost next to nothing whoever runs them: what lowering does by views and copies, and sums over shapes.
bool is_light(const Function& f, const Node& n) {
  for (std::string_view op : {"transpose", "slice", "split", "expand", "concat"}) {
    if (n.op->name == op) return true;
  }
  return std::all_of(n.outputs.begin(), n.outputs.end(), [&](ValueId v) {
    if (v == kNone) return true;
    const Type& t = f.values[at(v)].type;
    return t.is_tensor() && (is_int(t.dtype) || t.dtype == DType::boolean) && t.has_rank() && t.rank() <= 1;
  });
}

// The nodes that stand for `n`, where it is better to have them: nobody takes n, or only a fallback does while others
// take every part. Empty result: n stays.
using Replacement = Widening::Replacement;

Result<std::optional<Replacement>> decomposed(Module& m, FunctionId id, const Node& n, Taken now,
                                              const PrepareOptions& options) {
  DecomposeFn decompose = find_decomposition(*n.op);
  if (!decompose || now == Taken::kYes || (now == Taken::kFallback && !options.optimise))
    return std::optional<Replacement>();
  std::size_t values = m.functions[at(id)].values.size(), constants = m.constants.size();
  Builder b(m, id, builtin_ops(), n.name + "/");
  Result<std::vector<ValueId>> outputs = decompose(b, n);
  if (now == Taken::kFallback) {
    bool better = outputs.ok() && b.status().ok();
    for (const Node& part : b.nodes()) {
      const Function& f = m.functions[at(id)];
      better = better && (taken(m, f, part, options) == Taken::kYes || is_light(f, part) ||
                          find_decomposition(*part.op) != nullptr);
    }
    if (!better) {
      m.functions[at(id)].values.resize(values);
      m.constants.resize(constants);
      return std::optional<Replacement>();
    }
  }
  if (!outputs.ok()) return std::move(outputs).status().at("node '" + n.name + "'");
  if (!b.status().ok()) return Status(b.status()).at("decomposition of node '" + n.name + "'");
  return std::optional(Replacement{std::move(b.nodes()), *std::move(outputs)});
}

// Decomposes until every node is taken; lists all that nobody takes.
Status decompose_untaken(Module& m, FunctionId id, const PrepareOptions& options, std::vector<std::string>& missing) {
  Widening widening(m, id, [&](const Node& n) { return taken(m, m.functions[at(id)], n, options) == Taken::kYes; });
  for (int round = 0; round < 8; ++round) {
    bool changed = false;
    std::vector<Node> old = std::move(m.functions[at(id)].nodes);
    std::vector<Node> now;
    std::map<ValueId, ValueId> renamed;
    auto rename = [&](ValueId& v) {
      if (auto it = renamed.find(v); it != renamed.end()) v = it->second;
    };
    for (Node& n : old) {
      for (ValueId& v : n.inputs) rename(v);
      Taken who = taken(m, m.functions[at(id)], n, options);
      std::optional<Replacement> parts;
      if (options.optimise) {
        MOTE_ASSIGN(parts, widening.replace(n, who == Taken::kFallback));
      }
      if (!parts) {
        MOTE_ASSIGN(parts, decomposed(m, id, n, who, options));
      }
      if (!parts) {
        if (who == Taken::kNo) missing.push_back(std::string(n.op->name) + " (node '" + n.name + "')");
        now.push_back(std::move(n));
        continue;
      }
      for (Node& made : parts->nodes) now.push_back(std::move(made));
      Function& f = m.functions[at(id)];
      for (std::size_t i = 0; i < n.outputs.size() && i < parts->outputs.size(); ++i) {
        if (n.outputs[i] == kNone || parts->outputs[i] == kNone) continue;
        f.values[at(parts->outputs[i])].name = f.values[at(n.outputs[i])].name;
        renamed[n.outputs[i]] = parts->outputs[i];
      }
      changed = true;
    }
    Function& f = m.functions[at(id)];
    f.nodes = std::move(now);
    for (ValueId& v : f.outputs) rename(v);
    f.reindex();
    if (!changed || !missing.empty()) return {};
  }
  return internal_error("decompositions do not come to an end");
}

// What `name` stands for: a node's output of that name, or all outputs of the node of that name.
std::vector<ValueId> values_named(const Function& f, std::string_view name) {
  std::vector<ValueId> of_node;
  for (const Node& n : f.nodes) {
    for (ValueId v : n.outputs) {
      if (v == kNone) continue;
      if (f.values[at(v)].name == name) return {v};
      if (n.name == name) of_node.push_back(v);
    }
  }
  return of_node;
}

// Drops the nodes that no output needs.
void drop_unneeded(Function& f) {
  std::vector<bool> needed(f.values.size(), false);
  for (ValueId v : f.outputs) needed[at(v)] = true;
  std::vector<Node> kept;
  for (std::size_t i = f.nodes.size(); i-- > 0;) {
    Node& n = f.nodes[i];
    if (std::none_of(n.outputs.begin(), n.outputs.end(), [&](ValueId v) { return v != kNone && needed[at(v)]; }))
      continue;
    for (ValueId v : n.inputs) {
      if (v != kNone) needed[at(v)] = true;
    }
    kept.push_back(std::move(n));
  }
  std::reverse(kept.begin(), kept.end());
  f.nodes = std::move(kept);
  f.reindex();
}

Status choose_outputs(Module& m, const PrepareOptions& options) {
  Function& f = m.functions[at(m.signatures[0].function)];
  auto add = [&](const std::vector<std::string>& names) -> Status {
    for (const std::string& name : names) {
      std::vector<ValueId> values = values_named(f, name);
      if (values.empty()) {
        return invalid("the model has no node or value named '" + name + "'")
            .hint("mote inspect MODEL --nodes lists them");
      }
      for (ValueId v : values) {
        if (std::find(f.outputs.begin(), f.outputs.end(), v) == f.outputs.end()) f.outputs.push_back(v);
      }
    }
    return {};
  };
  if (!options.outputs.empty()) f.outputs.clear();
  MOTE_TRY(add(options.outputs));
  MOTE_TRY(add(options.extra_outputs));
  if (!options.outputs.empty()) drop_unneeded(f);
  return {};
}

// Bytes of the map between the convolutions of an inverted_residual, and the multiply-adds of the rows of it that two
// neighbouring strips share.
struct Between {
  std::int64_t bytes = 0, shared_macs = 0;
};

std::optional<Between> between(const Function& f, const Node& n) {
  auto dims = [&](ValueId v) -> std::optional<std::vector<std::int64_t>> {
    const Type& t = f.values[at(v)].type;
    return t.is_static() && t.rank() == 4 ? constant_extents(*t.shape) : std::nullopt;
  };
  const auto x = dims(n.inputs[0]), w = dims(n.inputs[3]), y = dims(n.outputs[0]);
  if (!x || !w || !y) return std::nullopt;
  const std::int64_t channels = (*w)[0];
  if (n.inputs[1] == kNone) return Between{(*y)[2] * (*y)[3] * channels * 4, 0};
  std::vector<std::int64_t> strides = attr_ints(*n.op, n.attrs, "strides");
  const std::int64_t rows = std::max<std::int64_t>((*w)[2] - (strides.empty() ? 1 : strides[0]), 0);
  return Between{(*x)[2] * (*x)[3] * channels * 4, rows * (*x)[3] * (*x)[1] * channels};
}

// Asks for strips where `trade` says, and they are not chosen anyway.
void ask_for_strips(Module& m, const PrepareOptions& options, StripTrade& trade) {
  for (Function& f : m.functions) {
    for (Node& n : f.nodes) {
      if (n.op->name != "inverted_residual" || taken(m, f, n, options) == Taken::kYes) continue;
      const std::optional<Between> map = between(f, n);
      if (!map || map->bytes < trade.from) continue;
      n.attrs.set("strips", AttrValue(std::int64_t{1}));
      if (taken(m, f, n, options) != Taken::kYes) continue;
      ++trade.steps;
      trade.repeated_macs += map->shared_macs;
    }
  }
}

}  // namespace

Status fix(Module& module, const PrepareOptions& options) {
  if (module.functions.empty()) return invalid("the module has no function");
  if (module.signatures.empty()) module.signatures.push_back({"main", 0, {}});
  MOTE_TRY(choose_outputs(module, options));
  return bind_inputs(module, options);
}

Status bind(Module& module, const PrepareOptions& options) {
  MOTE_TRY(fix(module, options));
  return Inference(module).run();
}

Result<Coverage> coverage(Module module, const PrepareOptions& options) {
  Coverage out;
  for (std::size_t i = 0; i < module.functions.size(); ++i) {
    MOTE_TRY(decompose_untaken(module, static_cast<FunctionId>(i), options, out.missing));
    const Function& f = module.functions[i];
    for (const Node& n : f.nodes) {
      if (!is_light(f, n) && taken(module, f, n, options) == Taken::kFallback)
        out.slow.push_back(std::string(n.op->name) + " (node '" + n.name + "')");
    }
  }
  return out;
}

Result<Plan> prepare(Module module, const PrepareOptions& options) {
  MOTE_TRY(bind(module, options));
  MOTE_TRY(simplify(module, options));
  if (options.strips) ask_for_strips(module, options, *options.strips);

  std::vector<std::string> missing;
  for (std::size_t f = 0; f < module.functions.size(); ++f) {
    MOTE_TRY(decompose_untaken(module, static_cast<FunctionId>(f), options, missing));
  }
  if (!missing.empty()) {
    std::string list;
    for (std::size_t i = 0; i < missing.size(); ++i) list += (i ? ", " : "") + missing[i];
    return unsupported("no backend runs: " + list).hint("see mote ops for what is supported");
  }
  if (options.weights != DType::f32) round_weights(module, options.weights);
  Inference inference(module);
  MOTE_TRY(inference.run());

  Plan plan;
  plan.target = std::string(name_of(options.target.cpu.best()));
  plan.reproducible = options.target.reproducible;
  plan.symbols = module.symbols;
  plan.metadata = module.metadata;
  Lowering lowering(module, inference, options, plan);
  for (const Signature& s : module.signatures) {
    PlanSignature signature{s.name, 0, {}};
    MOTE_ASSIGN(signature.function, lowering.function(s.function, &s, &signature.states));
    plan.signatures.push_back(std::move(signature));
  }
  if (options.sizes_only) return plan;
  MOTE_TRY(lowering.finish());
  MOTE_TRY(verify(plan));
  return plan;
}

}  // namespace mote
