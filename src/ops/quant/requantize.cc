#include "ops/quant/requantize.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

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

Result<DType> infer_quantized_result(const InferContext& ctx, int y_scale, int bias) {
  bool quantized = ctx.has(y_scale);
  if (quantized != ctx.has(y_scale + 1)) return ctx.error("y_scale and y_zero_point go together");
  std::vector<std::int64_t> range = ctx.attr_ints("y_range");
  if (!range.empty() && (!quantized || range.size() != 2 || range[0] > range[1]))
    return ctx.error("y_range is the least and the greatest value of a quantized y");
  if (bias >= 0 && ctx.has(bias) && ctx.dtype(bias) != DType::none && ctx.dtype(bias) != DType::i32 &&
      (quantized || ctx.dtype(bias) != DType::f32))
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

Requantizer::Requantizer(const ReferenceContext& ctx, DType dtype)
    : dtype_(dtype), float_bias_(ctx.has(8) && ctx.in(8).dtype == DType::f32), range_(ctx.attr_ints("y_range")) {}

void Requantizer::operator()(const TensorView& y, std::int64_t i, double sum, const Of& of) const {
  if (!float_bias_) sum += of.bias;
  bool whole = std::abs(sum) < 0x1p62;  // products of 8-bit floats need not be
  float x = whole && sum == std::trunc(sum) ? f32(static_cast<std::int32_t>(static_cast<std::int64_t>(sum))) : f32(sum);
  float scale = f32(of.a_scale) * f32(of.b_scale);
  if (is_float(dtype_) && bits_of(dtype_) > 8) {
    x = x * scale;
    return store_f64(y, i, float_bias_ ? x + f32(of.bias) : x);
  }
  x = x * (scale / f32(of.y_scale));
  if (is_float(dtype_)) return store_small_float(y, i, x + of.y_zero, true);
  store_i64(y, i, Quantizer(range_, dtype_, static_cast<std::int32_t>(of.y_zero))(x));
}

}  // namespace mote
