// gemm_to_matmul: gemm with alpha = beta = 1 and a bias of one value per column (or none) becomes matmul with a bias.
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
  if (c != kNone) {
    if (!g.has_rank(c) || !y.has_rank() || y.rank() != 2) return false;
    const Shape shape = *g.type(c).shape;
    const Dim& columns = (*y.shape)[1];
    if (shape.empty() || !(shape.back() == columns)) return false;
    if (shape.size() == 2 && shape[0].is(1)) {
      const Constant* constant = g.constant(c);
      c = constant ? reshaped_constant(b, Constant(*constant), {columns.known().value_or(-1)})
                   : b.add("reshape", {c, b.ints({-1})});
    } else if (shape.size() != 1) {
      return false;
    }
  }
  std::vector<ValueId> inputs = {g.input(n, 0), g.input(n, 1)};
  if (c != kNone) inputs.push_back(c);
  std::vector<Attrs::Item> attrs;
  if (g.attr_int(n, "transA") != 0) attrs.emplace_back("trans_a", std::int64_t{1});
  if (g.attr_int(n, "transB") != 0) attrs.emplace_back("trans_b", std::int64_t{1});
  return g.replace(n, b, {b.add("matmul", inputs, attrs)});
}

}  // namespace

int gemm_to_matmul(Module& m, const OpLookup& ops) { return apply_rules(m, ops, {{"gemm", rewrite}}); }

}  // namespace mote::passes
