// fuse_elementwise: elementwise ops in a row, where each alone reads the one before, become one `elementwise` program:
// one pass over the memory. The first one's operand has the shape of the result; the others' broadcast to it. f32 only,
// as steps are not rounded to a narrower type in between. What follows joins by the rules of fuse_epilogue.
#include <algorithm>

#include "passes/epilogue_steps.h"
#include "passes/facts.h"
#include "passes/list.h"

namespace mote::passes {
namespace {

using kernels::BinaryOp;
using kernels::Form;

// A node as a step on `value`, with at most one operand besides.
struct Step {
  EpilogueStep step{};
  ValueId value = kNone, operand = kNone;
};

std::optional<Step> binary_step(const Graph& g, NodeId n, std::size_t side) {
  std::optional<BinaryOp> op = binary_of(g.node(n).op->name);
  ValueId v = g.input(n, side), other = g.input(n, 1 - side);
  if (!op || g.node(n).inputs.size() != 2 || !g.has_rank(v) || !same_type(g.type(v), g.type(g.output(n))))
    return std::nullopt;
  Step s;
  s.value = v;
  s.step.form = side == 0 || *op == BinaryOp::add || *op == BinaryOp::mul ? Form::kBinary : Form::kReversed;
  s.step.opcode = static_cast<std::uint8_t>(*op);
  if (std::optional<double> c = g.scalar(other)) {
    s.step.a = *c;
  } else if (g.has_rank(other) && g.type(other).dtype == g.type(v).dtype) {
    s.operand = other;
  } else {
    return std::nullopt;
  }
  return s;
}

// The node as a step, on the operand that `on` picks: kNone for any.
std::optional<Step> step_of(const Graph& g, NodeId n, ValueId on) {
  if (n == kNone || g.node(n).outputs.size() != 1) return std::nullopt;
  if (std::optional<EpilogueStep> unary = unary_step(g, n)) {
    if (!g.has_rank(g.input(n, 0)) || !same_type(g.type(g.input(n, 0)), g.type(g.output(n)))) return std::nullopt;
    return Step{*unary, g.input(n, 0), kNone};
  }
  for (std::size_t side : {0u, 1u}) {
    if (on != kNone && g.input(n, side) != on) continue;
    if (std::optional<Step> s = binary_step(g, n, side)) return s;
  }
  return std::nullopt;
}

bool fuse_pair(Graph& g, NodeId n) {
  for (std::size_t i = 0; i < std::min<std::size_t>(g.node(n).inputs.size(), 2); ++i) {
    ValueId v = g.input(n, i);
    if (v == kNone || g.type(v).dtype != DType::f32 || !g.single(v)) continue;
    std::optional<Step> first = step_of(g, g.producer(v), kNone), second = step_of(g, n, v);
    if (!first || !second || second->value != v) continue;
    std::vector<ValueId> inputs{first->value};
    std::vector<std::string> program;
    for (Step* s : {&*first, &*second}) {
      if (s->operand != kNone) {
        s->step.operand = static_cast<int>(inputs.size());
        inputs.push_back(s->operand);
      }
      program.push_back(to_string(s->step));
    }
    Builder b = g.builder(n);
    ValueId y = b.add("elementwise", inputs, {{"epilogue", AttrValue(program)}});
    return g.replace(n, b, {y});
  }
  return false;
}

}  // namespace

int fuse_elementwise(Module& m, const OpLookup& ops) {
  std::vector<Rule> rules = epilogue_rules();
  std::size_t joining = rules.size();
  for (std::size_t i = 0; i < joining; ++i) rules.push_back({rules[i].op, fuse_pair});
  return apply_rules(m, ops, rules);
}

}  // namespace mote::passes
