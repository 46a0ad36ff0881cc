// qlinear_reduce_prod: products of quantized elements along some axes.
#include <algorithm>

#include "base/fixed_point.h"
#include "ops/element.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/reduce/reduced.h"
#include "simd/math64.h"

namespace mote {
namespace {

enum Input { kX, kAxes, kXScale, kXZero, kYScale, kYZero };

constexpr Slot kInputs[] = {{"x", "i8, u8 or i16, any shape"},
                            {"axes", "integers, the axes to reduce; absent or empty: as in reduce_prod"},
                            {"x_scale", "f32, one element, above 0"},
                            {"x_zero_point", "dtype of x, one element"},
                            {"y_scale", "f32, one element, above 0"},
                            {"y_zero_point", "dtype of y, one element"}};
constexpr Slot kOutputs[] = {{"reduced", "dtype of y_zero_point"}};
constexpr AttrSpec kAttrs[] = {
    {"keepdims", AttrKind::kInt, "1", "1: reduced axes stay, with extent 1; 0: they go"},
    {"noop_with_empty_axes", AttrKind::kInt, "0", "1: without axes nothing is reduced"},
};

Status infer(InferContext& ctx) {
  for (int i : {int{kX}, int{kXZero}, int{kYZero}}) {
    const DType t = ctx.dtype(i);
    if (t != DType::none && t != DType::i8 && t != DType::u8 && t != DType::i16)
      return ctx.error("x and y are i8, u8 or i16");
  }
  MOTE_TRY(check_dtype(ctx, kAxes, kInts));
  for (int i : {int{kXScale}, int{kXZero}, int{kYScale}, int{kYZero}}) {
    if (i % 2 == 0) MOTE_TRY(check_dtype(ctx, i, kFloats));
    if (ctx.has_rank(i) && known_count(ctx.shape(i)) > 1) return ctx.error("scales and zero points have one element");
  }
  return reduced::infer(ctx, ctx.dtype(kYZero)).status();
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(kX);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  for (int i : {int{kXScale}, int{kXZero}, int{kYScale}, int{kYZero}}) {
    if (ctx.in(i).count() != 1) return invalid("scales and zero points have one element");
  }
  const std::vector<int> axes = reduced::axes_now(ctx);
  std::vector<std::int64_t> kept, along;
  Strides kept_strides{}, along_strides{};
  std::int64_t factors = 1;
  for (int i = 0; i < x.rank; ++i) {
    const bool is_along = reduced::contains(axes, i);
    (is_along ? along_strides[along.size()] : kept_strides[kept.size()]) = x.strides[i];
    (is_along ? along : kept).push_back(x.dims[i]);
    if (is_along) factors *= x.dims[i];
  }
  if (factors < 1 && y.count() > 0) return invalid("there is no product of no quantized elements");
  const double x_scale = load_f64(ctx.in(kXScale), 0), y_scale = load_f64(ctx.in(kYScale), 0);
  if (!(x_scale > 0) || !(y_scale > 0)) return invalid("a scale is not above 0");
  const WideScale scale = wide_scale(fixed_scale(x_scale / math64::pow(y_scale, 1.0 / static_cast<double>(factors))));
  const std::int64_t zero = load_i64(ctx.in(kXZero), 0), y_zero = load_i64(ctx.in(kYZero), 0);
  const int bits = bits_of(y.dtype);
  const std::int64_t least = is_signed_int(y.dtype) ? -(std::int64_t{1} << (bits - 1)) : 0,
                     most = least + (std::int64_t{1} << bits) - 1;
  std::int64_t at = 0;
  walk<1>(ctx, kept, {kept_strides}, [&](const auto& base) {
    // Every product is scaled, and the last of them once more.
    std::int64_t product = 0;
    bool first = true;
    walk<1>(ctx, along, {along_strides}, [&](const auto& k) {
      const std::int64_t factor = load_i64(x, base[0] + k[0]) - zero;
      product = first ? factor : scale_fixed_wide(product * factor, scale);
      first = false;
    });
    store_i64(y, at++, std::clamp(scale_fixed_wide(product, scale) + y_zero, least, most));
  });
  return {};
}

}  // namespace

MOTE_DEFINE_OP(qlinear_reduce_prod) = {
    .name = "qlinear_reduce_prod",
    .doc =
        "The product of quantized elements, factor by factor, each product scaled, the last one twice, "
        "in fixed point by x_scale over the root of y_scale whose degree is the "
        "number of factors: docs/numerics.md.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attrs = kAttrs,
    .infer = infer,
    .shape_operands = 1u << kAxes};
MOTE_DEFINE_REFERENCE(qlinear_reduce_prod) = run;

}  // namespace mote
