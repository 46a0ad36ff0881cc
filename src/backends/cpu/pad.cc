// pad with constant widths, on kernels/pad.
#include "kernels/pad/pad.h"

#include <algorithm>

#include "backends/cpu/family.h"

namespace mote::cpu {
namespace {

namespace kp = kernels::pad;

struct PadStep {
  std::int64_t before[kMaxRank] = {};
  std::int32_t rank = 0, mode = 0;
};

std::optional<Claim> claim(const NodeView& n, const TargetOptions&) {
  if (n.node.op->name != "pad" || !n.type(0).has_rank() || n.type(0).rank() < 1 || bits_of(n.type(0).dtype) < 8 ||
      n.type(0).dtype == DType::string)
    return std::nullopt;
  const Constant *widths = n.constant(1), *listed = n.constant(3);
  std::optional<std::vector<std::int64_t>> pads = widths ? small_ints(*widths) : std::nullopt, axes;
  if (!pads || (n.has(3) && !listed)) return std::nullopt;
  PadStep s;
  s.rank = n.type(0).rank();
  if (listed) {
    axes = small_ints(*listed);
    if (!axes) return std::nullopt;
  } else {
    axes.emplace();
    for (int a = 0; a < s.rank; ++a) axes->push_back(a);
  }
  if (pads->size() != 2 * axes->size()) return std::nullopt;
  for (std::size_t i = 0; i < axes->size(); ++i) {
    std::int64_t a = (*axes)[i] < 0 ? (*axes)[i] + s.rank : (*axes)[i];
    if (a < 0 || a >= s.rank) return std::nullopt;
    s.before[a] = (*pads)[i];
  }
  std::string mode = n.attr_string("mode");
  constexpr std::string_view kModes[] = {"constant", "reflect", "edge", "wrap"};
  s.mode = static_cast<std::int32_t>(std::find(std::begin(kModes), std::end(kModes), mode) - std::begin(kModes));
  if (s.mode > 3) return std::nullopt;
  Claim c;
  c.kernel = "pad";
  c.params = to_params(s);
  c.inputs = {{Layout::kSame, false}, {Layout::kPlain, false}};
  c.outputs = {{Layout::kLike, false}};
  c.why = "rows copied, borders filled";
  return c;
}

Status setup(const KernelCall& call, void* state, KernelWork& work) {
  PadStep s = from_params<PadStep>(call.params);
  if (call.inputs.empty() || call.outputs.empty() || !call.inputs[0] || !call.outputs[0])
    return invalid("pad needs its operands");
  const TensorView &x = *call.inputs[0], &y = *call.outputs[0];
  const TensorView* value = call.inputs.size() > 2 ? call.inputs[2] : nullptr;
  if (x.rank != s.rank || y.rank != s.rank || s.rank < 1 || x.dtype != y.dtype || bits_of(x.dtype) < 8 || s.mode < 0 ||
      s.mode > 3 || (value && value->dtype != x.dtype))
    return invalid("pad got operands of the wrong kind");
  if (y.count() == 0) return {};
  auto* p = new (state) kp::Params();
  // Of an empty input nothing is read, but places in it are computed.
  p->x = x.count() > 0 ? x.data : y.data;
  p->y = y.data;
  p->value = value && value->count() > 0 ? value->data : nullptr;
  p->mode = static_cast<kp::Mode>(s.mode);
  p->width = bits_of(x.dtype) / 8;
  int order[kMaxRank];
  for (int a = 0; a < y.rank; ++a) order[a] = a;
  std::stable_sort(order, order + y.rank, [&](int a, int b) { return y.strides[a] > y.strides[b]; });
  std::int64_t dense = 1;
  for (int i = y.rank - 1; i >= 0; --i) {
    if (y.dims[order[i]] != 1 && y.strides[order[i]] != dense) return invalid("pad writes dense results");
    dense *= y.dims[order[i]];
    std::int64_t before = s.before[order[i]];
    if (before > (std::int64_t{1} << 40) || before < -(std::int64_t{1} << 40)) return invalid("pad: out of range");
    if (s.mode != 0 && x.dims[order[i]] < 1) return invalid("pad: there is nothing to repeat");
  }
  // Innermost axes that stay as they are, and lie in x as in y, move as one.
  int count = y.rank;
  while (count > 0) {
    int a = order[count - 1];
    if (x.dims[a] != y.dims[a] || s.before[a] != 0 || (x.dims[a] != 1 && x.strides[a] != p->inner)) break;
    p->inner *= x.dims[a];
    --count;
  }
  p->last = {1, 1, 0, p->inner};
  p->row_axes = std::max(0, count - 1);
  for (int i = 0; i < count; ++i) {
    int a = order[i];
    (i + 1 == count ? p->last : p->row[i]) = {x.dims[a], y.dims[a], s.before[a], x.strides[a]};
  }
  if (std::int64_t tiles = kp::setup(p); tiles > 0) work.add(run_kernel<kp::Params, kp::run>, tiles);
  return {};
}

constexpr Kernel kKernels[] = {{.name = "pad", .state_bytes = sizeof(kp::Params), .setup = setup}};

}  // namespace

MOTE_DEFINE_CPU_FAMILY(pad, claim, kKernels);

}  // namespace mote::cpu
