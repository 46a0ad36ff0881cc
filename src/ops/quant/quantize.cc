#include "ops/quant/quantize.h"

#include <algorithm>
#include <cmath>

namespace mote {

Status check_quant_param(const InferContext& ctx, int i) {
  if (!ctx.has_rank(i) || !ctx.has_rank(0)) return {};
  const Shape &x = ctx.shape(0), &s = ctx.shape(i);
  if (known_count(s) == 1) return {};
  if (x.empty()) return ctx.error("a scalar has one scale");
  MOTE_ASSIGN(int axis, ctx.axis(ctx.attr_int("axis"), ctx.rank(0)));
  std::size_t along = static_cast<std::size_t>(axis);
  std::int64_t block = ctx.attr_int("block_size");
  bool fits = block > 0 ? s.size() == x.size() : s.size() == 1;
  for (std::size_t k = 0; fits && k < s.size(); ++k) {
    Dim want = block <= 0 ? x[along] : k == along ? ceildiv(x[k], Dim(block)) : x[k];
    fits = !want.is_const() || !s[k].is_const() || want == s[k];
  }
  if (fits) return {};
  return ctx.error("a scale or zero point of shape " + to_string(s) + " does not fit x of shape " + to_string(x) +
                   " with axis " + std::to_string(axis) + " and block_size " + std::to_string(block));
}

QuantIndex::QuantIndex(const TensorView& x, const TensorView& scale, std::int64_t axis, std::int64_t block) {
  one_ = scale.count() == 1;
  if (one_) return;
  AxisView a = around(x.shape(), normal_axis(axis, x.rank));
  n_ = std::max<std::int64_t>(a.n, 1);
  inner_ = std::max<std::int64_t>(a.inner, 1);
  per_axis_ = block <= 0;
  block_ = per_axis_ ? 1 : block;
  blocks_ = (n_ - 1) / block_ + 1;
}

std::int64_t quantized(double x, std::int64_t zero, DType dtype) {
  int bits = bits_of(dtype);
  bool is_signed = is_signed_int(dtype);
  double lo = is_signed ? -std::ldexp(1, bits - 1) : 0, hi = std::ldexp(1, is_signed ? bits - 1 : bits) - 1;
  double y = std::nearbyint(x) + static_cast<double>(zero);
  return std::isnan(y) ? 0 : static_cast<std::int64_t>(std::fmin(std::fmax(y, lo), hi));
}

}  // namespace mote
