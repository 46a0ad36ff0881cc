// Random tensors. Each node draws from its own stream of the context's generator, so that a seed gives the same values
// whatever runs beside it.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr AttrSpec kSeed = {"seed", AttrKind::kFloat, "", "chooses the stream; default: the run's seed"};
constexpr AttrSpec kLikeDType = {"dtype", AttrKind::kDType, "", "dtype of the output; default: the input's"};
constexpr AttrSpec kDTypeAttr = {"dtype", AttrKind::kDType, "dtype:f32", "dtype of the output"};
constexpr AttrSpec kShape = {"shape", AttrKind::kInts, "", "extents of the output", true};
constexpr AttrSpec kMean = {"mean", AttrKind::kFloat, "0.0", "mean"};
constexpr AttrSpec kScale = {"scale", AttrKind::kFloat, "1.0", "standard deviation"};
constexpr AttrSpec kLow = {"low", AttrKind::kFloat, "0.0", "least value"};
constexpr AttrSpec kHigh = {"high", AttrKind::kFloat, "1.0", "upper bound, not reached"};

constexpr Slot kLikeInputs[] = {{"input", "its shape counts, and its dtype if none is given"}};
constexpr Slot kOutputs[] = {{"output", "the random numbers"}};
constexpr AttrSpec kNormalAttrs[] = {kDTypeAttr, kMean, kScale, kSeed, kShape};
constexpr AttrSpec kNormalLikeAttrs[] = {kLikeDType, kMean, kScale, kSeed};
constexpr AttrSpec kUniformAttrs[] = {kDTypeAttr, kHigh, kLow, kSeed, kShape};
constexpr AttrSpec kUniformLikeAttrs[] = {kLikeDType, kHigh, kLow, kSeed};
constexpr Slot kBernoulliInputs[] = {{"input", "probabilities of a 1, float"}};
constexpr AttrSpec kBernoulliAttrs[] = {kLikeDType, kSeed};
constexpr Slot kMultinomialInputs[] = {{"input", "[batch, classes], logarithms of weights"}};
constexpr Slot kMultinomialOutputs[] = {{"output", "[batch, sample_size], class indices"}};
constexpr AttrSpec kMultinomialAttrs[] = {
    {"dtype", AttrKind::kDType, "dtype:i32", "i32 or i64"},
    {"sample_size", AttrKind::kInt, "1", "how many draws"},
    kSeed,
};

// In [0, 1), with 53 random bits.
double uniform(ReferenceContext& ctx) {
  std::uint64_t high = ctx.random() >> 5, low = ctx.random() >> 6;
  return static_cast<double>(high * 67108864 + low) * 0x1p-53;
}

// Box and Muller's transform; one of its two numbers.
double normal(ReferenceContext& ctx) {
  double u = 1 - uniform(ctx), v = uniform(ctx);
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
}

Status infer_shape(InferContext& ctx) {
  Shape shape;
  for (std::int64_t d : ctx.attr_ints("shape")) {
    if (d < 0) return ctx.error("shape has a negative extent");
    shape.emplace_back(d);
  }
  if (class_of(ctx.attr_dtype("dtype")) != kFloats) return ctx.error("dtype is not a float");
  ctx.output(0, ctx.attr_dtype("dtype"), std::move(shape));
  return {};
}

template <std::uint32_t outputs>
Status infer_like(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kAny));
  DType dtype = ctx.has_attr("dtype") ? ctx.attr_dtype("dtype") : ctx.dtype(0);
  if ((class_of(dtype) & outputs) == 0) return ctx.error("cannot draw " + std::string(name_of(dtype)));
  ctx.output(0, Type::tensor(dtype, ctx.type(0).shape));
  return {};
}

Status run_normal(ReferenceContext& ctx) {
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  double mean = ctx.attr_float("mean"), scale = ctx.attr_float("scale");
  for (std::int64_t i : ctx.range(y.count())) store_f64(y, i, mean + scale * normal(ctx));
  return {};
}

Status run_uniform(ReferenceContext& ctx) {
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  double low = ctx.attr_float("low"), high = ctx.attr_float("high");
  for (std::int64_t i : ctx.range(y.count())) store_f64(y, i, low + (high - low) * uniform(ctx));
  return {};
}

