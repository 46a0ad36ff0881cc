// shape and size: what a tensor's extents are, as values.
#include <algorithm>

#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"data", "any tensor"}};
constexpr Slot kShapeOutputs[] = {{"shape", "i64 vector of extents"}};
constexpr Slot kSizeOutputs[] = {{"size", "i64 scalar"}};
constexpr AttrSpec kAttrs[] = {
    {"start", AttrKind::kInt, "0", "first axis, negative from the back; clamped to the rank"},
    {"end", AttrKind::kInt, "", "axis after the last one, negative from the back; clamped; default: the rank"},
};

struct Range {
  std::int64_t begin, end;
};

template <class Context>
Range axes_of(const Context& ctx, std::int64_t rank) {
  auto clamp = [&](std::int64_t a) { return std::clamp<std::int64_t>(a < 0 ? a + rank : a, 0, rank); };
  Range r{clamp(ctx.attr_int("start")), ctx.has_attr("end") ? clamp(ctx.attr_int("end")) : rank};
  r.end = std::max(r.begin, r.end);
  return r;
}

Status infer_shape(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kAny));
  if (!ctx.has_rank(0)) {
    ctx.output(0, DType::i64, {ctx.fresh()});
    return {};
  }
  Range r = axes_of(ctx, ctx.rank(0));
  ctx.output(0, DType::i64, {Dim(r.end - r.begin)});
  ctx.output_value(0, KnownValue(ctx.shape(0).begin() + r.begin, ctx.shape(0).begin() + r.end));
  return {};
}

Status infer_size(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kAny));
  ctx.output(0, DType::i64, {});
  if (ctx.has_rank(0)) ctx.output_value(0, {volume(ctx.shape(0))});
  return {};
}

Status run_shape(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  Range r = axes_of(ctx, x.rank);
  MOTE_ASSIGN(TensorView y, ctx.out(0, DType::i64, std::vector<std::int64_t>{r.end - r.begin}));
  for (std::int64_t i : ctx.range_from<std::int64_t>(r.begin, r.end)) y.as<std::int64_t>()[i - r.begin] = x.dims[i];
  return {};
}

Status run_size(ReferenceContext& ctx) {
  MOTE_ASSIGN(TensorView y, ctx.out(0, DType::i64, {}));
  y.as<std::int64_t>()[0] = ctx.in(0).count();
  return {};
}

}  // namespace

MOTE_DEFINE_OP(shape) = {.name = "shape",
                         .doc = "The extents of data, or of a range of its axes.",
                         .inputs = kInputs,
                         .outputs = kShapeOutputs,
                         .attrs = kAttrs,
                         .infer = infer_shape};
MOTE_DEFINE_REFERENCE(shape) = run_shape;

MOTE_DEFINE_OP(size) = {.name = "size",
                        .doc = "The number of elements of data.",
                        .inputs = kInputs,
                        .outputs = kSizeOutputs,
                        .infer = infer_size};
MOTE_DEFINE_REFERENCE(size) = run_size;

}  // namespace mote
