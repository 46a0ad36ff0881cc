// Softmax over one axis: exp(x - max(x)) / sum(exp(x - max(x))).
#include "ops/decompose.h"
#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/reference.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "any float tensor"}};
constexpr Slot kOutputs[] = {{"y", "same shape and dtype as x; sums to 1 along axis"}};
constexpr AttrSpec kAttrs[] = {{"axis", AttrKind::kInt, "-1", "the axis to normalise over, negative from the back"}};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  if (ctx.has_rank(0)) MOTE_TRY(ctx.axis(ctx.attr_int("axis"), ctx.rank(0)).status());
  ctx.output(0, ctx.type(0));
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, ctx.out(0, x.dtype, x.shape()));
  int axis = static_cast<int>(ctx.attr_int("axis"));
  if (axis < 0) axis += x.rank;
  std::int64_t n = x.dims[axis], inner = x.strides[axis], outer = n && inner ? x.count() / (n * inner) : 0;
  for (std::int64_t o : ctx.range(outer)) {
    for (std::int64_t i : ctx.range(inner)) {
      std::int64_t base = o * n * inner + i;
      double top = -INFINITY, sum = 0;
      for (std::int64_t k : ctx.range(n)) top = std::fmax(top, load_f64(x, base + k * inner));
      for (std::int64_t k : ctx.range(n)) sum += std::exp(load_f64(x, base + k * inner) - top);
      for (std::int64_t k : ctx.range(n))
        store_f64(y, base + k * inner, std::exp(load_f64(x, base + k * inner) - top) / sum);
    }
  }
  return {};
}

Result<std::vector<ValueId>> decompose(Builder& b, const Node& node) {
  ValueId x = node.inputs[0];
  if (!b.has_rank(x)) return unsupported("softmax of a tensor of unknown rank has no decomposition");
  std::int64_t axis = attr_int(*node.op, node.attrs, "axis");
  ValueId axes = b.ints({axis});
  ValueId shifted = b.add("sub", {x, b.add("reduce_max", {x, axes})});
  ValueId e = b.add("exp", {shifted});
  return std::vector{b.add("div", {e, b.add("reduce_sum", {e, axes})})};
}

}  // namespace

MOTE_DEFINE_OP(softmax) = {.name = "softmax",
                           .doc = "Normalises x along one axis into positive values that sum to 1.",
                           .inputs = kInputs,
                           .outputs = kOutputs,
                           .attrs = kAttrs,
                           .infer = infer};
MOTE_DEFINE_REFERENCE(softmax) = run;
MOTE_DEFINE_DECOMPOSITION(softmax) = decompose;

}  // namespace mote
