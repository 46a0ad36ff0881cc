// 1 at the largest element along one axis, the first of them, and 0 elsewhere.
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"input", "any float tensor"}};
constexpr Slot kOutputs[] = {{"output", "same shape and dtype as input"}};
constexpr AttrSpec kAttrs[] = {{"axis", AttrKind::kInt, "-1", "negative from the back"}};

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
    std::int64_t base = o / a.inner * a.n * a.inner + o % a.inner, best = 0;
    for (std::int64_t k : ctx.range_from<std::int64_t>(1, a.n)) {
      if (load_f64(x, base + k * a.inner) > load_f64(x, base + best * a.inner)) best = k;
    }
    for (std::int64_t k : ctx.range(a.n)) store_f64(y, base + k * a.inner, k == best ? 1 : 0);
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(hardmax) = {.name = "hardmax",
                           .doc = "1 at the first largest element along one axis, 0 elsewhere.",
                           .inputs = kInputs,
                           .outputs = kOutputs,
                           .attrs = kAttrs,
                           .infer = infer};
MOTE_DEFINE_REFERENCE(hardmax) = run;

}  // namespace mote
