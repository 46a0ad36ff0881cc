// gather_elements and gather_nd: single elements, or slices, picked by index.
#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kElementsInputs[] = {{"data", "rank at least 1"},
                                    {"indices", "integers in [-extent, extent) of the axis; rank of data"}};
constexpr Slot kElementsOutputs[] = {{"output", "shape of indices, dtype of data"}};
constexpr AttrSpec kElementsAttrs[] = {{"axis", AttrKind::kInt, "0", "the axis to pick from, negative from the back"}};
constexpr Slot kNdInputs[] = {{"data", "rank at least 1"},
                              {"indices", "integers; the last axis holds index tuples into data"}};
constexpr Slot kNdOutputs[] = {{"output", "indices without its last axis, then the axes of data that a tuple leaves"}};
constexpr AttrSpec kNdAttrs[] = {{"batch_dims", AttrKind::kInt, "0", "leading axes that data and indices share"}};

Status infer_elements(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kAny));
  MOTE_TRY(check_dtype(ctx, 1, kInts));
  MOTE_TRY(check_rank(ctx, 0, 1, 1000));
  if (ctx.has_rank(0)) {
    MOTE_ASSIGN(int axis, ctx.axis(ctx.attr_int("axis"), ctx.rank(0)));
    MOTE_TRY(check_rank(ctx, 1, ctx.rank(0), ctx.rank(0)));
    for (int i = 0; ctx.has_rank(1) && i < ctx.rank(0); ++i) {
      const Dim &d = ctx.shape(0)[static_cast<std::size_t>(i)], &n = ctx.shape(1)[static_cast<std::size_t>(i)];
      if (i != axis && d.is_const() && n.is_const() && n.value() > d.value()) {
        return ctx.error("indices " + to_string(ctx.shape(1)) + " go beyond data " + to_string(ctx.shape(0)));
      }
    }
  }
  std::optional<Shape> shape;
  if (ctx.has_rank(1)) shape = ctx.shape(1);
  if (!shape && ctx.has_rank(0)) shape = ctx.fresh_shape(ctx.rank(0));
  output_maybe(ctx, 0, ctx.dtype(0), std::move(shape));
  return {};
}

Status run_elements(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &indices = ctx.in(1);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  std::size_t axis = static_cast<std::size_t>(normal_axis(ctx.attr_int("axis"), x.rank));
  Strides from = dense_strides(x.shape());
  std::int64_t step = from[axis], i = 0;
  from[axis] = 0;
  Status status;
  walk<1>(ctx, y.shape(), {from}, [&](const auto& at) {
    Result<std::int64_t> index = checked_index("indices", i, load_i64(indices, i), x.dims[axis]);
    if (!index.ok()) {
      if (status.ok()) status = index.status();
      return;
    }
    copy_elements(x, at[0] + *index * step, y, i, 1);
    ++i;
  });
  return status;
}

Status infer_nd(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kAny));
  MOTE_TRY(check_dtype(ctx, 1, kInts));
  MOTE_TRY(check_rank(ctx, 0, 1, 1000));
  MOTE_TRY(check_rank(ctx, 1, 1, 1000));
  if (!ctx.has_rank(0) || !ctx.has_rank(1) || !ctx.shape(1).back().is_const()) {
    output_maybe(ctx, 0, ctx.dtype(0), std::nullopt);
    return {};
  }
  const Shape &data = ctx.shape(0), &indices = ctx.shape(1);
  std::int64_t batch = ctx.attr_int("batch_dims"), k = indices.back().value();
  if (batch < 0 || batch >= ctx.rank(1) || k < 0 || batch + k > ctx.rank(0)) {
    return ctx.error("indices " + to_string(indices) + " with batch_dims " + std::to_string(batch) +
                     " do not fit data " + to_string(data));
  }
  for (std::int64_t i = 0; i < batch; ++i) {
    const Dim &d = data[static_cast<std::size_t>(i)], &n = indices[static_cast<std::size_t>(i)];
    if (d.is_const() && n.is_const() && !(d == n)) {
      return ctx.error("batch axes of " + to_string(data) + " and " + to_string(indices) + " differ");
    }
  }
  Shape out(indices.begin(), indices.end() - 1);
  out.insert(out.end(), data.begin() + batch + k, data.end());
  ctx.output(0, ctx.dtype(0), std::move(out));
  return {};
}

Status run_nd(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &indices = ctx.in(1);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  std::int64_t batch = ctx.attr_int("batch_dims"), k = indices.dims[indices.rank - 1];
  auto extent = [&](std::int64_t from, std::int64_t to) {
    return count_of(x.shape().subspan(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from)));
  };
  std::int64_t batches = extent(0, batch), slice = extent(batch + k, x.rank);
  std::int64_t tuples = count_of(indices.shape().first(static_cast<std::size_t>(indices.rank - 1)));
  std::int64_t per_batch = batches ? tuples / batches : 0, inside = extent(batch, x.rank);
  for (std::int64_t t : ctx.range(tuples)) {
    std::int64_t from = t / per_batch * inside;
    for (std::int64_t j : ctx.range(k)) {
      MOTE_ASSIGN(std::int64_t at,
                  checked_index("indices", t * k + j, load_i64(indices, t * k + j), x.dims[batch + j]));
      from += at * x.strides[batch + j];
    }
    copy_elements(ctx, x, from, y, t * slice, slice);
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(gather_elements) = {.name = "gather_elements",
                                   .doc =
                                       "For each index, the element of data at the index's own position, but "
                                       "at the index along the axis.",
                                   .inputs = kElementsInputs,
                                   .outputs = kElementsOutputs,
                                   .attrs = kElementsAttrs,
                                   .infer = infer_elements};
MOTE_DEFINE_REFERENCE(gather_elements) = run_elements;

MOTE_DEFINE_OP(gather_nd) = {.name = "gather_nd",
                             .doc = "For each index tuple, the element or slice of data there.",
                             .inputs = kNdInputs,
                             .outputs = kNdOutputs,
                             .attrs = kNdAttrs,
                             .infer = infer_nd};
MOTE_DEFINE_REFERENCE(gather_nd) = run_nd;

}  // namespace mote
