// attention over 4-D f32 operands without a cache inside of the op, on kernels/attention.
#include "kernels/attention/attention.h"

#include <algorithm>
#include <cmath>

#include "backends/cpu/family.h"

namespace mote::cpu {
namespace {

namespace ka = kernels::attention;

struct AttentionStep {
  float scale = 0;  // 0: 1 / sqrt(head size)
  std::int32_t causal = 0, has_mask = 0, isa = 0;
};

std::optional<Claim> claim(const NodeView& n, const TargetOptions& options) {
  if (n.node.op->name != "attention" || n.node.inputs.size() < 3) return std::nullopt;
  for (int i = 0; i < 3; ++i) {
    if (!n.type(i).has_rank() || n.type(i).rank() != 4 || n.type(i).dtype != DType::f32) return std::nullopt;
  }
  for (int i = 4; i < static_cast<int>(n.node.inputs.size()); ++i) {
    if (n.has(i)) return std::nullopt;
  }
  for (std::size_t o = 1; o < n.node.outputs.size(); ++o) {
    if (n.node.outputs[o] != kNone) return std::nullopt;
  }
  if (n.attr_float("softcap") != 0 || n.attr_int("left_window_size") != -1 || n.attr_int("right_window_size") != -1 ||
      (n.node.attrs.has("softmax_precision") &&
       attr_dtype(*n.node.op, n.node.attrs, "softmax_precision") != DType::f32))
    return std::nullopt;
  AttentionStep s;
  if (n.node.attrs.has("scale")) s.scale = static_cast<float>(n.attr_float("scale"));
  s.causal = n.attr_int("is_causal") != 0;
  s.has_mask = n.has(3);
  const Shape &q = *n.type(0).shape, &k = *n.type(1).shape;
  // Without a cache, ONNX lines queries and keys up at their starts.
  if (!q[1].is_const() || !k[1].is_const() || k[1].value() == 0 || q[1].value() % k[1].value() != 0)
    return std::nullopt;
  if (s.has_mask) {
    if (n.type(3).dtype != DType::f32 || !n.type(3).has_rank() || n.type(3).rank() > 4 || n.type(3).rank() < 1)
      return std::nullopt;
    const Dim& columns = n.type(3).shape->back();
    if (!(columns == k[2]) && !columns.is(1)) return std::nullopt;  // ONNX lets a shorter mask close the rest
  }
  const kernels::dot::Kernel& kernel = kernels::dot::select(options.cpu);
  s.isa = static_cast<std::int32_t>(kernel.isa);
  Claim c;
  c.kernel = "attention";
  c.numerics = kernel.numerics;
  c.params = to_params(s);
  c.inputs = {{Layout::kRows, false}, {Layout::kRows, false}, {Layout::kRows, false}, {Layout::kStrided, false}};
  c.outputs = {{Layout::kRows, false}};
  c.why = std::string(kernel.name) + ", keys in blocks of 128";
  return c;
}

ka::Operand operand(const TensorView& v) { return {v.as<float>(), v.strides[0], v.strides[1], v.strides[2]}; }

Status setup(const KernelCall& call, void* state, KernelWork& work) {
  AttentionStep s = from_params<AttentionStep>(call.params);
  if (call.inputs.size() < 3 || !call.inputs[0] || !call.inputs[1] || !call.inputs[2] || call.outputs.empty() ||
      !call.outputs[0])
    return invalid("attention needs its operands");
  const TensorView &q = *call.inputs[0], &k = *call.inputs[1], &v = *call.inputs[2], &y = *call.outputs[0];
  for (const TensorView* t : {&q, &k, &v, &y}) {
    if (t->rank != 4 || t->dtype != DType::f32 || (t->strides[3] != 1 && t->dims[3] > 1))
      return invalid("attention got operands of the wrong kind");
  }
  bool fits = q.dims[0] == k.dims[0] && k.dims[0] == v.dims[0] && k.dims[1] == v.dims[1] && k.dims[2] == v.dims[2] &&
              q.dims[3] == k.dims[3] && k.dims[1] > 0 && q.dims[1] % k.dims[1] == 0 && y.dims[0] == q.dims[0] &&
              y.dims[1] == q.dims[1] && y.dims[2] == q.dims[2] && y.dims[3] == v.dims[3];
  if (!fits) return invalid("attention got operands whose shapes do not fit");
  if (!sizes_fit({q.dims[0], q.dims[1], q.dims[2] + 128, k.dims[2] + 128, q.dims[3] + v.dims[3] + 32}))
    return invalid("attention got operands that are too large");
  auto* p = new (state) ka::Params();
  p->q = operand(q);
  p->k = operand(k);
  p->v = operand(v);
  p->y = y.as<float>();
  p->y_batch = y.strides[0];
  p->y_head = y.strides[1];
  p->y_row = y.strides[2];
  p->batches = q.dims[0];
  p->heads = q.dims[1];
  p->kv_heads = k.dims[1];
  p->queries = q.dims[2];
  p->keys = k.dims[2];
  p->head_size = q.dims[3];
  p->value_size = v.dims[3];
  p->scale = s.scale != 0 ? s.scale : 1.0f / std::sqrt(static_cast<float>(std::max<std::int64_t>(q.dims[3], 1)));
  p->causal = s.causal;
  if (s.has_mask && call.inputs.size() > 3 && call.inputs[3]) {
    const TensorView& m = *call.inputs[3];
    if (m.dtype != DType::f32) return invalid("attention got a mask of another dtype");
    std::int64_t want[4] = {p->batches, p->heads, p->queries, p->keys}, stride[4] = {};
    for (int i = 0; i < 4; ++i) {
      int axis = i - (4 - m.rank);
      if (axis < 0 || m.dims[axis] == 1) continue;
      if (m.dims[axis] != want[i]) return invalid("the mask does not broadcast to the scores");
      stride[i] = m.strides[axis];
    }
    p->mask = m.as<float>();
    p->mask_batch = stride[0];
    p->mask_head = stride[1];
    p->mask_row = stride[2];
    p->mask_col = stride[3];
  }
  if (y.count() == 0) return {};
  CpuFeatures cpu = capped(active_cpu(), static_cast<Isa>(s.isa));
  p->dot = &kernels::dot::select(cpu);
  p->kernel = &ka::select(cpu);
  ka::Work w = ka::setup(p);
  p->packed = reinterpret_cast<float*>(call.shared_scratch);
  work.thread_scratch = w.scratch_bytes;
  work.shared_scratch = w.packed_bytes;
  if (w.packed_bytes > 0) work.add(run_kernel<ka::Params, ka::pack>, w.pack_tiles);
  work.add(run_kernel<ka::Params, ka::run>, w.tiles);
  return {};
}

constexpr Kernel kKernels[] = {{.name = "attention", .state_bytes = sizeof(ka::Params), .setup = setup}};

}  // namespace

MOTE_DEFINE_CPU_FAMILY(attention, claim, kKernels);

}  // namespace mote::cpu
