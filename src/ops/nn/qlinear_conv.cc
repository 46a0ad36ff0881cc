// Convolution of quantized tensors into a quantized tensor.
#include "ops/epilogue.h"
#include "ops/infer_util.h"
#include "ops/nn/convolve.h"
#include "ops/ops.h"
#include "ops/quant/requantize.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {
    {"x", "image of i8, u8, i16 or u16"},
    {"x_scale", "f32 scalar"},
    {"x_zero_point", "scalar, dtype of x; also the value of padding"},
    {"w", "weights of i8, u8 or i4"},
    {"w_scale", "f32 scalar, or one per output channel"},
    {"w_zero_point", "scalar or one per output channel, dtype of w; i8 for fewer bits"},
    {"y_scale", "f32 scalar; absent: y is f32", Arity::kOptional},
    {"y_zero_point", "scalar; its dtype is that of y", Arity::kOptional},
    {"b", "one per output channel: i32 or i64 in units of x_scale * w_scale, or, where y is f32, f32",
     Arity::kOptional},
    {"operands", "operands of the epilogue", Arity::kVariadic}};
constexpr Slot kOutputs[] = {{"y",
                              "round(sum * x_scale * w_scale / y_scale) + y_zero_point by the recipe `rounding`, "
                              "saturated; without y_scale, sum * (x_scale * w_scale)"}};
constexpr AttrSpec kAttrs[] = {kAutoPadAttr, kDataLayoutAttr,   kDilationsAttr,      kEpilogueAttr,
                               kGroupAttr,   kKernelShapeAttr,  kPadsAttr,           kRoundingAttr,
                               kStridesAttr, kWeightLayoutAttr, kQuantizedRangeAttr, kInF32Attr};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_recipe(ctx));
  for (int i : {0, 3, 7}) MOTE_TRY(check_dtype(ctx, i, kInts | (i == 3 ? kSmallSigned : 0u)));
  MOTE_TRY(check_same_dtype(ctx, 0, 2));
  if (bits_of(ctx.dtype(3)) >= 8 || ctx.dtype(5) != DType::i8) MOTE_TRY(check_same_dtype(ctx, 3, 5));
  for (int i : {1, 2, 6, 7}) MOTE_TRY(check_per_channel(ctx, i, 1, true));
  for (int i : {4, 5}) {
    if (ctx.has_rank(3) && ctx.rank(3) > 0) MOTE_TRY(check_per_channel(ctx, i, ctx.shape(3)[0], true));
  }
  MOTE_ASSIGN(DType dtype, infer_quantized_result(ctx, 6, 8));
  MOTE_TRY(infer_convolution(ctx, 0, 3, 8, dtype));
  return infer_epilogue(ctx, ctx.out_types_[0]);
}

Status run(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &w = ctx.in(3);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  MOTE_ASSIGN(Convolution c, convolution_of(ctx, x, w, y));
  MOTE_ASSIGN(auto xs, wide_scratch(ctx, x.count()));
  MOTE_ASSIGN(auto ws, wide_scratch(ctx, w.count()));
  MOTE_ASSIGN(auto ys, wide_scratch(ctx, y.count()));
  MOTE_ASSIGN(auto w_scale, widen(ctx, ctx.in(4)));
  MOTE_ASSIGN(auto w_zero, widen(ctx, ctx.in(5)));
  double x_scale = load_f64(ctx.in(1), 0), x_zero = load_f64(ctx.in(2), 0),
         y_scale = ctx.has(6) ? load_f64(ctx.in(6), 0) : 0, y_zero = ctx.has(7) ? load_f64(ctx.in(7), 0) : 0;
  for (std::size_t i : ctx.range(xs.size())) xs[i] = load_f64(x, static_cast<std::int64_t>(i)) - x_zero;
  for (std::size_t i : ctx.range(ws.size())) ws[i] = load_f64(w, static_cast<std::int64_t>(i));
  subtract_weight_zero(ctx, c, w_zero, ws);
  convolve(ctx, c, xs, ws, ys);
  const Requantizer requantize(ctx, y.dtype);
  for (std::size_t i : ctx.range(ys.size())) {
    std::int64_t channel = c.channel_of(static_cast<std::int64_t>(i));
    double scale = w_scale[w_scale.size() == 1 ? 0 : static_cast<std::size_t>(channel)];
    double bias = ctx.has(8) ? load_f64(ctx.in(8), channel) : 0;
    requantize(y, static_cast<std::int64_t>(i), ys[i], {x_scale, scale, y_scale, y_zero, bias});
  }
  return is_float(y.dtype) ? run_epilogue(ctx, y) : Status();
}

}  // namespace

MOTE_DEFINE_OP(qlinear_conv) = {.name = "qlinear_conv",
                                .doc = "Convolution of quantized operands, requantized to the scale of y.",
                                .inputs = kInputs,
                                .outputs = kOutputs,
                                .attrs = kAttrs,
                                .infer = infer};
MOTE_DEFINE_REFERENCE(qlinear_conv) = run;

}  // namespace mote
