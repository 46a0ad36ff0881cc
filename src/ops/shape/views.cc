// Ops whose output is the input's elements in the same order: identity, reshape, flatten, squeeze, unsqueeze.
#include <algorithm>

#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kIdentityInputs[] = {{"input", "a tensor, list or optional"}};
constexpr Slot kIdentityOutputs[] = {{"output", "the input"}};
constexpr Slot kFlattenInputs[] = {{"input", "any shape"}};
constexpr Slot kReshapeInputs[] = {{"data", "any shape"},
                                   {"shape", "i64, the extents; -1: what is left, 0: as in data"}};
constexpr Slot kSqueezeInputs[] = {{"data", "any shape"},
                                   {"axes", "i64, axes of extent 1 to remove; absent: all of them", Arity::kOptional}};
constexpr Slot kUnsqueezeInputs[] = {{"data", "any shape"},
                                     {"axes", "i64, where axes of extent 1 stand in the output"}};
constexpr Slot kOutputs[] = {{"output", "the elements of the input, in another shape"}};
constexpr AttrSpec kReshapeAttrs[] = {
    {"allowzero", AttrKind::kInt, "0", "1: an extent of 0 means 0, not the extent of data"}};
constexpr AttrSpec kFlattenAttrs[] = {
    {"axis", AttrKind::kInt, "1", "axes before it become the first axis, the others the second"}};

Status infer_identity(InferContext& ctx) {
  ctx.output(0, ctx.type(0));
  pass_known(ctx);
  return {};
}

// volume(from) / volume(to), equal extents cancelled first.
Dim quotient(Shape from, Shape to) {
  for (auto it = to.begin(); it != to.end();) {
    auto same = std::find(from.begin(), from.end(), *it);
    if (same == from.end()) {
      ++it;
      continue;
    }
    from.erase(same);
    it = to.erase(it);
  }
  return floordiv(volume(from), volume(to));
}

Status infer_reshape(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kAny));
  MOTE_TRY(check_dtype(ctx, 1, kInts));
  MOTE_TRY(check_rank(ctx, 1, 0, 1));
  const KnownValue* value = ctx.value(1);
  if (!value) {
    bool ranked = ctx.has_rank(1) && ctx.rank(1) == 1 && ctx.shape(1)[0].is_const();
    output_maybe(ctx, 0, ctx.dtype(0),
                 ranked ? std::optional(ctx.fresh_shape(static_cast<int>(ctx.shape(1)[0].value()))) : std::nullopt);
    return {};
  }
  bool keep_zero = ctx.attr_int("allowzero") != 0;
  Shape shape = *value;
  int open = -1;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i].is(-1)) {
      if (open >= 0) return ctx.error("shape has more than one -1: " + to_string(*value));
      open = static_cast<int>(i);
    } else if (shape[i].is_const() && shape[i].value() < 0) {
      return ctx.error("shape has a negative extent: " + to_string(*value));
    } else if (shape[i].is(0) && !keep_zero) {
      if (ctx.has_rank(0) && static_cast<int>(i) >= ctx.rank(0)) {
        return ctx.error("shape " + to_string(*value) + " copies axis " + std::to_string(i) + " of a tensor of rank " +
                         std::to_string(ctx.rank(0)));
      }
      shape[i] = ctx.has_rank(0) ? ctx.shape(0)[i] : ctx.fresh();
    }
  }
  if (open >= 0) {
    Shape others = shape;
    others.erase(others.begin() + open);
    shape[static_cast<std::size_t>(open)] = ctx.has_rank(0) ? quotient(ctx.shape(0), others) : ctx.fresh();
  }
  if (ctx.has_rank(0)) {
    Dim from = volume(ctx.shape(0)), to = volume(shape);
    if (from.is_const() && to.is_const() && !(from == to)) {
      return ctx.error("data of shape " + to_string(ctx.shape(0)) + " cannot be reshaped to " + to_string(*value));
    }
  }
  ctx.output(0, ctx.dtype(0), std::move(shape));
  pass_known(ctx);
  return {};
}

Status infer_flatten(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kAny));
  if (!ctx.has_rank(0)) {
    ctx.output(0, ctx.dtype(0), ctx.fresh_shape(2));
    return {};
  }
  const Shape& in = ctx.shape(0);
  std::int64_t axis = ctx.attr_int("axis"), rank = ctx.rank(0);
  if (axis < -rank || axis > rank) return ctx.error("axis " + std::to_string(axis) + " is outside the tensor's rank");
  if (axis < 0) axis += rank;
  Shape out = {volume(Shape(in.begin(), in.begin() + axis)), volume(Shape(in.begin() + axis, in.end()))};
  ctx.output(0, ctx.dtype(0), std::move(out));
  pass_known(ctx);
  return {};
}

