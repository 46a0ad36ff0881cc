// Convolution of quantized tensors into a quantized tensor.
#include "ops/infer_util.h"
#include "ops/nn/convolve.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "image of i8 or u8"},
                            {"x_scale", "f32 scalar"},
                            {"x_zero_point", "scalar, dtype of x; also the value of padding"},
                            {"w", "weights of i8 or u8"},
                            {"w_scale", "f32 scalar, or one per output channel"},
                            {"w_zero_point", "scalar or one per output channel, dtype of w"},
                            {"y_scale", "f32 scalar"},
                            {"y_zero_point", "scalar; its dtype is that of y"},
                            {"b", "i32, one per output channel, scaled by x_scale * w_scale", Arity::kOptional}};
constexpr Slot kOutputs[] = {{"y", "round_half_even(sum * x_scale * w_scale / y_scale) + y_zero_point, saturated"}};
constexpr AttrSpec kAttrs[] = {kAutoPadAttr,     kDataLayoutAttr, kDilationsAttr, kGroupAttr,
                               kKernelShapeAttr, kPadsAttr,       kStridesAttr,   kWeightLayoutAttr};

Status infer(InferContext& ctx) {
  for (int i : {0, 3, 7}) MOTE_TRY(check_dtype(ctx, i, kInts));
  MOTE_TRY(check_same_dtype(ctx, 0, 2));
  MOTE_TRY(check_same_dtype(ctx, 3, 5));
  for (int i : {1, 2, 6, 7}) MOTE_TRY(check_per_channel(ctx, i, 1, true));
  for (int i : {4, 5}) {
    if (ctx.has_rank(3) && ctx.rank(3) > 0) MOTE_TRY(check_per_channel(ctx, i, ctx.shape(3)[0], true));
  }
  return infer_convolution(ctx, 0, 3, 8, ctx.dtype(7));
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
  double x_zero = load_f64(ctx.in(2), 0), y_zero = load_f64(ctx.in(7), 0);
  float x_scale = static_cast<float>(load_f64(ctx.in(1), 0)), y_scale = static_cast<float>(load_f64(ctx.in(6), 0));
  for (std::size_t i = 0; i < xs.size(); ++i) xs[i] = load_f64(x, static_cast<std::int64_t>(i)) - x_zero;
  for (std::size_t i = 0; i < ws.size(); ++i) ws[i] = load_f64(w, static_cast<std::int64_t>(i));
  if (ctx.has(8)) fill_bias(c, ctx.in(8), ys);
  subtract_weight_zero(c, w_zero, ws);
  convolve(c, xs, ws, ys);
  for (std::size_t i = 0; i < ys.size(); ++i) {
    std::size_t channel = static_cast<std::size_t>(c.channel_of(static_cast<std::int64_t>(i)));
    float scale = x_scale * static_cast<float>(w_scale[w_scale.size() == 1 ? 0 : channel]) / y_scale;
    float scaled = static_cast<float>(static_cast<std::int32_t>(static_cast<std::int64_t>(ys[i]))) * scale;
    store_f64(y, static_cast<std::int64_t>(i), static_cast<double>(std::nearbyint(scaled)) + y_zero);
  }
  return {};
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
