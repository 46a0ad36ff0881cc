// lookup: a function of 8 or 16 bits as a table.
#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "u8, i8, u16 or i16"},
                            {"table",
                             "256 values for x of 8 bits, 65536 for 16, of 8 or 16 bits: the upper half is for "
                             "the negative x, -2^(bits - 1) first"}};
constexpr Slot kOutputs[] = {{"y", "shape of x, dtype of the table"}};

Status infer(InferContext& ctx) {
  for (int i : {0, 1}) {
    MOTE_TRY(check_dtype(ctx, i, kInts));
    if (ctx.dtype(i) != DType::none && bits_of(ctx.dtype(i)) > 16) return ctx.error("x and table have 8 or 16 bits");
  }
  const std::int64_t n = ctx.dtype(0) == DType::none ? 0 : std::int64_t{1} << bits_of(ctx.dtype(0));
  if (ctx.has_rank(1) && n > 0 && !(ctx.rank(1) == 1 && ctx.shape(1)[0].is(n)))
    return ctx.error("the table has " + std::to_string(n) + " values");
  ctx.output(0, Type::tensor(ctx.dtype(1), ctx.type(0).shape));
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &table = ctx.in(1);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  const std::int64_t mask = table.count() - 1;
  for (std::int64_t i : ctx.range(x.count())) store_i64(y, i, load_i64(table, load_i64(x, i) & mask));
  return {};
}

}  // namespace

MOTE_DEFINE_OP(lookup) = {.name = "lookup",
                          .doc = "table[x], by the bits of x.",
                          .inputs = kInputs,
                          .outputs = kOutputs,
                          .infer = infer,
                          .flags = kElementwise};
MOTE_DEFINE_REFERENCE(lookup) = run;

}  // namespace mote
