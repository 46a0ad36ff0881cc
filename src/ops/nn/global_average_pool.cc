// The mean over all spatial axes.
#include "ops/decompose.h"
#include "ops/nn/pool.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "image: batch, channels and spatial axes"}};
constexpr Slot kOutputs[] = {{"y", "the means, spatial extents 1"}};
constexpr AttrSpec kAttrs[] = {kDataLayoutAttr};

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  Pooling p = global_pooling_of(ctx, x);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  for_each_window(ctx, p, x, y, [&](const PoolWindow& w) {
    double sum = 0;
    for (std::size_t t : ctx.range(w.taken.size())) sum += load_f64(x, w.element(t));
    store_f64(y, w.y, sum / static_cast<double>(w.taken.size()));
  });
  return {};
}

Result<std::vector<ValueId>> decompose(Builder& b, const Node& node) {
  ValueId x = node.inputs[0];
  if (!b.has_rank(x)) return unsupported("global_average_pool of a tensor of unknown rank has no decomposition");
  return std::vector{b.add("reduce_mean", {x, b.ints(space_axes(*node.op, node.attrs, b.rank(x)))})};
}

}  // namespace

MOTE_DEFINE_OP(global_average_pool) = {.name = "global_average_pool",
                                       .doc = "The mean over all spatial axes.",
                                       .inputs = kInputs,
                                       .outputs = kOutputs,
                                       .attrs = kAttrs,
                                       .infer = infer_global_pool};
MOTE_DEFINE_REFERENCE(global_average_pool) = run;
MOTE_DEFINE_DECOMPOSITION(global_average_pool) = decompose;

}  // namespace mote
