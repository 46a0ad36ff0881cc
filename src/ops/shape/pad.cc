// pad: elements added around a tensor, or removed from its borders.
#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {
    {"data", "any shape"},
    {"pads", "integers: how many before each axis, then how many after each; negative: removed"},
    {"constant_value", "one element, for the mode constant; absent: 0, false or the empty string", Arity::kOptional},
    {"axes", "integers, the axes that pads means; absent: all", Arity::kOptional}};
constexpr Slot kOutputs[] = {{"output", "dtype of data"}};
constexpr AttrSpec kAttrs[] = {
    {"mode", AttrKind::kString, "\"constant\"",
     "what is added: \"constant\", \"reflect\" (mirrored without the border), \"edge\" (the border), \"wrap\""}};

constexpr std::int64_t kMostPad = std::int64_t{1} << 48;

enum class Mode { kConstant, kReflect, kEdge, kWrap };

std::optional<Mode> mode_of(const std::string& name) {
  if (name == "constant") return Mode::kConstant;
  if (name == "reflect") return Mode::kReflect;
  if (name == "edge") return Mode::kEdge;
  if (name == "wrap") return Mode::kWrap;
  return std::nullopt;
}

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kAny));
  MOTE_TRY(check_dtype(ctx, 1, kInts));
  MOTE_TRY(check_rank(ctx, 1, 1, 1));
  MOTE_TRY(check_same_dtype(ctx, 0, 2));
  MOTE_TRY(check_dtype(ctx, 3, kInts));
  std::optional<Mode> mode = mode_of(ctx.attr_string("mode"));
  if (!mode) return ctx.error("mode '" + ctx.attr_string("mode") + "' is not known");
  if (!ctx.has_rank(0)) {
    output_maybe(ctx, 0, ctx.dtype(0), std::nullopt);
    return {};
  }
  const KnownValue* pads = ctx.value(1);
  std::optional<std::vector<std::int64_t>> given = ctx.const_value(3);
  if (!pads || (ctx.has(3) && !given)) {
    ctx.output(0, ctx.dtype(0), ctx.fresh_shape(ctx.rank(0)));
    return {};
  }
  std::vector<int> axes;
  if (given) {
    MOTE_ASSIGN(axes, normal_axes(ctx, *given, ctx.rank(0)));
  } else {
    for (int i = 0; i < ctx.rank(0); ++i) axes.push_back(i);
  }
  if (pads->size() != 2 * axes.size()) {
    return ctx.error("pads has " + std::to_string(pads->size()) + " elements, not " + std::to_string(2 * axes.size()));
  }
  Shape out = ctx.shape(0);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    Dim& d = out[static_cast<std::size_t>(axes[i])];
    const Dim &before = (*pads)[i], &after = (*pads)[i + axes.size()];
    if (d.is(0) && *mode != Mode::kConstant && !(before + after).is(0)) {
      return ctx.error("axis " + std::to_string(axes[i]) + " has extent 0, there is nothing to repeat");
    }
    d = d + before + after;
    if (d.is_const() && d.value() < 0) {
      return ctx.error("pads leave axis " + std::to_string(axes[i]) + " with " + d.to_string() + " elements");
    }
  }
  ctx.output(0, ctx.dtype(0), std::move(out));
  return {};
}

// The position in [0, n) that stands for position i, or -1.
std::int64_t source(std::int64_t i, std::int64_t n, Mode mode) {
  if (i >= 0 && i < n) return i;
  switch (mode) {
    case Mode::kConstant:
      return -1;
    case Mode::kEdge:
      return i < 0 ? 0 : n - 1;
    case Mode::kWrap:
      return (i % n + n) % n;
    case Mode::kReflect: {
      if (n == 1) return 0;
      std::int64_t period = 2 * (n - 1), at = (i % period + period) % period;
      return at < n ? at : period - at;
    }
  }
  return -1;
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  Mode mode = *mode_of(ctx.attr_string("mode"));
  std::vector<std::int64_t> pads = read_ints(ctx.in(1));
  std::array<std::int64_t, kMaxRank> before{};
  std::vector<std::int64_t> axes = ctx.has(3) ? read_ints(ctx.in(3)) : std::vector<std::int64_t>();
  for (std::int64_t p : pads) {
    if (p > kMostPad || p < -kMostPad) return invalid("pads: " + std::to_string(p) + " is out of range");
  }
  for (std::size_t i : ctx.range(pads.size() / 2)) {
    before[static_cast<std::size_t>(ctx.has(3) ? normal_axis(axes[i], x.rank) : static_cast<int>(i))] = pads[i];
  }
  bool has_value = ctx.has(2) && ctx.in(2).count() > 0;
  if (!has_value) zero(ctx, y);
  with_copy(x.dtype, [&](auto copy) {
    std::array<std::int64_t, kMaxRank> at{};
    for (std::int64_t i : ctx.range(y.count())) {
      std::int64_t from = 0;
      for (std::size_t k = 0; k < static_cast<std::size_t>(x.rank) && from >= 0; ++k) {
        std::int64_t p = source(at[k] - before[k], x.dims[k], mode);
        from = p < 0 ? -1 : from + p * x.strides[k];
      }
      if (from >= 0) {
        copy(x, from, y, i);
      } else if (has_value) {
        copy(ctx.in(2), 0, y, i);
      }
      for (std::size_t k = static_cast<std::size_t>(x.rank); k-- > 0;) {
        if (++at[k] < y.dims[k]) break;
        at[k] = 0;
      }
    }
  });
  return {};
}

}  // namespace

MOTE_DEFINE_OP(pad) = {.name = "pad",
                       .doc = "data with elements added before and after each axis.",
                       .inputs = kInputs,
                       .outputs = kOutputs,
                       .attrs = kAttrs,
                       .infer = infer,
                       .shape_operands = 0b1010};
MOTE_DEFINE_REFERENCE(pad) = run;

}  // namespace mote
