// Ops whose output's extent depends on data: compress, non_zero, unique.
#include <algorithm>
#include <cmath>

#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kCompressInputs[] = {{"input", "rank at least 1"},
                                    {"condition", "boolean vector, at most as long as the axis"}};
constexpr Slot kCompressOutputs[] = {{"output", "the slices whose condition is true"}};
constexpr AttrSpec kCompressAttrs[] = {{"axis", AttrKind::kInt, "", "the axis to select from; default: flattened"}};
constexpr Slot kNonZeroInputs[] = {{"x", "any shape"}};
constexpr Slot kNonZeroOutputs[] = {{"y", "i64 [rank of x, n]: the positions, in row-major order"}};
constexpr Slot kUniqueInputs[] = {{"x", "any shape"}};
constexpr Slot kUniqueOutputs[] = {{"y", "the distinct elements, or slices along the axis"},
                                   {"indices", "i64, where each first stands in x", Arity::kOptional},
                                   {"inverse_indices", "i64, for each of x its place in y", Arity::kOptional},
                                   {"counts", "i64, how often each stands in x", Arity::kOptional}};
constexpr AttrSpec kUniqueAttrs[] = {
    {"axis", AttrKind::kInt, "", "compare slices along this axis; default: x flattened"},
    {"sorted", AttrKind::kInt, "1", "1: ascending, NaN last; 0: by first occurrence"},
};

Status infer_compress(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kAny));
  MOTE_TRY(check_dtype(ctx, 1, kBool));
  MOTE_TRY(check_rank(ctx, 1, 1, 1));
  Dim n;
  if (std::optional<std::vector<std::int64_t>> c = ctx.const_value(1)) {
    n = Dim(static_cast<std::int64_t>(std::count_if(c->begin(), c->end(), [](std::int64_t v) { return v != 0; })));
  } else {
    n = ctx.fresh();
  }
  if (!ctx.has_attr("axis")) {
    ctx.output(0, ctx.dtype(0), {n});
    return {};
  }
  if (!ctx.has_rank(0)) {
    output_maybe(ctx, 0, ctx.dtype(0), std::nullopt);
    return {};
  }
  MOTE_ASSIGN(int axis, ctx.axis(ctx.attr_int("axis"), ctx.rank(0)));
  Shape out = ctx.shape(0);
  out[static_cast<std::size_t>(axis)] = n;
  ctx.output(0, ctx.dtype(0), std::move(out));
  return {};
}

Status run_compress(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &c = ctx.in(1);
  std::vector<std::int64_t> shape(x.shape().begin(), x.shape().end());
  AxisView a{1, x.count(), 1};
  std::size_t axis = 0;
  if (ctx.has_attr("axis")) {
    axis = static_cast<std::size_t>(normal_axis(ctx.attr_int("axis"), x.rank));
    a = around(shape, static_cast<int>(axis));
  } else {
    shape.assign(1, 0);
  }
  if (c.count() > a.n) {
    return invalid("compress: condition has " + std::to_string(c.count()) + " elements for an extent of " +
                   std::to_string(a.n));
  }
  std::int64_t n = 0;
  for (std::int64_t i : ctx.range(c.count())) n += load_i64(c, i);
  shape[axis] = n;
  MOTE_ASSIGN(TensorView y, ctx.out(0, x.dtype, shape));
  std::int64_t to = 0;
  for (std::int64_t i : ctx.range(c.count())) {
    if (load_i64(c, i) == 0) continue;
    for (std::int64_t o : ctx.range(a.outer)) {
      copy_elements(ctx, x, (o * a.n + i) * a.inner, y, (o * n + to) * a.inner, a.inner);
    }
    ++to;
  }
  return {};
}

Status infer_non_zero(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kNumbers | kBool | kString));
  Dim rank = ctx.has_rank(0) ? Dim(ctx.rank(0)) : ctx.fresh();
  ctx.output(0, DType::i64, {rank, ctx.fresh()});
  return {};
}

Status run_non_zero(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  auto set = [&](std::int64_t i) {
    return x.dtype == DType::string ? x.as<StringRef>()[i].length > 0 : load_f64(x, i) != 0;
  };
  std::int64_t n = 0;
  for (std::int64_t i : ctx.range(x.count())) n += set(i);
  MOTE_ASSIGN(TensorView y, ctx.out(0, DType::i64, std::vector<std::int64_t>{x.rank, n}));
  std::int64_t to = 0;
  for (std::int64_t i : ctx.range(x.count())) {
    if (!set(i)) continue;
    for (std::int64_t k = 0; k < x.rank; ++k) y.as<std::int64_t>()[k * n + to] = i / x.strides[k] % x.dims[k];
    ++to;
  }
  return {};
}

Status infer_unique(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kNumbers | kBool | kString));
  Dim n = ctx.fresh();
  std::optional<Dim> total;
  std::optional<Shape> out = Shape{n};
  if (ctx.has_rank(0) && ctx.has_attr("axis")) {
    MOTE_ASSIGN(int axis, ctx.axis(ctx.attr_int("axis"), ctx.rank(0)));
    out = ctx.shape(0);
    total = (*out)[static_cast<std::size_t>(axis)];
    (*out)[static_cast<std::size_t>(axis)] = n;
  } else if (ctx.has_attr("axis")) {
    out = std::nullopt;
  } else if (ctx.has_rank(0)) {
    total = volume(ctx.shape(0));
  }
  output_maybe(ctx, 0, ctx.dtype(0), std::move(out));
  if (ctx.wants(1)) ctx.output(1, DType::i64, {n});
  if (ctx.wants(2)) ctx.output(2, DType::i64, {total ? *total : ctx.fresh()});
  if (ctx.wants(3)) ctx.output(3, DType::i64, {n});
  return {};
}

