// Tensors made from numbers: constant_of_shape, range, eye_like, one_hot.
#include <cmath>

#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/scalar.h"

namespace mote {
namespace {

constexpr Slot kFillInputs[] = {{"input", "i64 vector, the extents"},
                                {"value", "one element; absent: 0 as f32", Arity::kOptional}};
constexpr Slot kFillOutputs[] = {{"output", "dtype of value"}};
constexpr Slot kRangeInputs[] = {{"start", "scalar, the first element"},
                                 {"limit", "scalar, not reached"},
                                 {"delta", "scalar other than 0, the step"}};
constexpr Slot kRangeOutputs[] = {{"output", "vector of max(0, ceil((limit - start) / delta)) elements"}};
constexpr AttrSpec kRangeAttrs[] = {
    {"stash_type", AttrKind::kDType, "dtype:f32", "how f16 and bf16 are computed; always more precisely than that"}};
constexpr Slot kEyeInputs[] = {{"input", "a matrix; its shape counts, and its dtype if none is given"}};
constexpr Slot kEyeOutputs[] = {{"output", "shape of the input"}};
constexpr AttrSpec kEyeAttrs[] = {
    {"dtype", AttrKind::kDType, "", "dtype of the output; default: the input's"},
    {"k", AttrKind::kInt, "0", "the diagonal to fill: 0 the main one, positive above it"},
};
constexpr Slot kOneHotInputs[] = {{"indices", "any number type and shape; those outside [-depth, depth) mark nothing"},
                                  {"depth", "one element, the extent of the new axis"},
                                  {"values", "two elements: off, on"}};
constexpr Slot kOneHotOutputs[] = {{"output", "dtype of values; one axis more than indices"}};
constexpr AttrSpec kOneHotAttrs[] = {{"axis", AttrKind::kInt, "-1", "where the new axis stands in the output"}};

Status infer_fill(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kInts));
  MOTE_TRY(check_rank(ctx, 0, 1, 1));
  MOTE_TRY(check_dtype(ctx, 1, kAny));
  DType dtype = ctx.has(1) ? ctx.dtype(1) : DType::f32;
  const KnownValue* shape = ctx.value(0);
  if (!shape) {
    std::int64_t n = ctx.has_rank(0) ? known_count(ctx.shape(0)) : -1;
    output_maybe(ctx, 0, dtype, n >= 0 ? std::optional(ctx.fresh_shape(static_cast<int>(n))) : std::nullopt);
    return {};
  }
  for (const Dim& d : *shape) {
    if (d.is_const() && d.value() < 0) return ctx.error("a negative extent: " + to_string(*shape));
  }
  ctx.output(0, dtype, *shape);
  std::int64_t n = known_count(*shape);
  if (const KnownValue* v = ctx.has(1) ? ctx.value(1) : nullptr; v && v->size() == 1 && n >= 0) {
    ctx.output_value(0, KnownValue(static_cast<std::size_t>(n), (*v)[0]));
  }
  return {};
}

Status run_fill(ReferenceContext& ctx) {
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  if (!ctx.has(1)) return zero(ctx, y), Status();
  if (ctx.in(1).count() != 1) return invalid("constant_of_shape: value has more than one element");
  for (std::int64_t i : ctx.range(y.count())) copy_elements(ctx.in(1), 0, y, i, 1);
  return {};
}

// The number of elements, for integers by way of Dims.
std::optional<Dim> range_count(const Dim& start, const Dim& limit, const Dim& delta) {
  if (!delta.is_const() || delta.value() == std::numeric_limits<std::int64_t>::min()) return std::nullopt;
  if (delta.value() == 0) return Dim(0);
  Dim span = delta.value() > 0 ? limit - start : start - limit;
  Dim step(delta.value() > 0 ? delta.value() : -delta.value());
  return at_least_zero(step.is(1) ? span : ceildiv(span, step));
}

std::optional<double> scalar_float(const InferContext& ctx, int i) {
  if (const std::vector<double>* f = ctx.float_value(i); f && f->size() == 1) return (*f)[0];
  return std::nullopt;
}

Status infer_range(InferContext& ctx) {
  DType dtype = ctx.dtype(0);
  for (int i = 0; i < 3; ++i) {
    MOTE_TRY(check_dtype(ctx, i, kFloats | kInts));
    MOTE_TRY(check_same_dtype(ctx, 0, i));
    if (ctx.has_rank(i) && known_count(ctx.shape(i)) > 1) return ctx.error("start, limit and delta are scalars");
  }
  std::optional<Dim> count;
  if (is_float(dtype)) {
    std::optional<double> start = scalar_float(ctx, 0), limit = scalar_float(ctx, 1), delta = scalar_float(ctx, 2);
    if (start && limit && delta) {
      double n = std::ceil((*limit - *start) / *delta);
      if (!(n < 1e15)) return ctx.error("the range has no end");
      count = Dim(n > 0 ? static_cast<std::int64_t>(n) : 0);
    }
  } else if (const KnownValue* start = ctx.value(0), *limit = ctx.value(1), *delta = ctx.value(2);
             start && limit && delta && start->size() == 1 && limit->size() == 1 && delta->size() == 1) {
    if ((*delta)[0].is(0)) return ctx.error("delta is 0");
    count = range_count((*start)[0], (*limit)[0], (*delta)[0]);
    if (count && count->is_const() && count->value() <= static_cast<std::int64_t>(kMaxKnown)) {
      KnownValue v;
      for (std::int64_t i = 0; i < count->value(); ++i) v.push_back((*start)[0] + (*delta)[0] * Dim(i));
      output_known(ctx, 0, dtype, std::move(v));
    }
  }
  ctx.output(0, dtype, {count ? *count : ctx.fresh()});
  return {};
}

