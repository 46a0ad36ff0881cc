// where and clip.
#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/scalar.h"

namespace mote {
namespace {

constexpr Slot kWhereInputs[] = {{"condition", "boolean"},
                                 {"x", "taken where the condition is true"},
                                 {"y", "taken elsewhere; dtype of x. All three broadcast"}};
constexpr Slot kWhereOutputs[] = {{"output", "the broadcast shape, dtype of x"}};
constexpr Slot kClipInputs[] = {{"input", "any shape"},
                                {"min", "scalar; absent: no bound", Arity::kOptional},
                                {"max", "scalar; absent: no bound", Arity::kOptional}};
constexpr Slot kClipOutputs[] = {{"output", "shape and dtype of the input"}};

Status infer_where(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kBool));
  MOTE_TRY(check_dtype(ctx, 1, kAny));
  MOTE_TRY(check_dtype(ctx, 2, kAny));
  MOTE_TRY(check_same_dtype(ctx, 1, 2));
  MOTE_ASSIGN(std::optional<Shape> shape, broadcast_inputs(ctx, 0, 3));
  output_maybe(ctx, 0, ctx.dtype(1) != DType::none ? ctx.dtype(1) : ctx.dtype(2), shape);
  if (!shape) return {};
  std::optional<KnownValue> c = known_broadcast(ctx, 0, *shape), x = known_broadcast(ctx, 1, *shape),
                            y = known_broadcast(ctx, 2, *shape);
  if (!c) return {};
  KnownValue out;
  for (std::size_t i = 0; i < c->size(); ++i) {
    if (!(*c)[i].is_const()) return {};
    const std::optional<KnownValue>& side = (*c)[i].is(0) ? y : x;
    if (!side) return {};
    out.push_back((*side)[i]);
  }
  ctx.output_value(0, std::move(out));
  return {};
}

Status run_where(ReferenceContext& ctx) {
  const TensorView &c = ctx.in(0), &x = ctx.in(1), &y = ctx.in(2);
  MOTE_ASSIGN(TensorView z, infer_out(ctx));
  with_copy(x.dtype, [&](auto copy) {
    walk<4>(ctx, z.shape(),
            {broadcast_strides(c, z.rank), broadcast_strides(x, z.rank), broadcast_strides(y, z.rank),
             dense_strides(z.shape())},
            [&](const auto& at) {
              if (NativeElement<bool>::load(c, at[0])) {
                copy(x, at[1], z, at[3]);
              } else {
                copy(y, at[2], z, at[3]);
              }
            });
  });
  return {};
}

Status infer_clip(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kNumbers));
  for (int i = 1; i < ctx.inputs(); ++i) {
    MOTE_TRY(check_same_dtype(ctx, 0, i));
    if (ctx.has_rank(i) && known_count(ctx.shape(i)) != 1) return ctx.error("min and max are scalars");
  }
  ctx.output(0, ctx.type(0));
  const KnownValue* v = ctx.value(0);
  for (int i = 1; i < ctx.inputs(); ++i) {
    if (ctx.has(i) && !ctx.value(i)) v = nullptr;
  }
  if (!v) return {};
  KnownValue out = *v;
  for (Dim& d : out) {
    if (ctx.has(1)) d = max(d, (*ctx.value(1))[0]);
    if (ctx.has(2)) d = min(d, (*ctx.value(2))[0]);
  }
  ctx.output_value(0, std::move(out));
  return {};
}

// NaN stays; max wins where min is above it.
Status run_clip(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, ctx.out(0, x.dtype, x.shape()));
  with_element(x.dtype, [&](auto element) {
    using E = decltype(element);
    for (std::int64_t i : ctx.range(x.count())) {
      auto v = E::load(x, i);
      if (ctx.has(1) && v < E::load(ctx.in(1), 0)) v = E::load(ctx.in(1), 0);
      if (ctx.has(2) && v > E::load(ctx.in(2), 0)) v = E::load(ctx.in(2), 0);
      E::store(y, i, v);
    }
  });
  return {};
}

}  // namespace

MOTE_DEFINE_OP(clip) = {.name = "clip",
                        .doc = "min(max(input, min), max), element by element; NaN stays.",
                        .inputs = kClipInputs,
                        .outputs = kClipOutputs,
                        .infer = infer_clip,
                        .flags = kElementwise};
MOTE_DEFINE_REFERENCE(clip) = run_clip;

MOTE_DEFINE_OP(where) = {.name = "where",
                         .doc = "x where the condition is true, y elsewhere.",
                         .inputs = kWhereInputs,
                         .outputs = kWhereOutputs,
                         .infer = infer_where,
                         .flags = kElementwise};
MOTE_DEFINE_REFERENCE(where) = run_where;

}  // namespace mote
