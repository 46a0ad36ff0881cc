#include "ops/quant/requantize.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "base/checked.h"
#include "ops/element.h"

namespace mote {
namespace {

// Least and greatest value of an integer dtype.
std::pair<double, double> range_of(DType t) {
  int bits = bits_of(t);
  return is_signed_int(t) ? std::pair(-std::ldexp(1, bits - 1), std::ldexp(1, bits - 1) - 1)
                          : std::pair(0.0, std::ldexp(1, bits) - 1);
}

float f32(double x) { return static_cast<float>(x); }

}  // namespace

std::optional<Recipe> recipe_of(std::string_view name) {
  if (name == "half_even") return Recipe::kHalfEven;
  if (name == "fixed") return Recipe::kFixed;
  if (name == "fixed_wide") return Recipe::kFixedWide;
  if (name == "half_away") return Recipe::kHalfAway;
  return std::nullopt;
}

Status check_recipe(const InferContext& ctx) {
  if (recipe_of(ctx.attr_string("rounding"))) return {};
  return ctx.error("rounding is half_even, fixed, fixed_wide or half_away, not " + ctx.attr_string("rounding"));
}

Result<DType> infer_quantized_result(const InferContext& ctx, int y_scale, int bias) {
  bool quantized = ctx.has(y_scale);
  if (quantized != ctx.has(y_scale + 1)) return ctx.error("y_scale and y_zero_point go together");
  std::vector<std::int64_t> range = ctx.attr_ints("y_range");
  if (!range.empty() && (!quantized || range.size() != 2 || range[0] > range[1]))
    return ctx.error("y_range is the least and the greatest value of a quantized y");
  if (bias >= 0 && ctx.has(bias) && ctx.dtype(bias) != DType::none && ctx.dtype(bias) != DType::i32 &&
      ctx.dtype(bias) != DType::i64 && (quantized || ctx.dtype(bias) != DType::f32))
    return ctx.error("the bias has dtype " + std::string(name_of(ctx.dtype(bias))));
  return quantized ? ctx.dtype(y_scale + 1) : DType::f32;
}

Quantizer::Quantizer(const std::vector<std::int64_t>& range, DType dtype, std::int32_t zero) : zero_(zero) {
  std::tie(low_, high_) = range_of(dtype);
  if (range.size() != 2) return;
  low_ = std::clamp(static_cast<double>(range[0]), low_, high_);
  high_ = std::clamp(static_cast<double>(range[1]), low_, high_);
}

std::int64_t Quantizer::operator()(float x) const {
  double q = std::isnan(x) ? zero_ : std::nearbyint(static_cast<double>(x)) + zero_;
  return static_cast<std::int64_t>(std::clamp(q, low_, high_));
}

std::int64_t Quantizer::clamped(std::int64_t x) const {
  return static_cast<std::int64_t>(std::clamp(static_cast<double>(x) + zero_, low_, high_));
}

std::int64_t scaled(Recipe recipe, std::int64_t sum, double scale) {
  if (recipe == Recipe::kFixed) return scale_fixed(fixed::wrap(sum), fixed_scale(scale));
  if (recipe == Recipe::kFixedWide) return scale_fixed_wide(sum, fixed_scale(scale));
  const double x = std::round(static_cast<double>(sum) * scale);
  return clamp_to_int(x, -0x1p31, 0x1p31 - 1);
}

Requantizer::Requantizer(const ReferenceContext& ctx, DType dtype)
    : dtype_(dtype),
      float_bias_(ctx.has(8) && ctx.in(8).dtype == DType::f32),
      wraps_(bits_of(ctx.in(0).dtype) == 8 && !is_float(ctx.in(0).dtype)),
      recipe_(recipe_of_node(ctx)),
      range_(ctx.attr_ints("y_range")) {}

void Requantizer::operator()(const TensorView& y, std::int64_t i, double sum, const Of& of) const {
  if (!float_bias_) sum += of.bias;
  const auto zero = static_cast<std::int32_t>(clamp_to_int(of.y_zero, -0x1p31, 0x1p31 - 1));
  if (recipe_ != Recipe::kHalfEven && !is_float(dtype_)) {
    const double scale = of.a_scale * of.b_scale / of.y_scale;
    const std::int64_t x = scaled(recipe_, clamp_to_int(sum, -0x1p62, 0x1p62), scale);
    return store_i64(y, i, Quantizer(range_, dtype_, zero).clamped(x));
  }
  float x = wraps_ && std::abs(sum) < 0x1p62 && sum == std::trunc(sum)
                ? f32(static_cast<std::int32_t>(static_cast<std::int64_t>(sum)))
                : f32(sum);
  float scale = f32(of.a_scale) * f32(of.b_scale);
  if (is_float(dtype_) && bits_of(dtype_) > 8) {
    x = x * scale;
    return store_f64(y, i, float_bias_ ? x + f32(of.bias) : x);
  }
  x = x * (scale / f32(of.y_scale));
  if (is_float(dtype_)) return store_small_float(y, i, x + of.y_zero, true);
  store_i64(y, i, Quantizer(range_, dtype_, zero)(x));
}

}  // namespace mote
