// Ops that pick, place and order elements by index, on kernels/index.
#include "kernels/index/index.h"

#include <algorithm>

#include "backends/cpu/family.h"
#include "kernels/copy/copy.h"

namespace mote::cpu {
namespace {

namespace ki = kernels::index;
using kernels::CopyParams;

struct IndexStep {
  std::int64_t axis = 0, batch_dims = 0;
  std::int32_t scatter = 0, flag = 0;
};

bool is_index(DType t) { return t == DType::i64 || t == DType::i32; }

bool byte_sized(const Type& t) { return t.has_rank() && bits_of(t.dtype) >= 8; }

Claim claim_of(std::string kernel, const IndexStep& s, std::string why) {
  Claim c;
  c.kernel = std::move(kernel);
  c.params = to_params(s);
  c.why = std::move(why);
  return c;
}

std::optional<Claim> claim_by_index(const NodeView& n, IndexStep s) {
  std::string_view op = n.node.op->name;
  bool tuples = op == "gather_nd" || op == "scatter_nd";
  s.scatter = op == "scatter_nd" || op == "scatter_elements";
  if (!byte_sized(n.type(0)) || !n.type(1).has_rank() || n.type(0).rank() < 1 || !is_index(n.type(1).dtype))
    return std::nullopt;
  if (s.scatter && n.attr_string("reduction") != "none") return std::nullopt;
  if (tuples) {
    if (op == "gather_nd") s.batch_dims = n.attr_int("batch_dims");
    if (n.type(1).rank() < 1) return std::nullopt;
    return claim_of("index_tuples", s, "slices by index");
  }
  s.axis = n.attr_int("axis");
  if (s.axis < 0) s.axis += n.type(0).rank();
  return claim_of("index_elements", s, "elements by index");
}

std::optional<Claim> claim(const NodeView& n, const TargetOptions&) {
  std::string_view op = n.node.op->name;
  IndexStep s;
  if (op == "gather_nd" || op == "scatter_nd" || op == "gather_elements" || op == "scatter_elements")
    return claim_by_index(n, s);
  if (op == "top_k") {
    if (!n.type(0).has_rank() || n.type(0).rank() < 1 || !ki::can_top(n.type(0).dtype)) return std::nullopt;
    s.axis = n.attr_int("axis");
    if (s.axis < 0) s.axis += n.type(0).rank();
    s.flag = n.attr_int("largest") != 0;
    return claim_of("top_k", s, "selected, long rows by pieces");
  }
  if (op == "one_hot") {
    DType t = n.type(0).dtype;
    // The shape must be known without running: a depth that is a float is not, when the run makes it.
    if (!n.type(0).has_rank() || !byte_sized(n.type(2)) || (!is_index(t) && t != DType::f32) ||
        (!n.constant(1) && !is_index(n.type(1).dtype)))
      return std::nullopt;
    s.axis = n.attr_int("axis");
    if (s.axis < 0) s.axis += n.type(0).rank() + 1;
    return claim_of("one_hot", s, "filled, then marked");
  }
  if (op == "trilu") {
    if (!byte_sized(n.type(0)) || n.type(0).rank() < 2 || n.type(0).dtype == DType::string) return std::nullopt;
    if (n.has(1) && (n.type(1).dtype != DType::i64 || !n.type(1).has_rank() || !volume(*n.type(1).shape).is(1)))
      return std::nullopt;
    s.flag = n.attr_int("upper") != 0;
    return claim_of("trilu", s, "rows copied in part");
  }
  if (op == "tile" || op == "expand") {
    // Each repeated axis counts twice.
    if (!byte_sized(n.type(0)) || !n.out_type(0).has_rank() || n.out_type(0).rank() > kMaxRank / 2) return std::nullopt;
    return claim_of("repeat", s, "copied, repeating axes");
  }
  return std::nullopt;
}

// Inputs 0 to count - 1 and output 0, all present and dense.
Status check_operands(const KernelCall& call, std::size_t count) {
  if (call.inputs.size() < count || call.outputs.empty() || !call.outputs[0]) return invalid("an operand is missing");
  for (std::size_t i = 0; i < count; ++i) {
    if (!call.inputs[i] || !call.inputs[i]->dense()) return invalid("an operand is missing");
  }
  return call.outputs[0]->dense() ? Status() : invalid("the result is not dense");
}

ki::Indices indices_of(const TensorView& v, const KernelCall& call) {
  return {v.data, v.dtype == DType::i64, call.fault};
}

struct ScatterState {
  CopyParams copy;
  union {
    ki::TupleParams tuples;
    ki::ElementParams elements;
  };
};

void run_scatter_copy(const void* state, kernels::TileRange range) noexcept {
  kernels::copy_elements(static_cast<const ScatterState*>(state)->copy, range);
}
void run_tuples(const void* state, kernels::TileRange range) noexcept {
  ki::gather_tuples(static_cast<const ScatterState*>(state)->tuples, range);
}
void run_put_tuples(const void* state, kernels::TileRange range) noexcept {
  ki::scatter_tuples(static_cast<const ScatterState*>(state)->tuples, range);
}
void run_elements(const void* state, kernels::TileRange range) noexcept {
  ki::gather_positions(static_cast<const ScatterState*>(state)->elements, range);
}
void run_put_elements(const void* state, kernels::TileRange range) noexcept {
  ki::scatter_positions(static_cast<const ScatterState*>(state)->elements, range);
}

// For a scatter: y becomes x first. Gives the operand whose elements move, and the one the indices point into.
Status begin(const KernelCall& call, const IndexStep& s, ScatterState* st, KernelWork& work, const TensorView*& data,
             const TensorView*& moved) {
  MOTE_TRY(check_operands(call, s.scatter ? 3 : 2));
  const TensorView &x = *call.inputs[0], &y = *call.outputs[0];
  data = &x;
  moved = s.scatter ? call.inputs[2] : &y;
  if (!is_index(call.inputs[1]->dtype) || x.dtype != y.dtype || moved->dtype != x.dtype || bits_of(x.dtype) < 8)
    return invalid("an index op got operands of the wrong kind");
  if (!s.scatter) return {};
  if (x.rank != y.rank || !std::equal(x.dims, x.dims + x.rank, y.dims)) return invalid("a scatter changes no shape");
  if (std::int64_t tiles = kernels::make_copy(x, y, st->copy); tiles > 0) work.add(run_scatter_copy, tiles);
  return {};
}

Status setup_tuples(const KernelCall& call, void* state, KernelWork& work) {
  IndexStep s = from_params<IndexStep>(call.params);
  auto* st = new (state) ScatterState{.copy = {}, .tuples = {}};
  const TensorView *data = nullptr, *moved = nullptr;
  MOTE_TRY(begin(call, s, st, work, data, moved));
  const TensorView& index = *call.inputs[1];
  if (index.rank < 1) return invalid("an index op got operands of the wrong kind");
  ki::TupleParams& p = st->tuples;
  p.k = index.dims[index.rank - 1];
  if (s.batch_dims < 0 || s.batch_dims >= index.rank || s.batch_dims + p.k > data->rank)
    return invalid("index tuples are too long");
  std::int64_t batches = 1, width = bits_of(data->dtype) / 8;
  p.tuples = 1;
  for (int i = 0; i < index.rank - 1; ++i) p.tuples *= index.dims[i];
  for (std::int64_t i = 0; i < s.batch_dims; ++i) batches *= data->dims[i];
  p.slice = width;
  for (int i = data->rank - 1; i >= s.batch_dims + p.k; --i) p.slice *= data->dims[i];
  p.batch_bytes = p.slice;
  for (std::int64_t j = p.k - 1; j >= 0; --j) {
    p.extent[j] = data->dims[s.batch_dims + j];
    p.stride[j] = p.batch_bytes;
    p.batch_bytes *= p.extent[j];
  }
  if (p.tuples == 0 || p.slice == 0) return {};
  if (batches == 0 || p.tuples % batches != 0 || !sizes_fit({p.tuples, p.slice}) ||
      moved->bytes() != p.tuples * p.slice)
    return invalid("index tuples do not fit the data");
  p.per_batch = p.tuples / batches;
  p.index = indices_of(index, call);
  p.x = s.scatter ? moved->data : data->data;
  p.y = call.outputs[0]->data;
  std::int64_t tiles = ki::tiles_of(p.tuples);
  s.scatter ? work.add(run_put_tuples, 1, tiles) : work.add(run_tuples, tiles);
  return {};
}

Status setup_elements(const KernelCall& call, void* state, KernelWork& work) {
  IndexStep s = from_params<IndexStep>(call.params);
  auto* st = new (state) ScatterState{.copy = {}, .elements = {}};
  const TensorView *data = nullptr, *moved = nullptr;
  MOTE_TRY(begin(call, s, st, work, data, moved));
  const TensorView& index = *call.inputs[1];
  if (index.rank != data->rank || s.axis < 0 || s.axis >= data->rank || moved->rank != index.rank ||
      !std::equal(index.dims, index.dims + index.rank, moved->dims))
    return invalid("an index op got operands of the wrong shape");
  ki::ElementParams& p = st->elements;
  p.rank = index.rank;
  p.axis = static_cast<std::int32_t>(s.axis);
  p.width = bits_of(data->dtype) / 8;
  p.count = index.count();
  p.extent = data->dims[s.axis];
  if (p.count == 0) return {};
  std::int64_t stride = 1;
  for (int i = p.rank - 1; i >= 0; --i) {
    if (i != s.axis && index.dims[i] > data->dims[i]) return invalid("indices go beyond the data");
    p.dims[i] = index.dims[i];
    p.strides[i] = stride;
    stride *= data->dims[i];
  }
  p.index = indices_of(index, call);
  p.x = s.scatter ? moved->data : data->data;
  p.y = call.outputs[0]->data;
  std::int64_t tiles = ki::tiles_of(p.count);
  s.scatter ? work.add(run_put_elements, 1, tiles) : work.add(run_elements, tiles);
  return {};
}

Status setup_top(const KernelCall& call, void* state, KernelWork& work) {
  IndexStep s = from_params<IndexStep>(call.params);
  if (call.inputs.empty() || !call.inputs[0] || !dense(call.inputs) || !dense(call.outputs))
    return invalid("top_k needs its operands");
  const TensorView& x = *call.inputs[0];
  const TensorView* values = call.outputs.empty() ? nullptr : call.outputs[0];
  const TensorView* indices = call.outputs.size() > 1 ? call.outputs[1] : nullptr;
  const TensorView* y = values ? values : indices;
  if (!y || s.axis < 0 || s.axis >= x.rank || y->rank != x.rank || !ki::can_top(x.dtype) ||
      x.dims[s.axis] > INT32_MAX || (values && values->dtype != x.dtype) || (indices && indices->dtype != DType::i64) ||
      (values && indices && values->count() != indices->count()))
    return invalid("top_k got operands of the wrong kind");
  auto* p = new (state) ki::TopParams();
  p->n = x.dims[s.axis];
  p->k = y->dims[s.axis];
  for (int i = 0; i < x.rank; ++i) {
    if (i != s.axis && y->dims[i] != x.dims[i]) return invalid("top_k got a result of the wrong shape");
    if (i < s.axis) p->outer *= x.dims[i];
    if (i > s.axis) p->inner *= x.dims[i];
  }
  if (p->k > p->n) return invalid("top_k: k is larger than the axis");
  if (y->count() == 0) return {};
  p->x = x.data;
  p->values = values ? values->data : nullptr;
  p->indices = indices ? indices->as<std::int64_t>() : nullptr;
  p->dtype = x.dtype;
  p->largest = s.flag != 0;
  p->runs = call.shared_scratch;
  const ki::TopWork w = ki::setup_top(*p);
  work.thread_scratch = w.scratch_bytes;
  work.shared_scratch = w.runs_bytes;
  work.add(run_kernel<ki::TopParams, ki::top>, w.tiles, w.rounds);
  return {};
}

Status setup_one_hot(const KernelCall& call, void* state, KernelWork& work) {
  IndexStep s = from_params<IndexStep>(call.params);
  MOTE_TRY(check_operands(call, 3));
  const TensorView &index = *call.inputs[0], &values = *call.inputs[2], &y = *call.outputs[0];
  if ((!is_index(index.dtype) && index.dtype != DType::f32) || values.dtype != y.dtype || bits_of(y.dtype) < 8 ||
      values.count() != 2 || s.axis < 0 || s.axis >= y.rank)
    return invalid("one_hot got operands of the wrong kind");
  auto* p = new (state) ki::OneHotParams();
  for (int i = 0; i < y.rank; ++i) {
    if (i != s.axis) (i < s.axis ? p->outer : p->inner) *= y.dims[i];
  }
  p->n = y.dims[s.axis];
  if (p->outer * p->inner != index.count()) return invalid("one_hot got a result of the wrong shape");
  p->index = index.data;
  p->index_type = index.dtype;
  p->values = values.data;
  p->y = y.data;
  p->width = bits_of(y.dtype) / 8;
  if (std::int64_t tiles = ki::setup_one_hot(p); tiles > 0) work.add(run_kernel<ki::OneHotParams, ki::one_hot>, tiles);
  return {};
}

Status setup_trilu(const KernelCall& call, void* state, KernelWork& work) {
  IndexStep s = from_params<IndexStep>(call.params);
  MOTE_TRY(check_operands(call, 1));
  const TensorView &x = *call.inputs[0], &y = *call.outputs[0];
  const TensorView* shift = call.inputs.size() > 1 ? call.inputs[1] : nullptr;
  if (x.rank < 2 || x.dtype != y.dtype || bits_of(x.dtype) < 8 || x.count() != y.count() ||
      (shift && (shift->dtype != DType::i64 || shift->count() != 1)))
    return invalid("trilu got operands of the wrong kind");
  auto* p = new (state) ki::TriangleParams();
  p->x = x.data;
  p->y = y.data;
  p->shift = shift ? shift->as<std::int64_t>() : nullptr;
  p->upper = s.flag != 0;
  p->width = bits_of(x.dtype) / 8;
  p->rows = x.dims[x.rank - 2];
  p->columns = x.dims[x.rank - 1];
  for (int i = 0; i < x.rank - 2; ++i) p->matrices *= x.dims[i];
  if (std::int64_t tiles = ki::setup_triangle(p); tiles > 0)
    work.add(run_kernel<ki::TriangleParams, ki::triangle>, tiles);
  return {};
}

// tile and expand: every axis of y as (how often, extent of x), the first with stride 0.
Status setup_repeat(const KernelCall& call, void* state, KernelWork& work) {
  MOTE_TRY(check_operands(call, 1));
  const TensorView &x = *call.inputs[0], &y = *call.outputs[0];
  int lead = y.rank - x.rank;
  if (lead < 0 || y.rank > kMaxRank / 2 || x.dtype != y.dtype || bits_of(x.dtype) < 8)
    return invalid("a repetition got operands of the wrong kind");
  if (y.count() == 0) return {};
  TensorView from, to;
  from.data = x.data;
  to.data = y.data;
  from.dtype = to.dtype = y.dtype;
  from.rank = to.rank = 2 * y.rank;
  for (int i = 0; i < y.rank; ++i) {
    std::int64_t n = i < lead ? 1 : x.dims[i - lead], times = n > 0 ? y.dims[i] / n : 0;
    if (n * times != y.dims[i]) return invalid("a repetition got a result of the wrong shape");
    from.dims[2 * i] = to.dims[2 * i] = times;
    from.dims[2 * i + 1] = to.dims[2 * i + 1] = n;
    from.strides[2 * i] = 0;
    from.strides[2 * i + 1] = i < lead ? 0 : x.strides[i - lead];
    to.strides[2 * i] = n * y.strides[i];
    to.strides[2 * i + 1] = y.strides[i];
  }
  auto* p = new (state) CopyParams();
  if (std::int64_t tiles = kernels::make_copy(from, to, *p); tiles > 0)
    work.add(run_kernel<CopyParams, kernels::copy_elements>, tiles);
  return {};
}

constexpr std::string_view kFault = "an index is out of range";
constexpr Kernel kKernels[] = {
    {.name = "index_tuples", .state_bytes = sizeof(ScatterState), .setup = setup_tuples, .fault_message = kFault},
    {.name = "index_elements", .state_bytes = sizeof(ScatterState), .setup = setup_elements, .fault_message = kFault},
    {.name = "top_k", .state_bytes = sizeof(ki::TopParams), .setup = setup_top},
    {.name = "one_hot", .state_bytes = sizeof(ki::OneHotParams), .setup = setup_one_hot},
    {.name = "trilu", .state_bytes = sizeof(ki::TriangleParams), .setup = setup_trilu},
    {.name = "repeat", .state_bytes = sizeof(CopyParams), .setup = setup_repeat}};

}  // namespace

MOTE_DEFINE_CPU_FAMILY(index, claim, kKernels);

}  // namespace mote::cpu
