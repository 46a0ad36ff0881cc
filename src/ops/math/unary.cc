// The unary family: y[i] = f(x[i]).
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/scalar.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "any shape"}};
constexpr Slot kOutputs[] = {{"y", "same shape and dtype as x"}};
constexpr Slot kBoolOutputs[] = {{"y", "boolean, same shape as x"}};
constexpr AttrSpec kIsInfAttrs[] = {
    {"detect_negative", AttrKind::kInt, "1", "whether minus infinity counts"},
    {"detect_positive", AttrKind::kInt, "1", "whether plus infinity counts"},
};

std::optional<Dim> known(UnaryOp op, const Dim& x) {
  if (op == UnaryOp::neg) return Dim(0) - x;
  if (op == UnaryOp::logical_not && x.is_const()) return Dim(x.value() == 0);
  if (op == UnaryOp::abs && never_negative(x)) return x;
  if (op == UnaryOp::abs && x.is_const()) return Dim(0) - x;
  if (op == UnaryOp::sign && x.is_const()) return Dim((x.value() > 0) - (x.value() < 0));
  return std::nullopt;
}

template <UnaryOp op, std::uint32_t classes>
Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, classes));
  ctx.output(0, Type::tensor(gives_bool(op) ? DType::boolean : ctx.dtype(0), ctx.type(0).shape));
  known_map(ctx, [](const Dim& x) { return known(op, x); });
  return {};
}

Status apply(ReferenceContext& ctx, UnaryOp op, double a, double b) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, ctx.out(0, gives_bool(op) ? DType::boolean : x.dtype, x.shape()));
  std::int64_t n = x.count();
  with_element(x.dtype, [&](auto element) {
    using E = decltype(element);
    if (gives_bool(op)) {
      for (std::int64_t i : ctx.range(n)) y.as<bool>()[i] = eval_unary(op, E::load(x, i), a, b) != 0;
    } else {
      for (std::int64_t i : ctx.range(n)) E::store(y, i, eval_unary(op, E::load(x, i), a, b));
    }
  });
  return {};
}

template <UnaryOp op>
Status run(ReferenceContext& ctx) {
  return apply(ctx, op, 0, 0);
}

Status run_is_inf(ReferenceContext& ctx) {
  return apply(ctx, UnaryOp::is_inf, static_cast<double>(ctx.attr_int("detect_negative")),
               static_cast<double>(ctx.attr_int("detect_positive")));
}

}  // namespace

#define MOTE_UNARY(name_, opcode, classes, doc_text)                 \
  MOTE_DEFINE_OP(name_) = {.name = #name_,                           \
                           .doc = doc_text,                          \
                           .inputs = kInputs,                        \
                           .outputs = kOutputs,                      \
                           .infer = infer<UnaryOp::opcode, classes>, \
                           .flags = kElementwise};                   \
  MOTE_DEFINE_REFERENCE(name_) = run<UnaryOp::opcode>;

MOTE_UNARY(abs, abs, kNumbers, "The absolute value; of the least integer of a type, itself.")
MOTE_UNARY(acos, acos, kFloats, "The inverse cosine.")
MOTE_UNARY(acosh, acosh, kFloats, "The inverse hyperbolic cosine.")
MOTE_UNARY(asin, asin, kFloats, "The inverse sine.")
MOTE_UNARY(asinh, asinh, kFloats, "The inverse hyperbolic sine.")
MOTE_UNARY(atan, atan, kFloats, "The inverse tangent.")
MOTE_UNARY(atanh, atanh, kFloats, "The inverse hyperbolic tangent.")
MOTE_UNARY(bitwise_not, bitwise_not, kInts, "Every bit inverted.")
MOTE_UNARY(ceil, ceil, kFloats, "The least integer not below x.")
MOTE_UNARY(cos, cos, kFloats, "The cosine of x in radians.")
MOTE_UNARY(cosh, cosh, kFloats, "The hyperbolic cosine.")
MOTE_UNARY(erf, erf, kFloats, "The error function.")
MOTE_UNARY(exp, exp, kFloats, "e to the power x.")
MOTE_UNARY(floor, floor, kFloats, "The greatest integer not above x.")
MOTE_UNARY(log, log, kFloats, "The natural logarithm; NaN below 0, minus infinity at 0.")
MOTE_UNARY(neg, neg, kFloats | kSigned, "Minus x; integers wrap.")
MOTE_UNARY(reciprocal, reciprocal, kFloats, "1 / x.")
MOTE_UNARY(round, round, kFloats, "The nearest integer, halves to the even one.")
MOTE_UNARY(sigmoid, sigmoid, kFloats, "1 / (1 + exp(-x)).")
MOTE_UNARY(sign, sign, kNumbers, "-1, 0 or 1; NaN and zeros stay as they are.")
MOTE_UNARY(sin, sin, kFloats, "The sine of x in radians.")
MOTE_UNARY(sinh, sinh, kFloats, "The hyperbolic sine.")
MOTE_UNARY(sqrt, sqrt, kFloats, "The square root; NaN below 0.")
MOTE_UNARY(tan, tan, kFloats, "The tangent of x in radians.")
MOTE_UNARY(tanh, tanh, kFloats, "The hyperbolic tangent.")
#undef MOTE_UNARY

MOTE_DEFINE_OP(is_inf) = {.name = "is_inf",
                          .doc = "Whether x is an infinity of a sign that counts.",
                          .inputs = kInputs,
                          .outputs = kBoolOutputs,
                          .attrs = kIsInfAttrs,
                          .infer = infer<UnaryOp::is_inf, kFloats | kFloat8>,
                          .flags = kElementwise};
MOTE_DEFINE_REFERENCE(is_inf) = run_is_inf;

MOTE_DEFINE_OP(is_nan) = {.name = "is_nan",
                          .doc = "Whether x is not a number.",
                          .inputs = kInputs,
                          .outputs = kBoolOutputs,
                          .infer = infer<UnaryOp::is_nan, kFloats | kFloat8>,
                          .flags = kElementwise};
MOTE_DEFINE_REFERENCE(is_nan) = run<UnaryOp::is_nan>;

MOTE_DEFINE_OP(not ) = {.name = "not",
                        .doc = "Logical negation.",
                        .inputs = kInputs,
                        .outputs = kBoolOutputs,
                        .infer = infer<UnaryOp::logical_not, kBool>,
                        .flags = kElementwise};
MOTE_DEFINE_REFERENCE(not ) = run<UnaryOp::logical_not>;

}  // namespace mote
