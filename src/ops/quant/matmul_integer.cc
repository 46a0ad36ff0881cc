// matmul_integer and qlinear_matmul: products of quantized matrices.
#include "ops/element.h"
#include "ops/epilogue.h"
#include "ops/ops.h"
#include "ops/product.h"
#include "ops/quant/quantize.h"
#include "ops/quant/requantize.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kIntegerInputs[] = {{"a", "i8 or u8 [..., m, k]"},
                                   {"b", "i8 or u8 [..., k, n]"},
                                   {"a_zero_point", "one element, [m], or [..., m, 1]; absent: 0", Arity::kOptional},
                                   {"b_zero_point", "one element, [n], or [..., 1, n]; absent: 0", Arity::kOptional}};
constexpr Slot kIntegerOutputs[] = {{"y", "i32 [..., m, n]"}};
constexpr Slot kQLinearInputs[] = {
    {"a", "i8, u8, i16, u16 or an 8-bit float [..., m, k]"},
    {"a_scale", "one element, [m], or [..., m, 1]"},
    {"a_zero_point", "shape of a_scale, dtype of a"},
    {"b", "as a, or i4 [..., k, n]"},
    {"b_scale", "one element, [n], or [..., 1, n]"},
    {"b_zero_point", "shape of b_scale, dtype of b; i8 for fewer bits"},
    {"y_scale", "one element, [m], or [..., m, 1]; absent: y is f32", Arity::kOptional},
    {"y_zero_point", "shape of y_scale, dtype of y", Arity::kOptional},
    {"bias", "[n]: i32 or i64 in units of a_scale * b_scale, or, where y is f32, f32", Arity::kOptional},
    {"operands", "operands of the epilogue", Arity::kVariadic}};
constexpr Slot kQLinearOutputs[] = {{"y", "[..., m, n]"}};
constexpr AttrSpec kQLinearAttrs[] = {kEpilogueAttr, kInF32Attr, kRoundingAttr, kQuantizedRangeAttr};

constexpr std::uint32_t kEightBits = kInts | kFloat8;

Status check_eight_bits(const InferContext& ctx, int i) {
  MOTE_TRY(check_dtype(ctx, i, kEightBits));
  if (ctx.has(i) && ctx.dtype(i) != DType::none && bits_of(ctx.dtype(i)) != 8) {
    return ctx.error("input " + std::to_string(i) + " has dtype " + std::string(name_of(ctx.dtype(i))) +
                     ", not 8 bits");
  }
  return {};
}

// A parameter per row (of the axis before the last) or per column: a scalar, a vector, or broadcast with the product.
Status check_param(const InferContext& ctx, int i, const std::optional<Shape>& out, bool rows) {
  if (!ctx.has_rank(i) || !out || known_count(ctx.shape(i)) == 1) return {};
  Shape s = ctx.shape(i);
  if (s.size() == 1 && rows) s.emplace_back(1);
  Result<Shape> both = broadcast(*out, s);
  bool fits = both.ok() && both->size() == out->size();
  for (std::size_t k = 0; fits && k < out->size(); ++k) fits = !(*out)[k].is_const() || (*both)[k] == (*out)[k];
  if (fits) return {};
  return ctx.error("input " + std::to_string(i) + " of shape " + to_string(ctx.shape(i)) +
                   " does not fit a product of shape " + to_string(*out));
}

// The offset of a parameter's element for each element of the product.
class Param {
 public:
  Param(const TensorView& p, const TensorView& y, bool rows) : shape_(y.shape()) {
    if (p.count() == 1) return;
    if (p.rank == 1 && rows) {
      strides_[static_cast<std::size_t>(y.rank - 2)] = 1;
    } else {
      strides_ = broadcast_strides(p, y.rank);
    }
  }
  std::int64_t operator()(std::int64_t i) const {
    std::int64_t at = 0;
    for (std::size_t k = shape_.size(); k-- > 0;) {
      at += i % shape_[k] * strides_[k];
      i /= shape_[k];
    }
    return at;
  }

 private:
  std::span<const std::int64_t> shape_;
  Strides strides_{};
};

Status infer_integer(InferContext& ctx) {
  for (int i = 0; i < ctx.inputs(); ++i) MOTE_TRY(check_eight_bits(ctx, i));
  MOTE_TRY(check_same_dtype(ctx, 0, 2));
  MOTE_TRY(check_same_dtype(ctx, 1, 3));
  MOTE_ASSIGN(std::optional<Shape> shape, infer_product(ctx, 0, 1));
  if (ctx.has(2)) MOTE_TRY(check_param(ctx, 2, shape, true));
  if (ctx.has(3)) MOTE_TRY(check_param(ctx, 3, shape, false));
  output_maybe(ctx, 0, DType::i32, std::move(shape));
  return {};
}

