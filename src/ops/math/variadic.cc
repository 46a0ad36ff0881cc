// max, mean, min and sum of any number of tensors, element by element.
#include "ops/decompose.h"
#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/scalar.h"

namespace mote {
namespace {

enum class Kind { kMax, kMean, kMin, kSum };

constexpr Slot kInputs[] = {{"data", "at least one; they broadcast; one dtype", Arity::kVariadic}};
constexpr Slot kOutputs[] = {{"result", "the broadcast shape"}};

constexpr BinaryOp step_of(Kind k) {
  return k == Kind::kMax ? BinaryOp::max : k == Kind::kMin ? BinaryOp::min : BinaryOp::add;
}

Status infer_kind(InferContext& ctx, Kind kind) {
  if (ctx.inputs() == 0) return ctx.error("has no inputs");
  for (int i = 0; i < ctx.inputs(); ++i) {
    if (!ctx.has(i)) return ctx.error("input " + std::to_string(i) + " is absent");
    MOTE_TRY(check_dtype(ctx, i, kind == Kind::kMean ? kFloats : kNumbers));
    MOTE_TRY(check_same_dtype(ctx, 0, i));
  }
  MOTE_ASSIGN(std::optional<Shape> shape, broadcast_inputs(ctx, 0, ctx.inputs()));
  output_maybe(ctx, 0, ctx.dtype(0), shape);
  if (!shape || !ctx.value(0)) return {};
  std::optional<KnownValue> sum = known_broadcast(ctx, 0, *shape);
  for (int i = 1; i < ctx.inputs() && sum; ++i) {
    std::optional<KnownValue> v = known_broadcast(ctx, i, *shape);
    if (!v) return {};
    for (std::size_t k = 0; k < v->size(); ++k) {
      Dim& d = (*sum)[k];
      d = kind == Kind::kMax ? max(d, (*v)[k]) : kind == Kind::kMin ? min(d, (*v)[k]) : d + (*v)[k];
    }
  }
  if (sum) output_known(ctx, 0, ctx.dtype(0), *std::move(sum));
  return {};
}

Status run_kind(ReferenceContext& ctx, Kind kind) {
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  with_element(y.dtype, [&](auto element) {
    using E = decltype(element);
    using V = typename E::Value;
    std::vector<Strides> strides;
    for (int i = 0; i < ctx.inputs(); ++i) strides.push_back(broadcast_strides(ctx.in(i), y.rank));
    std::array<std::int64_t, kMaxRank> at{};
    for (std::int64_t n : ctx.range(y.count())) {
      V r{};
      for (int i = 0; i < ctx.inputs(); ++i) {
        std::int64_t from = 0;
        for (std::size_t k = 0; k < kMaxRank; ++k) from += at[k] * strides[static_cast<std::size_t>(i)][k];
        V v = E::load(ctx.in(i), from);
        r = i == 0 ? v : eval_binary(step_of(kind), r, v);
      }
      if (kind == Kind::kMean) r = eval_binary(BinaryOp::div, r, static_cast<V>(ctx.inputs()));
      E::store(y, n, r);
      for (std::size_t k = static_cast<std::size_t>(y.rank); k-- > 0;) {
        if (++at[k] < y.dims[k]) break;
        at[k] = 0;
      }
    }
  });
  return {};
}

Result<std::vector<ValueId>> decompose_kind(Builder& b, const Node& node, Kind kind) {
  std::size_t n = node.inputs.size();
  bool binary = kind == Kind::kMax || kind == Kind::kMin;
  if (n == 2 && binary) return unsupported("max and min of two are primitive");
  ValueId sum = n == 1 ? b.add("identity", {node.inputs[0]}) : node.inputs[0];
  std::string_view step = kind == Kind::kMax ? "max" : kind == Kind::kMin ? "min" : "add";
  for (std::size_t i = 1; i < n; ++i) sum = b.add(step, {sum, node.inputs[i]});
  if (kind == Kind::kMean && n > 1) {
    sum = b.add("div", {sum, b.scalar(static_cast<double>(n), b.dtype(node.inputs[0]))});
  }
  return std::vector{sum};
}

}  // namespace

#define MOTE_VARIADIC(name_, kind, doc_text)                                                       \
  MOTE_DEFINE_OP(name_) = {.name = #name_,                                                         \
                           .doc = doc_text,                                                        \
                           .inputs = kInputs,                                                      \
                           .outputs = kOutputs,                                                    \
                           .infer = [](InferContext& ctx) { return infer_kind(ctx, Kind::kind); }, \
                           .flags = kElementwise};                                                 \
  MOTE_DEFINE_REFERENCE(name_) = [](ReferenceContext& ctx) { return run_kind(ctx, Kind::kind); };  \
  MOTE_DEFINE_DECOMPOSITION(name_) = [](Builder& b, const Node& node) { return decompose_kind(b, node, Kind::kind); };

MOTE_VARIADIC(max, kMax, "The largest of the inputs, NaN if one is.")
MOTE_VARIADIC(mean, kMean, "The mean of the inputs.")
MOTE_VARIADIC(min, kMin, "The smallest of the inputs, NaN if one is.")
MOTE_VARIADIC(sum, kSum, "The sum of the inputs.")
#undef MOTE_VARIADIC

}  // namespace mote
