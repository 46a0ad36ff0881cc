// Normalisation over the last axes.
#include "ops/decompose.h"
#include "ops/loops.h"
#include "ops/nn/normalize.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "any float tensor"},
                            {"scale", "broadcasts to the normalised axes"},
                            {"b", "broadcasts to the normalised axes", Arity::kOptional}};
constexpr Slot kOutputs[] = {{"y", "scale * (x - mean) / sqrt(variance + epsilon) + b"},
                             {"mean", "shape of x with extents 1 on the normalised axes", Arity::kOptional},
                             {"inv_std_dev", "1 / sqrt(variance + epsilon), shape of mean", Arity::kOptional}};
constexpr AttrSpec kAttrs[] = {
    {"axis", AttrKind::kInt, "-1", "the first normalised axis; all after it are normalised too"},
    kEpsilonAttr,
    kStashAttr};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  DType stash = ctx.attr_dtype("stash_type");
  ctx.output(0, ctx.type(0));
  Type statistics = Type::tensor(stash);
  if (ctx.has_rank(0)) {
    MOTE_ASSIGN(int axis, ctx.axis(ctx.attr_int("axis"), ctx.rank(0)));
    statistics.shape = ctx.shape(0);
    for (std::size_t i = static_cast<std::size_t>(axis); i < statistics.shape->size(); ++i) (*statistics.shape)[i] = 1;
    for (int i : {1, 2}) {
      if (!ctx.has_rank(i)) continue;
      auto both = broadcast(ctx.shape(0), ctx.shape(i));
      if (!both.ok() || both->size() != ctx.shape(0).size()) {
        return ctx.error("a parameter of shape " + to_string(ctx.shape(i)) + " does not broadcast to x");
      }
      for (std::size_t a = 0; a < both->size(); ++a) {
        const Dim &from = ctx.shape(0)[a], &to = (*both)[a];
        if (from.is_const() && to.is_const() && !(from == to)) return ctx.error("a parameter is larger than x");
      }
    }
  }
  for (int o : {1, 2}) {
    if (ctx.wants(o)) ctx.output(o, statistics);
  }
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(std::vector<TensorView> outs, infer_outs(ctx));
  MOTE_ASSIGN(auto xs, widen(ctx, x));
  MOTE_ASSIGN(auto ys, wide_scratch(ctx, x.count()));
  int axis = normal_axis(ctx.attr_int("axis"), x.rank);
  std::int64_t n = count_of(x.shape().subspan(static_cast<std::size_t>(axis)));
  double epsilon = ctx.attr_float("epsilon");
  for (std::int64_t row : ctx.range(n > 0 ? x.count() / n : 0)) {
    auto run = xs.subspan(static_cast<std::size_t>(row * n), static_cast<std::size_t>(n));
    Moments m = moments_of(ctx, run);
    double inverse = 1 / std::sqrt(m.variance + epsilon);
    for (std::int64_t i : ctx.range(n)) {
      ys[static_cast<std::size_t>(row * n + i)] = (run[static_cast<std::size_t>(i)] - m.mean) * inverse;
    }
    if (ctx.wants(1)) store_f64(outs[1], row, m.mean);
    if (ctx.wants(2)) store_f64(outs[2], row, inverse);
  }
  const TensorView &scale = ctx.in(1), &bias = ctx.has(2) ? ctx.in(2) : ctx.in(1);
  walk<3>(ctx, x.shape(), {dense_strides(x.shape()), broadcast_strides(scale, x.rank), broadcast_strides(bias, x.rank)},
          [&](const auto& at) {
            double& y = ys[static_cast<std::size_t>(at[0])];
            y *= load_f64(scale, at[1]);
            if (ctx.has(2)) y += load_f64(bias, at[2]);
          });
  narrow(ctx, ys, outs[0]);
  return {};
}

Result<std::vector<ValueId>> decompose(Builder& b, const Node& node) {
  ValueId x = node.inputs[0];
  if (!b.has_rank(x)) return unsupported("layer_normalization of a tensor of unknown rank has no decomposition");
  DType t = b.dtype(x), stash = attr_dtype(*node.op, node.attrs, "stash_type");
  std::vector<std::int64_t> axes;
  for (int i = normal_axis(attr_int(*node.op, node.attrs, "axis"), b.rank(x)); i < b.rank(x); ++i) axes.push_back(i);
  Standardized s = standardize(b, cast_to(b, x, stash), axes, attr_float(*node.op, node.attrs, "epsilon"));
  ValueId y = b.add("mul", {cast_to(b, s.y, t), node.inputs[1]});
  if (node.inputs.size() > 2 && node.inputs[2] != kNone) y = b.add("add", {y, node.inputs[2]});
  std::vector<ValueId> outputs = {y, s.mean, s.inverse};
  outputs.resize(node.outputs.size());
  return outputs;
}

}  // namespace

MOTE_DEFINE_OP(layer_normalization) = {.name = "layer_normalization",
                                       .doc = "Normalises the last axes to mean 0 and variance 1, then scales.",
                                       .inputs = kInputs,
                                       .outputs = kOutputs,
                                       .attrs = kAttrs,
                                       .infer = infer};
MOTE_DEFINE_REFERENCE(layer_normalization) = run;
MOTE_DEFINE_DECOMPOSITION(layer_normalization) = decompose;

}  // namespace mote
