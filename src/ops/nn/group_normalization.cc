// Normalisation of groups of channels, and of single channels.
#include "ops/decompose.h"
#include "ops/nn/normalize.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kGroupInputs[] = {
    {"x", "batch, channels, and any number of axes"}, {"scale", "one per channel"}, {"bias", "one per channel"}};
constexpr Slot kInstanceInputs[] = {
    {"input", "batch, channels, and any number of axes"}, {"scale", "one per channel"}, {"b", "one per channel"}};
constexpr Slot kOutputs[] = {{"y", "scale * (x - mean) / sqrt(variance + epsilon) + bias"}};
constexpr AttrSpec kGroupAttrs[] = {
    kEpsilonAttr, {"num_groups", AttrKind::kInt, "", "a divisor of the number of channels", true}, kStashAttr};
constexpr AttrSpec kInstanceAttrs[] = {kEpsilonAttr};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_rank(ctx, 0, 2, kMaxRank));
  for (int i = 0; i < 3; ++i) {
    MOTE_TRY(check_dtype(ctx, i, kFloats));
    if (i > 0) MOTE_TRY(check_channels(ctx, i));
  }
  if (ctx.op().attr("num_groups")) {
    std::int64_t groups = ctx.attr_int("num_groups");
    if (groups <= 0) return ctx.error("num_groups: must be positive");
    if (ctx.has_rank(0) && ctx.shape(0)[1].is_const() && ctx.shape(0)[1].value() % groups != 0) {
      return ctx.error("num_groups: " + std::to_string(groups) + " does not divide " + ctx.shape(0)[1].to_string() +
                       " channels");
    }
  }
  ctx.output(0, ctx.type(0));
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  MOTE_ASSIGN(auto xs, widen(ctx, x));
  MOTE_ASSIGN(auto ys, wide_scratch(ctx, x.count()));
  std::int64_t channels = x.dims[1], inner = x.strides[1];
  std::int64_t groups = ctx.op().attr("num_groups") ? ctx.attr_int("num_groups") : channels;
  double epsilon = ctx.attr_float("epsilon");
  std::size_t n = groups > 0 ? static_cast<std::size_t>(channels / groups * inner) : 0;
  for (std::size_t begin = 0; n > 0 && begin < xs.size() && ctx.spend(1); begin += n) {
    Moments m = moments_of(ctx, xs.subspan(begin, n));
    double inverse = 1 / std::sqrt(m.variance + epsilon);
    for (std::size_t i : ctx.range_from<std::size_t>(begin, begin + n)) {
      std::int64_t c = static_cast<std::int64_t>(i) / inner % channels;
      ys[i] = (xs[i] - m.mean) * inverse * load_f64(ctx.in(1), c) + load_f64(ctx.in(2), c);
    }
  }
  narrow(ctx, ys, y);
  return {};
}

// Instance normalisation is over the spatial axes; a group is made one axis first.
Result<std::vector<ValueId>> decompose(Builder& b, const Node& node) {
  ValueId x = node.inputs[0];
  if (!b.has_rank(x)) return unsupported(std::string(node.op->name) + " of unknown rank has no decomposition");
  int rank = b.rank(x);
  DType t = b.dtype(x);
  double epsilon = attr_float(*node.op, node.attrs, "epsilon");
  ValueId y;
  if (node.op->attr("num_groups")) {
    ValueId grouped = b.add("reshape", {x, b.ints({0, attr_int(*node.op, node.attrs, "num_groups"), -1})});
    ValueId wide = cast_to(b, grouped, attr_dtype(*node.op, node.attrs, "stash_type"));
    ValueId normal = cast_to(b, standardize(b, wide, {2}, epsilon).y, t);
    y = b.add("reshape", {normal, b.add("shape", {x})});
  } else {
    std::vector<std::int64_t> axes;
    for (int i = 2; i < rank; ++i) axes.push_back(i);
    y = axes.empty() ? b.add("sub", {x, x}) : standardize(b, x, axes, epsilon).y;
  }
  ValueId scaled = b.add("mul", {y, per_channel(b, node.inputs[1], rank)});
  return std::vector{b.add("add", {scaled, per_channel(b, node.inputs[2], rank)})};
}

}  // namespace

MOTE_DEFINE_OP(group_normalization) = {.name = "group_normalization",
                                       .doc = "Normalises groups of channels of each image, then scales each channel.",
                                       .inputs = kGroupInputs,
                                       .outputs = kOutputs,
                                       .attrs = kGroupAttrs,
                                       .infer = infer};
MOTE_DEFINE_REFERENCE(group_normalization) = run;
MOTE_DEFINE_DECOMPOSITION(group_normalization) = decompose;

MOTE_DEFINE_OP(instance_normalization) = {.name = "instance_normalization",
                                          .doc = "Normalises every channel of each image, then scales it.",
                                          .inputs = kInstanceInputs,
                                          .outputs = kOutputs,
                                          .attrs = kInstanceAttrs,
                                          .infer = infer};
MOTE_DEFINE_REFERENCE(instance_normalization) = run;
MOTE_DEFINE_DECOMPOSITION(instance_normalization) = decompose;

}  // namespace mote
