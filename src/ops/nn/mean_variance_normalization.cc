// Normalisation over a set of axes, without parameters.
#include "ops/decompose.h"
#include "ops/loops.h"
#include "ops/nn/normalize.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr double kAddedToDeviation = 1e-9;

constexpr Slot kInputs[] = {{"x", "any float tensor"}};
constexpr Slot kOutputs[] = {{"y", "(x - mean) / (sqrt(variance) + 1e-9)"}};
constexpr AttrSpec kAttrs[] = {{"axes", AttrKind::kInts, "[0,2,3]", "the axes that share a mean and a variance"}};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  if (ctx.has_rank(0)) MOTE_TRY(normal_axes(ctx, ctx.attr_ints("axes"), ctx.rank(0)).status());
  ctx.output(0, ctx.type(0));
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  MOTE_ASSIGN(auto xs, widen(ctx, x));
  // One slot of statistics per position of the kept axes; reduced axes have stride 0.
  std::vector<std::int64_t> kept(x.dims, x.dims + x.rank);
  for (std::int64_t a : ctx.attr_ints("axes")) kept[static_cast<std::size_t>(normal_axis(a, x.rank))] = 1;
  TensorView slots = TensorView::of(nullptr, x.dtype, kept);
  std::array<Strides, 2> strides = {dense_strides(x.shape()), broadcast_strides(slots, x.rank)};
  MOTE_ASSIGN(auto mean, wide_scratch(ctx, slots.count()));
  MOTE_ASSIGN(auto variance, wide_scratch(ctx, slots.count()));
  double n = slots.count() ? static_cast<double>(x.count() / slots.count()) : 0;
  auto at = [](std::int64_t i) { return static_cast<std::size_t>(i); };
  walk<2>(ctx, x.shape(), strides, [&](const auto& o) { mean[at(o[1])] += xs[at(o[0])] / n; });
  walk<2>(ctx, x.shape(), strides, [&](const auto& o) {
    double d = xs[at(o[0])] - mean[at(o[1])];
    variance[at(o[1])] += d * d / n;
  });
  walk<2>(ctx, x.shape(), strides, [&](const auto& o) {
    store_f64(y, o[0], (xs[at(o[0])] - mean[at(o[1])]) / (std::sqrt(variance[at(o[1])]) + kAddedToDeviation));
  });
  return {};
}

Result<std::vector<ValueId>> decompose(Builder& b, const Node& node) {
  ValueId x = node.inputs[0], axes = b.ints(attr_ints(*node.op, node.attrs, "axes"));
  ValueId centred = b.add("sub", {x, b.add("reduce_mean", {x, axes})});
  ValueId variance = b.add("reduce_mean", {b.add("mul", {centred, centred}), axes});
  ValueId deviation = b.add("add", {b.add("sqrt", {variance}), b.scalar(kAddedToDeviation, b.dtype(x))});
  return std::vector{b.add("div", {centred, deviation})};
}

}  // namespace

MOTE_DEFINE_OP(mean_variance_normalization) = {.name = "mean_variance_normalization",
                                               .doc = "Normalises a set of axes to mean 0 and variance 1.",
                                               .inputs = kInputs,
                                               .outputs = kOutputs,
                                               .attrs = kAttrs,
                                               .infer = infer};
MOTE_DEFINE_REFERENCE(mean_variance_normalization) = run;
MOTE_DEFINE_DECOMPOSITION(mean_variance_normalization) = decompose;

}  // namespace mote
