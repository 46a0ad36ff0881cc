// concat and split: tensors laid one after the other along an axis, and the reverse.
#include <algorithm>

#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kConcatInputs[] = {{"inputs", "equal but for the extent of axis", Arity::kVariadic}};
constexpr Slot kConcatOutputs[] = {{"concat_result", "extent of axis: the sum of the inputs'"}};
constexpr AttrSpec kConcatAttrs[] = {{"axis", AttrKind::kInt, "", "the axis to join, negative from the back", true}};
constexpr Slot kSplitInputs[] = {{"input", "any shape"}, {"split", "i64, the extents of the parts", Arity::kOptional}};
constexpr Slot kSplitOutputs[] = {{"outputs", "the parts, in order", Arity::kVariadic}};
constexpr AttrSpec kSplitAttrs[] = {
    {"axis", AttrKind::kInt, "0", "the axis to cut, negative from the back"},
    {"num_outputs", AttrKind::kInt, "", "without split: that many equal parts, the last ones smaller if need be"},
};

Status infer_concat(InferContext& ctx) {
  DType dtype = DType::none;
  const Shape* first = nullptr;
  for (int i = 0; i < ctx.inputs(); ++i) {
    MOTE_TRY(check_dtype(ctx, i, kAny));
    MOTE_TRY(check_same_dtype(ctx, 0, i));
    if (!ctx.has(i)) return ctx.error("inputs[" + std::to_string(i) + "] is absent");
    if (dtype == DType::none) dtype = ctx.dtype(i);
    if (ctx.has_rank(i) && !first) first = &ctx.shape(i);
  }
  if (!first) {
    output_maybe(ctx, 0, dtype, std::nullopt);
    return {};
  }
  MOTE_ASSIGN(int axis, ctx.axis(ctx.attr_int("axis"), static_cast<int>(first->size())));
  std::size_t along = static_cast<std::size_t>(axis);
  Shape out = *first;
  Dim sum(0);
  bool known = true;
  KnownValue values;
  for (int i = 0; i < ctx.inputs(); ++i) {
    if (!ctx.has_rank(i)) {
      sum = sum + ctx.fresh();
      known = false;
      continue;
    }
    const Shape& s = ctx.shape(i);
    bool fits = s.size() == out.size();
    for (std::size_t k = 0; fits && k < s.size(); ++k) {
      if (k == along || s[k] == out[k]) continue;
      if (s[k].is_const() && out[k].is_const()) fits = false;
      if (!out[k].is_const()) out[k] = s[k];
    }
    if (!fits) {
      return ctx.error("inputs[" + std::to_string(i) + "] of shape " + to_string(s) + " does not join " +
                       to_string(*first) + " along axis " + std::to_string(axis));
    }
    sum = sum + s[along];
    const KnownValue* v = ctx.value(i);
    known = known && v && s.size() == 1;
    if (known) values.insert(values.end(), v->begin(), v->end());
  }
  out[along] = sum;
  ctx.output(0, dtype, std::move(out));
  if (known) ctx.output_value(0, std::move(values));
  return {};
}

Status run_concat(ReferenceContext& ctx) {
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  int axis = normal_axis(ctx.attr_int("axis"), y.rank);
  std::int64_t outer = around(y.shape(), axis).outer, row = around(y.shape(), axis).n * around(y.shape(), axis).inner;
  std::int64_t at = 0;
  for (int i = 0; i < ctx.inputs(); ++i) {
    const TensorView& x = ctx.in(i);
    AxisView a = around(x.shape(), axis);
    for (std::int64_t o : ctx.range(outer)) copy_elements(ctx, x, o * a.n * a.inner, y, o * row + at, a.n * a.inner);
    at += a.n * a.inner;
  }
  return {};
}

