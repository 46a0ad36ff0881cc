// raise_activation: x sigmoid(x) becomes swish (with a factor inside the sigmoid: its alpha); relu6(x + 3) / 6 becomes
// hard_sigmoid and x times that hard_swish; min and max with numbers become clip.
#include <limits>

#include "passes/list.h"
#include "passes/rules.h"

namespace mote::passes {
namespace {

bool to_swish(Graph& g, NodeId n, const Match& m) {
  double alpha = 1;
  if (m.has("a")) {
    std::optional<double> a = g.scalar(m["a"]);
    if (!a) return false;
    alpha = *a;
  }
  Builder b = g.builder(n);
  return g.replace(n, b, {b.add("swish", {m["x"]}, {{"alpha", alpha}})});
}

bool to_hard_sigmoid(Graph& g, NodeId n, const Match& m) {
  Builder b = g.builder(n);
  return g.replace(n, b, {b.add("hard_sigmoid", {m["x"]}, {{"alpha", 1.0 / 6}, {"beta", 0.5}})});
}

bool near(double x, double y) { return x > y - 1e-5 && x < y + 1e-5; }

bool to_hard_swish(Graph& g, NodeId n, const Match& m) {
  if (NodeId h = g.producer(m["h"], "hard_sigmoid"); h != kNone) {
    if (!near(g.attr_float(h, "alpha"), 1.0 / 6) || !near(g.attr_float(h, "beta"), 0.5)) return false;
  }
  Builder b = g.builder(n);
  return g.replace(n, b, {b.add("hard_swish", {m["x"]})});
}

// max(min(x, high), low), low < high.
bool to_clip(Graph& g, NodeId n, const Match& m) {
  std::optional<double> low = g.scalar(m["low"]), high = g.scalar(m["high"]);
  DType dtype = g.type(m["x"]).dtype;
  if (!low || !high || !(*low < *high) || !is_float(dtype)) return false;
  if (!g.has_rank(m["x"]) || !(g.type(m["x"]) == g.type(g.output(n)))) return false;
  Builder b = g.builder(n);
  return g.replace(n, b, {b.add("clip", {m["x"], b.scalar(*low, dtype), b.scalar(*high, dtype)})});
}

#define MOTE_RELU6 "clip(add(x, 3), 0, 6)"

}  // namespace

int raise_activation(Module& m, const OpLookup& ops) {
  return apply_rules(m, ops,
                     {
                         pattern_rule({"max(min(x, #high), #low)"}, to_clip),
                         pattern_rule({"min(max(x, #low), #high)"}, to_clip),
                         pattern_rule({"div(" MOTE_RELU6 ", 6)"}, to_hard_sigmoid),
                         pattern_rule({"mul(" MOTE_RELU6 ", 0.16666667)"}, to_hard_sigmoid),
                         pattern_rule({"clip(add({div(x, 6) | mul(x, 0.16666667)}, 0.5), 0, 1)"}, to_hard_sigmoid),
                         pattern_rule({"div(mul(x, " MOTE_RELU6 "), 6)"}, to_hard_swish),
                         pattern_rule({"mul(x, h=hard_sigmoid(x))", "mul(mul(x, " MOTE_RELU6 "), 0.16666667)",
                                       "mul(mul(x, 0.16666667), " MOTE_RELU6 ")"},
                                      to_hard_swish),
                         pattern_rule({"mul(x, sigmoid(x))", "mul(x, sigmoid(mul(x, #a)))"}, to_swish),
                     });
}

}  // namespace mote::passes
