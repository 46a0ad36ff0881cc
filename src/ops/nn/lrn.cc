// Local response normalisation across channels.
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
  for (std::int64_t i = 0; i < x.count(); ++i) {
    std::int64_t c = i / inner % channels, from = std::max<std::int64_t>(0, c - (size - 1) / 2),
                 to = std::min(channels - 1, c + size / 2);
    double sum = 0;
    for (std::int64_t k = from; k <= to; ++k) {
      double v = load_f64(x, i + (k - c) * inner);
      sum += v * v;
    }
    store_f64(y, i, load_f64(x, i) / std::pow(bias + alpha / static_cast<double>(size) * sum, beta));
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(lrn) = {.name = "lrn",
                       .doc = "Divides by a power of the sum of squares of the channels around.",
                       .inputs = kInputs,
                       .outputs = kOutputs,
                       .attrs = kAttrs,
                       .infer = infer};
MOTE_DEFINE_REFERENCE(lrn) = run;

}  // namespace mote
