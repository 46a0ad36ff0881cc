// raise_pool: reduce_mean over all spatial axes of an image becomes global_average_pool, with a reshape behind it where
// the axes are dropped. The mean is taken in another order.
#include "passes/facts.h"
#include "passes/list.h"
#include "passes/rules.h"

namespace mote::passes {
namespace {

bool rewrite(Graph& g, NodeId n) {
  std::optional<std::vector<std::int64_t>> axes = reduce_axes(g, n);
  ValueId x = g.input(n, 0);
  if (!axes || g.type(x).rank() < 3) return false;
  DType dtype = g.type(x).dtype;
  std::int64_t rank = g.type(x).rank();
  if (!is_float(dtype) || static_cast<std::int64_t>(axes->size()) != rank - 2 || (*axes)[0] != 2) return false;
  for (std::size_t i = 0; i < axes->size(); ++i) {
    if ((*axes)[i] != static_cast<std::int64_t>(i) + 2) return false;
  }
  Builder b = g.builder(n);
  ValueId y = b.add("global_average_pool", {x});
  if (g.attr_int(n, "keepdims") == 0) y = b.add("squeeze", {y, b.ints(*axes)});
  return g.replace(n, b, {y});
}

}  // namespace

int raise_pool(Module& m, const OpLookup& ops) { return apply_rules(m, ops, {{"reduce_mean", rewrite}}); }

}  // namespace mote::passes
