// A body run again and again over carried values.
#include "ops/infer_util.h"
#include "ops/ops.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"trip_count", "i64 with one element: the most iterations", Arity::kOptional},
                            {"cond", "boolean with one element: whether the first iteration runs", Arity::kOptional},
                            {"values", "first values of what is carried, then captures", Arity::kVariadic}};
constexpr Slot kOutputs[] = {
    {"values", "last values of what is carried, then the scan outputs of all iterations, stacked", Arity::kVariadic}};
constexpr AttrSpec kAttrs[] = {
    {"carried", AttrKind::kInt, "0", "how many values go from one iteration to the next"},
    {"counted", AttrKind::kInt, "0", "1: the body never ends the loop, which runs trip_count times"}};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kSigned));
  MOTE_TRY(check_dtype(ctx, 1, kBool));
  if (ctx.body_outputs_.size() != 1) return ctx.error("needs one body");
  std::int64_t carried = ctx.attr_int("carried");
  const std::vector<Type>& given = ctx.body_outputs_[0];
  if (carried < 0 || carried >= static_cast<std::int64_t>(given.size()) ||
      ctx.outputs() >= static_cast<int>(given.size())) {
    return ctx.error("its body gives " + std::to_string(given.size()) + " values for " + std::to_string(ctx.outputs()) +
                     " outputs, " + std::to_string(carried) + " of them carried");
  }
  const KnownValue* trips = ctx.value(0);
  bool counted = ctx.attr_int("counted") != 0 && trips && trips->size() == 1;
  Dim iterations;
  bool have_iterations = false;
  for (int i = 0; i < ctx.outputs(); ++i) {
    const Type& t = given[static_cast<std::size_t>(i) + 1];
    if (i < carried) {
      ctx.output(i, t);
      continue;
    }
    if (!t.is_tensor()) return ctx.error("scan output " + std::to_string(i) + " is no tensor");
    if (!t.has_rank()) {
      ctx.output(i, Type::tensor(t.dtype));
      continue;
    }
    if (!have_iterations) {
      iterations = counted ? max((*trips)[0], Dim(0)) : ctx.fresh();
      have_iterations = true;
    }
    Shape shape = {iterations};
    shape.insert(shape.end(), t.shape->begin(), t.shape->end());
    ctx.output(i, t.dtype, std::move(shape));
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(loop) = {
    .name = "loop",
    .doc =
        "Runs its body while there are iterations left and the condition holds. The body takes (iteration i64[], "
        "condition boolean[], carried..., captures...) and gives (condition, carried..., scan outputs...).",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attrs = kAttrs,
    .infer = infer,
    .flags = kControl};

}  // namespace mote
