// Depthwise convolution over the past alone, with the last inputs as its state.
#include <limits>

#include "ops/decompose.h"
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"input", "[batch, channels, length]"},
                            {"weight", "[channels, 1, k]"},
                            {"bias", "one per channel", Arity::kOptional},
                            {"past_state", "[batch, channels, k - 1]: the inputs before; default 0", Arity::kOptional}};
constexpr Slot kOutputs[] = {{"output", "shape of input"},
                             {"present_state", "[batch, channels, k - 1]: the last inputs", Arity::kOptional}};
constexpr AttrSpec kAttrs[] = {{"activation", AttrKind::kString, "\"none\"", "none, or silu (also called swish)"}};

bool agree(const Dim& a, const Dim& b) { return !a.is_const() || !b.is_const() || a == b; }

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  for (int i = 1; i < 4; ++i) MOTE_TRY(check_same_dtype(ctx, 0, i));
  for (int i : {0, 1, 3}) MOTE_TRY(check_rank(ctx, i, 3, 3));
  std::string activation = ctx.attr_string("activation");
  if (activation != "none" && activation != "silu" && activation != "swish") {
    return ctx.error("activation: '" + activation + "' is not none or silu");
  }
  Shape x = ctx.has_rank(0) ? ctx.shape(0) : ctx.fresh_shape(3);
  Dim taps = ctx.has_rank(1) ? ctx.shape(1)[2] : ctx.fresh();
  if (taps.is(0)) return ctx.error("an empty kernel");
  Shape state = {x[0], x[1], taps - 1};
  if (ctx.has_rank(1) && (!agree(ctx.shape(1)[0], x[1]) || !agree(ctx.shape(1)[1], 1))) {
    return ctx.error("weight of shape " + to_string(ctx.shape(1)) + " does not fit " + x[1].to_string() + " channels");
  }
  if (ctx.has_rank(2) && !agree(volume(ctx.shape(2)), x[1])) return ctx.error("bias needs one value per channel");
  for (std::size_t a = 0; ctx.has_rank(3) && a < 3; ++a) {
    if (!agree(ctx.shape(3)[a], state[a])) return ctx.error("past_state needs shape " + to_string(state));
  }
  ctx.output(0, ctx.dtype(0), std::move(x));
  if (ctx.wants(1)) ctx.output(1, ctx.dtype(0), std::move(state));
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &w = ctx.in(1);
  MOTE_ASSIGN(std::vector<TensorView> outs, infer_outs(ctx));
  bool silu = ctx.attr_string("activation") != "none";
  std::int64_t length = x.dims[2], taps = w.dims[2], past = taps - 1;
  // Element l of a row, counted from the first of the state.
  auto at = [&](std::int64_t row, std::int64_t l) {
    if (l >= past) return load_f64(x, row * length + l - past);
    return ctx.has(3) ? load_f64(ctx.in(3), row * past + l) : 0;
  };
  for (std::int64_t row : ctx.range(x.dims[0] * x.dims[1])) {
    std::int64_t channel = row % x.dims[1];
    for (std::int64_t l : ctx.range(length)) {
      double sum = ctx.has(2) ? load_f64(ctx.in(2), channel) : 0;
      for (std::int64_t k : ctx.range(taps)) sum += load_f64(w, channel * taps + k) * at(row, l + k);
      store_f64(outs[0], row * length + l, silu ? sum / (1 + std::exp(-sum)) : sum);
    }
    for (std::int64_t l : ctx.range(ctx.wants(1) ? past : 0)) store_f64(outs[1], row * past + l, at(row, length + l));
  }
  return {};
}

Result<std::vector<ValueId>> decompose(Builder& b, const Node& node) {
  ValueId x = node.inputs[0], w = node.inputs[1];
  auto given = [&](std::size_t i) { return i < node.inputs.size() ? node.inputs[i] : kNone; };
  if (!b.has_rank(w) || !b.shape(w)[0].is_const() || !b.shape(w)[2].is_const()) {
    return unsupported("causal_conv_with_state has a decomposition for kernels of known extents only");
  }
  std::int64_t past = b.shape(w)[2].value() - 1, end = std::numeric_limits<std::int64_t>::max();
  ValueId all = given(3) != kNone ? b.add("concat", {given(3), x}, {{"axis", std::int64_t{2}}})
                                  : b.add("pad", {x, b.ints({past, 0}), kNone, b.ints({2})});
  ValueId y = b.add("conv", {all, w, given(2)}, {{"group", b.shape(w)[0].value()}});
  if (attr_string(*node.op, node.attrs, "activation") != "none") y = b.add("mul", {y, b.add("sigmoid", {y})});
  ValueId state = b.add("slice", {all, b.ints({past ? -past : end}), b.ints({end}), b.ints({2})});
  std::vector<ValueId> outputs = {y, state};
  outputs.resize(node.outputs.size());
  return outputs;
}

}  // namespace

MOTE_DEFINE_OP(causal_conv_with_state) = {
    .name = "causal_conv_with_state",
    .doc = "Depthwise convolution along the last axis over the past alone, carrying the last inputs as a state.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attrs = kAttrs,
    .infer = infer};
MOTE_DEFINE_REFERENCE(causal_conv_with_state) = run;
MOTE_DEFINE_DECOMPOSITION(causal_conv_with_state) = decompose;

}  // namespace mote
