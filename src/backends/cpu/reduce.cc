// reduce_* over axes that are known, on kernels/reduce.
#include "kernels/reduce/reduce.h"

#include "backends/cpu/family.h"

namespace mote::cpu {
namespace {

namespace kr = kernels::reduce;

struct ReduceStep {
  std::uint32_t axes = 0;
  std::int32_t op = 0, keep = 1, isa = 0;
};

struct ReduceState {
  kr::Params params;
  kernels::KernelFn<kr::Params> run, combine;
};

void run_reduce(const void* state, kernels::TileRange range) noexcept {
  const ReduceState& s = *static_cast<const ReduceState*>(state);
  s.run(s.params, range);
}

void combine_reduce(const void* state, kernels::TileRange range) noexcept {
  const ReduceState& s = *static_cast<const ReduceState*>(state);
  s.combine(s.params, range);
}

struct OpRow {
  std::string_view name;
  kr::Op op;
};

constexpr OpRow kOps[] = {{"reduce_sum", kr::Op::sum},         {"reduce_mean", kr::Op::mean},
                          {"reduce_prod", kr::Op::prod},       {"reduce_min", kr::Op::min},
                          {"reduce_max", kr::Op::max},         {"reduce_l1", kr::Op::l1},
                          {"reduce_l2", kr::Op::l2},           {"reduce_sum_square", kr::Op::sum_square},
                          {"reduce_log_sum", kr::Op::log_sum}, {"reduce_log_sum_exp", kr::Op::log_sum_exp}};

std::optional<Claim> claim(const NodeView& n, const TargetOptions& options) {
  const OpRow* row = nullptr;
  for (const OpRow& r : kOps) {
    if (r.name == n.node.op->name) row = &r;
  }
  if (!row || !n.type(0).has_rank()) return std::nullopt;
  int rank = n.type(0).rank();
  DType t = n.type(0).dtype;
  ReduceStep s;
  s.op = static_cast<std::int32_t>(row->op);
  s.keep = n.attr_int("keepdims") != 0;
  if (n.has(1)) {
    const Constant* axes = n.constant(1);
    std::optional<std::vector<std::int64_t>> list = axes ? small_ints(*axes) : std::nullopt;
    if (!list) return std::nullopt;
    for (std::int64_t axis : *list) {
      if (axis < -rank || axis >= rank) return std::nullopt;
      s.axes |= 1u << (axis < 0 ? axis + rank : axis);
    }
  }
  if (s.axes == 0) {
    if (n.attr_int("noop_with_empty_axes") != 0) return std::nullopt;
    s.axes = (1u << rank) - 1;
  }
  DType compute = kr::compute_type(t);
  const kr::Kernel* kernel = kr::supported(t, row->op) ? kr::select(compute, options.cpu) : nullptr;
  if (!kernel || rank > kr::kMaxDims) return std::nullopt;
  s.isa = static_cast<std::int32_t>(kernel->isa);
  Claim c;
  c.kernel = "reduce";
  c.numerics = kernel->numerics;
  c.params = to_params(s);
  c.inputs = {{Layout::kStrided, true}, {Layout::kIgnored, false}};
  c.outputs = {{Layout::kPlain, false}};
  c.why = kernel->name;
  return c;
}

Status setup(const KernelCall& call, void* state, KernelWork& work) {
  ReduceStep s = from_params<ReduceStep>(call.params);
  if (call.inputs.empty() || !call.inputs[0] || call.outputs.empty() || !call.outputs[0])
    return invalid("reduce needs its operands");
  const TensorView &x = *call.inputs[0], &y = *call.outputs[0];
  constexpr int kOpCount = 0
#define MOTE_X(name) +1
      MOTE_REDUCE_OPS(MOTE_X)
#undef MOTE_X
      ;
  if (s.op < 0 || s.op >= kOpCount || x.dtype != y.dtype || !kr::supported(x.dtype, static_cast<kr::Op>(s.op)))
    return invalid("reduce got operands of the wrong kind");
  kr::Shape shape;
  shape.rank = x.rank;
  shape.axes = s.axes & ((1u << x.rank) - 1);
  int out = 0;
  for (int i = 0; i < x.rank; ++i) {
    shape.dim[i] = x.dims[i];
    shape.in_stride[i] = x.strides[i];
    bool reduced = (shape.axes >> i & 1u) != 0;
    if (reduced && !s.keep) continue;
    if (out >= y.rank || y.dims[out] != (reduced ? 1 : x.dims[i]))
      return invalid("reduce got a result of the wrong shape");
    shape.out_stride[i] = reduced ? 0 : y.strides[out];
    ++out;
  }
  if (out != y.rank) return invalid("reduce got a result of the wrong shape");
  if (y.count() == 0) return {};
  auto* st = new (state) ReduceState();
  const kr::Kernel* kernel = kr::select(kr::compute_type(x.dtype), capped(active_cpu(), static_cast<Isa>(s.isa)));
  kr::Work w = kr::setup(*kernel, static_cast<kr::Op>(s.op), x.dtype, shape, &st->params);
  st->params.in = x.data;
  st->params.out = y.data;
  st->params.partials = call.shared_scratch;
  st->run = kernel->run;
  st->combine = kernel->combine;
  work.thread_scratch = w.scratch_bytes;
  work.shared_scratch = w.shared_bytes;
  if (w.tiles > 0) work.add(run_reduce, w.tiles);
  if (w.combine_tiles > 0) work.add(combine_reduce, w.combine_tiles);
  return {};
}

constexpr Kernel kKernels[] = {{.name = "reduce", .state_bytes = sizeof(ReduceState), .setup = setup}};

}  // namespace

MOTE_DEFINE_CPU_FAMILY(reduce, claim, kKernels);

}  // namespace mote::cpu
