// raise_gelu: x Phi(x) written with erf, or its tanh form, in the orders that exporters write, becomes gelu.
#include "passes/list.h"
#include "passes/rules.h"

namespace mote::passes {
namespace {

#define MOTE_ERF "erf({div(x, 1.41421356) | mul(x, 0.70710678)})"
#define MOTE_CUBE "{pow(x, 3) | mul(mul(x, x), x)}"
#define MOTE_TANH                                               \
  "tanh({mul(add(x, mul(" MOTE_CUBE                             \
  ", 0.044715)), 0.79788456) |"                                 \
  "mul(mul(x, 0.79788456), add(mul(mul(x, x), 0.044715), 1)) |" \
  "mul(x, add(mul(mul(x, x), 0.03567741), 0.79788456))})"
#define MOTE_FORMS(part)                                                                                            \
  "mul(mul(x, add(" part ", 1)), 0.5)", "mul(mul(x, 0.5), add(" part ", 1))", "mul(x, mul(add(" part ", 1), 0.5))", \
      "mul(x, add(mul(" part ", 0.5), 0.5))", "mul(x, div(add(" part ", 1), 2))"

OnMatch to_gelu(const char* form) {
  return [form](Graph& g, NodeId n, const Match& m) {
    Builder b = g.builder(n);
    return g.replace(n, b, {b.add("gelu", {m["x"]}, {{"approximate", std::string(form)}})});
  };
}

}  // namespace

int raise_gelu(Module& m, const OpLookup& ops) {
  return apply_rules(m, ops,
                     {
                         pattern_rule({MOTE_FORMS(MOTE_ERF)}, to_gelu("none")),
                         pattern_rule({MOTE_FORMS(MOTE_TANH)}, to_gelu("tanh")),
                         pattern_rule({"div(mul(x, add(" MOTE_ERF ", 1)), 2)"}, to_gelu("none")),
                     });
}

}  // namespace mote::passes
