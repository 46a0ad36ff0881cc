// One of two bodies.
#include "ops/infer_util.h"
#include "ops/ops.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"cond", "boolean with one element: which body runs"},
                            {"captures", "passed to both bodies", Arity::kVariadic}};
constexpr Slot kOutputs[] = {{"outputs", "what the body gives", Arity::kVariadic}};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kBool));
  if (ctx.body_outputs_.size() != 2) return ctx.error("needs two bodies, then and else");
  const std::vector<Type>&then = ctx.body_outputs_[0], &otherwise = ctx.body_outputs_[1];
  std::size_t count = static_cast<std::size_t>(ctx.outputs());
  if (then.size() != otherwise.size() || count > then.size()) {
    return ctx.error("its bodies give " + std::to_string(then.size()) + " and " + std::to_string(otherwise.size()) +
                     " values for " + std::to_string(count) + " outputs");
  }
  std::optional<std::vector<std::int64_t>> cond = ctx.const_value(0);
  for (std::size_t i = 0; i < count; ++i) {
    const Type &a = then[i], &b = otherwise[i];
    if (a.is_tensor() && b.is_tensor() && a.dtype != b.dtype && a.dtype != DType::none && b.dtype != DType::none) {
      return ctx.error("output " + std::to_string(i) + " is " + a.to_string() + " in one body and " + b.to_string() +
                       " in the other");
    }
    bool known = cond && cond->size() == 1;
    ctx.output(static_cast<int>(i), known ? ((*cond)[0] ? a : b) : join(a, b, ctx.fresh_name_));
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(if) = {.name = "if",
                      .doc = "Runs one of two bodies, [then, else], which both take the captures.",
                      .inputs = kInputs,
                      .outputs = kOutputs,
                      .infer = infer,
                      .flags = kControl};

}  // namespace mote
