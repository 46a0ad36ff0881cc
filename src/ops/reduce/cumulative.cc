// cumsum and cumprod: running sums and products along an axis.
#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/scalar.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "rank at least 1"}, {"axis", "one integer, negative from the back"}};
constexpr Slot kOutputs[] = {{"y", "shape and dtype of x"}};
constexpr AttrSpec kAttrs[] = {
    {"exclusive", AttrKind::kInt, "0", "1: each element is left out of its own result"},
    {"reverse", AttrKind::kInt, "0", "1: from the last element to the first"},
};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kNumbers));
  MOTE_TRY(check_dtype(ctx, 1, kInts));
  std::optional<std::vector<std::int64_t>> axis = ctx.const_value(1);
  if (axis && axis->size() != 1) return ctx.error("axis is not one integer");
  if (axis && ctx.has_rank(0)) MOTE_TRY(ctx.axis((*axis)[0], ctx.rank(0)).status());
  ctx.output(0, ctx.type(0));
  return {};
}

Status run(ReferenceContext& ctx, BinaryOp op) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, ctx.out(0, x.dtype, x.shape()));
  std::int64_t axis = ctx.in(1).count() == 1 ? load_i64(ctx.in(1), 0) : x.rank;
  if (axis < -x.rank || axis >= x.rank) return out_of_range("axis", 0, axis, -x.rank, x.rank - 1);
  AxisView a = around(x.shape(), normal_axis(axis, x.rank));
  bool exclusive = ctx.attr_int("exclusive") != 0, reverse = ctx.attr_int("reverse") != 0;
  with_element(x.dtype, [&](auto element) {
    using E = decltype(element);
    for (std::int64_t o : ctx.range(a.outer)) {
      for (std::int64_t i : ctx.range(a.inner)) {
        typename E::Value sum = op == BinaryOp::mul ? 1 : 0;
        for (std::int64_t j : ctx.range(a.n)) {
          std::int64_t at = (o * a.n + (reverse ? a.n - 1 - j : j)) * a.inner + i;
          typename E::Value v = E::load(x, at);
          if (exclusive) E::store(y, at, sum);
          sum = eval_binary(op, sum, v);
          if (!exclusive) E::store(y, at, sum);
        }
      }
    }
  });
  return {};
}

Status run_product(ReferenceContext& ctx) { return run(ctx, BinaryOp::mul); }
Status run_sum(ReferenceContext& ctx) { return run(ctx, BinaryOp::add); }

}  // namespace

MOTE_DEFINE_OP(cumprod) = {.name = "cumprod",
                           .doc = "The product of the elements up to each one, along an axis.",
                           .inputs = kInputs,
                           .outputs = kOutputs,
                           .attrs = kAttrs,
                           .infer = infer};
MOTE_DEFINE_REFERENCE(cumprod) = run_product;

MOTE_DEFINE_OP(cumsum) = {.name = "cumsum",
                          .doc = "The sum of the elements up to each one, along an axis.",
                          .inputs = kInputs,
                          .outputs = kOutputs,
                          .attrs = kAttrs,
                          .infer = infer};
MOTE_DEFINE_REFERENCE(cumsum) = run_sum;

}  // namespace mote
