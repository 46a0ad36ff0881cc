// elementwise: a program of elementwise steps, as the fuse pass makes it.
#include "ops/element.h"
#include "ops/epilogue.h"
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "float, any shape"},
                            {"operands", "of the steps; they broadcast to x", Arity::kVariadic}};
constexpr Slot kOutputs[] = {{"y", "shape and dtype of x"}};
constexpr AttrSpec kAttrs[] = {kEpilogueAttr};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  ctx.output(0, ctx.type(0));
  return infer_epilogue(ctx, ctx.type(0));
}

Status run(ReferenceContext& ctx) {
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  copy_elements(ctx, ctx.in(0), 0, y, 0, y.count());
  return run_epilogue(ctx, y);
}

}  // namespace

MOTE_DEFINE_OP(elementwise) = {.name = "elementwise",
                               .doc = "The steps of `epilogue` applied to x, one after the other.",
                               .inputs = kInputs,
                               .outputs = kOutputs,
                               .attrs = kAttrs,
                               .infer = infer,
                               .flags = kElementwise};
MOTE_DEFINE_REFERENCE(elementwise) = run;

}  // namespace mote
