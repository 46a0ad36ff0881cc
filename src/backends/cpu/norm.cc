// softmax and the normalisations, on kernels/norm.
#include "kernels/norm/norm.h"

#include <algorithm>

#include "backends/cpu/family.h"

namespace mote::cpu {
namespace {

namespace kn = kernels::norm;

struct NormStep {
  std::uint32_t axes = 0;
  std::int32_t op = 0, groups = 0, isa = 0;  // groups > 0: axis 1 is split into that many, one sequence each
  std::int32_t scale = -1, shift = -1;       // inputs
  std::int32_t per_channel = 0;              // scale and shift are [C] for axis 1; else they align with the last axes
  float epsilon = 0;
};

struct NormState {
  kn::Params params;
  kernels::KernelFn<kn::Params> run;
};

void run_norm(const void* state, kernels::TileRange range) noexcept {
  const NormState& s = *static_cast<const NormState*>(state);
  s.run(s.params, range);
}

constexpr bool is_norm_type(DType t) { return t == DType::f32 || t == DType::f16 || t == DType::bf16; }

// Bits of axes [from, to).
std::uint32_t axes_between(int from, int to) { return (to >= 32 ? ~0u : (1u << to) - 1) & ~((1u << from) - 1); }

bool describe(const NodeView& n, int rank, NormStep& s) {
  std::string_view op = n.node.op->name;
  if (op == "softmax" || op == "log_softmax" || op == "lp_normalization") {
    std::int64_t axis = n.attr_int("axis");
    s.axes = 1u << (axis < 0 ? axis + rank : axis);
    s.op = static_cast<std::int32_t>(op == "softmax"        ? kn::Op::softmax
                                     : op == "log_softmax"  ? kn::Op::log_softmax
                                     : n.attr_int("p") == 1 ? kn::Op::l1_norm
                                                            : kn::Op::l2_norm);
    return true;
  }
  bool rms = op == "rms_normalization", layer = op == "layer_normalization", instance = op == "instance_normalization",
       group = op == "group_normalization";
  if (!rms && !layer && !instance && !group) return false;
  s.op = static_cast<std::int32_t>(rms ? kn::Op::rms_norm : kn::Op::layer_norm);
  s.epsilon = static_cast<float>(n.attr_float("epsilon"));
  s.scale = n.has(1) ? 1 : -1;
  s.shift = !rms && n.has(2) ? 2 : -1;
  if (rms || layer) {
    std::int64_t axis = n.attr_int("axis");
    s.axes = axes_between(static_cast<int>(axis < 0 ? axis + rank : axis), rank);
  } else {
    if (rank < 3) return false;
    s.axes = axes_between(2, rank);
    s.per_channel = 1;
    if (group) {
      s.groups = static_cast<std::int32_t>(n.attr_int("num_groups"));
      if (s.groups < 1 || rank >= kn::kMaxDims) return false;
    }
  }
  return true;
}

std::optional<Claim> claim(const NodeView& n, const TargetOptions& options) {
  if (n.node.inputs.empty() || !n.has(0) || !n.type(0).has_rank() || !is_norm_type(n.type(0).dtype))
    return std::nullopt;
  for (std::size_t o = 1; o < n.node.outputs.size(); ++o) {
    if (n.node.outputs[o] != kNone) return std::nullopt;
  }
  NormStep s;
  int rank = n.type(0).rank();
  if (rank < 1 || rank > kn::kMaxDims || !describe(n, rank, s)) return std::nullopt;
  if (n.out_type(0).dtype != n.type(0).dtype) return std::nullopt;
  for (std::int32_t i : {s.scale, s.shift}) {
    if (i < 0) continue;
    const Type& t = n.type(i);
    if (!t.has_rank() || t.dtype != n.type(0).dtype || (s.per_channel ? t.rank() != 1 : t.rank() > rank))
      return std::nullopt;
    // Scale and shift share their strides.
    if (s.scale >= 0 && !(*t.shape == *n.type(s.scale).shape)) return std::nullopt;
  }
  const kn::Kernel& kernel = kn::select(options.cpu);
  s.isa = static_cast<std::int32_t>(kernel.isa);
  Claim c;
  c.kernel = "norm";
  c.numerics = kernel.numerics;
  c.params = to_params(s);
  c.inputs = {{Layout::kStrided, true}, {Layout::kPlain, false}};
  c.outputs = {{Layout::kSame, true}};
  c.in_place = 0;
  c.why = kernel.name;
  return c;
}

Status setup(const KernelCall& call, void* state, KernelWork& work) {
  NormStep s = from_params<NormStep>(call.params);
  if (call.inputs.empty() || !call.inputs[0] || call.outputs.empty() || !call.outputs[0])
    return invalid("norm needs its operands");
  const TensorView &x = *call.inputs[0], &y = *call.outputs[0];
  if (x.dtype != y.dtype || !is_norm_type(x.dtype) || x.rank != y.rank ||
      !std::equal(x.dims, x.dims + x.rank, y.dims) || s.op < 0 || s.op > static_cast<std::int32_t>(kn::Op::l2_norm)) {
    return invalid("norm got operands of the wrong kind");
  }
  kn::Shape shape;
  shape.axes = s.axes & axes_between(0, x.rank);
  auto* st = new (state) NormState();
  kn::Params& p = st->params;
  const TensorView* scale = nullptr;
  for (std::int32_t i : {s.scale, s.shift}) {
    if (i < 0) continue;
    if (static_cast<std::size_t>(i) >= call.inputs.size() || !call.inputs[static_cast<std::size_t>(i)])
      return invalid("norm needs its scale");
    const TensorView* v = call.inputs[static_cast<std::size_t>(i)];
    if (scale && (v->rank != scale->rank || !std::equal(v->dims, v->dims + v->rank, scale->dims)))
      return invalid("scale and shift differ");
    scale = v;
    if (!is_norm_type(v->dtype) || v->dtype != x.dtype) return invalid("scale has another dtype");
    (i == s.scale ? p.scale : p.shift) = v->data;
  }
  if (scale && s.per_channel && (scale->rank != 1 || x.rank < 2 || scale->dims[0] != x.dims[1]))
    return invalid("scale does not fit the channels");
  if (s.groups > 0 && (x.rank < 3 || x.rank >= kn::kMaxDims || x.dims[1] % s.groups != 0))
    return invalid("groups do not divide the channels");
  for (int i = 0; i < x.rank; ++i) {
    int to = shape.rank;
    std::int64_t scale_stride = 0;
    if (scale && s.per_channel) {
      scale_stride = i == 1 ? scale->strides[0] : 0;
    } else if (scale) {
      int axis = i - (x.rank - scale->rank);
      if (axis >= 0 && scale->dims[axis] != 1) {
        if (scale->dims[axis] != x.dims[i]) return invalid("scale does not broadcast");
        scale_stride = scale->strides[axis];
      }
    }
    if (s.groups > 0 && i == 1) {
      std::int64_t each = x.dims[1] / s.groups;
      shape.dim[to] = s.groups;
      shape.in_stride[to] = x.strides[1] * each;
      shape.out_stride[to] = y.strides[1] * each;
      shape.scale_stride[to] = scale_stride * each;
      ++to;
      ++shape.rank;
      shape.dim[to] = each;
    } else {
      shape.dim[to] = x.dims[i];
    }
    shape.in_stride[to] = x.strides[i];
    shape.out_stride[to] = y.strides[i];
    shape.scale_stride[to] = scale_stride;
    ++shape.rank;
  }
  if (s.groups > 0) shape.axes = axes_between(2, shape.rank);
  if (y.count() == 0) return {};
  const kn::Kernel& kernel = kn::select(capped(active_cpu(), static_cast<Isa>(s.isa)));
  kn::Work w = kn::setup(kernel, static_cast<kn::Op>(s.op), x.dtype, x.dtype, s.epsilon, shape, &p);
  p.in = x.data;
  p.out = y.data;
  st->run = kernel.run;
  work.thread_scratch = w.scratch_bytes;
  work.shared_scratch = w.shared_bytes;
  p.partials = reinterpret_cast<float*>(call.shared_scratch);
  if (w.tiles > 0) work.add(run_norm, w.tiles, p.pieces > 0 ? kn::kRounds : 1);
  return {};
}

constexpr Kernel kKernels[] = {{.name = "norm", .state_bytes = sizeof(NormState), .setup = setup, .in_place = true}};

}  // namespace

MOTE_DEFINE_CPU_FAMILY(norm, claim, kKernels);

}  // namespace mote::cpu
