// transpose: axes in another order.
#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"data", "any shape"}};
constexpr Slot kOutputs[] = {{"transposed", "axis i is axis perm[i] of data"}};
constexpr AttrSpec kAttrs[] = {{"perm", AttrKind::kInts, "", "a permutation of the axes; default: reversed"}};

std::vector<std::int64_t> reversed(int rank) {
  std::vector<std::int64_t> perm;
  for (int i = rank; i-- > 0;) perm.push_back(i);
  return perm;
}

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kAny));
  bool given = ctx.has_attr("perm");
  std::vector<std::int64_t> perm = ctx.attr_ints("perm");
  if (!ctx.has_rank(0)) {
    output_maybe(ctx, 0, ctx.dtype(0),
                 given ? std::optional(ctx.fresh_shape(static_cast<int>(perm.size()))) : std::nullopt);
    return {};
  }
  int rank = ctx.rank(0);
  if (!given) perm = reversed(rank);
  if (static_cast<int>(perm.size()) != rank) {
    return ctx.error("perm has " + std::to_string(perm.size()) + " axes for a tensor of rank " + std::to_string(rank));
  }
  MOTE_ASSIGN(std::vector<int> axes, normal_axes(ctx, perm, rank));
  Shape out;
  for (int a : axes) out.push_back(ctx.shape(0)[static_cast<std::size_t>(a)]);
  ctx.output(0, ctx.dtype(0), std::move(out));
  if (rank <= 1) pass_known(ctx);
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  std::vector<std::int64_t> perm = ctx.has_attr("perm") ? ctx.attr_ints("perm") : reversed(x.rank);
  Strides from{};
  for (std::size_t i : ctx.range(perm.size())) {
    from[i] = x.strides[static_cast<std::size_t>(normal_axis(perm[i], x.rank))];
  }
  with_copy(x.dtype, [&](auto copy) {
    walk<2>(ctx, y.shape(), {from, dense_strides(y.shape())}, [&](const auto& at) { copy(x, at[0], y, at[1]); });
  });
  return {};
}

}  // namespace

MOTE_DEFINE_OP(transpose) = {.name = "transpose",
                             .doc = "The elements of data with its axes in another order.",
                             .inputs = kInputs,
                             .outputs = kOutputs,
                             .attrs = kAttrs,
                             .infer = infer};
MOTE_DEFINE_REFERENCE(transpose) = run;

}  // namespace mote
