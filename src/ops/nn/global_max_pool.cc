// The maximum over all spatial axes.
#include "ops/decompose.h"
#include "ops/nn/pool.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "image: batch, channels and spatial axes"}};
constexpr Slot kOutputs[] = {{"y", "the maxima, spatial extents 1; NaN where there is one"}};
constexpr AttrSpec kAttrs[] = {kDataLayoutAttr};

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  Pooling p = global_pooling_of(ctx, x);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  for_each_window(ctx, p, x, y, [&](const PoolWindow& w) {
    double top = -INFINITY;
    for (std::size_t t : ctx.range(w.taken.size())) {
      const std::int64_t i = w.element(t);
      double v = load_f64(x, i);
      if (v > top || std::isnan(v)) top = v;
    }
    store_f64(y, w.y, top);
  });
  return {};
}

Result<std::vector<ValueId>> decompose(Builder& b, const Node& node) {
  ValueId x = node.inputs[0];
  if (!b.has_rank(x)) return unsupported("global_max_pool of a tensor of unknown rank has no decomposition");
  return std::vector{b.add("reduce_max", {x, b.ints(space_axes(*node.op, node.attrs, b.rank(x)))})};
}

}  // namespace

MOTE_DEFINE_OP(global_max_pool) = {.name = "global_max_pool",
                                   .doc = "The maximum over all spatial axes.",
                                   .inputs = kInputs,
                                   .outputs = kOutputs,
                                   .attrs = kAttrs,
                                   .infer = infer_global_pool};
MOTE_DEFINE_REFERENCE(global_max_pool) = run;
MOTE_DEFINE_DECOMPOSITION(global_max_pool) = decompose;

}  // namespace mote
