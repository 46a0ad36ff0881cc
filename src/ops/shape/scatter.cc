// scatter_elements, scatter_nd and tensor_scatter: data with some of its elements replaced or combined.
#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/scalar.h"

namespace mote {
namespace {

constexpr std::string_view kReductionDoc =
    "\"none\" (the last of several wins), \"add\", \"mul\", \"max\" or \"min\" with what is there";
constexpr Slot kElementsInputs[] = {{"data", "rank at least 1"},
                                    {"indices", "integers in [-extent, extent) of the axis; rank of data"},
                                    {"updates", "shape of indices, dtype of data"}};
constexpr Slot kNdInputs[] = {{"data", "rank at least 1"},
                              {"indices", "integers; the last axis holds index tuples into data"},
                              {"updates", "for each tuple the element or slice to put there"}};
constexpr Slot kOutputs[] = {{"output", "shape and dtype of data"}};
constexpr AttrSpec kElementsAttrs[] = {{"axis", AttrKind::kInt, "0", "the axis that indices mean"},
                                       {"reduction", AttrKind::kString, "\"none\"", kReductionDoc}};
constexpr AttrSpec kNdAttrs[] = {{"reduction", AttrKind::kString, "\"none\"", kReductionDoc}};
constexpr Slot kCacheInputs[] = {{"past_cache", "[batch, ..., length, ...]"},
                                 {"update", "as past_cache, but for the extent of axis"},
                                 {"write_indices", "i64 [batch], where to write; absent: 0", Arity::kOptional}};
constexpr Slot kCacheOutputs[] = {{"present_cache", "shape and dtype of past_cache"}};
constexpr AttrSpec kCacheAttrs[] = {
    {"axis", AttrKind::kInt, "-2", "the axis of positions; not the batch axis"},
    {"mode", AttrKind::kString, "\"linear\"", "beyond the end: \"linear\" fails, \"circular\" goes on at the front"},
};

// copy stands for "none".
std::optional<BinaryOp> reduction_of(const std::string& name, bool& none) {
  none = name == "none";
  if (none || name == "add") return BinaryOp::add;
  if (name == "mul") return BinaryOp::mul;
  if (name == "max") return BinaryOp::max;
  if (name == "min") return BinaryOp::min;
  return std::nullopt;
}

Status check_common(const InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 1, kInts));
  MOTE_TRY(check_same_dtype(ctx, 0, 2));
  MOTE_TRY(check_rank(ctx, 0, 1, 1000));
  bool none = false;
  if (!reduction_of(ctx.attr_string("reduction"), none)) {
    return ctx.error("reduction '" + ctx.attr_string("reduction") + "' is not known");
  }
  return check_dtype(ctx, 0, none ? kAny : kNumbers | kBool);
}

// Same extents, as far as they are constant.
bool agree(const Shape& a, const Shape& b) {
  bool same = a.size() == b.size();
  for (std::size_t i = 0; same && i < a.size(); ++i) same = !a[i].is_const() || !b[i].is_const() || a[i] == b[i];
  return same;
}

Status infer_elements(InferContext& ctx) {
  MOTE_TRY(check_common(ctx));
  if (ctx.has_rank(0)) {
    MOTE_TRY(ctx.axis(ctx.attr_int("axis"), ctx.rank(0)).status());
    MOTE_TRY(check_rank(ctx, 1, ctx.rank(0), ctx.rank(0)));
  }
  if (ctx.has_rank(1) && ctx.has_rank(2) && !agree(ctx.shape(1), ctx.shape(2))) {
    return ctx.error("indices " + to_string(ctx.shape(1)) + " and updates " + to_string(ctx.shape(2)) +
                     " differ in shape");
  }
  ctx.output(0, ctx.type(0));
  return {};
}

Status infer_nd(InferContext& ctx) {
  MOTE_TRY(check_common(ctx));
  MOTE_TRY(check_rank(ctx, 1, 1, 1000));
  if (ctx.has_rank(0) && ctx.has_rank(1) && ctx.shape(1).back().is_const()) {
    std::int64_t k = ctx.shape(1).back().value();
    if (k < 0 || k > ctx.rank(0)) {
      return ctx.error("index tuples of " + std::to_string(k) + " into data of shape " + to_string(ctx.shape(0)));
    }
    Shape want(ctx.shape(1).begin(), ctx.shape(1).end() - 1);
    want.insert(want.end(), ctx.shape(0).begin() + k, ctx.shape(0).end());
    if (ctx.has_rank(2) && !agree(want, ctx.shape(2))) {
      return ctx.error("updates have shape " + to_string(ctx.shape(2)) + ", not " + to_string(want));
    }
  }
  ctx.output(0, ctx.type(0));
  return {};
}

// y[to + i] = f(y[to + i], updates[from + i]) for n elements.
void put(ReferenceContext& ctx, const TensorView& updates, std::int64_t from, const TensorView& y, std::int64_t to,
         std::int64_t n, bool none, BinaryOp op) {
  if (none) return copy_elements(ctx, updates, from, y, to, n);
  with_element(y.dtype, [&](auto element) {
    using E = decltype(element);
    for (std::int64_t i : ctx.range(n)) {
      E::store(y, to + i, eval_binary(op, E::load(y, to + i), E::load(updates, from + i)));
    }
  });
}

