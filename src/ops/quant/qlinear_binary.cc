// qlinear_binary: sum, difference or product of two quantized tensors, quantized.
#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/quant/requantize.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"a", "u8 or i8"},
                            {"a_scale", "f32, one element"},
                            {"a_zero_point", "dtype of a"},
                            {"b", "u8 or i8"},
                            {"b_scale", "f32, one element"},
                            {"b_zero_point", "dtype of b"},
                            {"y_scale", "f32, one element"},
                            {"y_zero_point", "u8 or i8"}};
constexpr Slot kOutputs[] = {{"y", "the broadcast of a and b, dtype of y_zero_point"}};
constexpr AttrSpec kAttrs[] = {{"function", AttrKind::kString, "\"add\"", "add, sub or mul"}, kQuantizedRangeAttr};

Status infer(InferContext& ctx) {
  for (int i : {0, 2, 3, 5, 7}) {
    MOTE_TRY(check_dtype(ctx, i, kInts));
    if (ctx.dtype(i) != DType::none && bits_of(ctx.dtype(i)) != 8) return ctx.error("operands have 8 bits");
  }
  for (int i : {1, 4, 6}) MOTE_TRY(check_dtype(ctx, i, kFloats));
  MOTE_TRY(check_same_dtype(ctx, 0, 2));
  MOTE_TRY(check_same_dtype(ctx, 3, 5));
  for (int i : {1, 2, 4, 5, 6, 7}) {
    if (ctx.has_rank(i) && known_count(ctx.shape(i)) != 1) return ctx.error("scales and zero points have one element");
  }
  std::string function = ctx.attr_string("function");
  if (function != "add" && function != "sub" && function != "mul") return ctx.error("function is add, sub or mul");
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
  std::int64_t i = 0;
  walk<2>(y.shape(), {broadcast_strides(a, y.rank), broadcast_strides(b, y.rank)}, [&](const auto& at) {
    std::int32_t u = static_cast<std::int32_t>(load_i64(a, at[0])) - a_zero,
                 v = static_cast<std::int32_t>(load_i64(b, at[1])) - b_zero;
    float x = function == "mul" ? static_cast<float>(u * v) * product
                                : static_cast<float>(u) * as + static_cast<float>(function == "sub" ? -v : v) * bs;
    store_i64(y, i++, quantize(x));
  });
  return {};
}

}  // namespace

MOTE_DEFINE_OP(qlinear_binary) = {.name = "qlinear_binary",
                                  .doc =
                                      "a and b dequantized, added (subtracted, multiplied) and quantized: "
                                      "round_half_even((a - a_zero) * f32(a_scale / y_scale) + (b - b_zero) * "
                                      "f32(b_scale / y_scale)) + y_zero, saturated; the product by "
                                      "f32(f32(a_scale * b_scale) / y_scale).",
                                  .inputs = kInputs,
                                  .outputs = kOutputs,
                                  .attrs = kAttrs,
                                  .infer = infer,
                                  .flags = kElementwise};
MOTE_DEFINE_REFERENCE(qlinear_binary) = run;

}  // namespace mote
