// Logarithm of softmax: x - max(x) - log(sum(exp(x - max(x)))).
#include "ops/decompose.h"
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"input", "any float tensor"}};
constexpr Slot kOutputs[] = {{"output", "same shape and dtype as input"}};
constexpr AttrSpec kAttrs[] = {{"axis", AttrKind::kInt, "-1", "the axis to normalise over, negative from the back"}};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  if (ctx.has_rank(0)) MOTE_TRY(ctx.axis(ctx.attr_int("axis"), ctx.rank(0)).status());
  ctx.output(0, ctx.type(0));
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  AxisView a = around(x.shape(), normal_axis(ctx.attr_int("axis"), x.rank));
  for (std::int64_t o : ctx.range(a.outer * a.inner)) {
    std::int64_t base = o / a.inner * a.n * a.inner + o % a.inner;
    double top = -INFINITY, sum = 0;
    for (std::int64_t k : ctx.range(a.n)) top = std::fmax(top, load_f64(x, base + k * a.inner));
    for (std::int64_t k : ctx.range(a.n)) sum += std::exp(load_f64(x, base + k * a.inner) - top);
    double shift = top + std::log(sum);
    for (std::int64_t k : ctx.range(a.n)) {
      store_f64(y, base + k * a.inner, load_f64(x, base + k * a.inner) - shift);
    }
  }
  return {};
}

Result<std::vector<ValueId>> decompose(Builder& b, const Node& node) {
  ValueId x = node.inputs[0], axes = b.ints({attr_int(*node.op, node.attrs, "axis")});
  ValueId shifted = b.add("sub", {x, b.add("reduce_max", {x, axes})});
  ValueId sum = b.add("reduce_sum", {b.add("exp", {shifted}), axes});
  return std::vector{b.add("sub", {shifted, b.add("log", {sum})})};
}

}  // namespace

MOTE_DEFINE_OP(log_softmax) = {.name = "log_softmax",
                               .doc = "The logarithm of softmax along one axis.",
                               .inputs = kInputs,
                               .outputs = kOutputs,
                               .attrs = kAttrs,
                               .infer = infer};
MOTE_DEFINE_REFERENCE(log_softmax) = run;
MOTE_DEFINE_DECOMPOSITION(log_softmax) = decompose;

}  // namespace mote
