// dynamic_fake_quantize: what is left of x after rounding it to 8 bits, row by row, by the row's own range. Weights of
// 8 or 4 bits times such an x give what TensorFlow Lite's hybrid operators compute in integers.
#include <algorithm>
#include <cmath>

#include "base/checked.h"
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "f32"}};
constexpr Slot kOutputs[] = {{"y", "x, each element rounded to a multiple of its row's step"}};
constexpr AttrSpec kAttrs[] = {
    {"axis", AttrKind::kInt, "-1", "the axes from here on are one row"},
    {"symmetric", AttrKind::kInt, "1", "1: -127 to 127 steps of the largest magnitude / 127; 0: 256 from min to max"}};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  if (ctx.dtype(0) != DType::f32 && ctx.dtype(0) != DType::none) return ctx.error("x is not f32");
  if (ctx.has_rank(0)) MOTE_TRY(ctx.axis(ctx.attr_int("axis"), ctx.rank(0)).status());
  ctx.output(0, ctx.type(0));
  return {};
}

// A step and the integer that stands for zero.
struct Grid {
  float step = 1, inverse = 1;
  std::int32_t zero = 0, low = -127;
};

Grid symmetric(float low, float high) {
  float range = std::max(std::fabs(low), std::fabs(high));
  Grid g;
  if (range == 0) return g;
  g.step = range / 127;
  g.inverse = 127 / range;
  return g;
}

// The zero point comes from the end of the range where it is the more exact.
Grid asymmetric(float low, float high) {
  double from = std::fmin(0.0, static_cast<double>(low)), to = std::fmax(0.0, static_cast<double>(high));
  Grid g;
  g.low = -128;
  if (from == to) return g;
  double step = (to - from) / 255;
  double by_low = -128 - from / step, by_high = 127 - to / step;
  double low_error = 128 + std::fabs(from / step), high_error = 127 + std::fabs(to / step);
  double zero = low_error < high_error ? by_low : by_high;
  g.zero = static_cast<std::int32_t>(clamp_to_int(std::round(zero), -128, 127));
  g.step = static_cast<float>(step);
  g.inverse = 1.0f / g.step;
  return g;
}

// The least and the greatest of n > 0 numbers, by pairs as std::minmax_element compares them, also where some are NaN.
std::pair<float, float> limits_of(ReferenceContext& ctx, const float* v, std::int64_t n) {
  float low = v[0], high = v[0];
  for (std::int64_t pair : ctx.range((n + 1) / 2, 2)) {
    float a = v[2 * pair], b = 2 * pair + 1 < n ? v[2 * pair + 1] : a;
    if (pair == 0) {
      low = b < a ? b : a;
      high = b < a ? a : b;
    } else if (2 * pair + 1 == n) {
      if (a < low) {
        low = a;
      } else if (!(a < high)) {
        high = a;
      }
    } else {
      if (b < a) std::swap(a, b);
      if (a < low) low = a;
      if (!(b < high)) high = b;
    }
  }
  return {low, high};
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  std::int64_t axis = ctx.attr_int("axis"), row = 1;
  bool is_symmetric = ctx.attr_int("symmetric") != 0;
  if (axis < 0) axis += x.rank;
  for (std::int64_t a = axis; a < x.rank; ++a) row *= x.dims[a];
  const float* from = x.as<float>();
  float* to = y.as<float>();
  for (std::int64_t at = 0; row > 0 && at < x.count() && ctx.spend(1); at += row) {
    auto [low, high] = limits_of(ctx, from + at, row);
    Grid g = is_symmetric ? symmetric(low, high) : asymmetric(low, high);
    for (std::int64_t i : ctx.range_from<std::int64_t>(at, at + row)) {
      float q = std::round(static_cast<float>(g.zero) + from[i] * g.inverse);
      // NaN stays what it is.
      q = std::fmax(std::fmin(q, 127.0f), static_cast<float>(g.low));
      to[i] = std::isnan(from[i]) ? from[i] : (q - static_cast<float>(g.zero)) * g.step;
    }
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(dynamic_fake_quantize) = {.name = "dynamic_fake_quantize",
                                         .doc = "x rounded to the 8-bit grid that the range of each of its rows makes.",
                                         .inputs = kInputs,
                                         .outputs = kOutputs,
                                         .attrs = kAttrs,
                                         .infer = infer};
MOTE_DEFINE_REFERENCE(dynamic_fake_quantize) = run;

}  // namespace mote
