// Division by the root of the mean square over the last axes.
#include "ops/decompose.h"
#include "ops/loops.h"
#include "ops/nn/normalize.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "any float tensor"}, {"scale", "broadcasts to the normalised axes"}};
constexpr Slot kOutputs[] = {{"y", "scale * x / sqrt(mean(x^2) + epsilon); shape of x, dtype of scale"}};
constexpr AttrSpec kAttrs[] = {
    {"axis", AttrKind::kInt, "-1", "the first normalised axis; all after it are normalised too"},
    kEpsilonAttr,
    kStashAttr};

Status infer(InferContext& ctx) {
  for (int i : {0, 1}) MOTE_TRY(check_dtype(ctx, i, kFloats));
  if (!ctx.has_rank(0)) return ctx.output(0, Type::tensor(ctx.dtype(1))), Status();
  MOTE_TRY(ctx.axis(ctx.attr_int("axis"), ctx.rank(0)).status());
  MOTE_ASSIGN(std::optional<Shape> both, broadcast_inputs(ctx, 0, 2));
  for (std::size_t i = 0; both && i < both->size(); ++i) {
    bool same = both->size() == ctx.shape(0).size() &&
                (!(*both)[i].is_const() || !ctx.shape(0)[i].is_const() || (*both)[i] == ctx.shape(0)[i]);
    if (!same) return ctx.error("scale of shape " + to_string(ctx.shape(1)) + " is larger than x");
  }
  ctx.output(0, ctx.dtype(1), ctx.shape(0));
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &scale = ctx.in(1);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  MOTE_ASSIGN(auto xs, widen(ctx, x));
  MOTE_ASSIGN(auto ys, wide_scratch(ctx, x.count()));
  int axis = normal_axis(ctx.attr_int("axis"), x.rank);
  std::int64_t n = count_of(x.shape().subspan(static_cast<std::size_t>(axis)));
  double epsilon = ctx.attr_float("epsilon");
  for (std::int64_t row : ctx.range(n > 0 ? x.count() / n : 0)) {
    auto run = xs.subspan(static_cast<std::size_t>(row * n), static_cast<std::size_t>(n));
    double square = 0;
    for (std::size_t i : ctx.range(run.size())) square += run[i] * run[i];
    double inverse = 1 / std::sqrt(square / static_cast<double>(n) + epsilon);
    for (std::size_t i : ctx.range(run.size())) ys[static_cast<std::size_t>(row * n) + i] = run[i] * inverse;
  }
  walk<2>(ctx, x.shape(), {dense_strides(x.shape()), broadcast_strides(scale, x.rank)},
          [&](const auto& at) { ys[static_cast<std::size_t>(at[0])] *= load_f64(scale, at[1]); });
  narrow(ctx, ys, y);
  return {};
}

Result<std::vector<ValueId>> decompose(Builder& b, const Node& node) {
  ValueId x = node.inputs[0];
  if (!b.has_rank(x)) return unsupported("rms_normalization of a tensor of unknown rank has no decomposition");
  std::vector<std::int64_t> axes;
  for (int i = normal_axis(attr_int(*node.op, node.attrs, "axis"), b.rank(x)); i < b.rank(x); ++i) axes.push_back(i);
  ValueId wide = cast_to(b, x, attr_dtype(*node.op, node.attrs, "stash_type"));
  ValueId mean = b.add("reduce_mean", {b.add("mul", {wide, wide}), b.ints(axes)});
  ValueId epsilon = b.scalar(attr_float(*node.op, node.attrs, "epsilon"), b.dtype(wide));
  ValueId inverse = b.add("reciprocal", {b.add("sqrt", {b.add("add", {mean, epsilon})})});
  ValueId normal = cast_to(b, b.add("mul", {wide, inverse}), b.dtype(node.inputs[1]));
  return std::vector{b.add("mul", {normal, node.inputs[1]})};
}

}  // namespace

MOTE_DEFINE_OP(rms_normalization) = {.name = "rms_normalization",
                                     .doc = "Divides the last axes by the root of their mean square, then scales.",
                                     .inputs = kInputs,
                                     .outputs = kOutputs,
                                     .attrs = kAttrs,
                                     .infer = infer};
MOTE_DEFINE_REFERENCE(rms_normalization) = run;
MOTE_DEFINE_DECOMPOSITION(rms_normalization) = decompose;

}  // namespace mote
