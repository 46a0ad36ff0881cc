// Convolution of any number of spatial axes.
#include "ops/nn/convolve.h"
#include "ops/ops.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "image: batch, channels and one or more spatial axes"},
                            {"w", "weights: M output channels, C / group input channels, kernel extents"},
                            {"b", "one value per output channel", Arity::kOptional}};
constexpr Slot kOutputs[] = {{"y", "layout and dtype of x, with M channels"}};
constexpr AttrSpec kAttrs[] = {kAutoPadAttr,     kDataLayoutAttr, kDilationsAttr, kGroupAttr,
                               kKernelShapeAttr, kPadsAttr,       kStridesAttr,   kWeightLayoutAttr};

Status infer(InferContext& ctx) { return infer_convolution(ctx, 0, 1, ctx.dtype(0)); }

Status run(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &w = ctx.in(1);
  const TensorView* bias = ctx.has(2) ? &ctx.in(2) : nullptr;
  MOTE_ASSIGN(Convolution c, convolution_of(ctx, x, w, bias));
  MOTE_ASSIGN(TensorView y, ctx.out(0, x.dtype, c.y_shape));
  MOTE_ASSIGN(auto xs, widen(ctx, x));
  MOTE_ASSIGN(auto ws, widen(ctx, w));
  MOTE_ASSIGN(auto ys, wide_scratch(ctx, c.y_count()));
  for (std::size_t i = 0; bias && i < ys.size(); ++i) {
    ys[i] = load_f64(*bias, c.channel_of(static_cast<std::int64_t>(i)));
  }
  convolve(c, xs, ws, ys);
  narrow(ys, y);
  return {};
}

}  // namespace

constinit const Op op_conv = {
    .name = "conv",
    .doc = "Convolution: every output is the sum of a window of x weighted by w, plus a bias.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attrs = kAttrs,
    .infer = infer};
constinit const ReferenceFn reference_conv = run;

}  // namespace mote
