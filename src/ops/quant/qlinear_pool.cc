// qlinear_average_pool and qlinear_global_average_pool: means of quantized windows, quantized.
#include <algorithm>

#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/nn/pool.h"
#include "ops/ops.h"
#include "ops/quant/requantize.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "image of u8, i8 or i16"},
                            {"x_scale", "f32, one element"},
                            {"x_zero_point", "dtype of x; also the value of padding"},
                            {"y_scale", "f32, one element"},
                            {"y_zero_point", "dtype of x"}};
constexpr Slot kOutputs[] = {{"y", "the means, dtype of x"}};
constexpr AttrSpec kMeanRoundingAttr = {"rounding", AttrKind::kString, "\"half_even\"",
                                        "half_even, or, where x and y have one scale and zero point, integer"};
constexpr AttrSpec kAttrs[] = {kAutoPadAttr,
                               kCeilModeAttr,
                               {"count_include_pad", AttrKind::kInt, "0",
                                "1: divide by the elements of the window inside x and its pads, 0: inside x"},
                               kDataLayoutAttr,
                               kDilationsAttr,
                               kKernelShapeAttr,
                               kPadsAttr,
                               kMeanRoundingAttr,
                               kQuantizedRangeAttr,
                               kStridesAttr};
constexpr AttrSpec kGlobalAttrs[] = {kDataLayoutAttr, kMeanRoundingAttr, kQuantizedRangeAttr};

Status check(InferContext& ctx) {
  for (int i : {0, 2, 4}) {
    MOTE_TRY(check_dtype(ctx, i, kInts));
    MOTE_TRY(check_same_dtype(ctx, 0, i));
  }
  if (ctx.dtype(0) != DType::none && bits_of(ctx.dtype(0)) != 8 && ctx.dtype(0) != DType::i16)
    return ctx.error("x has 8 bits, or is i16");
  if (ctx.attr_string("rounding") != "half_even" && ctx.attr_string("rounding") != "integer")
    return ctx.error("rounding is half_even or integer");
  for (int i : {1, 3}) MOTE_TRY(check_dtype(ctx, i, kFloats));
  for (int i : {1, 2, 3, 4}) {
    if (ctx.has_rank(i) && known_count(ctx.shape(i)) != 1) return ctx.error("scales and zero points have one element");
  }
  return infer_quantized_result(ctx, 3, -1).status();
}

Status infer(InferContext& ctx) {
  MOTE_TRY(check(ctx));
  const DType dtypes[] = {ctx.dtype(0)};
  return infer_pool(ctx, dtypes);
}

Status infer_global(InferContext& ctx) {
  MOTE_TRY(check(ctx));
  return infer_global_pool(ctx);
}

Status run_over(ReferenceContext& ctx, const Pooling& p, bool pads) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  const float scale = static_cast<float>(load_f64(ctx.in(1), 0)) / static_cast<float>(load_f64(ctx.in(3), 0));
  const std::int64_t zero = load_i64(ctx.in(2), 0);
  const Quantizer quantize(ctx.attr_ints("y_range"), y.dtype, static_cast<std::int32_t>(load_i64(ctx.in(4), 0)));
  const bool integer = ctx.attr_string("rounding") == "integer";
  const Quantizer plain(ctx.attr_ints("y_range"), y.dtype, 0);
  for_each_window(ctx, p, x, y, [&](const PoolWindow& w) {
    std::int64_t n = pads ? w.counted : static_cast<std::int64_t>(w.taken.size()), sum = 0;
    if (integer) {
      for (std::size_t t : ctx.range(w.taken.size())) sum += load_i64(x, w.element(t));
      n = std::max<std::int64_t>(n, 1);
      return store_i64(y, w.y, plain.clamped((sum + (sum > 0 ? n / 2 : -(n / 2))) / n));
    }
    for (std::size_t t : ctx.range(w.taken.size())) sum += load_i64(x, w.element(t)) - zero;
    float factor = scale / static_cast<float>(n > 0 ? n : 1);
    store_i64(y, w.y, quantize(static_cast<float>(static_cast<std::int32_t>(sum)) * factor));
  });
  return {};
}

Status run(ReferenceContext& ctx) {
  MOTE_ASSIGN(Pooling p, pooling_of(ctx, ctx.in(0)));
  return run_over(ctx, p, ctx.attr_int("count_include_pad") != 0);
}

Status run_global(ReferenceContext& ctx) { return run_over(ctx, global_pooling_of(ctx, ctx.in(0)), false); }

constexpr std::string_view kRecipe =
    "The mean of every window of a quantized image, quantized: round_half_even(f32(sum of x - x_zero) * "
    "f32(f32(x_scale / y_scale) / n)) + y_zero, saturated; or, by the recipe integer, the sum of x over n, rounded, "
    "halves away from zero.";

}  // namespace

MOTE_DEFINE_OP(qlinear_average_pool) = {.name = "qlinear_average_pool",
                                        .doc = kRecipe,
                                        .inputs = kInputs,
                                        .outputs = kOutputs,
                                        .attrs = kAttrs,
                                        .infer = infer};
MOTE_DEFINE_REFERENCE(qlinear_average_pool) = run;

MOTE_DEFINE_OP(qlinear_global_average_pool) = {.name = "qlinear_global_average_pool",
                                               .doc = kRecipe,
                                               .inputs = kInputs,
                                               .outputs = kOutputs,
                                               .attrs = kGlobalAttrs,
                                               .infer = infer_global};
MOTE_DEFINE_REFERENCE(qlinear_global_average_pool) = run_global;

}  // namespace mote
