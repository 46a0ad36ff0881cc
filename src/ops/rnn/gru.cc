// Gated recurrent unit: gates in the order update, reset, hidden.
#include "ops/ops.h"
#include "ops/rnn/recurrent.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {kSequenceSlot,
                            {"w", "[directions, 3 * hidden, features]"},
                            {"r", "[directions, 3 * hidden, hidden]"},
                            {"b", "[directions, 6 * hidden]: biases of w, then of r", Arity::kOptional},
                            kLengthsSlot,
                            kInitialHSlot};
constexpr Slot kOutputs[] = {kYSlot, kYHSlot};
constexpr AttrSpec kAttrs[] = {
    kAlphaAttr,
    kBetaAttr,
    kActivationsAttr,
    kClipAttr,
    kDirectionAttr,
    kHiddenAttr,
    kLayoutAttr,
    {"linear_before_reset", AttrKind::kInt, "0", "1: the reset gate scales r . h + bias, 0: h before it"}};
constexpr std::string_view kDefaults[] = {"Sigmoid", "Tanh"};

Status infer(InferContext& ctx) { return infer_recurrent(ctx, 3, false, kDefaults); }

Status run(ReferenceContext& ctx) {
  bool linear = ctx.attr_int("linear_before_reset") != 0;
  std::vector<double> before, reset, scaled;
  return run_recurrent(
      ctx, 3, false, kDefaults,
      [&](const Recurrent& r, std::int64_t d, const double* xt, std::span<double> h, std::span<double>) {
        const Activation* act = &r.activations[static_cast<std::size_t>(2 * d)];
        before.assign(h.begin(), h.end());
        reset.resize(h.size());
        scaled.resize(h.size());
        for (std::size_t k : ctx.range(h.size())) {
          std::int64_t row = r.hidden + static_cast<std::int64_t>(k);
          reset[k] = act[0](r.input_sum(ctx, d, row, xt) + r.hidden_sum(ctx, d, row, before.data()));
          scaled[k] = reset[k] * before[k];
        }
        for (std::size_t k : ctx.range(h.size())) {
          std::int64_t row = static_cast<std::int64_t>(k), hidden = 2 * r.hidden + row;
          double update = act[0](r.input_sum(ctx, d, row, xt) + r.hidden_sum(ctx, d, row, before.data()));
          double past = linear ? reset[k] * r.hidden_sum(ctx, d, hidden, before.data())
                               : r.hidden_sum(ctx, d, hidden, scaled.data());
          double now = act[1](r.input_sum(ctx, d, hidden, xt) + past);
          h[k] = (1 - update) * now + update * before[k];
        }
      });
}

}  // namespace

MOTE_DEFINE_OP(gru) = {.name = "gru",
                       .doc = "A layer of gated recurrent units in one or both directions.",
                       .inputs = kInputs,
                       .outputs = kOutputs,
                       .attrs = kAttrs,
                       .infer = infer};
MOTE_DEFINE_REFERENCE(gru) = run;

}  // namespace mote