Status run_range(ReferenceContext& ctx) {
  const TensorView &start = ctx.in(0), &delta = ctx.in(2);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  with_element(y.dtype, [&](auto element) {
    using E = decltype(element);
    using V = typename E::Value;
    V a = E::load(start, 0), d = E::load(delta, 0);
    for (std::int64_t i : ctx.range(y.count())) {
      E::store(y, i, eval_binary(BinaryOp::add, a, eval_binary(BinaryOp::mul, static_cast<V>(i), d)));
    }
  });
  return {};
}

Status infer_eye(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kNumbers | kBool));
  MOTE_TRY(check_rank(ctx, 0, 2, 2));
  DType dtype = ctx.has_attr("dtype") ? ctx.attr_dtype("dtype") : ctx.dtype(0);
  ctx.output(0, dtype, ctx.has_rank(0) ? ctx.shape(0) : ctx.fresh_shape(2));
  return {};
}

Status run_eye(ReferenceContext& ctx) {
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  zero(ctx, y);
  std::int64_t k = ctx.attr_int("k");
  for (std::int64_t i : ctx.range(y.dims[0])) {
    std::int64_t j = wrap_add(i, k);
    if (j >= 0 && j < y.dims[1]) store_f64(y, i * y.dims[1] + j, 1);
  }
  return {};
}

Status infer_one_hot(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kNumbers));
  MOTE_TRY(check_dtype(ctx, 1, kNumbers));
  MOTE_TRY(check_dtype(ctx, 2, kAny));
  MOTE_TRY(check_rank(ctx, 2, 1, 1));
  if (!ctx.has_rank(0)) {
    output_maybe(ctx, 0, ctx.dtype(2), std::nullopt);
    return {};
  }
  MOTE_ASSIGN(int axis, ctx.axis(ctx.attr_int("axis"), ctx.rank(0) + 1));
  std::optional<Dim> depth;
  if (const KnownValue* v = ctx.value(1); v && v->size() == 1) depth = (*v)[0];
  if (std::optional<double> f = scalar_float(ctx, 1))
    depth = Dim(static_cast<std::int64_t>(std::fmin(std::fmax(*f, -1), 1e15)));
  if (depth && depth->is_const() && depth->value() < 0) return ctx.error("depth is negative");
  Shape out = ctx.shape(0);
  out.insert(out.begin() + axis, depth ? *depth : ctx.fresh());
  ctx.output(0, ctx.dtype(2), std::move(out));
  return {};
}

Status run_one_hot(ReferenceContext& ctx) {
  const TensorView &indices = ctx.in(0), &values = ctx.in(2);
  if (values.count() != 2) return invalid("one_hot: values has " + std::to_string(values.count()) + " elements, not 2");
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  AxisView a = around(y.shape(), normal_axis(ctx.attr_int("axis"), y.rank));
  for (std::int64_t o : ctx.range(a.outer)) {
    for (std::int64_t i : ctx.range(a.inner)) {
      std::int64_t at = o * a.inner + i;
      double index =
          is_float(indices.dtype) ? std::trunc(load_f64(indices, at)) : static_cast<double>(load_i64(indices, at));
      if (index < 0) index += static_cast<double>(a.n);
      for (std::int64_t k : ctx.range(a.n)) {
        copy_elements(values, static_cast<double>(k) == index ? 1 : 0, y, (o * a.n + k) * a.inner + i, 1);
      }
    }
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(constant_of_shape) = {.name = "constant_of_shape",
                                     .doc = "A tensor of the given shape with one value everywhere.",
                                     .inputs = kFillInputs,
                                     .outputs = kFillOutputs,
                                     .infer = infer_fill,
                                     .shape_operands = 1u << 0};
MOTE_DEFINE_REFERENCE(constant_of_shape) = run_fill;

MOTE_DEFINE_OP(eye_like) = {.name = "eye_like",
                            .doc = "Ones on a diagonal, zeros elsewhere.",
                            .inputs = kEyeInputs,
                            .outputs = kEyeOutputs,
                            .attrs = kEyeAttrs,
                            .infer = infer_eye};
MOTE_DEFINE_REFERENCE(eye_like) = run_eye;

MOTE_DEFINE_OP(one_hot) = {.name = "one_hot",
                           .doc = "Along a new axis, `on` at the position that the index names, `off` elsewhere.",
                           .inputs = kOneHotInputs,
                           .outputs = kOneHotOutputs,
                           .attrs = kOneHotAttrs,
                           .infer = infer_one_hot,
                           .shape_operands = 1u << 1};
MOTE_DEFINE_REFERENCE(one_hot) = run_one_hot;

MOTE_DEFINE_OP(range) = {.name = "range",
                         .doc = "start, start + delta, start + 2 delta, ... below (or above) limit.",
                         .inputs = kRangeInputs,
                         .outputs = kRangeOutputs,
                         .attrs = kRangeAttrs,
                         .infer = infer_range,
                         .shape_operands = 0b111};
MOTE_DEFINE_REFERENCE(range) = run_range;

}  // namespace mote
