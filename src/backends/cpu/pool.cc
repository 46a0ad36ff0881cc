// max_pool, average_pool and their global forms on the channels-last kernels of kernels/pool.
#include "kernels/pool/pool.h"

#include <algorithm>

#include "backends/cpu/family.h"

namespace mote::cpu {
namespace {

namespace kp = kernels::pool;

struct PoolStep {
  std::int64_t kernel[3] = {1, 1, 1}, stride[3] = {1, 1, 1}, dilation[3] = {1, 1, 1}, pad_begin[3] = {}, pad_end[3] = {};
  std::int32_t spatial = 2, average = 0, count_pad = 0, global = 0, isa = 0;
};

struct PoolState {
  kp::Params params;
  kernels::KernelFn<kp::Params> run;
};

void run_pool(const void* state, kernels::TileRange range) noexcept {
  const PoolState& s = *static_cast<const PoolState*>(state);
  s.run(s.params, range);
}

std::optional<Claim> claim(const NodeView& n, const TargetOptions& options) {
  std::string_view op = n.node.op->name;
  PoolStep s;
  s.global = op == "global_average_pool" || op == "global_max_pool";
  s.average = op == "average_pool" || op == "global_average_pool";
  if (op != "max_pool" && op != "average_pool" && !s.global) return std::nullopt;
  if (n.node.outputs.size() > 1 && n.node.outputs[1] != kNone) return std::nullopt;
  if (!n.type(0).has_rank() || n.type(0).dtype != DType::f32) return std::nullopt;
  const Shape& x = *n.type(0).shape;
  s.spatial = static_cast<std::int32_t>(x.size()) - 2;
  if (s.spatial < 1 || s.spatial > 3) return std::nullopt;
  if (!s.global) {
    if (n.node.op->attr("data_layout") && n.attr_string("data_layout") != "NCX") return std::nullopt;
    std::string mode = n.attr_string("auto_pad");
    std::vector<std::int64_t> kernel = n.attr_ints("kernel_shape"), strides = n.attr_ints("strides"), pads = n.attr_ints("pads");
    std::vector<std::int64_t> dilations = n.attr_ints("dilations");
    if (static_cast<std::int32_t>(kernel.size()) != s.spatial) return std::nullopt;
    s.count_pad = s.average && n.attr_int("count_include_pad") != 0;
    for (int i = 0; i < s.spatial; ++i) {
      int d = 3 - s.spatial + i;
      std::size_t k = static_cast<std::size_t>(i);
      s.kernel[d] = kernel[k];
      if (k < strides.size()) s.stride[d] = strides[k];
      if (k < dilations.size()) s.dilation[d] = dilations[k];
      if (pads.size() == 2 * static_cast<std::size_t>(s.spatial)) {
        s.pad_begin[d] = pads[k];
        s.pad_end[d] = pads[k + static_cast<std::size_t>(s.spatial)];
      }
      if (s.kernel[d] < 1 || s.stride[d] < 1 || s.dilation[d] < 1 || s.pad_begin[d] < 0 || s.pad_end[d] < 0) return std::nullopt;
      if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
        const Dim& extent = x[2 + k];
        if (!extent.is_const()) return std::nullopt;
        std::int64_t out = (extent.value() + s.stride[d] - 1) / s.stride[d];
        std::int64_t total = std::max<std::int64_t>(0, (out - 1) * s.stride[d] + (s.kernel[d] - 1) * s.dilation[d] + 1 - extent.value());
        s.pad_begin[d] = mode == "SAME_UPPER" ? total / 2 : total - total / 2;
        s.pad_end[d] = total - s.pad_begin[d];
      }
    }
  }
  const kp::Row& row = kp::select(options.cpu);
  s.isa = static_cast<std::int32_t>(row.isa);
  Claim c;
  c.kernel = "pool";
  c.numerics = row.numerics;
  c.params = to_params(s);
  c.inputs = {{Layout::kChannelsLast, true}};
  c.outputs = {{Layout::kChannelsLast, true}};
  c.why = row.name;
  return c;
}

// Floats from pixel to pixel of a channels-last view.
std::int64_t pixel_pitch(const TensorView& v) {
  for (int axis = v.rank - 1; axis >= 2; --axis) {
    if (v.dims[axis] != 1) return v.strides[axis];
  }
  return v.dims[0] != 1 ? v.strides[0] : v.dims[1];
}

Status setup(const KernelCall& call, void* state, KernelWork& work) {
  PoolStep s = from_params<PoolStep>(call.params);
  if (call.inputs.empty() || call.outputs.empty() || !call.inputs[0] || !call.outputs[0]) return invalid("pool needs its operands");
  const TensorView &x = *call.inputs[0], &y = *call.outputs[0];
  if (s.spatial < 1 || s.spatial > 3 || x.rank != s.spatial + 2 || y.rank != x.rank || x.dtype != DType::f32 || y.dtype != DType::f32 ||
      x.dims[0] != y.dims[0] || x.dims[1] != y.dims[1]) {
    return invalid("pool got operands of the wrong kind");
  }
  auto* st = new (state) PoolState();
  kp::Params& p = st->params;
  p.x = x.as<float>();
  p.y = y.as<float>();
  p.average = s.average;
  p.count_pad = s.count_pad;
  p.batch = x.dims[0];
  p.channels = x.dims[1];
  p.x_pixel = pixel_pitch(x);
  p.y_pixel = pixel_pitch(y);
  for (int d = 0; d < 3; ++d) {
    int axis = d - (3 - s.spatial) + 2;
    if (axis >= 2) {
      p.in[d] = x.dims[axis];
      p.out[d] = y.dims[axis];
    }
    p.kernel[d] = s.global && axis >= 2 ? std::max<std::int64_t>(x.dims[axis], 1) : s.kernel[d];
    p.stride[d] = s.stride[d];
    p.dilation[d] = s.dilation[d];
    p.pad_begin[d] = s.pad_begin[d];
    p.pad_end[d] = s.pad_end[d];
    if (p.kernel[d] < 1 || p.stride[d] < 1 || p.dilation[d] < 1) return invalid("pool has bad parameters");
  }
  st->run = kp::select(capped(active_cpu(), static_cast<Isa>(s.isa))).run;
  if (std::int64_t tiles = kp::setup(&p); tiles > 0) work.add(run_pool, tiles);
  return {};
}

constexpr Kernel kKernels[] = {{.name = "pool", .state_bytes = sizeof(PoolState), .setup = setup}};

}  // namespace

const Family pool_family = {claim, kKernels};

}  // namespace mote::cpu
