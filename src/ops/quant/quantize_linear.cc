// quantize_linear, dequantize_linear and dynamic_quantize_linear.
#include <cmath>

#include "ops/decompose.h"
#include "ops/element.h"
#include "ops/ops.h"
#include "ops/quant/quantize.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr std::uint32_t kQuantized = kInts | kSmallInts | kFloat8 | kFloat4;

constexpr Slot kQuantizeInputs[] = {{"x", "float, or i32"},
                                    {"y_scale", "one element; a vector along axis; or x's shape with axis in blocks"},
                                    {"y_zero_point", "shape of y_scale, dtype of y; absent: 0", Arity::kOptional}};
constexpr Slot kQuantizeOutputs[] = {{"y", "shape of x"}};
constexpr AttrSpec kQuantizeAttrs[] = {
    {"axis", AttrKind::kInt, "1", "the axis of a vector of scales, or of blocks"},
    {"block_size", AttrKind::kInt, "0", "how many elements along axis share a scale; 0: no blocks"},
    {"output_dtype", AttrKind::kDType, "", "dtype of y; default: that of y_zero_point, else u8"},
    {"precision", AttrKind::kDType, "", "dtype of the division; default: that of y_scale"},
    {"rounding", AttrKind::kString, "\"half_even\"", "of integers: half_even or half_away (from zero)"},
    {"saturate", AttrKind::kInt, "1", "8-bit floats out of range: 1 the largest value, 0 infinity or NaN"},
};
constexpr Slot kDequantizeInputs[] = {{"x", "integer, or a float of 8 bits or fewer"},
                                      {"x_scale", "one element; a vector along axis; or x's shape with axis in blocks"},
                                      {"x_zero_point", "shape of x_scale, dtype of x; absent: 0", Arity::kOptional}};
constexpr Slot kDequantizeOutputs[] = {{"y", "shape of x"}};
constexpr AttrSpec kDequantizeAttrs[] = {
    {"axis", AttrKind::kInt, "1", "the axis of a vector of scales, or of blocks"},
    {"block_size", AttrKind::kInt, "0", "how many elements along axis share a scale; 0: no blocks"},
    {"output_dtype", AttrKind::kDType, "", "dtype of y; default: that of x_scale"},
};
constexpr Slot kDynamicInputs[] = {{"x", "f32"}};
constexpr Slot kDynamicOutputs[] = {{"y", "u8, shape of x"},
                                    {"y_scale", "f32 scalar: the range of x and 0, over 255"},
                                    {"y_zero_point", "u8 scalar: what stands for 0"}};

Status infer_quantize(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats | kSigned));
  MOTE_TRY(check_dtype(ctx, 1, kFloats | kSigned | kFloat4));
  MOTE_TRY(check_dtype(ctx, 2, kQuantized));
  DType dtype = DType::u8;
  if (ctx.has(2)) dtype = ctx.dtype(2);
  if (ctx.has_attr("output_dtype")) {
    DType asked = ctx.attr_dtype("output_dtype");
    if (ctx.has(2) && dtype != DType::none && asked != dtype) return ctx.error("output_dtype is not y_zero_point's");
    dtype = asked;
  }
  if ((class_of(dtype) & kQuantized) == 0) return ctx.error("cannot quantize to " + std::string(name_of(dtype)));
  if (ctx.attr_string("rounding") != "half_even" && ctx.attr_string("rounding") != "half_away")
    return ctx.error("rounding is half_even or half_away");
  MOTE_TRY(check_quant_param(ctx, 1));
  if (ctx.has(2)) MOTE_TRY(check_quant_param(ctx, 2));
  ctx.output(0, Type::tensor(dtype, ctx.type(0).shape));
  return {};
}

// x as it is after rounding to `precision`.
double rounded(double x, DType precision) {
  if (precision == DType::f64) return x;
  std::byte bytes[8] = {};
  if (precision == DType::f16 || precision == DType::bf16) {
    TensorView v = TensorView::of(bytes, precision, {});
    store_f64(v, 0, x);
    return load_f64(v, 0);
  }
  return static_cast<double>(static_cast<float>(x));
}

Status run_quantize(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &scale = ctx.in(1);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  QuantIndex index(x, scale, ctx.attr_int("axis"), ctx.attr_int("block_size"));
  DType precision = ctx.has_attr("precision") ? ctx.attr_dtype("precision") : scale.dtype;
  bool saturate = ctx.attr_int("saturate") != 0, away = ctx.attr_string("rounding") == "half_away";
  if (ctx.has(2) && ctx.in(2).count() != scale.count())
    return invalid("quantize_linear: y_zero_point has another shape");
  for (std::int64_t i : ctx.range(x.count())) {
    std::int64_t s = index(i);
    double q = rounded(load_f64(x, i) / load_f64(scale, s), precision);
    if (is_float(y.dtype)) {
      store_small_float(y, i, q + (ctx.has(2) ? load_f64(ctx.in(2), s) : 0), saturate);
    } else {
      store_i64(y, i, quantized(away ? std::round(q) : q, ctx.has(2) ? load_i64(ctx.in(2), s) : 0, y.dtype));
    }
  }
  return {};
}

