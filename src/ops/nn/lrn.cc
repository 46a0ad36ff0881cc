// Local response normalisation across channels.
#include "ops/decompose.h"
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "batch, channels, and any number of axes"}};
constexpr Slot kOutputs[] = {{"y", "x / (bias + alpha / size * sum of squares of the channels around)^beta"}};
constexpr AttrSpec kAttrs[] = {
    {"alpha", AttrKind::kFloat, "1e-4", "scale of the sum"},
    {"beta", AttrKind::kFloat, "0.75", "the exponent"},
    {"bias", AttrKind::kFloat, "1.0", "added to the scaled sum"},
    {"size", AttrKind::kInt, "", "channels summed: (size - 1) / 2 before, size / 2 after", true}};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  MOTE_TRY(check_rank(ctx, 0, 2, kMaxRank));
  if (ctx.attr_int("size") <= 0) return ctx.error("size: must be positive");
  ctx.output(0, ctx.type(0));
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  double alpha = ctx.attr_float("alpha"), beta = ctx.attr_float("beta"), bias = ctx.attr_float("bias");
  std::int64_t size = ctx.attr_int("size"), channels = x.dims[1], inner = x.strides[1];
  for (std::int64_t i : ctx.range(x.count())) {
    std::int64_t c = i / inner % channels, from = std::max<std::int64_t>(0, c - (size - 1) / 2),
                 to = std::min(channels - 1, c + size / 2);
    double sum = 0;
    for (std::int64_t k : ctx.range_from(from, to + 1)) {
      double v = load_f64(x, i + (k - c) * inner);
      sum += v * v;
    }
    store_f64(y, i, load_f64(x, i) / std::pow(bias + alpha / static_cast<double>(size) * sum, beta));
  }
  return {};
}

// The mean of squares over a window of channels, as a pool along the channels of [N, 1, C, space].
Result<std::vector<ValueId>> decompose(Builder& b, const Node& node) {
  ValueId x = node.inputs[0];
  std::optional<std::int64_t> channels = b.has_rank(x) && b.rank(x) >= 2 ? b.shape(x)[1].known() : std::nullopt;
  if (!channels) return unsupported("lrn of an unknown number of channels has no decomposition");
  std::int64_t size = attr_int(*node.op, node.attrs, "size");
  ValueId square = b.add("reshape", {b.add("mul", {x, x}), b.ints({0, 1, *channels, -1})});
  ValueId mean = b.add("average_pool", {square},
                       {{"kernel_shape", std::vector<std::int64_t>{size, 1}},
                        {"pads", std::vector<std::int64_t>{(size - 1) / 2, 0, size / 2, 0}},
                        {"count_include_pad", std::int64_t{1}}});
  auto number = [&](std::string_view name) { return b.scalar(attr_float(*node.op, node.attrs, name), b.dtype(x)); };
  ValueId base =
      b.add("add", {b.add("mul", {b.add("reshape", {mean, b.add("shape", {x})}), number("alpha")}), number("bias")});
  return std::vector{b.add("div", {x, b.add("pow", {base, number("beta")})})};
}

}  // namespace

MOTE_DEFINE_OP(lrn) = {.name = "lrn",
                       .doc = "Divides by a power of the sum of squares of the channels around.",
                       .inputs = kInputs,
                       .outputs = kOutputs,
                       .attrs = kAttrs,
                       .infer = infer};
MOTE_DEFINE_REFERENCE(lrn) = run;
MOTE_DEFINE_DECOMPOSITION(lrn) = decompose;

}  // namespace mote
