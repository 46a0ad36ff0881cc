// lookup: a function of 8 bits as a table.
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "u8 or i8"},
                            {"table", "256 values of 8 bits: element 128 is for the byte 128, or -128"}};
constexpr Slot kOutputs[] = {{"y", "shape of x, dtype of the table"}};

Status infer(InferContext& ctx) {
  for (int i : {0, 1}) {
    MOTE_TRY(check_dtype(ctx, i, kInts));
    if (ctx.dtype(i) != DType::none && bits_of(ctx.dtype(i)) != 8) return ctx.error("x and table have 8 bits");
  }
  if (ctx.has_rank(1) && !(ctx.rank(1) == 1 && ctx.shape(1)[0].is(256))) return ctx.error("the table has 256 values");
  ctx.output(0, Type::tensor(ctx.dtype(1), ctx.type(0).shape));
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &table = ctx.in(1);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  for (std::int64_t i = 0; i < x.count(); ++i) y.data[i] = table.data[std::to_integer<std::int64_t>(x.data[i])];
  return {};
}

}  // namespace

MOTE_DEFINE_OP(lookup) = {.name = "lookup",
                          .doc = "table[x], by the bytes of x.",
                          .inputs = kInputs,
                          .outputs = kOutputs,
                          .infer = infer,
                          .flags = kElementwise};
MOTE_DEFINE_REFERENCE(lookup) = run;

}  // namespace mote
