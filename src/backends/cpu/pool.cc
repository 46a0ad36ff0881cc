// max_pool, average_pool and their global forms on the channels-last kernels of kernels/pool.
#include "kernels/pool/pool.h"

#include <algorithm>

#include "backends/cpu/family.h"
#include "backends/cpu/spatial.h"

namespace mote::cpu {
namespace {

namespace kp = kernels::pool;

struct PoolStep {
  Spatial window;
  std::int32_t average = 0, count_pad = 0, global = 0, isa = 0;
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
  s.window.rank = n.type(0).rank() - 2;
  if (s.window.rank < 1 || s.window.rank > 3) return std::nullopt;
  if (!s.global) {
    if (n.attr_string("data_layout") != "NCX" || !read_spatial(n, n.attr_ints("kernel_shape"), s.window))
      return std::nullopt;
    for (int d = 0; d < 3; ++d) {
      if (s.window.pad_begin[d] < 0 || s.window.pad_end[d] < 0) return std::nullopt;
    }
    s.count_pad = s.average && n.attr_int("count_include_pad") != 0;
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

Status setup(const KernelCall& call, void* state, KernelWork& work) {
  PoolStep s = from_params<PoolStep>(call.params);
  if (call.inputs.empty() || call.outputs.empty() || !call.inputs[0] || !call.outputs[0])
    return invalid("pool needs its operands");
  const TensorView &x = *call.inputs[0], &y = *call.outputs[0];
  if (!s.window.valid() || x.rank != s.window.rank + 2 || y.rank != x.rank || x.dtype != DType::f32 ||
      y.dtype != DType::f32 || x.dims[0] != y.dims[0] || x.dims[1] != y.dims[1] ||
      (y.count() > 0 && !(has_pixels(x) && has_pixels(y)))) {
    return invalid("pool got operands of the wrong kind");
  }
  auto* st = new (state) PoolState();
  kp::Params& p = st->params;
  p.x = x.as<float>();
  p.y = y.as<float>();
  p.average = s.average;
  p.count_pad = s.count_pad;
  MOTE_TRY(bind_windows(s.window, s.global != 0, x, y, p));
  st->run = kp::select(capped(active_cpu(), static_cast<Isa>(s.isa))).run;
  if (std::int64_t tiles = kp::setup(&p); tiles > 0) work.add(run_pool, tiles);
  return {};
}

constexpr Kernel kKernels[] = {{.name = "pool", .state_bytes = sizeof(PoolState), .setup = setup}};

}  // namespace

MOTE_DEFINE_CPU_FAMILY(pool, claim, kKernels);

}  // namespace mote::cpu
