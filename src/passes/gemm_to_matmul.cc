// gemm_to_matmul: gemm with alpha = beta = 1 becomes matmul, with a bias where that is one value per column, else with
// an add behind it; reshapes around a matmul, which only make its rows one axis and part them again, go.
#include <algorithm>
#include <utility>

#include "passes/facts.h"
#include "passes/list.h"
#include "passes/rules.h"
#include "passes/weights.h"

namespace mote::passes {
namespace {

bool rewrite(Graph& g, NodeId n) {
  ValueId c = g.input(n, 2);
  if (g.attr_float(n, "alpha") != 1 || (c != kNone && g.attr_float(n, "beta") != 1)) return false;
  const Type y = g.type(g.output(n));
  Builder b = g.builder(n);
  ValueId added = kNone;
  if (c != kNone) {
    if (!g.has_rank(c) || !y.has_rank() || y.rank() != 2) return false;
    const Shape shape = *g.type(c).shape;
    const Dim& columns = (*y.shape)[1];
    if (shape.empty() || !(shape.back() == columns) || (shape.size() == 2 && !shape[0].is(1))) {
      added = std::exchange(c, kNone);
    } else if (shape.size() == 2) {
      const Constant* constant = g.constant(c);
      c = constant ? reshaped_constant(b, Constant(*constant), {columns.known().value_or(-1)})
                   : b.add("reshape", {c, b.ints({-1})});
    }
  }
  std::vector<ValueId> inputs = {g.input(n, 0), g.input(n, 1)};
  if (c != kNone) inputs.push_back(c);
  std::vector<Attrs::Item> attrs;
  if (g.attr_int(n, "transA") != 0) attrs.emplace_back("trans_a", std::int64_t{1});
  if (g.attr_int(n, "transB") != 0) attrs.emplace_back("trans_b", std::int64_t{1});
  ValueId out = b.add("matmul", inputs, attrs);
  if (added != kNone) out = b.add("add", {out, added});
  return g.replace(n, b, {out});
}

// reshape(matmul(reshape(x), w, bias)) where x and the result have the same axes but the last.
bool unflatten(Graph& g, NodeId n) {
  NodeId mm = g.producer(g.input(n, 0), "matmul"), r = mm == kNone ? kNone : g.producer(g.input(mm, 0));
  if (r == kNone || !is_reshape(g, r) || !g.single(g.input(n, 0)) || g.node(mm).attrs.has("epilogue")) return false;
  ValueId x = g.input(r, 0), w = g.input(mm, 1), bias = g.input(mm, 2);
  const Type &y = g.type(g.output(n)), &flat = g.type(g.output(mm));
  if (!g.has_rank(x) || !y.has_rank() || !flat.has_rank() || flat.rank() != 2 || !g.has_rank(w)) return false;
  if (g.type(w).rank() != 2 || g.attr_int(mm, "trans_a") != 0) return false;
  if (bias != kNone && (!g.has_rank(bias) || g.type(bias).rank() != 1)) return false;
  const Shape &from = *g.type(x).shape, &to = *y.shape;
  if (from.size() != to.size() || from.size() < 3 || !(to.back() == flat.shape->back())) return false;
  if (!(from.back() == g.type(g.output(r)).shape->back())) return false;
  if (!std::equal(from.begin(), from.end() - 1, to.begin())) return false;
  Builder b = g.builder(n);
  Node made = g.node(mm);
  made.inputs[0] = x;
  ValueId out = b.add("matmul", made.inputs, {made.attrs.items().begin(), made.attrs.items().end()});
  return g.replace(n, b, {out});
}

}  // namespace

int gemm_to_matmul(Module& m, const OpLookup& ops) {
  return apply_rules(m, ops, {{"gemm", rewrite}, {"reshape", unflatten}});
}

}  // namespace mote::passes
