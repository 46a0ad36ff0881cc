// Recurrent layer of one gate: h = f(w . x + r . h + biases).
#include "ops/ops.h"
#include "ops/rnn/recurrent.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {kSequenceSlot,
                            {"w", "[directions, hidden, features]"},
                            {"r", "[directions, hidden, hidden]"},
                            {"b", "[directions, 2 * hidden]: biases of w, then of r", Arity::kOptional},
                            kLengthsSlot,
                            kInitialHSlot};
constexpr Slot kOutputs[] = {kYSlot, kYHSlot};
constexpr AttrSpec kAttrs[] = {kAlphaAttr,     kBetaAttr,   kActivationsAttr, kClipAttr,
                               kDirectionAttr, kHiddenAttr, kLayoutAttr};
constexpr std::string_view kDefaults[] = {"Tanh"};

Status infer(InferContext& ctx) { return infer_recurrent(ctx, 1, false, kDefaults); }

Status run(ReferenceContext& ctx) {
  std::vector<double> before;
  return run_recurrent(
      ctx, 1, false, kDefaults,
      [&](const Recurrent& r, std::int64_t d, const double* xt, std::span<double> h, std::span<double>) {
        before.assign(h.begin(), h.end());
        for (std::size_t k : ctx.range(h.size())) {
          std::int64_t row = static_cast<std::int64_t>(k);
          h[k] = r.activations[static_cast<std::size_t>(d)](r.input_sum(ctx, d, row, xt) +
                                                            r.hidden_sum(ctx, d, row, before.data()));
        }
      });
}

}  // namespace

MOTE_DEFINE_OP(rnn) = {.name = "rnn",
                       .doc = "A simple recurrent layer in one or both directions.",
                       .inputs = kInputs,
                       .outputs = kOutputs,
                       .attrs = kAttrs,
                       .infer = infer};
MOTE_DEFINE_REFERENCE(rnn) = run;

}  // namespace mote
