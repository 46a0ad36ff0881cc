// The largest element of every window.
#include "ops/infer_util.h"
#include "ops/nn/pool.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "image: batch, channels and one or more spatial axes"}};
constexpr Slot kOutputs[] = {
    {"y", "the maxima; NaN where a window has one; the lowest value where it has no element"},
    {"indices", "i64: where each maximum (the first one) stands in x in NCX order", Arity::kOptional}};
constexpr AttrSpec kAttrs[] = {
    kAutoPadAttr,
    kCeilModeAttr,
    kDataLayoutAttr,
    kDilationsAttr,
    kKernelShapeAttr,
    kPadsAttr,
    {"storage_order", AttrKind::kInt, "0", "indices count space row-major (0) or column-major (1)"},
    kStridesAttr};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kNumbers));
  const DType dtypes[] = {ctx.dtype(0), DType::i64};
  return infer_pool(ctx, std::span(dtypes).first(ctx.outputs() > 1 ? 2 : 1));
}

// The NCX index of element `i` of x, space column-major where `column` is set.
std::int64_t ncx_index(const ImageAxes& axes, const TensorView& x, std::int64_t i, bool column) {
  auto at = [&](int axis) { return i / x.strides[axis] % x.dims[axis]; };
  std::int64_t index = at(0) * x.dims[axes.channel] + at(axes.channel), space = 0, volume = 1;
  for (int a = 0; a < axes.spatial(); ++a) {
    int axis = axes.space + (column ? axes.spatial() - 1 - a : a);
    space = space * x.dims[axis] + at(axis);
    volume *= x.dims[axis];
  }
  return index * volume + space;
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(Pooling p, pooling_of(ctx, x));
  MOTE_ASSIGN(std::vector<TensorView> outs, infer_outs(ctx));
  const TensorView y = outs[0], indices = outs.size() > 1 ? outs[1] : TensorView();
  bool column = ctx.attr_int("storage_order") != 0;
  for_each_window(ctx, p, x, y, [&](const PoolWindow& w) {
    double top = -INFINITY;
    std::int64_t where = w.taken.empty() ? -1 : w.element(0);
    for (std::size_t t : ctx.range(w.taken.size())) {
      const std::int64_t i = w.element(t);
      double v = load_f64(x, i);
      if (v > top || (std::isnan(v) && !std::isnan(top))) {
        top = v;
        where = i;
      }
    }
    store_f64(y, w.y, top);
    if (indices.data) store_i64(indices, w.y, where < 0 ? -1 : ncx_index(p.axes, x, where, column));
  });
  return {};
}

}  // namespace

MOTE_DEFINE_OP(max_pool) = {.name = "max_pool",
                            .doc = "The largest element of every window of x.",
                            .inputs = kInputs,
                            .outputs = kOutputs,
                            .attrs = kAttrs,
                            .infer = infer};
MOTE_DEFINE_REFERENCE(max_pool) = run;

}  // namespace mote