Status infer_squeeze(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kAny));
  MOTE_TRY(check_dtype(ctx, 1, kInts));
  pass_known(ctx);
  if (!ctx.has_rank(0)) {
    output_maybe(ctx, 0, ctx.dtype(0), std::nullopt);
    return {};
  }
  const Shape& in = ctx.shape(0);
  Shape out;
  if (!ctx.has(1)) {
    bool sure = std::all_of(in.begin(), in.end(), [](const Dim& d) { return d.is_const(); });
    std::copy_if(in.begin(), in.end(), std::back_inserter(out), [](const Dim& d) { return !d.is(1); });
    output_maybe(ctx, 0, ctx.dtype(0), sure ? std::optional(std::move(out)) : std::nullopt);
    return {};
  }
  std::optional<std::vector<std::int64_t>> given = ctx.const_value(1);
  if (!given) {
    std::int64_t n = ctx.has_rank(1) ? known_count(ctx.shape(1)) : -1;
    bool ranked = n >= 0 && n <= ctx.rank(0);
    output_maybe(ctx, 0, ctx.dtype(0),
                 ranked ? std::optional(ctx.fresh_shape(ctx.rank(0) - static_cast<int>(n))) : std::nullopt);
    return {};
  }
  MOTE_ASSIGN(std::vector<int> axes, normal_axes(ctx, *given, ctx.rank(0)));
  for (int i = 0; i < ctx.rank(0); ++i) {
    const Dim& d = in[static_cast<std::size_t>(i)];
    if (std::find(axes.begin(), axes.end(), i) == axes.end()) {
      out.push_back(d);
    } else if (d.is_const() && !d.is(1)) {
      return ctx.error("axis " + std::to_string(i) + " of data has extent " + d.to_string() + ", not 1");
    }
  }
  ctx.output(0, ctx.dtype(0), std::move(out));
  return {};
}

Status infer_unsqueeze(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kAny));
  MOTE_TRY(check_dtype(ctx, 1, kInts));
  pass_known(ctx);
  std::int64_t n = ctx.has_rank(1) ? known_count(ctx.shape(1)) : -1;
  std::optional<std::vector<std::int64_t>> given = ctx.const_value(1);
  if (!ctx.has_rank(0) || (!given && n < 0)) {
    output_maybe(ctx, 0, ctx.dtype(0), std::nullopt);
    return {};
  }
  int rank = ctx.rank(0) + static_cast<int>(given ? static_cast<std::int64_t>(given->size()) : n);
  if (!given) {
    ctx.output(0, ctx.dtype(0), ctx.fresh_shape(rank));
    return {};
  }
  MOTE_ASSIGN(std::vector<int> axes, normal_axes(ctx, *given, rank));
  Shape out;
  std::size_t next = 0;
  for (int i = 0; i < rank; ++i) {
    bool added = std::find(axes.begin(), axes.end(), i) != axes.end();
    out.push_back(added ? Dim(1) : ctx.shape(0)[next++]);
  }
  ctx.output(0, ctx.dtype(0), std::move(out));
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  copy_bytes(ctx, x, y);
  return {};
}

Status run_identity(ReferenceContext& ctx) { return ctx.is_list(0) ? ctx.out_list(0, ctx.list(0)) : run(ctx); }

}  // namespace

MOTE_DEFINE_OP(flatten) = {.name = "flatten",
                           .doc = "A matrix with the elements of the input.",
                           .inputs = kFlattenInputs,
                           .outputs = kOutputs,
                           .attrs = kFlattenAttrs,
                           .infer = infer_flatten,
                           .flags = kView};
MOTE_DEFINE_REFERENCE(flatten) = run;

MOTE_DEFINE_OP(identity) = {.name = "identity",
                            .doc = "The input itself.",
                            .inputs = kIdentityInputs,
                            .outputs = kIdentityOutputs,
                            .infer = infer_identity,
                            .flags = kView,
                            .list_operands = 1};
MOTE_DEFINE_REFERENCE(identity) = run_identity;

MOTE_DEFINE_OP(reshape) = {.name = "reshape",
                           .doc = "The elements of data in a new shape.",
                           .inputs = kReshapeInputs,
                           .outputs = kOutputs,
                           .attrs = kReshapeAttrs,
                           .infer = infer_reshape,
                           .flags = kView,
                           .shape_operands = 1u << 1};
MOTE_DEFINE_REFERENCE(reshape) = run;

MOTE_DEFINE_OP(squeeze) = {.name = "squeeze",
                           .doc = "data without some of its axes of extent 1.",
                           .inputs = kSqueezeInputs,
                           .outputs = kOutputs,
                           .infer = infer_squeeze,
                           .flags = kView,
                           .shape_operands = 1u << 1};
MOTE_DEFINE_REFERENCE(squeeze) = run;

MOTE_DEFINE_OP(unsqueeze) = {.name = "unsqueeze",
                             .doc = "data with additional axes of extent 1.",
                             .inputs = kUnsqueezeInputs,
                             .outputs = kOutputs,
                             .infer = infer_unsqueeze,
                             .flags = kView,
                             .shape_operands = 1u << 1};
MOTE_DEFINE_REFERENCE(unsqueeze) = run;

}  // namespace mote
