// What becomes of the sums of integer products: they are scaled, rounded by a named recipe and saturated, or given as
// f32.
//
//   quantized: y = clamp(scaled(sum + bias) + y_zero_point, range), where scaled is, by the attribute `rounding`,
//     half_even   round_half_even(f32(sum) * f32(f32(a_scale * b_scale) / y_scale)); sums in i32, which wrap, of a of
//     16
//                 bits in i64
//     fixed       scale_fixed (base/fixed_point.h), by f64(a_scale) * f64(b_scale) / f64(y_scale); sums in i32
//     fixed_wide  scale_fixed_wide, by the same; sums in i64
//     half_away   round_half_away(f64(sum) * that scale); sums in i64
//   f32 (sums as for half_even): y = f32(sum + bias) * f32(a_scale * b_scale), or with a bias of f32 f32(sum) *
//   f32(a_scale * b_scale) + bias;
//     every step is rounded to f32
#pragma once

#include <optional>
#include <vector>

#include "base/fixed_point.h"
#include "ops/infer_util.h"
#include "ops/reference.h"

namespace mote {

inline constexpr AttrSpec kQuantizedRangeAttr = {
    "y_range", AttrKind::kInts, "ints:[]",
    "the least and the greatest value of a quantized y; empty: those of its dtype"};
inline constexpr AttrSpec kInF32Attr = {"in_f32", AttrKind::kInt, "0",
                                        "1: the CPU is faster in f32, and the layer shall compute so where it can"};
inline constexpr AttrSpec kRoundingAttr = {"rounding", AttrKind::kString, "\"half_even\"",
                                           "how a quantized y is rounded: half_even (in f32), fixed, fixed_wide (in "
                                           "fixed point) or half_away (in f64)"};

// By its name; nothing for another name.
std::optional<Recipe> recipe_of(std::string_view name);
// Of a node whose op has the attribute and whose inference accepted it.
template <class Context>
Recipe recipe_of_node(const Context& ctx) {
  return recipe_of(ctx.attr_string("rounding")).value_or(Recipe::kHalfEven);
}
Status check_recipe(const InferContext& ctx);

// The dtype of the result: that of the zero point after input `y_scale`, f32 where that scale is absent. Checks the
// attribute y_range and the dtype of input `bias`.
Result<DType> infer_quantized_result(const InferContext& ctx, int y_scale, int bias);

// Integer + zero within a range (y_range, or that of the dtype).
class Quantizer {
 public:
  Quantizer(const std::vector<std::int64_t>& range, DType dtype, std::int32_t zero);
  // round_half_even(x) + zero; NaN gives the zero point.
  std::int64_t operator()(float x) const;
  std::int64_t clamped(std::int64_t x) const;  // x + zero

 private:
  double low_, high_, zero_;
};

// sum * scale by a recipe that is not half_even.
std::int64_t scaled(Recipe recipe, std::int64_t sum, double scale);

class Requantizer {
 public:
  struct Of {
    double a_scale, b_scale, y_scale, y_zero, bias;
  };
  // `ctx` is of a node that infer_quantized_result accepted.
  Requantizer(const ReferenceContext& ctx, DType dtype);
  // `sum` without the bias.
  void operator()(const TensorView& y, std::int64_t i, double sum, const Of& of) const;

 private:
  DType dtype_;
  bool float_bias_, wraps_;
  Recipe recipe_;
  std::vector<std::int64_t> range_;
};

}  // namespace mote
