// gather: slices of data along an axis, picked by index.
#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"data", "rank at least 1"},
                            {"indices", "integers in [-extent, extent) of the axis; any shape"}};
constexpr Slot kOutputs[] = {{"output", "data with the axis replaced by the axes of indices"}};
constexpr AttrSpec kAttrs[] = {{"axis", AttrKind::kInt, "0", "the axis to pick from, negative from the back"}};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kAny));
  MOTE_TRY(check_dtype(ctx, 1, kInts));
  MOTE_TRY(check_rank(ctx, 0, 1, 1000));
  if (!ctx.has_rank(0) || !ctx.has_rank(1)) {
    output_maybe(ctx, 0, ctx.dtype(0), std::nullopt);
    return {};
  }
  MOTE_ASSIGN(int axis, ctx.axis(ctx.attr_int("axis"), ctx.rank(0)));
  const Shape &data = ctx.shape(0), &indices = ctx.shape(1);
  Shape out(data.begin(), data.begin() + axis);
  out.insert(out.end(), indices.begin(), indices.end());
  out.insert(out.end(), data.begin() + axis + 1, data.end());
  ctx.output(0, ctx.dtype(0), std::move(out));
  const KnownValue* v = ctx.value(0);
  std::optional<std::vector<std::int64_t>> picks = ctx.const_value(1);
  if (!v || !picks || ctx.rank(0) != 1) return {};
  KnownValue picked;
  for (std::int64_t i : *picks) {
    std::int64_t n = static_cast<std::int64_t>(v->size());
    if (i < -n || i >= n) {
      return ctx.error("index " + std::to_string(i) + " is outside an axis of extent " + std::to_string(n));
    }
    picked.push_back((*v)[static_cast<std::size_t>(i < 0 ? i + n : i)]);
  }
  ctx.output_value(0, std::move(picked));
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &indices = ctx.in(1);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  AxisView a = around(x.shape(), normal_axis(ctx.attr_int("axis"), x.rank));
  std::int64_t n = indices.count();
  for (std::int64_t i : ctx.range(n)) {
    MOTE_ASSIGN(std::int64_t at, checked_index("indices", i, load_i64(indices, i), a.n));
    for (std::int64_t o : ctx.range(a.outer)) {
      copy_elements(ctx, x, (o * a.n + at) * a.inner, y, (o * n + i) * a.inner, a.inner);
    }
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(gather) = {.name = "gather",
                          .doc = "For each index, the slice of data there along the axis.",
                          .inputs = kInputs,
                          .outputs = kOutputs,
                          .attrs = kAttrs,
                          .infer = infer};
MOTE_DEFINE_REFERENCE(gather) = run;

}  // namespace mote
