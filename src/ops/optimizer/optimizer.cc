// adagrad, adam and momentum: one step of an optimizer over any number of tensors.
#include <cmath>

#include "ops/check_one.h"
#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"r", "float scalar, the learning rate"},
                            {"t", "i64 scalar, how many steps were taken before"},
                            {"tensors",
                             "all parameters, then all gradients, then each kind of moment (adagrad: squares; "
                             "momentum: velocity; adam: velocity, squares)",
                             Arity::kVariadic}};
constexpr Slot kOutputs[] = {{"updated", "the new parameters, then the new moments", Arity::kVariadic}};
constexpr AttrSpec kNorm = {"norm_coefficient", AttrKind::kFloat, "0.0",
                            "factor of the parameters added to the gradients"};
constexpr AttrSpec kEpsilon = {"epsilon", AttrKind::kFloat, "1e-6", "added to the square root in the divisor"};
constexpr AttrSpec kAdagradAttrs[] = {
    {"decay_factor", AttrKind::kFloat, "0.0", "decay of the learning rate per step"}, kEpsilon, kNorm};
constexpr AttrSpec kAdamAttrs[] = {
    {"alpha", AttrKind::kFloat, "0.9", "decay of the velocity"},
    {"beta", AttrKind::kFloat, "0.999", "decay of the squares"},
    kEpsilon,
    kNorm,
    {"norm_coefficient_post", AttrKind::kFloat, "0.0", "share of the new parameters taken away"},
};
constexpr AttrSpec kMomentumAttrs[] = {
    {"alpha", AttrKind::kFloat, "", "decay of the velocity", true},
    {"beta", AttrKind::kFloat, "", "factor of the gradient, after the first step", true},
    {"mode", AttrKind::kString, "", "\"standard\" or \"nesterov\"", true},
    {"norm_coefficient", AttrKind::kFloat, "", "factor of the parameters added to the gradients", true},
};

// Whether the shapes of two inputs are known not to be the same.
bool differ(const InferContext& ctx, int a, int b) {
  if (!ctx.has_rank(a) || !ctx.has_rank(b)) return false;
  const Shape &x = ctx.shape(a), &y = ctx.shape(b);
  bool same = x.size() == y.size();
  for (std::size_t i = 0; same && i < x.size(); ++i) same = !x[i].is_const() || !y[i].is_const() || x[i] == y[i];
  return !same;
}

// `kinds`: parameters, gradients and moments.
template <int kinds>
Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  MOTE_TRY(check_dtype(ctx, 1, kInts));
  for (int i : {0, 1}) MOTE_TRY(check_one(ctx, i));
  int count = (ctx.inputs() - 2) / kinds;
  if (ctx.inputs() < 2 + kinds || (ctx.inputs() - 2) % kinds != 0) {
    return ctx.error("takes " + std::to_string(kinds) + " tensors per parameter");
  }
  for (int i = 0; i < count; ++i) {
    MOTE_TRY(check_dtype(ctx, 2 + i, kFloats));
    for (int k = 1; k < kinds; ++k) {
      MOTE_TRY(check_same_dtype(ctx, 2 + i, 2 + k * count + i));
      if (differ(ctx, 2 + i, 2 + k * count + i)) return ctx.error("a parameter's tensors differ in shape");
      if (k + 1 < kinds) ctx.output(k * count + i, ctx.type(2 + i));
    }
    ctx.output(i, ctx.type(2 + i));
  }
  return {};
}

