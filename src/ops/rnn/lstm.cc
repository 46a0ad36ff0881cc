// Long short-term memory: gates in the order input, output, forget, cell.
#include "ops/ops.h"
#include "ops/rnn/recurrent.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {
    kSequenceSlot,
    {"w", "[directions, 4 * hidden, features]"},
    {"r", "[directions, 4 * hidden, hidden]"},
    {"b", "[directions, 8 * hidden]: biases of w, then of r", Arity::kOptional},
    kLengthsSlot,
    kInitialHSlot,
    {"initial_c", "the cell before the first step, as initial_h", Arity::kOptional},
    {"p", "[directions, 3 * hidden]: peepholes of the input, output and forget gates", Arity::kOptional}};
constexpr Slot kOutputs[] = {kYSlot, kYHSlot, {"y_c", "the last cell, as y_h", Arity::kOptional}};
constexpr AttrSpec kAttrs[] = {kAlphaAttr,
                               kBetaAttr,
                               kActivationsAttr,
                               kClipAttr,
                               kDirectionAttr,
                               kHiddenAttr,
                               {"input_forget", AttrKind::kInt, "0", "1: the forget gate is 1 - the input gate"},
                               kLayoutAttr};
constexpr std::string_view kDefaults[] = {"Sigmoid", "Tanh", "Tanh"};

Status infer(InferContext& ctx) { return infer_recurrent(ctx, 4, true, kDefaults); }

Status run(ReferenceContext& ctx) {
  bool coupled = ctx.attr_int("input_forget") != 0;
  std::vector<double> before;
  return run_recurrent(
      ctx, 4, true, kDefaults,
      [&](const Recurrent& r, std::int64_t d, const double* xt, std::span<double> h, std::span<double> c) {
        const Activation* act = &r.activations[static_cast<std::size_t>(3 * d)];
        before.assign(h.begin(), h.end());
        for (std::int64_t k : ctx.range(r.hidden)) {
          auto gate = [&](std::int64_t g) {
            return r.input_sum(ctx, d, g * r.hidden + k, xt) + r.hidden_sum(ctx, d, g * r.hidden + k, before.data());
          };
          auto peephole = [&](std::int64_t g, double cell) {
            return ctx.has(7) ? cell * load_f64(ctx.in(7), (d * 3 + g) * r.hidden + k) : 0;
          };
          double& cell = c[static_cast<std::size_t>(k)];
          double in = act[0](gate(0) + peephole(0, cell));
          double forget = coupled ? 1 - in : act[0](gate(2) + peephole(2, cell));
          cell = forget * cell + in * act[1](gate(3));
          double out = act[0](gate(1) + peephole(1, cell));
          h[static_cast<std::size_t>(k)] = out * act[2](cell);
        }
      });
}

}  // namespace

MOTE_DEFINE_OP(lstm) = {.name = "lstm",
                        .doc = "A long short-term memory layer in one or both directions.",
                        .inputs = kInputs,
                        .outputs = kOutputs,
                        .attrs = kAttrs,
                        .infer = infer};
MOTE_DEFINE_REFERENCE(lstm) = run;

}  // namespace mote
