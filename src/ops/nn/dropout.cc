// Elements set to zero at random while training; the identity otherwise.
#include "ops/check_one.h"
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"data", "any float tensor"},
                            {"ratio", "float scalar: the share of zeros; default 0.5", Arity::kOptional},
                            {"training_mode", "boolean scalar; default false", Arity::kOptional}};
constexpr Slot kOutputs[] = {{"output", "data / (1 - ratio) where kept, 0 elsewhere; data itself when not training"},
                             {"mask", "boolean: what was kept", Arity::kOptional}};
constexpr AttrSpec kAttrs[] = {{"seed", AttrKind::kInt, "", "of the generator; default: the run's"}};

Status infer(InferContext& ctx) {
  for (int i : {0, 1}) MOTE_TRY(check_dtype(ctx, i, kFloats | kFloat8));
  MOTE_TRY(check_dtype(ctx, 2, kBool));
  for (int i : {1, 2}) MOTE_TRY(check_one(ctx, i));
  ctx.output(0, ctx.type(0));
  if (ctx.wants(1)) {
    Type mask = ctx.type(0);
    mask.dtype = DType::boolean;
    ctx.output(1, std::move(mask));
  }
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(std::vector<TensorView> outs, infer_outs(ctx));
  bool training = ctx.has(2) && load_i64(ctx.in(2), 0) != 0;
  double ratio = !training ? 0 : ctx.has(1) ? load_f64(ctx.in(1), 0) : 0.5;
  if (!(ratio >= 0 && ratio < 1)) return Status(Code::kOutOfRange, "dropout: ratio is outside [0, 1)");
  for (std::int64_t i : ctx.range(x.count())) {
    bool kept = ratio == 0 || static_cast<double>(ctx.random()) * 0x1p-32 >= ratio;
    store_f64(outs[0], i, kept ? load_f64(x, i) / (1 - ratio) : 0);
    if (ctx.wants(1)) outs[1].as<bool>()[i] = kept;
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(dropout) = {.name = "dropout",
                           .doc = "Sets elements to zero at random while training; the identity otherwise.",
                           .inputs = kInputs,
                           .outputs = kOutputs,
                           .attrs = kAttrs,
                           .infer = infer,
                           .flags = kRandom};
MOTE_DEFINE_REFERENCE(dropout) = run;

}  // namespace mote
