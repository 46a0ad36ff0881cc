// gather of whole rows, on kernels/gather.
#include "kernels/gather/gather.h"

#include "backends/cpu/family.h"

namespace mote::cpu {
namespace {

using kernels::GatherParams;

struct GatherStep {
  std::int64_t axis = 0;
};

std::optional<Claim> claim(const NodeView& n, const TargetOptions&) {
  if (n.node.op->name != "gather" || !n.type(0).has_rank() || !n.type(1).has_rank()) return std::nullopt;
  if (bits_of(n.type(0).dtype) < 8 || (n.type(1).dtype != DType::i64 && n.type(1).dtype != DType::i32))
    return std::nullopt;
  GatherStep s;
  s.axis = n.attr_int("axis");
  if (s.axis < 0) s.axis += n.type(0).rank();
  Claim c;
  c.kernel = "gather";
  c.params = to_params(s);
  c.why = "rows copied by index";
  return c;
}

Status setup(const KernelCall& call, void* state, KernelWork& work) {
  GatherStep s = from_params<GatherStep>(call.params);
  if (call.inputs.size() != 2 || !call.inputs[0] || !call.inputs[1] || call.outputs.empty() || !call.outputs[0])
    return invalid("gather needs its operands");
  const TensorView &x = *call.inputs[0], &index = *call.inputs[1], &y = *call.outputs[0];
  if (s.axis < 0 || s.axis >= x.rank || x.dtype != y.dtype || !dense(call.inputs) || !dense(call.outputs) ||
      (index.dtype != DType::i64 && index.dtype != DType::i32))
    return invalid("gather got operands of the wrong kind");
  auto* p = new (state) GatherParams();
  std::int64_t inner = 1;
  for (int i = 0; i < x.rank; ++i) {
    if (i < s.axis) p->outer *= x.dims[i];
    if (i > s.axis) inner *= x.dims[i];
  }
  p->count = index.count();
  p->extent = x.dims[s.axis];
  p->row_bytes = inner * bits_of(x.dtype) / 8;
  if (!sizes_fit({p->outer, p->count, inner}) || p->outer * p->count * inner != y.count())
    return invalid("gather got a result of the wrong size");
  p->x = x.data;
  p->y = y.data;
  p->index = index.data;
  p->wide = index.dtype == DType::i64;
  p->fault = call.fault;
  if (std::int64_t tiles = kernels::make_gather(*p); tiles > 0)
    work.add(run_kernel<GatherParams, kernels::gather_rows>, tiles);
  return {};
}

constexpr Kernel kKernels[] = {{.name = "gather",
                                .state_bytes = sizeof(GatherParams),
                                .setup = setup,
                                .fault_message = "an index is outside of the gathered axis"}};

}  // namespace

MOTE_DEFINE_CPU_FAMILY(gather, claim, kKernels);

}  // namespace mote::cpu