// Extents of the parts along an axis of extent d.
Result<Shape> parts(const InferContext& ctx, const Dim& d, int count) {
  Shape sizes;
  if (ctx.has(1)) {
    if (const KnownValue* given = ctx.value(1)) {
      sizes = *given;
      if (static_cast<int>(sizes.size()) != count) {
        return ctx.error("split has " + std::to_string(sizes.size()) + " parts for " + std::to_string(count) +
                         " outputs");
      }
      Dim sum(0);
      for (const Dim& s : sizes) {
        if (s.is_const() && s.value() < 0) return ctx.error("split has a negative extent: " + to_string(sizes));
        sum = sum + s;
      }
      if (sum.is_const() && d.is_const() && !(sum == d)) {
        return ctx.error("split " + to_string(sizes) + " does not add up to the extent " + d.to_string());
      }
    }
    return sizes;
  }
  Dim chunk = ceildiv(d, Dim(count));
  if (d == chunk * Dim(count)) return Shape(static_cast<std::size_t>(count), chunk);
  for (int i = 0; i < count; ++i) sizes.push_back(at_least_zero(min(chunk, d - chunk * Dim(i))));
  return sizes;
}

Status infer_split(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kAny));
  MOTE_TRY(check_dtype(ctx, 1, kInts));
  int count = ctx.outputs();
  if (!ctx.has(1) && ctx.has_attr("num_outputs")) {
    std::int64_t n = ctx.attr_int("num_outputs");
    if (n < count || n > 65536)
      return ctx.error("num_outputs is " + std::to_string(n) + " for " + std::to_string(count) + " outputs");
    count = static_cast<int>(n);
  }
  if (!ctx.has_rank(0)) {
    for (int i = 0; i < ctx.outputs(); ++i) output_maybe(ctx, i, ctx.dtype(0), std::nullopt);
    return {};
  }
  MOTE_ASSIGN(int axis, ctx.axis(ctx.attr_int("axis"), ctx.rank(0)));
  std::size_t along = static_cast<std::size_t>(axis);
  MOTE_ASSIGN(Shape sizes, parts(ctx, ctx.shape(0)[along], count));
  const KnownValue* v = ctx.rank(0) == 1 ? ctx.value(0) : nullptr;
  std::int64_t begin = 0;
  for (int i = 0; i < ctx.outputs(); ++i) {
    Shape s = ctx.shape(0);
    s[along] = sizes.empty() ? ctx.fresh() : sizes[static_cast<std::size_t>(i)];
    v = v && s[along].is_const() && begin + s[along].value() <= static_cast<std::int64_t>(v->size()) ? v : nullptr;
    if (v) {
      ctx.output_value(i, KnownValue(v->begin() + begin, v->begin() + begin + s[along].value()));
      begin += s[along].value();
    }
    ctx.output(i, ctx.dtype(0), std::move(s));
  }
  return {};
}

Status run_split(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(std::vector<Type> types, infer_now(ctx));
  AxisView a = around(x.shape(), normal_axis(ctx.attr_int("axis"), x.rank));
  std::int64_t begin = 0;
  for (int i = 0; i < ctx.outputs(); ++i) {
    // Not known of a `split` that is too long for a shape.
    std::optional<std::vector<std::int64_t>> extents = constant_extents(*types[static_cast<std::size_t>(i)].shape);
    if (!extents) return invalid("split: does not have one extent for each output");
    const std::vector<std::int64_t>& shape = *extents;
    std::int64_t n = shape[static_cast<std::size_t>(normal_axis(ctx.attr_int("axis"), x.rank))];
    if (ctx.wants(i)) {
      MOTE_ASSIGN(TensorView y, ctx.out(i, x.dtype, shape));
      for (std::int64_t o : ctx.range(a.outer)) {
        copy_elements(ctx, x, (o * a.n + begin) * a.inner, y, o * n * a.inner, n * a.inner);
      }
    }
    begin += n;
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(concat) = {.name = "concat",
                          .doc = "The inputs, one after the other along an axis.",
                          .inputs = kConcatInputs,
                          .outputs = kConcatOutputs,
                          .attrs = kConcatAttrs,
                          .infer = infer_concat};
MOTE_DEFINE_REFERENCE(concat) = run_concat;

MOTE_DEFINE_OP(split) = {.name = "split",
                         .doc =
                             "The input cut into parts along an axis: of the extents in split, or else equal "
                             "parts, one per output.",
                         .inputs = kSplitInputs,
                         .outputs = kSplitOutputs,
                         .attrs = kSplitAttrs,
                         .infer = infer_split,
                         .shape_operands = 1u << 1};
MOTE_DEFINE_REFERENCE(split) = run_split;

}  // namespace mote
