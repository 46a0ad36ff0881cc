// A body run once: a function of the model.
#include "ir/infer.h"
#include "ops/ops.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"arguments", "passed to the body", Arity::kVariadic}};
constexpr Slot kOutputs[] = {{"results", "what the body gives", Arity::kVariadic}};

Status infer(InferContext& ctx) {
  if (ctx.body_outputs_.size() != 1) return ctx.error("needs one body");
  const std::vector<Type>& given = ctx.body_outputs_[0];
  if (ctx.outputs() > static_cast<int>(given.size())) {
    return ctx.error("its body gives " + std::to_string(given.size()) + " values for " + std::to_string(ctx.outputs()) +
                     " outputs");
  }
  for (int i = 0; i < ctx.outputs(); ++i) ctx.output(i, given[static_cast<std::size_t>(i)]);
  return {};
}

}  // namespace

MOTE_DEFINE_OP(call) = {.name = "call",
                        .doc = "Runs a function of the module.",
                        .inputs = kInputs,
                        .outputs = kOutputs,
                        .infer = infer,
                        .flags = kControl};

}  // namespace mote
