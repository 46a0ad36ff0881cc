// requantize_linear: integers brought to another scale.
#include "base/checked.h"
#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/quant/requantize.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {
    {"x", "integers, or whole numbers as floats"},
    {"scale",
     "what x is multiplied by: f32 or f64, one or a vector along axis; or i32 [2], the multiplier and the "
     "shift of fixed point: multiplier * 2^(shift - 31)"},
    {"y_zero_point", "one element; its dtype is that of y"},
    {"x_zero_point", "one integer, subtracted from x; absent: 0", Arity::kOptional},
    {"bias", "integers, a vector along axis, added to x", Arity::kOptional}};
constexpr Slot kOutputs[] = {{"y", "shape of x"}};
constexpr AttrSpec kAttrs[] = {
    {"axis", AttrKind::kInt, "-1", "the axis of vectors"}, kRoundingAttr, kQuantizedRangeAttr};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kInts | kFloats));
  MOTE_TRY(check_dtype(ctx, 1, kFloats | kSigned));
  for (int i : {2, 3, 4}) MOTE_TRY(check_dtype(ctx, i, kInts));
  MOTE_TRY(check_recipe(ctx));
  const bool pair = is_signed_int(ctx.dtype(1));
  if (pair && ctx.attr_string("rounding") != "fixed" && ctx.attr_string("rounding") != "fixed_wide")
    return ctx.error("a multiplier and a shift are for the recipes fixed and fixed_wide");
  if (pair && ctx.has_rank(1) && known_count(ctx.shape(1)) != 2) return ctx.error("scale has a multiplier and a shift");
  for (int i : {2, 3}) {
    if (ctx.has(i) && ctx.has_rank(i) && known_count(ctx.shape(i)) != 1)
      return ctx.error("zero points have one element");
  }
  if (std::vector<std::int64_t> range = ctx.attr_ints("y_range");
      !range.empty() && (range.size() != 2 || range[0] > range[1]))
    return ctx.error("y_range is the least and the greatest value of y");
  if (ctx.has_rank(0)) {
    const int rank = ctx.rank(0);
    MOTE_ASSIGN(std::vector<int> axis, normal_axes(ctx, {rank > 0 ? ctx.attr_int("axis") : 0}, std::max(rank, 1)));
    for (int i : {1, 4}) {
      if (!ctx.has(i) || !ctx.has_rank(i) || (i == 1 && (pair || known_count(ctx.shape(1)) == 1))) continue;
      const Dim n = rank > 0 ? ctx.shape(0)[static_cast<std::size_t>(axis[0])] : Dim(1);
      if (ctx.rank(i) != 1 || (n.is_const() && ctx.shape(i)[0].is_const() && !(ctx.shape(i)[0] == n)))
        return ctx.error("input " + std::to_string(i) + " has no value for each of " + n.to_string());
    }
  }
  ctx.output(0, Type::tensor(ctx.dtype(2), ctx.type(0).shape));
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &scale = ctx.in(1);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  const Recipe recipe = recipe_of_node(ctx);
  const bool pair = is_signed_int(scale.dtype), floating = is_float(x.dtype), vector = !pair && scale.count() > 1;
  const FixedScale fixed =
      pair ? FixedScale{static_cast<std::int32_t>(load_i64(scale, 0)),
                        static_cast<std::int32_t>(std::clamp<std::int64_t>(load_i64(scale, 1), -31, 31))}
           : FixedScale();
  const std::int64_t x_zero = ctx.has(3) ? load_i64(ctx.in(3), 0) : 0;
  const Quantizer quantize(ctx.attr_ints("y_range"), y.dtype, static_cast<std::int32_t>(load_i64(ctx.in(2), 0)));
  AxisView axis;
  if (x.rank > 0) axis = around(x.shape(), normal_axis(ctx.attr_int("axis"), x.rank));
  for (std::int64_t i : ctx.range(x.count())) {
    const std::int64_t c = axis.inner > 0 ? i / axis.inner % std::max<std::int64_t>(axis.n, 1) : 0;
    std::int64_t v = floating ? clamp_to_int(load_f64(x, i), -0x1p62, 0x1p62) : load_i64(x, i);
    v = wrap_sub(v, x_zero);
    if (ctx.has(4)) v = wrap_add(v, load_i64(ctx.in(4), c));
    if (pair) {
      store_i64(
          y, i,
          quantize.clamped(recipe == Recipe::kFixed ? scale_fixed(fixed::wrap(v), fixed) : scale_fixed_wide(v, fixed)));
    } else if (const double s = load_f64(scale, vector ? c : 0); recipe == Recipe::kHalfEven) {
      store_i64(y, i, quantize(static_cast<float>(fixed::wrap(v)) * static_cast<float>(s)));
    } else {
      store_i64(y, i, quantize.clamped(scaled(recipe, v, s)));
    }
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(requantize_linear) = {.name = "requantize_linear",
                                     .doc =
                                         "(x - x_zero_point + bias) * scale, rounded by the recipe `rounding`, plus "
                                         "y_zero_point, saturated.",
                                     .inputs = kInputs,
                                     .outputs = kOutputs,
                                     .attrs = kAttrs,
                                     .infer = infer};
MOTE_DEFINE_REFERENCE(requantize_linear) = run;

}  // namespace mote
