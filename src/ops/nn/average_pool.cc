// The mean of every window.
#include "ops/infer_util.h"
#include "ops/nn/pool.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "image: batch, channels and one or more spatial axes"}};
constexpr Slot kOutputs[] = {{"y", "the means; 0 where a window has no element"}};
constexpr AttrSpec kAttrs[] = {kAutoPadAttr,
                               kCeilModeAttr,
                               {"count_include_pad", AttrKind::kInt, "0",
                                "1: divide by the elements of the window inside x and its pads, 0: inside x"},
                               kDataLayoutAttr,
                               kDilationsAttr,
                               kKernelShapeAttr,
                               kPadsAttr,
                               kStridesAttr};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kNumbers));
  const DType dtypes[] = {ctx.dtype(0)};
  return infer_pool(ctx, dtypes);
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(Pooling p, pooling_of(ctx, x));
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  bool pads = ctx.attr_int("count_include_pad") != 0;
  for_each_window(ctx, p, x, y, [&](const PoolWindow& w) {
    double sum = 0, n = static_cast<double>(pads ? w.counted : static_cast<std::int64_t>(w.taken.size()));
    for (std::size_t t : ctx.range(w.taken.size())) sum += load_f64(x, w.element(t));
    store_f64(y, w.y, n > 0 ? sum / n : 0);
  });
  return {};
}

}  // namespace

MOTE_DEFINE_OP(average_pool) = {.name = "average_pool",
                                .doc = "The mean of every window of x.",
                                .inputs = kInputs,
                                .outputs = kOutputs,
                                .attrs = kAttrs,
                                .infer = infer};
MOTE_DEFINE_REFERENCE(average_pool) = run;

}  // namespace mote
