// The p-norm of every window.
#include "ops/infer_util.h"
#include "ops/nn/pool.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "image: batch, channels and one or more spatial axes"}};
constexpr Slot kOutputs[] = {{"y", "(sum |x|^p)^(1/p) of every window"}};
constexpr AttrSpec kAttrs[] = {kAutoPadAttr,   kCeilModeAttr,    kDataLayoutAttr,
                               kDilationsAttr, kKernelShapeAttr, {"p", AttrKind::kInt, "2", "the norm"},
                               kPadsAttr,      kStridesAttr};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kNumbers));
  if (ctx.attr_int("p") <= 0) return ctx.error("p: must be positive");
  const DType dtypes[] = {ctx.dtype(0)};
  return infer_pool(ctx, dtypes);
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(Pooling p, pooling_of(ctx, x));
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  double norm = static_cast<double>(ctx.attr_int("p"));
  for_each_window(ctx, p, x, y, [&](const PoolWindow& w) {
    double sum = 0;
    for (std::size_t t : ctx.range(w.taken.size())) sum += std::pow(std::fabs(load_f64(x, w.element(t))), norm);
    store_f64(y, w.y, std::pow(sum, 1 / norm));
  });
  return {};
}

}  // namespace

MOTE_DEFINE_OP(lp_pool) = {.name = "lp_pool",
                           .doc = "The p-norm of every window of x.",
                           .inputs = kInputs,
                           .outputs = kOutputs,
                           .attrs = kAttrs,
                           .infer = infer};
MOTE_DEFINE_REFERENCE(lp_pool) = run;

}  // namespace mote