// Calls step(parameter, gradient, moments) for each element; it changes the parameter and the moments in place.
template <int moments, class Step>
Status update(ReferenceContext& ctx, const Step& step) {
  int count = (ctx.inputs() - 2) / (2 + moments);
  for (int i = 0; i < count; ++i) {
    const TensorView &x = ctx.in(2 + i), &g = ctx.in(2 + count + i);
    TensorView outs[1 + moments];
    for (int k = 0; k <= moments; ++k) {
      MOTE_ASSIGN(outs[k], ctx.out(k * count + i, x.dtype, x.shape()));
    }
    for (std::int64_t e : ctx.range(x.count())) {
      double v[1 + moments] = {load_f64(x, e)};
      for (int k = 0; k < moments; ++k) v[1 + k] = load_f64(ctx.in(2 + (2 + k) * count + i), e);
      step(v[0], load_f64(g, e) + ctx.attr_float("norm_coefficient") * v[0], v + 1);
      for (int k = 0; k <= moments; ++k) store_f64(outs[k], e, v[k]);
    }
  }
  return {};
}

Status run_adagrad(ReferenceContext& ctx) {
  MOTE_TRY(infer_now(ctx).status());
  double t = static_cast<double>(load_i64(ctx.in(1), 0)), epsilon = ctx.attr_float("epsilon");
  double r = load_f64(ctx.in(0), 0) / (1 + t * ctx.attr_float("decay_factor"));
  return update<1>(ctx, [&](double& x, double g, double* m) {
    m[0] += g * g;
    x -= r * g / (std::sqrt(m[0]) + epsilon);
  });
}

Status run_adam(ReferenceContext& ctx) {
  MOTE_TRY(infer_now(ctx).status());
  double t = static_cast<double>(load_i64(ctx.in(1), 0)), r = load_f64(ctx.in(0), 0);
  double alpha = ctx.attr_float("alpha"), beta = ctx.attr_float("beta"), epsilon = ctx.attr_float("epsilon");
  if (t > 0) r *= std::sqrt(1 - std::pow(beta, t)) / (1 - std::pow(alpha, t));
  double keep = 1 - ctx.attr_float("norm_coefficient_post");
  return update<2>(ctx, [&](double& x, double g, double* m) {
    m[0] = alpha * m[0] + (1 - alpha) * g;
    m[1] = beta * m[1] + (1 - beta) * g * g;
    x = keep * (x - r * m[0] / (std::sqrt(m[1]) + epsilon));
  });
}

Status run_momentum(ReferenceContext& ctx) {
  MOTE_TRY(infer_now(ctx).status());
  std::string mode = ctx.attr_string("mode");
  if (mode != "standard" && mode != "nesterov")
    return invalid("momentum: mode '" + mode + "' is not standard or nesterov");
  double r = load_f64(ctx.in(0), 0), alpha = ctx.attr_float("alpha");
  double beta = load_i64(ctx.in(1), 0) > 0 ? ctx.attr_float("beta") : 1;
  return update<1>(ctx, [&](double& x, double g, double* m) {
    m[0] = alpha * m[0] + beta * g;
    x -= r * (mode == "nesterov" ? g + alpha * m[0] : m[0]);
  });
}

}  // namespace

MOTE_DEFINE_OP(adagrad) = {.name = "adagrad",
                           .doc =
                               "Parameters moved along their gradients, divided by the root of the sum of all "
                               "squared gradients so far.",
                           .inputs = kInputs,
                           .outputs = kOutputs,
                           .attrs = kAdagradAttrs,
                           .infer = infer<3>};
MOTE_DEFINE_REFERENCE(adagrad) = run_adagrad;

MOTE_DEFINE_OP(adam) = {.name = "adam",
                        .doc =
                            "Parameters moved along the running mean of their gradients, divided by the root "
                            "of the running mean of the squares.",
                        .inputs = kInputs,
                        .outputs = kOutputs,
                        .attrs = kAdamAttrs,
                        .infer = infer<4>};
MOTE_DEFINE_REFERENCE(adam) = run_adam;

MOTE_DEFINE_OP(momentum) = {.name = "momentum",
                            .doc = "Parameters moved along a running sum of their gradients.",
                            .inputs = kInputs,
                            .outputs = kOutputs,
                            .attrs = kMomentumAttrs,
                            .infer = infer<3>};
MOTE_DEFINE_REFERENCE(momentum) = run_momentum;

}  // namespace mote