Status infer_dequantize(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kQuantized));
  MOTE_TRY(check_dtype(ctx, 1, kFloats | kFloat4));
  MOTE_TRY(check_same_dtype(ctx, 0, 2));
  MOTE_TRY(check_quant_param(ctx, 1));
  if (ctx.has(2)) MOTE_TRY(check_quant_param(ctx, 2));
  DType dtype = ctx.has_attr("output_dtype") ? ctx.attr_dtype("output_dtype") : ctx.dtype(1);
  ctx.output(0, Type::tensor(dtype, ctx.type(0).shape));
  return {};
}

Status run_dequantize(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &scale = ctx.in(1);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  QuantIndex index(x, scale, ctx.attr_int("axis"), ctx.attr_int("block_size"));
  if (ctx.has(2) && ctx.in(2).count() != scale.count()) {
    return invalid("dequantize_linear: x_zero_point has another shape");
  }
  // What weights of 4 bits are, and there are many of them.
  const bool nibbles = (x.dtype == DType::u4 || x.dtype == DType::i4) && y.dtype == DType::f32;
  const int sign = x.dtype == DType::i4 ? 8 : 0;
  for (std::int64_t i = 0; i < x.count();) {
    const std::int64_t s = index(i), end = i + std::min({index.run(i), x.count() - i, ctx.piece()});
    if (!ctx.spend(end - i)) break;
    const double zero = ctx.has(2) ? load_f64(ctx.in(2), s) : 0, factor = load_f64(scale, s);
    for (; nibbles && i < end; ++i) {
      const int bits = (x.as<const std::uint8_t>()[i / 2] >> (i % 2 * 4)) & 15;
      y.as<float>()[i] = static_cast<float>(((bits ^ sign) - sign - zero) * factor);
    }
    for (; i < end; ++i) store_f64(y, i, (load_f64(x, i) - zero) * factor);
  }
  return {};
}

Status infer_dynamic(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  ctx.output(0, Type::tensor(DType::u8, ctx.type(0).shape));
  ctx.output(1, DType::f32, {});
  ctx.output(2, DType::u8, {});
  return {};
}

Status run_dynamic(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(std::vector<TensorView> outs, infer_outs(ctx));
  double lo = 0, hi = 0;
  for (std::int64_t i : ctx.range(x.count())) {
    lo = std::fmin(lo, load_f64(x, i));
    hi = std::fmax(hi, load_f64(x, i));
  }
  double scale = rounded(rounded(hi - lo, DType::f32) / 255, DType::f32);
  std::int64_t zero = quantized(rounded(0 - rounded(lo / scale, DType::f32), DType::f32), 0, DType::u8);
  for (std::int64_t i : ctx.range(x.count())) {
    store_i64(outs[0], i, quantized(rounded(load_f64(x, i) / scale, DType::f32), zero, DType::u8));
  }
  if (ctx.wants(1)) store_f64(outs[1], 0, scale);
  if (ctx.wants(2)) store_i64(outs[2], 0, zero);
  return {};
}

Result<std::vector<ValueId>> decompose_dynamic(Builder& b, const Node& node) {
  ValueId x = node.inputs[0];
  std::vector<Attrs::Item> flat = {{"keepdims", std::int64_t{0}}};
  ValueId zero = b.scalar(0, DType::f32), top = b.scalar(255, DType::f32);
  ValueId lo = b.add("min", {b.add("reduce_min", {x}, flat), zero});
  ValueId hi = b.add("max", {b.add("reduce_max", {x}, flat), zero});
  ValueId scale = b.add("div", {b.add("sub", {hi, lo}), top});
  ValueId start = b.add("round", {b.add("sub", {zero, b.add("div", {lo, scale})})});
  ValueId point = b.add("cast", {b.add("clip", {start, zero, top})}, {{"to", DType::u8}});
  return std::vector{b.add("quantize_linear", {x, scale, point}), scale, point};
}

}  // namespace

MOTE_DEFINE_OP(dequantize_linear) = {.name = "dequantize_linear",
                                     .doc = "(x - zero point) * scale.",
                                     .inputs = kDequantizeInputs,
                                     .outputs = kDequantizeOutputs,
                                     .attrs = kDequantizeAttrs,
                                     .infer = infer_dequantize};
MOTE_DEFINE_REFERENCE(dequantize_linear) = run_dequantize;

MOTE_DEFINE_OP(dynamic_quantize_linear) = {.name = "dynamic_quantize_linear",
                                           .doc =
                                               "quantize_linear to u8 with the scale and zero point that "
                                               "cover the range of x.",
                                           .inputs = kDynamicInputs,
                                           .outputs = kDynamicOutputs,
                                           .infer = infer_dynamic};
MOTE_DEFINE_REFERENCE(dynamic_quantize_linear) = run_dynamic;
MOTE_DEFINE_DECOMPOSITION(dynamic_quantize_linear) = decompose_dynamic;

MOTE_DEFINE_OP(quantize_linear) = {.name = "quantize_linear",
                                   .doc =
                                       "x / scale rounded to the nearest integer, halves to the even one (or "
                                       "away from zero: `rounding`), plus the zero point, saturated.",
                                   .inputs = kQuantizeInputs,
                                   .outputs = kQuantizeOutputs,
                                   .attrs = kQuantizeAttrs,
                                   .infer = infer_quantize};
MOTE_DEFINE_REFERENCE(quantize_linear) = run_quantize;

}  // namespace mote
