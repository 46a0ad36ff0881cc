// The p-norm over all spatial axes.
#include "ops/decompose.h"
#include "ops/nn/pool.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "image: batch, channels and spatial axes"}};
constexpr Slot kOutputs[] = {{"y", "(sum |x|^p)^(1/p), spatial extents 1"}};
constexpr AttrSpec kAttrs[] = {kDataLayoutAttr, {"p", AttrKind::kInt, "2", "the norm"}};

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  Pooling p = global_pooling_of(ctx, x);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  double norm = static_cast<double>(ctx.attr_int("p"));
  for_each_window(ctx, p, x, y, [&](const PoolWindow& w) {
    double sum = 0;
    for (std::size_t t : ctx.range(w.taken.size())) sum += std::pow(std::fabs(load_f64(x, w.element(t))), norm);
    store_f64(y, w.y, std::pow(sum, 1 / norm));
  });
  return {};
}

Result<std::vector<ValueId>> decompose(Builder& b, const Node& node) {
  ValueId x = node.inputs[0];
  if (!b.has_rank(x)) return unsupported("global_lp_pool of a tensor of unknown rank has no decomposition");
  std::int64_t p = attr_int(*node.op, node.attrs, "p");
  if (p != 1 && p != 2) return unsupported("global_lp_pool has a decomposition for p of 1 and 2 only");
  ValueId axes = b.ints(space_axes(*node.op, node.attrs, b.rank(x)));
  return std::vector{b.add(p == 1 ? "reduce_l1" : "reduce_l2", {x, axes})};
}

}  // namespace

MOTE_DEFINE_OP(global_lp_pool) = {.name = "global_lp_pool",
                                  .doc = "The p-norm over all spatial axes.",
                                  .inputs = kInputs,
                                  .outputs = kOutputs,
                                  .attrs = kAttrs,
                                  .infer = infer_global_pool};
MOTE_DEFINE_REFERENCE(global_lp_pool) = run;
MOTE_DEFINE_DECOMPOSITION(global_lp_pool) = decompose;

}  // namespace mote
