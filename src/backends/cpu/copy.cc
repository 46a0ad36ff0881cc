// "copy": elements from one strided view to another of the same shape; what layout changes, concatenations and outputs
// use. "view": nothing to do; the step exists because its output's shape is known only when it runs.
#include "kernels/copy/copy.h"

#include <algorithm>

#include "backends/cpu/family.h"

namespace mote::cpu {
namespace {

using kernels::CopyParams;

void move_bytes(const void* state, kernels::TileRange) noexcept {
  const CopyParams& p = *static_cast<const CopyParams*>(state);
  std::memmove(p.to, p.from, static_cast<std::size_t>(p.rows));
}

Status setup_copy(const KernelCall& call, void* state, KernelWork& work) {
  auto* p = new (state) CopyParams();
  if (call.inputs.empty() || call.outputs.size() != 1 || !call.inputs[0] || !call.outputs[0])
    return invalid("copy needs one input and one output");
  TensorView from = *call.inputs[0];
  const TensorView& to = *call.outputs[0];
  if (from.dtype != to.dtype) return invalid("copy cannot change the dtype");
  if (from.rank != to.rank || !std::equal(from.dims, from.dims + from.rank, to.dims)) {
    // Dense bytes under another shape of the same size.
    if (from.count() != to.count() || !from.dense() || !to.dense()) return invalid("copy cannot change the shape");
    from = TensorView::of(from.data, from.dtype, to.shape());
  }
  if (bits_of(from.dtype) < 8) {
    p->from = from.data;
    p->to = to.data;
    p->rows = to.bytes();
    if (p->rows > 0) work.add(move_bytes, 1);
    return {};
  }
  if (std::int64_t tiles = kernels::make_copy(from, to, *p); tiles > 0)
    work.add(run_kernel<CopyParams, kernels::copy_elements>, tiles);
  return {};
}

Status setup_view(const KernelCall&, void*, KernelWork&) { return {}; }

constexpr Kernel kKernels[] = {{.name = "copy", .state_bytes = sizeof(CopyParams), .setup = setup_copy},
                               {.name = "view", .setup = setup_view}};

}  // namespace

MOTE_DEFINE_CPU_FAMILY(copy, nullptr, kKernels);

}  // namespace mote::cpu
