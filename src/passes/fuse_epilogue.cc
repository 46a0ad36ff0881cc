// fuse_epilogue: elementwise ops that alone read the result of a conv or matmul become steps of its epilogue program
// (ops/epilogue.h): activations, arithmetic with one number, and with a tensor of the result's own shape (a residual).
// The node moves to the place of the last op it takes in. Steps keep their order and rounding.
#include <algorithm>
#include <cmath>

#include "passes/epilogue_steps.h"
#include "passes/facts.h"
#include "passes/list.h"

namespace mote::passes {
namespace {

using kernels::BinaryOp;
using kernels::Form;
using kernels::UnaryOp;

// Attributes that are the immediates of a unary opcode, in order.
struct Immediates {
  std::string_view op, a, b;
};
constexpr Immediates kImmediates[] = {
    {"leaky_relu", "alpha", ""},       {"elu", "alpha", ""},   {"selu", "alpha", "gamma"},        {"celu", "alpha", ""},
    {"hard_sigmoid", "alpha", "beta"}, {"swish", "alpha", ""}, {"thresholded_relu", "alpha", ""},
};
constexpr std::string_view kPlain[] = {"relu", "hard_swish", "sigmoid", "tanh", "mish", "softplus", "softsign",
                                       "abs",  "neg",        "exp",     "sqrt", "erf",  "log",      "reciprocal"};

EpilogueStep activation(UnaryOp op, double a = 0, double b = 0) {
  EpilogueStep s{};
  s.form = Form::kUnary;
  s.opcode = static_cast<std::uint8_t>(op);
  s.a = a;
  s.b = b;
  return s;
}

// Where the operands of a node's epilogue start: its last, variadic slot. Nothing for an op without epilogue.
std::optional<std::size_t> first_operand(const Op& op) {
  if (!op.attr("epilogue") || op.inputs.empty() || op.inputs.back().arity != Arity::kVariadic) return std::nullopt;
  return op.inputs.size() - 1;
}

struct Fused {
  NodeId node = kNone;
  std::vector<std::string> steps;
  std::size_t operands = 0;
};

// The node behind v when it may take one more step.
std::optional<Fused> host(const Graph& g, ValueId v) {
  NodeId n = g.producer(v);
  if (n == kNone || !g.single(v) || !g.has_rank(v)) return std::nullopt;
  std::optional<std::size_t> first = first_operand(*g.node(n).op);
  DType t = g.type(v).dtype;
  if (!first || (t != DType::f32 && t != DType::f16 && t != DType::bf16)) return std::nullopt;
  Fused f{n, mote::attr_strings(*g.node(n).op, g.node(n).attrs, "epilogue"), 0};
  if (f.steps.size() >= static_cast<std::size_t>(kernels::kMaxProgramOps)) return std::nullopt;
  f.operands = std::max(g.node(n).inputs.size(), *first) - *first;
  return f;
}

bool attach(Graph& g, NodeId consumer, Fused f, EpilogueStep step, ValueId operand) {
  Node node = g.node(f.node);
  if (operand != kNone) {
    if (f.operands >= static_cast<std::size_t>(kernels::kMaxProgramOperands)) return false;
    node.inputs.resize(std::max(node.inputs.size(), *first_operand(*node.op)), kNone);
    step.operand = static_cast<int>(node.inputs.size());
    node.inputs.push_back(operand);
  }
  f.steps.push_back(to_string(step));
  node.attrs.set("epilogue", AttrValue(f.steps));
  Builder b = g.builder(consumer);
  ValueId y = b.add(node.op->name, node.inputs, {node.attrs.items().begin(), node.attrs.items().end()});
  return g.replace(consumer, b, {y});
}

bool fuse_unary(Graph& g, NodeId n) {
  std::optional<Fused> f = host(g, g.input(n, 0));
  std::optional<EpilogueStep> step = f ? unary_step(g, n) : std::nullopt;
  return step && attach(g, n, *std::move(f), *step, kNone);
}

// A program without operands besides its value.
bool fuse_program(Graph& g, NodeId n) {
  std::optional<Fused> f = host(g, g.input(n, 0));
  if (!f || g.node(n).inputs.size() != 1 || !same_type(g.type(g.input(n, 0)), g.type(g.output(n)))) return false;
  const std::vector<std::string> program = mote::attr_strings(*g.node(n).op, g.node(n).attrs, "epilogue");
  Result<std::vector<EpilogueStep>> steps = parse_epilogue(program);
  // `start` names another value in the longer program.
  if (!steps.ok() || f->steps.size() + program.size() > static_cast<std::size_t>(kernels::kMaxProgramOps) ||
      std::ranges::any_of(*steps, [](const EpilogueStep& s) { return s.operand == kernels::kStart; }))
    return false;
  Node node = g.node(f->node);
  f->steps.insert(f->steps.end(), program.begin(), program.end());
  node.attrs.set("epilogue", AttrValue(f->steps));
  Builder b = g.builder(n);
  ValueId y = b.add(node.op->name, node.inputs, {node.attrs.items().begin(), node.attrs.items().end()});
  return g.replace(n, b, {y});
}

bool fuse_binary_side(Graph& g, NodeId n, std::size_t side) {
  ValueId v = g.input(n, side), other = g.input(n, 1 - side);
  std::optional<Fused> f = host(g, v);
  std::optional<BinaryOp> op = binary_of(g.node(n).op->name);
  if (!f || !op || !same_type(g.type(v), g.type(g.output(n)))) return false;
  EpilogueStep step{};
  step.form = side == 0 || *op == BinaryOp::add || *op == BinaryOp::mul ? Form::kBinary : Form::kReversed;
  step.opcode = static_cast<std::uint8_t>(*op);
  if (std::optional<double> c = g.scalar(other)) {
    step.a = *c;
    return attach(g, n, *std::move(f), step, kNone);
  }
  // An elementwise program takes operands that broadcast, others only those of the result's shape.
  bool broadcasts = g.is(f->node, "elementwise") && g.type(v).dtype == g.type(other).dtype && g.has_rank(other);
  if (!broadcasts && !same_type(g.type(v), g.type(other))) return false;
  return attach(g, n, *std::move(f), step, other);
}

// With two hosts, the later one takes the op in: the other result is there by then.
bool fuse_binary(Graph& g, NodeId n) {
  NodeId a = g.producer(g.input(n, 0)), b = g.producer(g.input(n, 1));
  std::size_t first = a != kNone && b != kNone && g.before(a, b) ? 1 : 0;
  return fuse_binary_side(g, n, first) || fuse_binary_side(g, n, 1 - first);
}

}  // namespace

std::optional<EpilogueStep> unary_step(const Graph& g, NodeId n) {
  std::string_view name = g.node(n).op->name;
  if (std::ranges::find(kPlain, name) != std::end(kPlain)) return activation(*kernels::unary_op_of(name));
  for (const Immediates& i : kImmediates) {
    if (i.op != name) continue;
    return activation(*kernels::unary_op_of(name), g.attr_float(n, i.a), i.b.empty() ? 0 : g.attr_float(n, i.b));
  }
  if (name == "gelu") {
    return activation(g.attr_string(n, "approximate") == "tanh" ? UnaryOp::gelu_tanh : UnaryOp::gelu);
  }
  if (name == "clip") {
    auto bound = [&](std::size_t i, double open) {
      return g.input(n, i) == kNone ? std::optional(open) : g.scalar(g.input(n, i));
    };
    std::optional<double> low = bound(1, -INFINITY), high = bound(2, INFINITY);
    if (low && high) return activation(UnaryOp::clip, *low, *high);
  }
  return std::nullopt;
}

std::optional<BinaryOp> binary_of(std::string_view op) {
  constexpr BinaryOp kOps[] = {BinaryOp::add, BinaryOp::sub, BinaryOp::mul, BinaryOp::div};
  for (BinaryOp b : kOps) {
    if (kernels::name_of(b) == op) return b;
  }
  return std::nullopt;
}

std::vector<Rule> epilogue_rules() {
  std::vector<Rule> rules;
  for (std::string_view name : kPlain) rules.push_back({std::string(name), fuse_unary});
  for (const Immediates& i : kImmediates) rules.push_back({std::string(i.op), fuse_unary});
  for (const char* name : {"gelu", "clip"}) rules.push_back({name, fuse_unary});
  for (const char* name : {"add", "sub", "mul", "div"}) rules.push_back({name, fuse_binary});
  rules.push_back({"elementwise", fuse_program});
  return rules;
}

int fuse_epilogue(Module& m, const OpLookup& ops) { return apply_rules(m, ops, epilogue_rules()); }

}  // namespace mote::passes
