// Swish-gated linear unit: a * sigmoid(alpha * a) * b.
#include "ops/decompose.h"
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"a", "the gate"}, {"b", "the value, shape and dtype of a"}};
constexpr Slot kOutputs[] = {{"y", "a * sigmoid(alpha * a) * b"}};
constexpr AttrSpec kAttrs[] = {{"alpha", AttrKind::kFloat, "1.0", "scales the gate inside the sigmoid"}};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  MOTE_TRY(check_same_dtype(ctx, 0, 1));
  if (ctx.has_rank(0) && ctx.has_rank(1)) {
    auto both = broadcast(ctx.shape(0), ctx.shape(1));
    if (!both.ok() || ctx.rank(0) != ctx.rank(1)) return ctx.error("a and b differ in shape");
    for (std::size_t i = 0; i < both->size(); ++i) {
      const Dim &a = ctx.shape(0)[i], &b = ctx.shape(1)[i];
      if (a.is_const() && b.is_const() && !(a == b)) return ctx.error("a and b differ in shape");
    }
  }
  ctx.output(0, ctx.has_rank(0) ? ctx.type(0) : ctx.type(1));
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView &a = ctx.in(0), &b = ctx.in(1);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  double alpha = ctx.attr_float("alpha");
  for (std::int64_t i : ctx.range(a.count())) {
    double gate = load_f64(a, i);
    store_f64(y, i, gate / (1 + std::exp(-alpha * gate)) * load_f64(b, i));
  }
  return {};
}

Result<std::vector<ValueId>> decompose(Builder& b, const Node& node) {
  ValueId gate = node.inputs[0], scaled = gate;
  double alpha = attr_float(*node.op, node.attrs, "alpha");
  if (alpha != 1) scaled = b.add("mul", {gate, b.scalar(alpha, b.dtype(gate))});
  ValueId swish = b.add("mul", {gate, b.add("sigmoid", {scaled})});
  return std::vector{b.add("mul", {swish, node.inputs[1]})};
}

}  // namespace

MOTE_DEFINE_OP(swiglu) = {.name = "swiglu",
                          .doc = "Swish-gated linear unit: a * sigmoid(alpha * a) * b.",
                          .inputs = kInputs,
                          .outputs = kOutputs,
                          .attrs = kAttrs,
                          .infer = infer,
                          .flags = kElementwise};
MOTE_DEFINE_REFERENCE(swiglu) = run;
MOTE_DEFINE_DECOMPOSITION(swiglu) = decompose;

}  // namespace mote
