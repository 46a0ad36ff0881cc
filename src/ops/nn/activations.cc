// Activations: y[i] = f(x[i]), with f's parameters as attributes; and prelu, whose slope is a tensor.
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/scalar.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "any shape"}};
constexpr Slot kOutputs[] = {{"y", "same shape and dtype as x"}};

constexpr AttrSpec kLeakyRelu[] = {{"alpha", AttrKind::kFloat, "0.01", "the slope below 0"}};
constexpr AttrSpec kElu[] = {{"alpha", AttrKind::kFloat, "1.0", "minus the limit towards minus infinity"}};
constexpr AttrSpec kSelu[] = {{"alpha", AttrKind::kFloat, "1.6732632423543772", "minus the limit, before gamma"},
                              {"gamma", AttrKind::kFloat, "1.0507009873554805", "the factor on the result"}};
constexpr AttrSpec kHardSigmoid[] = {{"alpha", AttrKind::kFloat, "0.2", "the slope"},
                                     {"beta", AttrKind::kFloat, "0.5", "the value at 0"}};
constexpr AttrSpec kSwish[] = {{"alpha", AttrKind::kFloat, "1.0", "the factor inside of the sigmoid"}};
constexpr AttrSpec kThreshold[] = {{"alpha", AttrKind::kFloat, "1.0", "values up to it become 0"}};
constexpr AttrSpec kShrink[] = {{"lambd", AttrKind::kFloat, "0.5", "values of at most this size become 0"},
                                {"bias", AttrKind::kFloat, "0.0", "what is taken off the others"}};
constexpr AttrSpec kGelu[] = {
    {"approximate", AttrKind::kString, "\"none\"", "\"none\": by erf; \"tanh\": the tanh form"}};

template <std::uint32_t classes>
Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, classes));
  ctx.output(0, ctx.type(0));
  return {};
}

Status apply(ReferenceContext& ctx, UnaryOp op, double a, double b) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, ctx.out(0, x.dtype, x.shape()));
  std::int64_t n = x.count();
  with_element(x.dtype, [&](auto element) {
    using E = decltype(element);
    for (std::int64_t i : ctx.range(n)) E::store(y, i, eval_unary(op, E::load(x, i), a, b));
  });
  return {};
}

// The op's attributes are f's immediates, in order.
template <UnaryOp op>
Status run(ReferenceContext& ctx) {
  double immediates[2] = {};
  for (std::size_t i = 0; i < ctx.op().attrs.size() && i < 2; ++i)
    immediates[i] = ctx.attr_float(ctx.op().attrs[i].name);
  return apply(ctx, op, immediates[0], immediates[1]);
}

Status run_gelu(ReferenceContext& ctx) {
  return apply(ctx, ctx.attr_string("approximate") == "tanh" ? UnaryOp::gelu_tanh : UnaryOp::gelu, 0, 0);
}

constexpr Slot kPreluInputs[] = {{"x", "any shape"}, {"slope", "broadcasts to x, same dtype"}};

Status infer_prelu(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kNumbers));
  MOTE_TRY(check_same_dtype(ctx, 0, 1));
  ctx.output(0, ctx.type(0));
  if (!ctx.has_rank(0) || !ctx.has_rank(1)) return {};
  Result<Shape> both = broadcast(ctx.shape(0), ctx.shape(1));
  if (!both.ok() || both->size() != ctx.shape(0).size()) {
    return ctx.error("slope " + to_string(ctx.shape(1)) + " does not broadcast to x " + to_string(ctx.shape(0)));
  }
  return {};
}

Status run_prelu(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &slope = ctx.in(1);
  MOTE_ASSIGN(TensorView y, ctx.out(0, x.dtype, x.shape()));
  std::int64_t strides[kMaxRank] = {};
  for (int i = 0; i < x.rank; ++i) {
    int axis = i - (x.rank - slope.rank);
    if (axis < 0 || slope.dims[axis] == 1) continue;
    if (slope.dims[axis] != x.dims[i]) return invalid("slope does not broadcast to x");
    strides[i] = slope.strides[axis];
  }
  with_element(x.dtype, [&](auto element) {
    using E = decltype(element);
    for (std::int64_t i : ctx.range(x.count())) {
      std::int64_t at = 0, rest = i;
      for (int d = x.rank; d-- > 0;) {
        at += rest % x.dims[d] * strides[d];
        rest /= x.dims[d];
      }
      E::store(y, i, eval_binary(BinaryOp::prelu, E::load(x, i), E::load(slope, at)));
    }
  });
  return {};
}

}  // namespace

#define MOTE_ACTIVATION(name_, opcode, classes, attributes, doc_text) \
  MOTE_DEFINE_OP(name_) = {.name = #name_,                            \
                           .doc = doc_text,                           \
                           .inputs = kInputs,                         \
                           .outputs = kOutputs,                       \
                           .attrs = attributes,                       \
                           .infer = infer<classes>,                   \
                           .flags = kElementwise};                    \
  MOTE_DEFINE_REFERENCE(name_) = run<UnaryOp::opcode>;

MOTE_ACTIVATION(celu, celu, kFloats, kElu, "max(0, x) + min(0, alpha * (exp(x / alpha) - 1)).")
MOTE_ACTIVATION(elu, elu, kFloats, kElu, "x above 0, alpha * (exp(x) - 1) below.")
MOTE_ACTIVATION(hard_sigmoid, hard_sigmoid, kFloats, kHardSigmoid, "alpha * x + beta, clipped to [0, 1].")
MOTE_ACTIVATION(hard_swish, hard_swish, kFloats, {}, "x * clip(x / 6 + 0.5, 0, 1).")
MOTE_ACTIVATION(leaky_relu, leaky_relu, kFloats, kLeakyRelu, "x above 0, alpha * x below.")
MOTE_ACTIVATION(mish, mish, kFloats, {}, "x * tanh(softplus(x)).")
MOTE_ACTIVATION(relu, relu, kNumbers, {}, "max(x, 0).")
MOTE_ACTIVATION(selu, selu, kFloats, kSelu, "gamma * x above 0, gamma * alpha * (exp(x) - 1) below.")
MOTE_ACTIVATION(shrink, shrink, kNumbers, kShrink, "x - bias above lambd, x + bias below -lambd, 0 between.")
MOTE_ACTIVATION(softplus, softplus, kFloats, {}, "log(exp(x) + 1).")
MOTE_ACTIVATION(softsign, softsign, kFloats, {}, "x / (1 + |x|).")
MOTE_ACTIVATION(swish, swish, kFloats, kSwish, "x * sigmoid(alpha * x).")
MOTE_ACTIVATION(thresholded_relu, thresholded_relu, kFloats, kThreshold, "x above alpha, else 0.")
#undef MOTE_ACTIVATION

MOTE_DEFINE_OP(gelu) = {.name = "gelu",
                        .doc = "x times the normal distribution function of x.",
                        .inputs = kInputs,
                        .outputs = kOutputs,
                        .attrs = kGelu,
                        .infer = infer<kFloats>,
                        .flags = kElementwise};
MOTE_DEFINE_REFERENCE(gelu) = run_gelu;

MOTE_DEFINE_OP(prelu) = {.name = "prelu",
                         .doc = "x above 0, slope * x below.",
                         .inputs = kPreluInputs,
                         .outputs = kOutputs,
                         .infer = infer_prelu,
                         .flags = kElementwise};
MOTE_DEFINE_REFERENCE(prelu) = run_prelu;

}  // namespace mote
