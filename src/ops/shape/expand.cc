// expand and tile: elements repeated.
#include <algorithm>

#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kExpandInputs[] = {{"input", "any shape"}, {"shape", "i64 extents, broadcast with the input's"}};
constexpr Slot kTileInputs[] = {{"input", "any shape"}, {"repeats", "i64, how often along each axis"}};
constexpr Slot kOutputs[] = {{"output", "dtype of the input"}};

Status infer_expand(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kAny));
  MOTE_TRY(check_dtype(ctx, 1, kInts));
  MOTE_TRY(check_rank(ctx, 1, 1, 1));
  const KnownValue* target = ctx.value(1);
  if (!target || !ctx.has_rank(0)) {
    std::int64_t n = target            ? static_cast<std::int64_t>(target->size())
                     : ctx.has_rank(1) ? known_count(ctx.shape(1))
                                       : -1;
    bool ranked = n >= 0 && ctx.has_rank(0);
    output_maybe(ctx, 0, ctx.dtype(0),
                 ranked ? std::optional(ctx.fresh_shape(std::max(static_cast<int>(n), ctx.rank(0)))) : std::nullopt);
    return {};
  }
  for (const Dim& d : *target) {
    if (d.is_const() && d.value() < 0) return ctx.error("shape has a negative extent: " + to_string(*target));
  }
  Result<Shape> out = broadcast(ctx.shape(0), *target);
  if (!out.ok()) return ctx.error(std::string(out.status().message()));
  ctx.output(0, ctx.dtype(0), *out);
  if (std::optional<KnownValue> v = known_broadcast(ctx, 0, *out)) ctx.output_value(0, *std::move(v));
  return {};
}

Status run_expand(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  with_copy(x.dtype, [&](auto copy) {
    walk<2>(ctx, y.shape(), {broadcast_strides(x, y.rank), dense_strides(y.shape())},
            [&](const auto& at) { copy(x, at[0], y, at[1]); });
  });
  return {};
}

Status infer_tile(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kAny));
  MOTE_TRY(check_dtype(ctx, 1, kInts));
  MOTE_TRY(check_rank(ctx, 1, 1, 1));
  const KnownValue* repeats = ctx.value(1);
  if (!ctx.has_rank(0)) {
    output_maybe(ctx, 0, ctx.dtype(0), std::nullopt);
    return {};
  }
  if (!repeats) {
    ctx.output(0, ctx.dtype(0), ctx.fresh_shape(ctx.rank(0)));
    return {};
  }
  Shape out = ctx.shape(0);
  if (repeats->size() != out.size()) {
    return ctx.error("repeats has " + std::to_string(repeats->size()) + " elements for a tensor of rank " +
                     std::to_string(out.size()));
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    const Dim& r = (*repeats)[i];
    if (r.is_const() && r.value() < 0) return ctx.error("repeats is negative: " + to_string(*repeats));
    out[i] = out[i] * r;
  }
  const KnownValue* v = ctx.value(0);
  if (v && out.size() == 1 && known_count(out) >= 0 && (*repeats)[0].is_const()) {
    KnownValue tiled;
    for (std::int64_t i = 0; i < (*repeats)[0].value(); ++i) tiled.insert(tiled.end(), v->begin(), v->end());
    ctx.output_value(0, std::move(tiled));
  }
  ctx.output(0, ctx.dtype(0), std::move(out));
  return {};
}

Status run_tile(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  with_copy(x.dtype, [&](auto copy) {
    std::array<std::int64_t, kMaxRank> at{};
    for (std::int64_t i : ctx.range(y.count())) {
      std::int64_t from = 0;
      for (std::size_t k = 0; k < static_cast<std::size_t>(x.rank); ++k) from += at[k] % x.dims[k] * x.strides[k];
      copy(x, from, y, i);
      for (std::size_t k = static_cast<std::size_t>(x.rank); k-- > 0;) {
        if (++at[k] < y.dims[k]) break;
        at[k] = 0;
      }
    }
  });
  return {};
}

}  // namespace

MOTE_DEFINE_OP(expand) = {.name = "expand",
                          .doc = "The input broadcast with a shape.",
                          .inputs = kExpandInputs,
                          .outputs = kOutputs,
                          .infer = infer_expand,
                          .shape_operands = 1u << 1};
MOTE_DEFINE_REFERENCE(expand) = run_expand;

MOTE_DEFINE_OP(tile) = {.name = "tile",
                        .doc = "Copies of the input side by side along each axis.",
                        .inputs = kTileInputs,
                        .outputs = kOutputs,
                        .infer = infer_tile,
                        .shape_operands = 1u << 1};
MOTE_DEFINE_REFERENCE(tile) = run_tile;

}  // namespace mote
