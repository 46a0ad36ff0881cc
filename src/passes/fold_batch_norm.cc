// fold_batch_norm: batch_normalization at inference, with constant statistics, goes into the constant weights and bias
// of the conv, conv_transpose or matmul before it. With f = scale / sqrt(var + epsilon): w' = w f, b' = (b - mean) f +
// shift; computed in f64, rounded once. Sums come out in another order than normalising afterwards gives.
#include <cmath>

#include "passes/list.h"
#include "passes/rules.h"
#include "passes/weights.h"

namespace mote::passes {
namespace {

bool fold(Graph& g, NodeId n) {
  if (g.attr_int(n, "training_mode") != 0) return false;
  std::optional<Affine> a = affine_behind(g, g.input(n, 0));
  if (!a || a->channel_axis != 1) return false;
  std::vector<double> p[4];  // scale, shift, mean, variance
  for (std::size_t i = 0; i < 4; ++i) {
    std::optional<std::vector<double>> values = vector_of(g, g.input(n, i + 1));
    if (!values || static_cast<std::int64_t>(values->size()) != a->channels) return false;
    p[i] = *std::move(values);
  }
  double epsilon = g.attr_float(n, "epsilon");
  std::vector<double> factor, shift;
  for (std::size_t i = 0; i < p[0].size(); ++i) {
    factor.push_back(p[0][i] / std::sqrt(p[3][i] + epsilon));
    shift.push_back(p[1][i] - p[2][i] * factor[i]);
    if (!std::isfinite(factor[i])) return false;
  }
  return fold_affine(g, n, *a, factor, shift);
}

}  // namespace

int fold_batch_norm(Module& m, const OpLookup& ops) { return apply_rules(m, ops, {{"batch_normalization", fold}}); }

}  // namespace mote::passes