Status run_integer(ReferenceContext& ctx) {
  const TensorView &a = ctx.in(0), &b = ctx.in(1);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  Product p = product_of(a, b);
  std::optional<Param> a_zero, b_zero;
  if (ctx.has(2)) a_zero.emplace(ctx.in(2), y, true);
  if (ctx.has(3)) b_zero.emplace(ctx.in(3), y, false);
  each_dot(ctx, p, [&](std::int64_t out, std::int64_t a0, std::int64_t b0, std::int64_t, std::int64_t) {
    std::int64_t az = a_zero ? load_i64(ctx.in(2), (*a_zero)(out)) : 0;
    std::int64_t bz = b_zero ? load_i64(ctx.in(3), (*b_zero)(out)) : 0, sum = 0;
    for (std::int64_t i : ctx.range(p.k))
      sum += (load_i64(a, a0 + i * p.a_k) - az) * (load_i64(b, b0 + i * p.b_k) - bz);
    store_i64(y, out, sum);
  });
  return {};
}

Status infer_qlinear(InferContext& ctx) {
  MOTE_TRY(check_recipe(ctx));
  for (int i : {0, 2, 3, 5, 7}) {
    MOTE_TRY(check_dtype(ctx, i, kEightBits | (i == 3 || i == 5 ? kSmallSigned : 0u)));
    if (ctx.has(i) && ctx.dtype(i) != DType::i16 && ctx.dtype(i) != DType::u16 && bits_of(ctx.dtype(i)) > 8)
      MOTE_TRY(check_eight_bits(ctx, i));
  }
  for (int i : {1, 4, 6}) MOTE_TRY(check_dtype(ctx, i, kFloats));
  MOTE_TRY(check_same_dtype(ctx, 0, 2));
  if (bits_of(ctx.dtype(3)) >= 8 || ctx.dtype(5) != DType::i8) MOTE_TRY(check_same_dtype(ctx, 3, 5));
  MOTE_ASSIGN(std::optional<Shape> shape, infer_product(ctx, 0, 3));
  for (int i : {1, 2, 6, 7}) MOTE_TRY(check_param(ctx, i, shape, true));
  for (int i : {4, 5, 8}) MOTE_TRY(check_param(ctx, i, shape, false));
  MOTE_ASSIGN(DType dtype, infer_quantized_result(ctx, 6, 8));
  output_maybe(ctx, 0, dtype, std::move(shape));
  return infer_epilogue(ctx, ctx.out_types_[0]);
}

Status run_qlinear(ReferenceContext& ctx) {
  const TensorView &a = ctx.in(0), &b = ctx.in(3);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  Product p = product_of(a, b);
  std::vector<std::optional<Param>> params(9);
  for (int i : {1, 2, 4, 5, 6, 7, 8}) {
    if (ctx.has(i)) params[static_cast<std::size_t>(i)].emplace(ctx.in(i), y, i != 4 && i != 5 && i != 8);
  }
  const Requantizer requantize(ctx, y.dtype);
  each_dot(ctx, p, [&](std::int64_t out, std::int64_t a0, std::int64_t b0, std::int64_t, std::int64_t) {
    auto param = [&](int i) {
      const std::optional<Param>& at = params[static_cast<std::size_t>(i)];
      return at ? load_f64(ctx.in(i), (*at)(out)) : 0;
    };
    double az = param(2), bz = param(5), sum = 0;
    for (std::int64_t i : ctx.range(p.k))
      sum += (load_f64(a, a0 + i * p.a_k) - az) * (load_f64(b, b0 + i * p.b_k) - bz);
    requantize(y, out, sum, {param(1), param(4), param(6), param(7), param(8)});
  });
  return is_float(y.dtype) && bits_of(y.dtype) > 8 ? run_epilogue(ctx, y) : Status();
}

}  // namespace

MOTE_DEFINE_OP(matmul_integer) = {.name = "matmul_integer",
                                  .doc =
                                      "The product of two 8-bit matrices less their zero points, in i32, "
                                      "which wraps.",
                                  .inputs = kIntegerInputs,
                                  .outputs = kIntegerOutputs,
                                  .infer = infer_integer};
MOTE_DEFINE_REFERENCE(matmul_integer) = run_integer;

MOTE_DEFINE_OP(qlinear_matmul) = {.name = "qlinear_matmul",
                                  .doc =
                                      "The product of two quantized matrices, quantized: "
                                      "round(product * a_scale * b_scale / y_scale) + y_zero_point, "
                                      "saturated, by the recipe `rounding`; without y_scale, product * (a_scale * "
                                      "b_scale).",
                                  .inputs = kQLinearInputs,
                                  .outputs = kQLinearOutputs,
                                  .attrs = kQLinearAttrs,
                                  .infer = infer_qlinear};
MOTE_DEFINE_REFERENCE(qlinear_matmul) = run_qlinear;

}  // namespace mote
