// qlinear_binary: sum, difference, product or quotient of two quantized tensors, quantized.
#include <algorithm>
#include <cmath>

#include "base/fixed_math.h"
#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/quant/fixed_sum.h"
#include "ops/quant/requantize.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"a", "integers of 8 or 16 bits"}, {"a_scale", "f32, one element"},
                            {"a_zero_point", "dtype of a"},    {"b", "integers of 8 or 16 bits"},
                            {"b_scale", "f32, one element"},   {"b_zero_point", "dtype of b"},
                            {"y_scale", "f32, one element"},   {"y_zero_point", "integers of 8 or 16 bits"}};
constexpr Slot kOutputs[] = {{"y", "the broadcast of a and b, dtype of y_zero_point"}};
constexpr AttrSpec kAttrs[] = {{"function", AttrKind::kString, "\"add\"", "add, sub, mul or div"},
                               {"rounding", AttrKind::kString, "\"half_even\"",
                                "half_even (in f32), fixed (in fixed point), or shift (sums whose scales are powers of "
                                "two, that of y the greatest)"},
                               kQuantizedRangeAttr};

bool takes(DType t) { return t == DType::none || bits_of(t) == 8 || bits_of(t) == 16; }

// Scales that are powers of two: operands are shifted to the scale of y, rounded, and added with saturation.
std::int64_t shifted_sum(std::int32_t u, std::int32_t v, int a_shift, int b_shift, bool negative) {
  const std::int32_t x = fixed::divide_by_pot(u, a_shift), z = fixed::divide_by_pot(v, b_shift);
  return std::clamp<std::int64_t>(negative ? std::int64_t{x} - z : std::int64_t{x} + z, -32768, 32767);
}

// How far a scale lies below that of y, in bits.
int bits_below(float scale, float y_scale) {
  int exponent = 0;
  const double m = std::frexp(static_cast<double>(y_scale) / static_cast<double>(scale), &exponent);
  return std::clamp(m > 0.70710678 ? exponent : exponent - 1, 0, 31);
}

Status infer(InferContext& ctx) {
  for (int i : {0, 2, 3, 5, 7}) {
    MOTE_TRY(check_dtype(ctx, i, kInts));
    if (!takes(ctx.dtype(i))) return ctx.error("operands have 8 or 16 bits");
  }
  for (int i : {1, 4, 6}) MOTE_TRY(check_dtype(ctx, i, kFloats));
  MOTE_TRY(check_same_dtype(ctx, 0, 2));
  MOTE_TRY(check_same_dtype(ctx, 3, 5));
  for (int i : {1, 2, 4, 5, 6, 7}) {
    if (ctx.has_rank(i) && known_count(ctx.shape(i)) != 1) return ctx.error("scales and zero points have one element");
  }
  std::string function = ctx.attr_string("function");
  const bool divides = function == "div";
  if (function != "add" && function != "sub" && function != "mul" && !divides)
    return ctx.error("function is add, sub, mul or div");
  const std::string rounding = ctx.attr_string("rounding");
  if (divides && rounding != "fixed") return ctx.error("quotients are rounded by fixed");
  if (rounding != "half_even" && rounding != "fixed" && rounding != "shift")
    return ctx.error("rounding is half_even, fixed or shift");
  if (rounding == "shift" && function == "mul") return ctx.error("rounding: shift is for sums");
  MOTE_ASSIGN(DType dtype, infer_quantized_result(ctx, 6, -1));
  if (!ctx.has_rank(0) || !ctx.has_rank(3)) return ctx.output(0, Type::tensor(dtype)), Status();
  Result<Shape> shape = broadcast(ctx.shape(0), ctx.shape(3));
  if (!shape.ok()) return ctx.error(std::string(shape.status().message()));
  ctx.output(0, dtype, *std::move(shape));
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView &a = ctx.in(0), &b = ctx.in(3);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  auto f32 = [&](int i) { return static_cast<float>(load_f64(ctx.in(i), 0)); };
  auto whole = [&](int i) { return static_cast<std::int32_t>(load_i64(ctx.in(i), 0)); };
  const std::string function = ctx.attr_string("function");
  const Quantizer quantize(ctx.attr_ints("y_range"), y.dtype, whole(7));
  const std::int32_t a_zero = whole(2), b_zero = whole(5);
  const float as = f32(1) / f32(6), bs = f32(4) / f32(6), product = f32(1) * f32(4) / f32(6);
  const std::string rounding = ctx.attr_string("rounding");
  const bool multiplies = function == "mul", subtracts = function == "sub", divides = function == "div";
  const FixedScale fixed_quotient = fixed_scale(static_cast<double>(f32(1) / (f32(4) * f32(6))));
  const FixedSum sum(f32(1), f32(4), f32(6), y.dtype == DType::i16);
  const FixedScale fixed_product = fixed_scale(static_cast<double>(product));
  const int a_shift = bits_below(f32(1), f32(6)), b_shift = bits_below(f32(4), f32(6));
  std::int64_t i = 0;
  walk<2>(ctx, y.shape(), {broadcast_strides(a, y.rank), broadcast_strides(b, y.rank)}, [&](const auto& at) {
    std::int32_t u = static_cast<std::int32_t>(load_i64(a, at[0])) - a_zero,
                 v = static_cast<std::int32_t>(load_i64(b, at[1])) - b_zero;
    if (divides) return store_i64(y, i++, quantize.clamped(fixed::quotient(u, v, fixed_quotient)));
    if (rounding == "fixed") {
      return store_i64(y, i++,
                       quantize.clamped(multiplies ? scale_fixed(fixed::wrap(std::int64_t{u} * v), fixed_product)
                                                   : sum(u, v, subtracts)));
    }
    if (rounding == "shift") return store_i64(y, i++, quantize.clamped(shifted_sum(u, v, a_shift, b_shift, subtracts)));
    float x = multiplies ? static_cast<float>(std::int64_t{u} * v) * product
                         : static_cast<float>(u) * as + static_cast<float>(subtracts ? -v : v) * bs;
    store_i64(y, i++, quantize(x));
  });
  return {};
}

}  // namespace

MOTE_DEFINE_OP(qlinear_binary) = {.name = "qlinear_binary",
                                  .doc =
                                      "a and b dequantized, added (subtracted, multiplied, divided) and quantized: "
                                      "round_half_even((a - a_zero) * f32(a_scale / y_scale) + (b - b_zero) * "
                                      "f32(b_scale / y_scale)) + y_zero, saturated; the product by "
                                      "f32(f32(a_scale * b_scale) / y_scale). In fixed point: docs/numerics.md.",
                                  .inputs = kInputs,
                                  .outputs = kOutputs,
                                  .attrs = kAttrs,
                                  .infer = infer,
                                  .flags = kElementwise};
MOTE_DEFINE_REFERENCE(qlinear_binary) = run;

}  // namespace mote
