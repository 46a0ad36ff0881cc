// fold_affine: adding, subtracting, multiplying by or dividing by a constant per output channel, or by one number, goes
// into the constant weights and bias of the conv, conv_transpose or matmul before it, also through a
// transpose. Computed in f64, rounded once;
// sums start from the bias instead of ending with it.
#include <algorithm>
#include <cmath>

#include "passes/facts.h"
#include "passes/list.h"
#include "passes/rules.h"
#include "passes/weights.h"

namespace mote::passes {
namespace {

enum class Kind { kAdd, kSub, kMul, kDiv };

bool fold(Graph& g, NodeId n, Kind kind, std::size_t side) {
  ValueId x = g.input(n, side), c = g.input(n, 1 - side);
  if (!g.constant(c) || !same_type(g.type(x), g.type(g.output(n)))) return false;
  std::vector<std::int64_t> perm;
  if (NodeId t = g.producer(x, "transpose"); t != kNone && g.single(x)) {
    perm = perm_of(g, t);
    x = g.input(t, 0);
  }
  std::optional<Affine> a = affine_behind(g, x);
  if (!a) return false;
  Affine seen = *a;
  if (!perm.empty()) {
    seen.channel_axis = static_cast<int>(std::ranges::find(perm, a->channel_axis) - perm.begin());
  }
  std::optional<std::vector<double>> v = per_channel(g, c, seen);
  if (!v) return false;
  for (double& e : *v) {
    if (kind == Kind::kDiv) e = 1 / e;
    if (kind == Kind::kSub) e = -e;
    if (!std::isfinite(e)) return false;
  }
  bool shifts = kind == Kind::kAdd || kind == Kind::kSub;
  return shifts ? fold_affine(g, n, *a, {}, *v, perm) : fold_affine(g, n, *a, *v, {}, perm);
}

Rewrite rule(Kind kind) {
  return [kind](Graph& g, NodeId n) {
    bool commutes = kind == Kind::kAdd || kind == Kind::kMul;
    return fold(g, n, kind, 0) || (commutes && fold(g, n, kind, 1));
  };
}

}  // namespace

int fold_affine(Module& m, const OpLookup& ops) {
  return apply_rules(
      m, ops,
      {{"add", rule(Kind::kAdd)}, {"sub", rule(Kind::kSub)}, {"mul", rule(Kind::kMul)}, {"div", rule(Kind::kDiv)}});
}

}  // namespace mote::passes
