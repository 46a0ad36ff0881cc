// channels_first: convolutions and pools of images whose channels come last (data_layout NXC, as TensorFlow has them)
// read a transposed view and compute as those of every other format do; the view behind them sinks through elementwise
// ops, concats and resizes until it meets the next image op's, and vanishes with it. Memory stays as it was: channels
// last.
#include <algorithm>

#include "passes/epilogue_steps.h"
#include "passes/facts.h"
#include "passes/list.h"
#include "passes/rules.h"

namespace mote::passes {
namespace {

using Ints = std::vector<std::int64_t>;

Ints to_first(std::int64_t rank) {
  Ints perm = {0, rank - 1};
  for (std::int64_t a = 1; a < rank - 1; ++a) perm.push_back(a);
  return perm;
}

Ints to_last(std::int64_t rank) {
  Ints perm = {0};
  for (std::int64_t a = 2; a < rank; ++a) perm.push_back(a);
  perm.push_back(1);
  return perm;
}

ValueId transposed(Builder& b, ValueId v, Ints perm) { return b.add("transpose", {v}, {{"perm", std::move(perm)}}); }

// The node as it is, on other operands.
ValueId again(Graph& g, Builder& b, NodeId n, std::vector<ValueId> inputs, std::vector<Attrs::Item> changed = {}) {
  Attrs attrs = g.node(n).attrs;
  for (auto& [name, value] : changed) attrs.set(name, std::move(value));
  return b.add(g.node(n).op->name, std::move(inputs), {attrs.items().begin(), attrs.items().end()});
}

bool image(Graph& g, NodeId n) {
  const Op& op = *g.node(n).op;
  ValueId x = g.input(n, 0);
  if (g.attr_string(n, "data_layout") != "NXC" || !g.has_rank(x) || g.node(n).outputs.size() != 1) return false;
  if (g.node(n).attrs.has("epilogue")) return false;
  std::int64_t rank = g.type(x).rank();
  if (rank < 3) return false;
  Builder b = g.builder(n);
  std::vector<ValueId> inputs = g.node(n).inputs;
  inputs[0] = transposed(b, x, to_first(rank));
  std::vector<Attrs::Item> changed = {{"data_layout", std::string("NCX")}};
  if (op.attr("weight_layout") && g.attr_string(n, "weight_layout") == "OXI") {
    bool is_transpose = op.name == "conv_transpose";
    if (is_transpose && g.attr_int(n, "group") != 1) return false;
    Ints perm = to_first(rank);
    if (is_transpose) std::swap(perm[0], perm[1]);
    inputs[1] = transposed(b, inputs[1], std::move(perm));
    changed.emplace_back("weight_layout", std::string(is_transpose ? "IOX" : "OIX"));
  }
  return g.replace(n, b, {transposed(b, again(g, b, n, std::move(inputs), std::move(changed)), to_last(rank))});
}

// What v is the channels-last view of, or kNone.
ValueId source_of(const Graph& g, ValueId v) {
  NodeId t = g.producer(v, "transpose");
  if (t == kNone || !g.has_rank(v) || g.type(v).rank() < 3) return kNone;
  return perm_of(g, t) == to_last(g.type(v).rank()) ? g.input(t, 0) : kNone;
}

bool through_unary(Graph& g, NodeId n) {
  ValueId x = source_of(g, g.input(n, 0));
  if (x == kNone || !unary_step(g, n)) return false;
  std::vector<ValueId> inputs = g.node(n).inputs;
  inputs[0] = x;
  Builder b = g.builder(n);
  return g.replace(n, b, {transposed(b, again(g, b, n, std::move(inputs)), to_last(g.type(x).rank()))});
}

// The operand beside a view: itself where it is a number, a constant along the channels as one along axis 1.
ValueId beside(Graph& g, Builder& b, ValueId v, std::int64_t rank) {
  if (ValueId x = source_of(g, v); x != kNone && g.type(x).rank() == rank) return x;
  const Constant* c = g.constant(v);
  if (!c || !g.type(v).is_static()) return kNone;
  const Shape& shape = *g.type(v).shape;
  if (volume(shape).is(1) && static_cast<std::int64_t>(shape.size()) <= 1) return v;
  if (static_cast<std::int64_t>(shape.size()) > rank) return kNone;
  Ints extents(static_cast<std::size_t>(rank) - shape.size(), 1);
  for (const Dim& d : shape) extents.push_back(d.value());
  ValueId whole = static_cast<std::int64_t>(shape.size()) == rank ? v : b.add("reshape", {v, b.ints(extents)});
  return transposed(b, whole, to_first(rank));
}

bool through_binary(Graph& g, NodeId n) {
  std::int64_t rank = g.has_rank(g.output(n)) ? g.type(g.output(n)).rank() : 0;
  bool any = false;
  Builder b = g.builder(n);
  std::vector<ValueId> inputs = g.node(n).inputs;
  for (ValueId& v : inputs) {
    any = any || (v != kNone && source_of(g, v) != kNone);
    v = v == kNone ? kNone : beside(g, b, v, rank);
    if (v == kNone) return false;
  }
  return any && g.replace(n, b, {transposed(b, again(g, b, n, std::move(inputs)), to_last(rank))});
}

bool through_concat(Graph& g, NodeId n) {
  std::vector<ValueId> inputs;
  for (ValueId v : g.node(n).inputs) {
    inputs.push_back(source_of(g, v));
    if (inputs.back() == kNone) return false;
  }
  std::int64_t rank = g.type(inputs[0]).rank(), axis = g.attr_int(n, "axis");
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) return false;
  Builder b = g.builder(n);
  ValueId y = again(g, b, n, std::move(inputs), {{"axis", to_last(rank)[static_cast<std::size_t>(axis)]}});
  return g.replace(n, b, {transposed(b, y, to_last(rank))});
}

bool through_resize(Graph& g, NodeId n) {
  ValueId x = source_of(g, g.input(n, 0));
  Ints axes = g.attr_ints(n, "axes");
  if (x == kNone || axes.empty()) return false;
  std::int64_t rank = g.type(x).rank();
  for (std::int64_t& a : axes) {
    if (a < 0) a += rank;
    if (a < 0 || a >= rank) return false;
    a = to_last(rank)[static_cast<std::size_t>(a)];
  }
  std::vector<ValueId> inputs = g.node(n).inputs;
  inputs[0] = x;
  Builder b = g.builder(n);
  ValueId y = again(g, b, n, std::move(inputs), {{"axes", std::move(axes)}});
  return g.replace(n, b, {transposed(b, y, to_last(rank))});
}

// Reductions over all of the space.
bool through_mean(Graph& g, NodeId n) {
  ValueId x = source_of(g, g.input(n, 0));
  std::optional<Ints> axes = reduce_axes(g, n);
  if (x == kNone || !axes) return false;
  std::int64_t rank = g.type(x).rank();
  Ints space, first;
  for (std::int64_t a = 1; a < rank - 1; ++a) {
    space.push_back(a);
    first.push_back(a + 1);
  }
  if (*axes != space) return false;
  Builder b = g.builder(n);
  ValueId y = again(g, b, n, {x, b.ints(first)});
  if (g.attr_int(n, "keepdims") != 0) y = transposed(b, y, to_last(rank));
  return g.replace(n, b, {y});
}

}  // namespace

int channels_first(Module& m, const OpLookup& ops) {
  std::vector<Rule> rules;
  for (const char* op : {"conv", "conv_transpose", "average_pool", "max_pool", "lp_pool"}) rules.push_back({op, image});
  for (const char* op : {"relu",       "hard_swish", "sigmoid", "tanh", "mish",         "softplus", "softsign",
                         "abs",        "neg",        "exp",     "sqrt", "erf",          "log",      "reciprocal",
                         "leaky_relu", "elu",        "selu",    "celu", "hard_sigmoid", "swish",    "thresholded_relu",
                         "gelu",       "clip"}) {
    rules.push_back({op, through_unary});
  }
  for (const char* op : {"add", "sub", "mul", "div", "max", "min", "prelu"}) rules.push_back({op, through_binary});
  rules.push_back({"concat", through_concat});
  rules.push_back({"resize", through_resize});
  rules.push_back({"reduce_mean", through_mean});
  return apply_rules(m, ops, rules);
}

}  // namespace mote::passes
