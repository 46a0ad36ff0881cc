// Convolution of any number of spatial axes.
#include "ops/epilogue.h"
#include "ops/infer_util.h"
#include "ops/nn/convolve.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "image: batch, channels and one or more spatial axes"},
                            {"w", "weights: M output channels, C / group input channels, kernel extents"},
                            {"b", "one value per output channel", Arity::kOptional},
                            {"operands", "operands of the epilogue", Arity::kVariadic}};
constexpr Slot kOutputs[] = {{"y", "layout and dtype of x, with M channels"}};
constexpr AttrSpec kAttrs[] = {kAutoPadAttr,     kDataLayoutAttr, kDilationsAttr, kEpilogueAttr,    kGroupAttr,
                               kKernelShapeAttr, kPadsAttr,       kStridesAttr,   kWeightLayoutAttr};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  for (int i : {1, 2}) MOTE_TRY(check_same_dtype(ctx, 0, i));
  MOTE_TRY(infer_convolution(ctx, 0, 1, 2, ctx.dtype(0)));
  return infer_epilogue(ctx, ctx.out_types_[0]);
}

Status run(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &w = ctx.in(1);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  MOTE_ASSIGN(Convolution c, convolution_of(ctx, x, w, y));
  MOTE_ASSIGN(auto xs, widen(ctx, x));
  MOTE_ASSIGN(auto ws, widen(ctx, w));
  MOTE_ASSIGN(auto ys, wide_scratch(ctx, y.count()));
  if (ctx.has(2)) fill_bias(ctx, c, ctx.in(2), ys);
  convolve(ctx, c, xs, ws, ys);
  narrow(ctx, ys, y);
  return run_epilogue(ctx, y);
}

}  // namespace

MOTE_DEFINE_OP(conv) = {.name = "conv",
                        .doc = "Convolution: every output is the sum of a window of x weighted by w, plus a bias.",
                        .inputs = kInputs,
                        .outputs = kOutputs,
                        .attrs = kAttrs,
                        .infer = infer};
MOTE_DEFINE_REFERENCE(conv) = run;

}  // namespace mote
