// transpose, slice, split and concat as copies, where lowering could not make views of them: extents that a run
// decides, negative steps.
#include <algorithm>

#include "backends/cpu/family.h"
#include "kernels/copy/copy.h"
#include "ops/element.h"

namespace mote::cpu {
namespace {

using kernels::CopyParams;

struct MoveStep {
  std::int64_t axis = 0;
  std::int64_t perm[kMaxRank] = {};
};

std::optional<Claim> claim(const NodeView& n, const TargetOptions&) {
  std::string_view op = n.node.op->name;
  bool slice = op == "slice", split = op == "split", concat = op == "concat", transpose = op == "transpose";
  if ((!slice && !split && !concat && !transpose) || !n.type(0).has_rank() || n.type(0).rank() < 1 ||
      bits_of(n.type(0).dtype) < 8)
    return std::nullopt;
  int rank = n.type(0).rank();
  MoveStep s;
  if (transpose) {
    std::vector<std::int64_t> perm = n.attr_ints("perm");
    for (int a = 0; a < rank; ++a) s.perm[a] = perm.empty() ? rank - 1 - a : perm[static_cast<std::size_t>(a)];
  }
  if (split || concat) {
    s.axis = n.attr_int("axis");
    if (s.axis < 0) s.axis += rank;
    const std::vector<ValueId>& parts = split ? n.node.outputs : n.node.inputs;
    if (parts.size() > kMaxPhases || std::find(parts.begin(), parts.end(), kNone) != parts.end()) return std::nullopt;
  }
  if (slice) {
    for (int i = 1; i < 5; ++i) {
      if (n.has(i) && n.type(i).dtype != DType::i64 && n.type(i).dtype != DType::i32) return std::nullopt;
    }
  }
  Claim c;
  c.kernel = slice ? "slice" : split ? "split" : concat ? "concat" : "transpose";
  c.params = to_params(s);
  c.inputs = {{Layout::kStrided, true}};
  if (!concat) c.inputs.push_back({Layout::kPlain, false});
  c.outputs = {{Layout::kStrided, true}};
  c.why = "copied";
  return c;
}

struct MoveState {
  CopyParams copies[kMaxPhases];
};

template <int I>
void run_copy(const void* state, kernels::TileRange range) noexcept {
  kernels::copy_elements(static_cast<const MoveState*>(state)->copies[I], range);
}
constexpr KernelWork::Run kRuns[kMaxPhases] = {run_copy<0>, run_copy<1>, run_copy<2>,
                                               run_copy<3>, run_copy<4>, run_copy<5>};

bool present(std::span<const TensorView* const> views) {
  return !views.empty() && std::find(views.begin(), views.end(), nullptr) == views.end();
}

Status setup_transpose(const KernelCall& call, void* state, KernelWork& work) {
  MoveStep s = from_params<MoveStep>(call.params);
  if (!present(call.inputs) || !present(call.outputs)) return invalid("an operand is missing");
  const TensorView &x = *call.inputs[0], &y = *call.outputs[0];
  TensorView from = y;
  from.data = x.data;
  if (x.rank != y.rank || x.dtype != y.dtype || bits_of(x.dtype) < 8) return invalid("operands of the wrong kind");
  std::uint32_t seen = 0;
  for (int a = 0; a < y.rank; ++a) {
    std::int64_t p = s.perm[a];
    if (p < 0 || p >= x.rank || (seen >> p & 1u) != 0 || x.dims[p] != y.dims[a])
      return invalid("transpose got a result of the wrong shape");
    seen |= 1u << p;
    from.strides[a] = x.strides[p];
  }
  auto* st = new (state) MoveState();
  if (std::int64_t tiles = kernels::make_copy(from, y, st->copies[0]); tiles > 0) work.add(kRuns[0], tiles);
  return {};
}

// The parts lie in the whole one behind the other along the axis.
Status copy_parts(const MoveStep& s, const TensorView& whole, std::span<const TensorView* const> parts, bool join,
                  void* state, KernelWork& work) {
  if (parts.size() > kMaxPhases || s.axis < 0 || s.axis >= whole.rank || bits_of(whole.dtype) < 8)
    return invalid("operands of the wrong kind");
  auto* st = new (state) MoveState();
  TensorView window = whole;
  std::int64_t at = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const TensorView& part = *parts[i];
    window.dims[s.axis] = part.rank == whole.rank ? part.dims[s.axis] : 0;
    if (part.rank != whole.rank || part.dtype != whole.dtype ||
        !std::equal(part.dims, part.dims + part.rank, window.dims))
      return invalid("a part has another shape than the whole");
    if (whole.data) window.data = whole.data + at * whole.strides[s.axis] * (bits_of(whole.dtype) / 8);
    at += part.dims[s.axis];
    if (at > whole.dims[s.axis]) return invalid("the parts are longer than the whole");
    std::int64_t tiles =
        join ? kernels::make_copy(part, window, st->copies[i]) : kernels::make_copy(window, part, st->copies[i]);
    if (tiles > 0) work.add(kRuns[i], tiles);
  }
  return at == whole.dims[s.axis] ? Status() : invalid("the parts are shorter than the whole");
}

Status setup_split(const KernelCall& call, void* state, KernelWork& work) {
  if (call.inputs.empty() || !call.inputs[0] || !present(call.outputs)) return invalid("an operand is missing");
  return copy_parts(from_params<MoveStep>(call.params), *call.inputs[0], call.outputs, false, state, work);
}

Status setup_concat(const KernelCall& call, void* state, KernelWork& work) {
  if (!present(call.inputs) || !present(call.outputs)) return invalid("an operand is missing");
  return copy_parts(from_params<MoveStep>(call.params), *call.outputs[0], call.inputs, true, state, work);
}

// Bounds are values of the run: they are read by every tile.
struct SliceState {
  TensorView x, y, starts, axes, steps;
  bool has_axes, has_steps;
  std::int64_t tiles, *fault;
};

// The view of x that the bounds name, with the extents of y; false where they name another.
bool sliced(const SliceState& s, TensorView& from) {
  from = s.y;
  from.data = s.x.data;
  std::copy_n(s.x.strides, s.x.rank, from.strides);
  bool seen[kMaxRank] = {};
  std::int64_t offset = 0;
  for (std::int64_t i = 0; i < s.starts.count(); ++i) {
    std::int64_t axis = s.has_axes ? load_i64(s.axes, i) : i, step = s.has_steps ? load_i64(s.steps, i) : 1;
    if (axis < 0) axis += s.x.rank;
    if (axis < 0 || axis >= s.x.rank || step == 0 || step == INT64_MIN || seen[axis]) return false;
    seen[axis] = true;
    std::int64_t n = s.x.dims[axis], start = load_i64(s.starts, i), count = s.y.dims[axis];
    if (start < 0) start += n;
    start = step > 0 ? std::clamp<std::int64_t>(start, 0, n) : std::clamp<std::int64_t>(start, -1, n - 1);
    if (count > 0) {
      // The last one that is read, without overflow.
      std::int64_t room = step > 0 ? (n - 1 - start) / step : start / -step;
      if (start < 0 || start >= n || count - 1 > room) return false;
      offset += start * s.x.strides[axis];
    }
    from.strides[axis] = count > 1 ? s.x.strides[axis] * step : s.x.strides[axis];
  }
  for (int a = 0; a < s.x.rank; ++a) {
    if (!seen[a] && s.x.dims[a] != s.y.dims[a]) return false;
  }
  from.data += offset * (bits_of(s.x.dtype) / 8);
  return true;
}

void run_slice(const void* state, kernels::TileRange range) noexcept {
  const SliceState& s = *static_cast<const SliceState*>(state);
  TensorView from;
  if (!sliced(s, from)) {
    *s.fault = 1;
    return;
  }
  CopyParams p;
  std::int64_t tiles = kernels::make_copy(from, s.y, p);
  kernels::copy_elements(p, {tiles * range.begin / s.tiles, tiles * range.end / s.tiles, range.scratch});
}

Status setup_slice(const KernelCall& call, void* state, KernelWork& work) {
  auto in = [&](std::size_t i) { return i < call.inputs.size() ? call.inputs[i] : nullptr; };
  if (!in(0) || !in(1) || call.outputs.empty() || !call.outputs[0]) return invalid("an operand is missing");
  const TensorView &x = *in(0), &y = *call.outputs[0];
  if (x.rank != y.rank || x.dtype != y.dtype || bits_of(x.dtype) < 8 || in(1)->count() > x.rank)
    return invalid("operands of the wrong kind");
  for (std::size_t i : {1, 3, 4}) {
    if (in(i) && ((in(i)->dtype != DType::i64 && in(i)->dtype != DType::i32) || in(i)->count() != in(1)->count() ||
                  !in(i)->dense()))
      return invalid("bounds of the wrong kind");
  }
  if (y.count() == 0) return {};
  TensorView none;
  std::int64_t tiles = std::max<std::int64_t>(1, y.bytes() >> 16);
  new (state) SliceState{
      x,     y,         *in(1), in(3) ? *in(3) : none, in(4) ? *in(4) : none, in(3) != nullptr, in(4) != nullptr,
      tiles, call.fault};
  work.add(run_slice, tiles);
  return {};
}

constexpr Kernel kKernels[] = {{.name = "transpose", .state_bytes = sizeof(MoveState), .setup = setup_transpose},
                               {.name = "split", .state_bytes = sizeof(MoveState), .setup = setup_split},
                               {.name = "concat", .state_bytes = sizeof(MoveState), .setup = setup_concat},
                               {.name = "slice",
                                .state_bytes = sizeof(SliceState),
                                .setup = setup_slice,
                                .fault_message = "the bounds of a slice do not fit its planned extents"}};

}  // namespace

MOTE_DEFINE_CPU_FAMILY(move, claim, kKernels);

}  // namespace mote::cpu
