// slice: every step-th element from start to end along some axes.
#include <algorithm>
#include <limits>

#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"data", "any shape"},
                            {"starts", "integers, first index per axis; negative from the back; clamped"},
                            {"ends", "integers, index after the last; negative from the back; clamped"},
                            {"axes", "integers, the axes; absent: the first ones", Arity::kOptional},
                            {"steps", "integers other than 0; negative: backwards; absent: 1", Arity::kOptional}};
constexpr Slot kOutputs[] = {{"output", "the selected elements"}};

// Ends at or beyond this are how exporters say "to the end".
constexpr std::int64_t kFar = std::numeric_limits<std::int32_t>::max();

struct Cut {
  std::int64_t start, count;
};

Cut cut_of(std::int64_t start, std::int64_t end, std::int64_t step, std::int64_t extent) {
  if (start < 0) start = start < -extent ? -1 : start + extent;
  if (end < 0) end = end < -extent ? -1 : end + extent;
  if (step > 0) {
    start = std::clamp<std::int64_t>(start, 0, extent);
    end = std::clamp<std::int64_t>(end, 0, extent);
    return {start, end > start ? (end - start - 1) / step + 1 : 0};
  }
  if (extent == 0) return {0, 0};
  start = std::clamp<std::int64_t>(start, 0, extent - 1);
  end = std::min(std::max<std::int64_t>(end, -1), extent - 1);
  std::int64_t back =
      step == std::numeric_limits<std::int64_t>::min() ? std::numeric_limits<std::int64_t>::max() : -step;
  return {start, start > end ? (start - end - 1) / back + 1 : 0};
}

// The count for a symbolic start, end or extent; nothing when it cannot be told.
std::optional<Dim> count_of_cut(const Dim& start, const Dim& end, std::int64_t step, const Dim& extent) {
  if (start.is_const() && end.is_const() && extent.is_const()) {
    return Dim(cut_of(start.value(), end.value(), step, extent.value()).count);
  }
  if (step < 0) {
    bool from_back = start.is(-1) || start == extent - Dim(1) || (start.is_const() && start.value() >= kFar);
    bool to_front = end.is_const() && end.value() <= -kFar;
    if (!from_back || !to_front || step == std::numeric_limits<std::int64_t>::min()) return std::nullopt;
    return ceildiv(extent, Dim(-step));
  }
  auto from_front = [&](const Dim& d) { return d.is_const() && d.value() < 0 ? d + extent : d; };
  if (start.is_const() && start.value() >= kFar) return Dim(0);
  bool to_end = end.is_const() ? end.value() >= kFar : known_less(end, extent) == std::optional(false);
  Dim s = at_least_zero(from_front(start)), last = from_front(end);
  Dim e = to_end ? extent : at_least_zero(last);
  if (!to_end && known_less(extent, last) != std::optional(false)) e = min(e, extent);
  Dim count = at_least_zero(e - s);
  return step == 1 ? count : ceildiv(count, Dim(step));
}

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kAny));
  for (int i = 1; i < ctx.inputs(); ++i) {
    MOTE_TRY(check_dtype(ctx, i, kInts));
    MOTE_TRY(check_rank(ctx, i, 1, 1));
  }
  if (!ctx.has_rank(0)) {
    output_maybe(ctx, 0, ctx.dtype(0), std::nullopt);
    return {};
  }
  const KnownValue *starts = ctx.value(1), *ends = ctx.value(2);
  std::optional<std::vector<std::int64_t>> axes, steps;
  std::int64_t n = -1;
  for (int i = 1; i < ctx.inputs(); ++i) {
    if (ctx.has_rank(i) && n < 0) n = known_count(ctx.shape(i));
  }
  if (n >= 0) {
    axes.emplace();
    for (std::int64_t i = 0; i < n; ++i) axes->push_back(i);
    steps = std::vector<std::int64_t>(static_cast<std::size_t>(n), 1);
  }
  if (ctx.has(3)) axes = ctx.const_value(3);
  if (ctx.has(4)) steps = ctx.const_value(4);
  Shape out = ctx.shape(0);
  if (!axes) {
    ctx.output(0, ctx.dtype(0), ctx.fresh_shape(ctx.rank(0)));
    return {};
  }
  MOTE_ASSIGN(std::vector<int> at, normal_axes(ctx, *axes, ctx.rank(0)));
  for (const auto& size :
       {starts ? starts->size() : at.size(), ends ? ends->size() : at.size(), steps ? steps->size() : at.size()}) {
    if (size != at.size()) return ctx.error("starts, ends, axes and steps differ in length");
  }
  for (std::size_t i = 0; i < at.size(); ++i) {
    Dim& d = out[static_cast<std::size_t>(at[i])];
    if (steps && (*steps)[i] == 0) return ctx.error("steps[" + std::to_string(i) + "] is 0");
    std::optional<Dim> count;
    if (starts && ends && steps) count = count_of_cut((*starts)[i], (*ends)[i], (*steps)[i], d);
    d = count ? *count : ctx.fresh();
  }
  ctx.output(0, ctx.dtype(0), std::move(out));
  const KnownValue* v = ctx.rank(0) == 1 && at.size() == 1 && steps ? ctx.value(0) : nullptr;
  std::optional<std::vector<std::int64_t>> s = ctx.const_value(1), e = ctx.const_value(2);
  if (!v || !s || !e) return {};
  Cut cut = cut_of((*s)[0], (*e)[0], (*steps)[0], static_cast<std::int64_t>(v->size()));
  KnownValue picked;
  for (std::int64_t i = 0; i < cut.count; ++i) {
    picked.push_back((*v)[static_cast<std::size_t>(cut.start + i * (*steps)[0])]);
  }
  ctx.output_value(0, std::move(picked));
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  std::vector<std::int64_t> starts = read_ints(ctx.in(1)), ends = read_ints(ctx.in(2));
  std::vector<std::int64_t> axes = ctx.has(3) ? read_ints(ctx.in(3)) : std::vector<std::int64_t>();
  std::vector<std::int64_t> steps = ctx.has(4) ? read_ints(ctx.in(4)) : std::vector<std::int64_t>(starts.size(), 1);
  // Inference looks at short operands only.
  if (ends.size() != starts.size() || steps.size() != starts.size() || (ctx.has(3) && axes.size() != starts.size()) ||
      starts.size() > static_cast<std::size_t>(x.rank))
    return invalid("slice: starts, ends, axes and steps differ in length");
  Strides from = dense_strides(x.shape());
  std::int64_t base = 0;
  for (std::size_t i : ctx.range(starts.size())) {
    std::size_t axis = static_cast<std::size_t>(ctx.has(3) ? normal_axis(axes[i], x.rank) : static_cast<int>(i));
    Cut cut = cut_of(starts[i], ends[i], steps[i], x.dims[axis]);
    if (cut.count == 0) return {};
    base += cut.start * from[axis];
    from[axis] = cut.count > 1 ? from[axis] * steps[i] : 0;
  }
  with_copy(x.dtype, [&](auto copy) {
    walk<2>(ctx, y.shape(), {from, dense_strides(y.shape())}, [&](const auto& at) { copy(x, base + at[0], y, at[1]); });
  });
  return {};
}

}  // namespace

MOTE_DEFINE_OP(slice) = {.name = "slice",
                         .doc = "Along each of some axes, every step-th element from start up to end.",
                         .inputs = kInputs,
                         .outputs = kOutputs,
                         .infer = infer,
                         .shape_operands = 0b11110};
MOTE_DEFINE_REFERENCE(slice) = run;

}  // namespace mote