// Orders elements i and j: negative, zero or positive. NaN equals NaN and is above every number.
int order(const ReferenceContext& ctx, const TensorView& x, std::int64_t i, std::int64_t j) {
  if (x.dtype == DType::string) return ctx.string(x.as<StringRef>()[i]).compare(ctx.string(x.as<StringRef>()[j]));
  if (x.dtype == DType::u64) {
    return (x.as<std::uint64_t>()[i] > x.as<std::uint64_t>()[j]) -
           (x.as<std::uint64_t>()[i] < x.as<std::uint64_t>()[j]);
  }
  if (!is_float(x.dtype)) {
    std::int64_t a = load_i64(x, i), b = load_i64(x, j);
    return (a > b) - (a < b);
  }
  double a = load_f64(x, i), b = load_f64(x, j);
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) - std::isnan(b);
  return (a > b) - (a < b);
}

Status write_ints(ReferenceContext& ctx, int output, std::int64_t n, const std::int64_t* values) {
  if (!ctx.wants(output)) return {};
  MOTE_ASSIGN(TensorView y, ctx.out(output, DType::i64, std::vector<std::int64_t>{n}));
  for (std::int64_t i : ctx.range(n)) y.as<std::int64_t>()[i] = values[i];
  return {};
}

Status run_unique(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  std::vector<std::int64_t> shape = {0};
  AxisView a{1, x.count(), 1};
  std::size_t axis = 0;
  if (ctx.has_attr("axis")) {
    shape.assign(x.shape().begin(), x.shape().end());
    axis = static_cast<std::size_t>(normal_axis(ctx.attr_int("axis"), x.rank));
    a = around(shape, static_cast<int>(axis));
  }
  auto compare = [&](std::int64_t p, std::int64_t q) {
    for (std::int64_t o : ctx.range(a.outer)) {
      for (std::int64_t i : ctx.range(a.inner)) {
        if (int c = order(ctx, x, (o * a.n + p) * a.inner + i, (o * a.n + q) * a.inner + i)) return c;
      }
    }
    return 0;
  };
  // Groups of equal slices, in ascending order; within one, the first occurrence comes first.
  MOTE_ASSIGN(std::span<std::byte> memory, ctx.scratch(static_cast<std::size_t>(a.n) * 5 * sizeof(std::int64_t)));
  std::int64_t *sorted = reinterpret_cast<std::int64_t*>(memory.data()), *group = sorted + a.n, *first = group + a.n,
               *counts = first + a.n, *rank = counts + a.n;
  for (std::int64_t i : ctx.range(a.n)) sorted[i] = i;
  sort_stable(ctx, std::span(sorted, static_cast<std::size_t>(a.n)), [&](std::int64_t p, std::int64_t q) {
    int c = compare(p, q);
    return c != 0 ? c < 0 : p < q;
  });
  std::int64_t n = 0;
  for (std::int64_t i : ctx.range(a.n)) {
    if (i == 0 || compare(sorted[i - 1], sorted[i]) != 0) {
      first[n] = sorted[i];
      counts[n++] = 0;
    }
    ++counts[n - 1];
    group[sorted[i]] = n - 1;
  }
  if (ctx.attr_int("sorted") == 0) {
    // Number the groups by first occurrence instead; `sorted` is free now.
    for (std::int64_t i : ctx.range(n)) sorted[i] = i;
    sort_stable(ctx, std::span(sorted, static_cast<std::size_t>(n)),
                [&](std::int64_t p, std::int64_t q) { return first[p] < first[q]; });
    for (std::int64_t i : ctx.range(n)) rank[sorted[i]] = i;
    for (std::int64_t i : ctx.range(a.n)) group[i] = rank[group[i]];
    for (std::int64_t i : ctx.range(a.n)) counts[i] = 0;
    for (std::int64_t k : ctx.range(a.n)) {
      const std::int64_t i = a.n - 1 - k;
      first[group[i]] = i;
      ++counts[group[i]];
    }
  }
  shape[axis] = n;
  MOTE_ASSIGN(TensorView y, ctx.out(0, x.dtype, shape));
  for (std::int64_t o : ctx.range(a.outer)) {
    for (std::int64_t k : ctx.range(n)) {
      copy_elements(ctx, x, (o * a.n + first[k]) * a.inner, y, (o * n + k) * a.inner, a.inner);
    }
  }
  MOTE_TRY(write_ints(ctx, 1, n, first));
  MOTE_TRY(write_ints(ctx, 2, a.n, group));
  return write_ints(ctx, 3, n, counts);
}

}  // namespace

MOTE_DEFINE_OP(compress) = {.name = "compress",
                            .doc = "The slices along an axis whose condition is true.",
                            .inputs = kCompressInputs,
                            .outputs = kCompressOutputs,
                            .attrs = kCompressAttrs,
                            .infer = infer_compress,
                            .flags = kDataDependent};
MOTE_DEFINE_REFERENCE(compress) = run_compress;

MOTE_DEFINE_OP(non_zero) = {.name = "non_zero",
                            .doc = "The positions of the elements that are not 0, false or the empty string.",
                            .inputs = kNonZeroInputs,
                            .outputs = kNonZeroOutputs,
                            .infer = infer_non_zero,
                            .flags = kDataDependent};
MOTE_DEFINE_REFERENCE(non_zero) = run_non_zero;

MOTE_DEFINE_OP(unique) = {.name = "unique",
                          .doc = "The distinct elements of x, or its distinct slices along an axis.",
                          .inputs = kUniqueInputs,
                          .outputs = kUniqueOutputs,
                          .attrs = kUniqueAttrs,
                          .infer = infer_unique,
                          .flags = kDataDependent};
MOTE_DEFINE_REFERENCE(unique) = run_unique;

}  // namespace mote
