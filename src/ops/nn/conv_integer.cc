// Convolution of 8-bit integers into 32-bit sums.
#include "base/checked.h"
#include "ops/infer_util.h"
#include "ops/nn/convolve.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "image of i8 or u8"},
                            {"w", "weights of i8 or u8"},
                            {"x_zero_point", "scalar, dtype of x; also the value of padding", Arity::kOptional},
                            {"w_zero_point", "scalar or one per output channel, dtype of w", Arity::kOptional}};
constexpr Slot kOutputs[] = {{"y", "i32 sums of (x - x_zero_point) * (w - w_zero_point), modulo 2^32"}};
constexpr AttrSpec kAttrs[] = {kAutoPadAttr,     kDataLayoutAttr, kDilationsAttr, kGroupAttr,
                               kKernelShapeAttr, kPadsAttr,       kStridesAttr,   kWeightLayoutAttr};

Status infer(InferContext& ctx) {
  for (int i : {0, 1}) MOTE_TRY(check_dtype(ctx, i, kInts));
  MOTE_TRY(check_same_dtype(ctx, 0, 2));
  MOTE_TRY(check_same_dtype(ctx, 1, 3));
  MOTE_TRY(check_per_channel(ctx, 2, 1, true));
  if (ctx.has_rank(1) && ctx.rank(1) > 0) MOTE_TRY(check_per_channel(ctx, 3, ctx.shape(1)[0], true));
  return infer_convolution(ctx, 0, 1, -1, DType::i32);
}

Status run(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &w = ctx.in(1);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  MOTE_ASSIGN(Convolution c, convolution_of(ctx, x, w, y));
  MOTE_ASSIGN(auto xs, wide_scratch(ctx, x.count()));
  MOTE_ASSIGN(auto ws, wide_scratch(ctx, w.count()));
  MOTE_ASSIGN(auto ys, wide_scratch(ctx, y.count()));
  double zero = ctx.has(2) ? load_f64(ctx.in(2), 0) : 0;
  for (std::size_t i : ctx.range(xs.size())) xs[i] = load_f64(x, static_cast<std::int64_t>(i)) - zero;
  for (std::size_t i : ctx.range(ws.size())) ws[i] = load_f64(w, static_cast<std::int64_t>(i));
  if (ctx.has(3)) {
    MOTE_ASSIGN(auto zeros, widen(ctx, ctx.in(3)));
    subtract_weight_zero(ctx, c, zeros, ws);
  }
  convolve(ctx, c, xs, ws, ys);
  for (std::size_t i : ctx.range(ys.size())) {
    store_i64(y, static_cast<std::int64_t>(i), clamp_to_int(ys[i], -0x1p62, 0x1p62));
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(conv_integer) = {.name = "conv_integer",
                                .doc = "Convolution of 8-bit integers with run-time zero points into i32.",
                                .inputs = kInputs,
                                .outputs = kOutputs,
                                .attrs = kAttrs,
                                .infer = infer};
MOTE_DEFINE_REFERENCE(conv_integer) = run;

}  // namespace mote
