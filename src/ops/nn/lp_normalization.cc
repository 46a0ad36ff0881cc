// Division by the norm along one axis.
#include "ops/decompose.h"
#include "ops/loops.h"
#include "ops/nn/normalize.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"input", "any float tensor"}};
constexpr Slot kOutputs[] = {{"output", "input / norm; 0 where the norm is 0"}};
constexpr AttrSpec kAttrs[] = {{"axis", AttrKind::kInt, "-1", "the axis the norm is taken over"},
                               {"p", AttrKind::kInt, "2", "the norm: 1 or 2"}};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  std::int64_t p = ctx.attr_int("p");
  if (p != 1 && p != 2) return ctx.error("p: must be 1 or 2, is " + std::to_string(p));
  if (ctx.has_rank(0)) MOTE_TRY(ctx.axis(ctx.attr_int("axis"), ctx.rank(0)).status());
  ctx.output(0, ctx.type(0));
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  bool square = ctx.attr_int("p") == 2;
  AxisView a = around(x.shape(), normal_axis(ctx.attr_int("axis"), x.rank));
  for (std::int64_t o : ctx.range(a.outer * a.inner)) {
    std::int64_t base = o / a.inner * a.n * a.inner + o % a.inner;
    double sum = 0;
    for (std::int64_t k : ctx.range(a.n)) {
      double v = load_f64(x, base + k * a.inner);
      sum += square ? v * v : std::fabs(v);
    }
    double norm = square ? std::sqrt(sum) : sum;
    for (std::int64_t k : ctx.range(a.n)) {
      store_f64(y, base + k * a.inner, norm == 0 ? 0 : load_f64(x, base + k * a.inner) / norm);
    }
  }
  return {};
}

Result<std::vector<ValueId>> decompose(Builder& b, const Node& node) {
  ValueId x = node.inputs[0];
  bool square = attr_int(*node.op, node.attrs, "p") == 2;
  ValueId norm = b.add(square ? "reduce_l2" : "reduce_l1", {x, b.ints({attr_int(*node.op, node.attrs, "axis")})});
  ValueId zero = b.scalar(0, b.dtype(x));
  return std::vector{b.add("where", {b.add("equal", {norm, zero}), zero, b.add("div", {x, norm})})};
}

}  // namespace

MOTE_DEFINE_OP(lp_normalization) = {.name = "lp_normalization",
                                    .doc = "Divides by the 1- or 2-norm along one axis.",
                                    .inputs = kInputs,
                                    .outputs = kOutputs,
                                    .attrs = kAttrs,
                                    .infer = infer};
MOTE_DEFINE_REFERENCE(lp_normalization) = run;
MOTE_DEFINE_DECOMPOSITION(lp_normalization) = decompose;

}  // namespace mote