Status run_elements(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &indices = ctx.in(1), &updates = ctx.in(2);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  copy_elements(ctx, x, 0, y, 0, x.count());
  bool none = false;
  BinaryOp op = *reduction_of(ctx.attr_string("reduction"), none);
  std::size_t axis = static_cast<std::size_t>(normal_axis(ctx.attr_int("axis"), x.rank));
  for (std::size_t i = 0; i < static_cast<std::size_t>(x.rank); ++i) {
    if (i != axis && indices.dims[i] > x.dims[i]) return invalid("scatter_elements: indices go beyond data");
  }
  Strides to = dense_strides(x.shape());
  std::int64_t step = to[axis], i = 0;
  to[axis] = 0;
  Status status;
  walk<1>(ctx, indices.shape(), {to}, [&](const auto& at) {
    Result<std::int64_t> index = checked_index("indices", i, load_i64(indices, i), x.dims[axis]);
    if (index.ok()) {
      put(ctx, updates, i, y, at[0] + *index * step, 1, none, op);
    } else if (status.ok()) {
      status = index.status();
    }
    ++i;
  });
  return status;
}

Status run_nd(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &indices = ctx.in(1), &updates = ctx.in(2);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  copy_elements(ctx, x, 0, y, 0, x.count());
  bool none = false;
  BinaryOp op = *reduction_of(ctx.attr_string("reduction"), none);
  std::int64_t k = indices.dims[indices.rank - 1];
  std::int64_t tuples = count_of(indices.shape().first(static_cast<std::size_t>(indices.rank - 1)));
  std::int64_t slice = count_of(x.shape().subspan(static_cast<std::size_t>(k)));
  for (std::int64_t t : ctx.range(tuples)) {
    std::int64_t to = 0;
    for (std::int64_t j : ctx.range(k)) {
      MOTE_ASSIGN(std::int64_t at, checked_index("indices", t * k + j, load_i64(indices, t * k + j), x.dims[j]));
      to += at * x.strides[j];
    }
    put(ctx, updates, t * slice, y, to, slice, none, op);
  }
  return {};
}

Status infer_cache(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kAny));
  MOTE_TRY(check_same_dtype(ctx, 0, 1));
  MOTE_TRY(check_dtype(ctx, 2, kInts));
  MOTE_TRY(check_rank(ctx, 2, 1, 1));
  std::string mode = ctx.attr_string("mode");
  if (mode != "linear" && mode != "circular") return ctx.error("mode '" + mode + "' is not linear or circular");
  ctx.output(0, ctx.type(0));
  if (!ctx.has_rank(0)) return {};
  MOTE_ASSIGN(int axis, ctx.axis(ctx.attr_int("axis"), ctx.rank(0)));
  if (axis == 0) return ctx.error("axis is the batch axis");
  if (!ctx.has_rank(1)) return {};
  Shape want = ctx.shape(0), update = ctx.shape(1);
  if (want.size() == update.size()) {
    const Dim &length = want[static_cast<std::size_t>(axis)], &n = update[static_cast<std::size_t>(axis)];
    if (length.is_const() && n.is_const() && n.value() > length.value()) {
      return ctx.error("update " + to_string(update) + " is longer than the cache " + to_string(want));
    }
    want[static_cast<std::size_t>(axis)] = n;
  }
  if (!agree(want, update)) {
    return ctx.error("update " + to_string(update) + " does not fit the cache " + to_string(ctx.shape(0)));
  }
  return {};
}

Status run_cache(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &update = ctx.in(1);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  copy_elements(ctx, x, 0, y, 0, x.count());
  int axis = normal_axis(ctx.attr_int("axis"), x.rank);
  AxisView to = around(x.shape(), axis), from = around(update.shape(), axis);
  bool circular = ctx.attr_string("mode") == "circular";
  if (ctx.has(2) && ctx.in(2).count() != x.dims[0]) return invalid("tensor_scatter: write_indices has another batch");
  std::int64_t per_batch = x.dims[0] ? to.outer / x.dims[0] : 0;
  for (std::int64_t o : ctx.range(to.outer)) {
    std::int64_t batch = o / per_batch, start = ctx.has(2) ? load_i64(ctx.in(2), batch) : 0;
    std::int64_t last = circular ? to.n - 1 : to.n - from.n;
    if (start < 0 || (!circular && start > last)) return out_of_range("write_indices", batch, start, 0, last);
    for (std::int64_t i : ctx.range(from.n)) {
      std::int64_t at = (start % to.n + i) % to.n;
      copy_elements(ctx, update, (o * from.n + i) * from.inner, y, (o * to.n + at) * to.inner, to.inner);
    }
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(scatter_elements) = {.name = "scatter_elements",
                                    .doc =
                                        "data with each update put at its own position, but at the index "
                                        "along the axis.",
                                    .inputs = kElementsInputs,
                                    .outputs = kOutputs,
                                    .attrs = kElementsAttrs,
                                    .infer = infer_elements};
MOTE_DEFINE_REFERENCE(scatter_elements) = run_elements;

MOTE_DEFINE_OP(scatter_nd) = {.name = "scatter_nd",
                              .doc = "data with each update put where its index tuple says.",
                              .inputs = kNdInputs,
                              .outputs = kOutputs,
                              .attrs = kNdAttrs,
                              .infer = infer_nd};
MOTE_DEFINE_REFERENCE(scatter_nd) = run_nd;

MOTE_DEFINE_OP(tensor_scatter) = {.name = "tensor_scatter",
                                  .doc =
                                      "A cache with new entries written along an axis, from a position of "
                                      "its own for each batch.",
                                  .inputs = kCacheInputs,
                                  .outputs = kCacheOutputs,
                                  .attrs = kCacheAttrs,
                                  .infer = infer_cache};
MOTE_DEFINE_REFERENCE(tensor_scatter) = run_cache;

}  // namespace mote
