// arg_max, arg_min, cumsum and cumprod on kernels/reduce/along.h.
#include "kernels/reduce/along.h"

#include <algorithm>

#include "backends/cpu/family.h"

namespace mote::cpu {
namespace {

namespace kr = kernels::reduce;

struct AlongStep {
  std::int64_t axis = 0;
  std::int32_t keep = 0, largest = 0, last = 0, product = 0, exclusive = 0, reverse = 0;
};

std::optional<Claim> claim(const NodeView& n, const TargetOptions&) {
  std::string_view op = n.node.op->name;
  bool arg = op == "arg_max" || op == "arg_min", cumulative = op == "cumsum" || op == "cumprod";
  if ((!arg && !cumulative) || !n.type(0).has_rank() || n.type(0).rank() < 1 || !kr::supported_along(n.type(0).dtype))
    return std::nullopt;
  AlongStep s;
  Claim c;
  if (arg) {
    s.axis = n.attr_int("axis");
    s.keep = n.attr_int("keepdims") != 0;
    s.largest = op == "arg_max";
    s.last = n.attr_int("select_last_index") != 0;
    c.inputs = {{Layout::kStrided, true}};
  } else {
    std::optional<std::vector<std::int64_t>> axis = n.constant(1) ? small_ints(*n.constant(1)) : std::nullopt;
    if (!axis || axis->size() != 1) return std::nullopt;
    s.axis = (*axis)[0];
    s.product = op == "cumprod";
    s.exclusive = n.attr_int("exclusive") != 0;
    s.reverse = n.attr_int("reverse") != 0;
    c.inputs = {{Layout::kSame, true}, {Layout::kPlain, false}};
    c.outputs = {{Layout::kSame, true}};
  }
  if (s.axis < 0) s.axis += n.type(0).rank();
  if (s.axis < 0 || s.axis >= n.type(0).rank()) return std::nullopt;
  c.kernel = arg ? "arg" : "cumulative";
  c.params = to_params(s);
  c.why = "along one axis";
  return c;
}

struct Operands {
  kr::Shape shape;
  const TensorView *x, *y;
};

Status check(const KernelCall& call, const AlongStep& s, bool cumulative, Operands& o) {
  if (call.inputs.empty() || !call.inputs[0] || call.outputs.empty() || !call.outputs[0])
    return invalid("an operand is missing");
  o.x = call.inputs[0];
  o.y = call.outputs[0];
  const TensorView &x = *o.x, &y = *o.y;
  if (s.axis < 0 || s.axis >= x.rank || !kr::supported_along(x.dtype) || y.dtype != (cumulative ? x.dtype : DType::i64))
    return invalid("operands of the wrong kind");
  o.shape.rank = x.rank;
  o.shape.axes = 1u << s.axis;
  int out = 0;
  for (int i = 0; i < x.rank; ++i) {
    bool gone = !cumulative && i == s.axis;
    o.shape.dim[i] = x.dims[i];
    o.shape.in_stride[i] = x.strides[i];
    if (gone && !s.keep) continue;
    if (out >= y.rank || y.dims[out] != (gone ? 1 : x.dims[i])) return invalid("a result of the wrong shape");
    o.shape.out_stride[i] = gone ? 0 : y.strides[out];
    ++out;
  }
  return out == y.rank ? Status() : invalid("a result of the wrong shape");
}

Status setup_arg(const KernelCall& call, void* state, KernelWork& work) {
  AlongStep s = from_params<AlongStep>(call.params);
  Operands o;
  MOTE_TRY(check(call, s, false, o));
  if (o.y->count() == 0) return {};
  if (o.x->count() == 0) return invalid("the axis has no elements");
  auto* p = new (state) kr::ArgParams();
  kr::Work w = kr::setup_arg(o.x->dtype, s.largest != 0, s.last != 0, o.shape, p);
  p->in = o.x->data;
  p->out = o.y->as<std::int64_t>();
  work.thread_scratch = w.scratch_bytes;
  if (w.tiles > 0) work.add(run_kernel<kr::ArgParams, kr::run_arg>, w.tiles);
  return {};
}

Status setup_cumulative(const KernelCall& call, void* state, KernelWork& work) {
  AlongStep s = from_params<AlongStep>(call.params);
  Operands o;
  MOTE_TRY(check(call, s, true, o));
  if (o.y->count() == 0) return {};
  auto* p = new (state) kr::CumulativeParams();
  kr::Work w = kr::setup_cumulative(o.x->dtype, s.product != 0, s.exclusive != 0, s.reverse != 0, o.shape, p);
  p->in = o.x->data;
  p->out = o.y->data;
  work.thread_scratch = w.scratch_bytes;
  if (w.tiles > 0) work.add(run_kernel<kr::CumulativeParams, kr::run_cumulative>, w.tiles);
  return {};
}

constexpr Kernel kKernels[] = {
    {.name = "arg", .state_bytes = sizeof(kr::ArgParams), .setup = setup_arg},
    {.name = "cumulative", .state_bytes = sizeof(kr::CumulativeParams), .setup = setup_cumulative}};

}  // namespace

MOTE_DEFINE_CPU_FAMILY(along, claim, kKernels);

}  // namespace mote::cpu
