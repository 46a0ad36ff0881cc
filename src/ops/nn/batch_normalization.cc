// Normalisation of every channel by given statistics, or by those of the batch.
#include "ops/decompose.h"
#include "ops/nn/normalize.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "batch, channels, and any number of axes"},
                            {"scale", "one per channel"},
                            {"b", "one per channel"},
                            {"input_mean", "one per channel"},
                            {"input_var", "one per channel"}};
constexpr Slot kOutputs[] = {{"y", "scale * (x - mean) / sqrt(var + epsilon) + b"},
                             {"running_mean", "training only: updated mean", Arity::kOptional},
                             {"running_var", "training only: updated variance", Arity::kOptional}};
constexpr AttrSpec kAttrs[] = {
    kEpsilonAttr,
    {"momentum", AttrKind::kFloat, "0.9", "running = input * momentum + batch * (1 - momentum)"},
    {"training_mode", AttrKind::kInt, "0", "1: normalise by the statistics of the batch"}};

Status infer(InferContext& ctx) {
  for (int i = 0; i < 5; ++i) {
    MOTE_TRY(check_dtype(ctx, i, kFloats));
    if (i > 0) MOTE_TRY(check_channels(ctx, i));
  }
  ctx.output(0, ctx.type(0));
  for (int o : {1, 2}) {
    if (ctx.wants(o)) ctx.output(o, ctx.type(2 + o));
  }
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(std::vector<TensorView> outs, infer_outs(ctx));
  MOTE_ASSIGN(auto xs, widen(ctx, x));
  MOTE_ASSIGN(auto ys, wide_scratch(ctx, x.count()));
  bool training = ctx.attr_int("training_mode") != 0;
  double epsilon = ctx.attr_float("epsilon"), momentum = ctx.attr_float("momentum");
  std::int64_t channels = x.rank > 1 ? x.dims[1] : 1, inner = x.rank > 1 ? x.strides[1] : 1;
  std::vector<double> group;
  for (std::int64_t c : ctx.range(channels)) {
    Moments m{load_f64(ctx.in(3), c), load_f64(ctx.in(4), c)};
    auto each = [&](const auto& f) {
      for (std::int64_t from = c * inner; from < x.count() && ctx.spend(1); from += channels * inner) {
        for (std::int64_t i : ctx.range_from<std::int64_t>(from, from + inner)) f(static_cast<std::size_t>(i));
      }
    };
    if (training) {
      group.clear();
      each([&](std::size_t i) { group.push_back(xs[i]); });
      Moments batch = moments_of(ctx, group);
      auto blend = [&](double old, double now) { return old * momentum + now * (1 - momentum); };
      if (ctx.wants(1)) store_f64(outs[1], c, blend(m.mean, batch.mean));
      if (ctx.wants(2)) store_f64(outs[2], c, blend(m.variance, batch.variance));
      m = batch;
    }
    double factor = load_f64(ctx.in(1), c) / std::sqrt(m.variance + epsilon), bias = load_f64(ctx.in(2), c);
    each([&](std::size_t i) { ys[i] = (xs[i] - m.mean) * factor + bias; });
  }
  narrow(ctx, ys, outs[0]);
  return {};
}

Result<std::vector<ValueId>> decompose(Builder& b, const Node& node) {
  if (attr_int(*node.op, node.attrs, "training_mode") != 0) {
    return unsupported("batch_normalization in training mode has no decomposition");
  }
  ValueId x = node.inputs[0];
  if (!b.has_rank(x)) return unsupported("batch_normalization of a tensor of unknown rank has no decomposition");
  int rank = b.rank(x);
  DType t = b.dtype(x);
  auto param = [&](int i) { return cast_to(b, node.inputs[static_cast<std::size_t>(i)], t); };
  ValueId epsilon = b.scalar(attr_float(*node.op, node.attrs, "epsilon"), t);
  ValueId deviation = b.add("sqrt", {b.add("add", {param(4), epsilon})});
  ValueId factor = b.add("div", {param(1), deviation});
  ValueId centred = b.add("sub", {x, per_channel(b, param(3), rank)});
  ValueId scaled = b.add("mul", {centred, per_channel(b, factor, rank)});
  std::vector<ValueId> outputs(node.outputs.size(), kNone);
  outputs[0] = b.add("add", {scaled, per_channel(b, param(2), rank)});
  return outputs;
}

}  // namespace

MOTE_DEFINE_OP(batch_normalization) = {
    .name = "batch_normalization",
    .doc = "Normalises every channel by given statistics (inference) or by those of the batch (training).",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attrs = kAttrs,
    .infer = infer};
MOTE_DEFINE_REFERENCE(batch_normalization) = run;
MOTE_DEFINE_DECOMPOSITION(batch_normalization) = decompose;

}  // namespace mote
