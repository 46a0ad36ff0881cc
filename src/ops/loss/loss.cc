// negative_log_likelihood_loss and softmax_cross_entropy_loss.
#include <cmath>

#include "ops/decompose.h"
#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kLikelihoodInputs[] = {{"input", "[n, classes, d1, ...], log-probabilities"},
                                      {"target", "[n, d1, ...], classes"},
                                      {"weight", "[classes], a factor per class; absent: 1", Arity::kOptional}};
constexpr Slot kLikelihoodOutputs[] = {{"loss", "scalar, or [n, d1, ...] without reduction"}};
constexpr Slot kEntropyInputs[] = {{"scores", "[n, classes, d1, ...]"},
                                   {"labels", "[n, d1, ...], classes"},
                                   {"weights", "[classes], a factor per class; absent: 1", Arity::kOptional}};
constexpr Slot kEntropyOutputs[] = {{"output", "scalar, or [n, d1, ...] without reduction"},
                                    {"log_prob", "log_softmax of the scores over the classes", Arity::kOptional}};
constexpr AttrSpec kAttrs[] = {
    {"ignore_index", AttrKind::kInt, "", "targets of this value count for nothing"},
    {"reduction", AttrKind::kString, "\"mean\"", "\"none\", \"sum\", or \"mean\" (divided by the sum of the factors)"},
};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  MOTE_TRY(check_dtype(ctx, 1, kInts));
  MOTE_TRY(check_same_dtype(ctx, 0, 2));
  MOTE_TRY(check_rank(ctx, 0, 2, 1000));
  MOTE_TRY(check_rank(ctx, 2, 1, 1));
  std::string reduction = ctx.attr_string("reduction");
  if (reduction != "none" && reduction != "sum" && reduction != "mean") {
    return ctx.error("reduction '" + reduction + "' is not none, sum or mean");
  }
  std::optional<Shape> loss;
  if (ctx.has_rank(0)) {
    loss = ctx.shape(0);
    const Dim classes = (*loss)[1];
    loss->erase(loss->begin() + 1);
    bool fits = !ctx.has_rank(1) || ctx.shape(1).size() == loss->size();
    for (std::size_t i = 0; fits && ctx.has_rank(1) && i < loss->size(); ++i) {
      const Dim &d = (*loss)[i], &t = ctx.shape(1)[i];
      fits = !d.is_const() || !t.is_const() || d == t;
    }
    if (!fits) return ctx.error("target " + to_string(ctx.shape(1)) + " does not fit input " + to_string(ctx.shape(0)));
    if (ctx.has_rank(2) && ctx.shape(2)[0].is_const() && classes.is_const() && !(ctx.shape(2)[0] == classes)) {
      return ctx.error("there are " + ctx.shape(2)[0].to_string() + " weights for " + classes.to_string() + " classes");
    }
  } else if (ctx.has_rank(1)) {
    loss = ctx.shape(1);
  }
  output_maybe(ctx, 0, ctx.dtype(0), reduction == "none" ? std::move(loss) : Shape());
  if (ctx.wants(1)) ctx.output(1, ctx.type(0));
  return {};
}

// The loss with log-probabilities given by log_prob(index into input 0).
template <class LogProb>
Status loss(ReferenceContext& ctx, const TensorView& y, const LogProb& log_prob) {
  const TensorView &x = ctx.in(0), &target = ctx.in(1);
  std::string reduction = ctx.attr_string("reduction");
  std::int64_t classes = x.dims[1], inner = count_of(x.shape().subspan(2));
  double sum = 0, factors = 0;
  for (std::int64_t i : ctx.range(target.count())) {
    std::int64_t c = load_i64(target, i);
    bool ignored = ctx.has_attr("ignore_index") && c == ctx.attr_int("ignore_index");
    if (!ignored && (c < 0 || c >= classes)) return out_of_range("target", i, c, 0, classes - 1);
    double factor = ignored ? 0 : ctx.has(2) ? load_f64(ctx.in(2), c) : 1;
    double v = ignored ? 0 : -log_prob((i / inner * classes + c) * inner + i % inner) * factor;
    if (reduction == "none") store_f64(y, i, v);
    sum += v;
    factors += factor;
  }
  if (reduction != "none") store_f64(y, 0, reduction == "mean" ? sum / factors : sum);
  return {};
}

Status run_likelihood(ReferenceContext& ctx) {
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  return loss(ctx, y, [&](std::int64_t i) { return load_f64(ctx.in(0), i); });
}

Status run_entropy(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(std::vector<TensorView> outs, infer_outs(ctx));
  AxisView a = around(x.shape(), 1);
  // The logarithm of each sum of exponentials.
  MOTE_ASSIGN(std::span<std::byte> bytes, ctx.scratch(static_cast<std::size_t>(a.outer * a.inner) * sizeof(double)));
  double* logs = reinterpret_cast<double*>(bytes.data());
  for (std::int64_t i : ctx.range(a.outer * a.inner)) {
    auto at = [&](std::int64_t c) { return load_f64(x, (i / a.inner * a.n + c) * a.inner + i % a.inner); };
    double top = -INFINITY, sum = 0;
    for (std::int64_t c : ctx.range(a.n)) top = std::fmax(top, at(c));
    for (std::int64_t c : ctx.range(a.n)) sum += std::exp(at(c) - top);
    logs[i] = top + std::log(sum);
  }
  auto log_prob = [&](std::int64_t i) { return load_f64(x, i) - logs[i / (a.n * a.inner) * a.inner + i % a.inner]; };
  if (ctx.wants(1)) {
    for (std::int64_t i : ctx.range(x.count())) store_f64(outs[1], i, log_prob(i));
  }
  return loss(ctx, outs[0], log_prob);
}

Result<std::vector<ValueId>> decompose(Builder& b, const Node& node) {
  ValueId log_prob = b.add("log_softmax", {node.inputs[0]}, {{"axis", std::int64_t{1}}});
  std::vector<ValueId> inputs = node.inputs;
  inputs[0] = log_prob;
  return std::vector{b.add("negative_log_likelihood_loss", std::move(inputs), node.attrs.items()), log_prob};
}

}  // namespace

MOTE_DEFINE_OP(negative_log_likelihood_loss) = {.name = "negative_log_likelihood_loss",
                                                .doc = "Minus the log-probability of each target class.",
                                                .inputs = kLikelihoodInputs,
                                                .outputs = kLikelihoodOutputs,
                                                .attrs = kAttrs,
                                                .infer = infer};
MOTE_DEFINE_REFERENCE(negative_log_likelihood_loss) = run_likelihood;

MOTE_DEFINE_OP(softmax_cross_entropy_loss) = {.name = "softmax_cross_entropy_loss",
                                              .doc = "negative_log_likelihood_loss of log_softmax(scores).",
                                              .inputs = kEntropyInputs,
                                              .outputs = kEntropyOutputs,
                                              .attrs = kAttrs,
                                              .infer = infer};
MOTE_DEFINE_REFERENCE(softmax_cross_entropy_loss) = run_entropy;
MOTE_DEFINE_DECOMPOSITION(softmax_cross_entropy_loss) = decompose;

}  // namespace mote
