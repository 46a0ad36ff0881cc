// fuse_block_weights: matmul with a constant matrix that is dequantized, from fewer than 8 bits or with a scale for
// every block along the depth, becomes matmul_nbits, which keeps the weights as they are. Between the two may stand
// what only moves them (transposes, a cut to the depth) and a cast to f32.
#include <algorithm>

#include "passes/facts.h"
#include "passes/list.h"
#include "passes/rules.h"
#include "passes/weights.h"

namespace mote::passes {
namespace {

struct Weights {
  NodeId node = kNone;      // the dequantize_linear
  std::int64_t k_axis = 0;  // in what it reads
  bool widened = false;
};

// Whether a transpose of a matrix exchanges its axes.
bool exchanges(const Graph& g, NodeId n) {
  std::vector<std::int64_t> perm = g.attr_ints(n, "perm");
  return perm.empty() || (perm.size() == 2 && perm[0] == 1);
}

// A slice that takes the front of the axis `k` alone.
bool cuts_end(const Graph& g, NodeId n, std::int64_t k) {
  std::optional<std::vector<std::int64_t>> starts = g.ints(g.input(n, 1));
  ValueId steps = g.input(n, 4);
  std::optional<std::vector<std::int64_t>> by = steps == kNone ? std::nullopt : g.ints(steps);
  auto all = [](const std::vector<std::int64_t>& v, std::int64_t x) {
    return std::ranges::count(v, x) == std::ssize(v);
  };
  if (!starts || !all(*starts, 0) || (steps != kNone && (!by || !all(*by, 1)))) return false;
  const Type &from = g.type(g.input(n, 0)), &to = g.type(g.output(n));
  std::size_t other = static_cast<std::size_t>(1 - k);
  return from.is_static() && to.is_static() && (*from.shape)[other] == (*to.shape)[other];
}

// What the right operand of a product, whose depth runs along `k_axis`, is dequantized from.
std::optional<Weights> weights_behind(const Graph& g, ValueId v, std::int64_t k_axis) {
  Weights w{kNone, k_axis, false};
  for (int depth = 0; depth < 8 && g.has_rank(v) && g.type(v).rank() == 2; ++depth) {
    NodeId n = g.producer(v);
    if (g.is(n, "dequantize_linear")) {
      w.node = n;
      return w;
    }
    if (g.is(n, "transpose")) {
      if (exchanges(g, n)) w.k_axis = 1 - w.k_axis;
    } else if (g.is(n, "cast")) {
      if (g.type(v).dtype != DType::f32) return std::nullopt;
      w.widened = true;
    } else if (!g.is(n, "slice") || !cuts_end(g, n, w.k_axis)) {
      return std::nullopt;
    }
    v = g.input(n, 0);
  }
  return std::nullopt;
}

bool rewrite(Graph& g, NodeId n) {
  if (g.attr_int(n, "trans_a") != 0 || !g.has_rank(g.input(n, 0)) || g.node(n).attrs.has("epilogue")) return false;
  std::optional<Weights> found = weights_behind(g, g.input(n, 1), g.attr_int(n, "trans_b") != 0 ? 1 : 0);
  if (!found) return false;
  NodeId dq = found->node;
  ValueId w = g.input(dq, 0), scales = g.input(dq, 1), zero = g.input(dq, 2), bias = g.input(n, 2);
  std::int64_t block = g.attr_int(dq, "block_size"), axis = g.attr_int(dq, "axis"), k_axis = found->k_axis;
  if (axis < 0) axis += 2;
  if (block > 0 ? axis != k_axis : axis != 1 - k_axis) return false;
  // Integers that were moved already.
  for (NodeId t = g.producer(w, "transpose"); block == 0 && t != kNone; t = g.producer(w, "transpose")) {
    if (exchanges(g, t)) k_axis = 1 - k_axis;
    w = g.input(t, 0);
  }
  const Constant *constant = g.constant(w), *scale = g.constant(scales);
  if (!constant || !scale || !constant->type.is_static() || (zero != kNone && !g.constant(zero))) return false;
  const Shape shape = *constant->type.shape;
  const Dim columns = shape[static_cast<std::size_t>(1 - k_axis)];
  Builder b = g.builder(n);
  if (block == 0) {
    // One scale per column is one block.
    if (bits_of(constant->type.dtype) >= 8 || scale->type.rank() != 1) return false;
    block = shape[static_cast<std::size_t>(k_axis)].value();
    std::vector<std::int64_t> as = {columns.value(), 1};
    if (k_axis == 0) std::swap(as[0], as[1]);
    scales = reshaped_constant(b, Constant(*scale), as);
    if (zero != kNone) zero = reshaped_constant(b, Constant(*g.constant(zero)), as);
  }
  if (bias != kNone && (!g.has_rank(bias) || g.type(bias).rank() != 1 || !((*g.type(bias).shape)[0] == columns)))
    return false;
  if (found->widened) scales = b.add("cast", {scales}, {{"to", DType::f32}});
  std::vector<ValueId> inputs = {g.input(n, 0), w, scales, zero, bias};
  while (inputs.back() == kNone) inputs.pop_back();
  std::vector<Attrs::Item> attrs = {{"block_size", block}};
  if (k_axis == 0) attrs.emplace_back("k_axis", std::int64_t{0});
  return g.replace(n, b, {b.add("matmul_nbits", inputs, attrs)});
}

// A constant of one value per column that is added to the product.
bool take_bias(Graph& g, NodeId n) {
  for (std::size_t side : {0u, 1u}) {
    NodeId mm = g.producer(g.input(n, side), "matmul_nbits");
    ValueId bias = g.input(n, 1 - side);
    if (mm == kNone || !g.single(g.input(n, side)) || g.input(mm, 4) != kNone || g.node(mm).attrs.has("epilogue"))
      continue;
    const Type& y = g.type(g.output(n));
    if (!g.constant(bias) || !same_type(y, g.type(g.output(mm))) || !y.shape->back().is_const()) continue;
    const std::int64_t columns = y.shape->back().value();
    if (!along_axis(g, bias, y.rank(), y.rank() - 1, columns)) continue;
    Builder b = g.builder(n);
    Node made = g.node(mm);
    made.inputs.resize(5, kNone);
    made.inputs[4] = g.type(bias).rank() == 1 ? bias : reshaped_constant(b, Constant(*g.constant(bias)), {columns});
    ValueId out = b.add("matmul_nbits", made.inputs, {made.attrs.items().begin(), made.attrs.items().end()});
    return g.replace(n, b, {out});
  }
  return false;
}

}  // namespace

int fuse_block_weights(Module& m, const OpLookup& ops) {
  return apply_rules(m, ops, {{"matmul", rewrite}, {"add", take_bias}});
}

}  // namespace mote::passes