Status run_bernoulli(ReferenceContext& ctx) {
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  for (std::int64_t i : ctx.range(y.count())) store_f64(y, i, uniform(ctx) < load_f64(ctx.in(0), i) ? 1 : 0);
  return {};
}

Status infer_multinomial(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  MOTE_TRY(check_rank(ctx, 0, 2, 2));
  std::int64_t n = ctx.attr_int("sample_size");
  if (n < 0) return ctx.error("sample_size is negative");
  if (class_of(ctx.attr_dtype("dtype")) != kSigned) return ctx.error("dtype is not i32 or i64");
  if (ctx.has_rank(0) && ctx.shape(0)[1].is(0)) return ctx.error("there are no classes");
  ctx.output(0, ctx.attr_dtype("dtype"), {ctx.has_rank(0) ? ctx.shape(0)[0] : ctx.fresh(), Dim(n)});
  return {};
}

Status run_multinomial(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  std::int64_t classes = x.dims[1];
  for (std::int64_t b : ctx.range(x.dims[0])) {
    double top = -INFINITY, total = 0;
    for (std::int64_t c : ctx.range(classes)) top = std::fmax(top, load_f64(x, b * classes + c));
    auto weight = [&](std::int64_t c) { return std::exp(load_f64(x, b * classes + c) - top); };
    for (std::int64_t c : ctx.range(classes)) total += weight(c);
    for (std::int64_t s : ctx.range(y.dims[1])) {
      double rest = uniform(ctx) * total;
      std::int64_t c = 0;
      while (c + 1 < classes && rest >= weight(c) && ctx.spend(1)) rest -= weight(c++);
      store_i64(y, b * y.dims[1] + s, c);
    }
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(bernoulli) = {.name = "bernoulli",
                             .doc = "1 with the probability that the input gives, else 0.",
                             .inputs = kBernoulliInputs,
                             .outputs = kOutputs,
                             .attrs = kBernoulliAttrs,
                             .infer = infer_like<kNumbers | kBool>,
                             .flags = kRandom};
MOTE_DEFINE_REFERENCE(bernoulli) = run_bernoulli;

MOTE_DEFINE_OP(multinomial) = {.name = "multinomial",
                               .doc = "Draws of classes, with replacement, in proportion to exp(input).",
                               .inputs = kMultinomialInputs,
                               .outputs = kMultinomialOutputs,
                               .attrs = kMultinomialAttrs,
                               .infer = infer_multinomial,
                               .flags = kRandom};
MOTE_DEFINE_REFERENCE(multinomial) = run_multinomial;

MOTE_DEFINE_OP(random_normal) = {.name = "random_normal",
                                 .doc = "Normally distributed numbers.",
                                 .outputs = kOutputs,
                                 .attrs = kNormalAttrs,
                                 .infer = infer_shape,
                                 .flags = kRandom};
MOTE_DEFINE_REFERENCE(random_normal) = run_normal;

MOTE_DEFINE_OP(random_normal_like) = {.name = "random_normal_like",
                                      .doc = "Normally distributed numbers, in the shape of another tensor.",
                                      .inputs = kLikeInputs,
                                      .outputs = kOutputs,
                                      .attrs = kNormalLikeAttrs,
                                      .infer = infer_like<kFloats>,
                                      .flags = kRandom};
MOTE_DEFINE_REFERENCE(random_normal_like) = run_normal;

MOTE_DEFINE_OP(random_uniform) = {.name = "random_uniform",
                                  .doc = "Numbers uniformly distributed from low to high.",
                                  .outputs = kOutputs,
                                  .attrs = kUniformAttrs,
                                  .infer = infer_shape,
                                  .flags = kRandom};
MOTE_DEFINE_REFERENCE(random_uniform) = run_uniform;

MOTE_DEFINE_OP(random_uniform_like) = {.name = "random_uniform_like",
                                       .doc = "Uniformly distributed numbers, in the shape of another tensor.",
                                       .inputs = kLikeInputs,
                                       .outputs = kOutputs,
                                       .attrs = kUniformLikeAttrs,
                                       .infer = infer_like<kFloats>,
                                       .flags = kRandom};
MOTE_DEFINE_REFERENCE(random_uniform_like) = run_uniform;

}  // namespace mote
