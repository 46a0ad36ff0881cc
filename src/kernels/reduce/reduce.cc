#include "kernels/reduce/reduce.h"

#include <algorithm>
#include <utility>

#include "base/checked.h"
#include "kernels/compact.h"
#include "kernels/reduce/chunk.h"
#include "kernels/scratch.h"
#include "kernels/sort.h"
#include "kernels/table.h"

namespace mote::kernels::reduce {

#define MOTE_REDUCE_KERNEL(ns, isa, type, numerics)       \
  namespace ns {                                          \
  void run_##type(const Params&, TileRange) noexcept;     \
  void combine_##type(const Params&, TileRange) noexcept; \
  }
#include "kernels/reduce/kernels.inc"
#undef MOTE_REDUCE_KERNEL

namespace {

constexpr Kernel kKernels[] = {
#define MOTE_REDUCE_KERNEL(ns, isa, type, numerics) \
  {"reduce_" #type "_" #isa,                        \
   Isa::isa,                                        \
   DType::type,                                     \
   Numerics::numerics,                              \
   MOTE_IF_##ns(&MOTE_SHARED(ns)::run_##type),      \
   MOTE_IF_##ns(&MOTE_SHARED(ns)::combine_##type)},
#include "kernels/reduce/kernels.inc"
#undef MOTE_REDUCE_KERNEL
};

void append(Axes* a, std::int64_t dim, std::int64_t in, std::int64_t out) {
  if (dim == 1) return;
  if (a->rank > 0) {
    int d = a->rank - 1;
    if (a->in[d] == in * dim && a->out[d] == out * dim) {  // continues the axis before
      a->dim[d] *= dim;
      a->in[d] = in;
      a->out[d] = out;
      return;
    }
  }
  a->dim[a->rank] = dim;
  a->in[a->rank] = in;
  a->out[a->rank++] = out;
}

}  // namespace

DType compute_type(DType t) {
  switch (t) {
    case DType::f16:
    case DType::bf16:
      return DType::f32;
    case DType::boolean:
      return DType::u8;
    default:
      return t == DType::f32 || t == DType::f64 || (is_int(t) && bits_of(t) >= 8) ? t : DType::none;
  }
}

bool supported(DType t, Op op) {
  return compute_type(t) != DType::none && (is_float(t) || (op != Op::log_sum && op != Op::log_sum_exp));
}

std::span<const Kernel> kernels() { return kKernels; }

const Kernel* select(DType compute, const CpuFeatures& cpu) {
  for (const Kernel& k : kKernels) {
    if (k.compute == compute && cpu.has(k.isa)) return &k;
  }
  return nullptr;
}

Work setup(const Kernel& kernel, Op op, DType dtype, const Shape& shape, Params* p) {
  p->op = op;
  p->dtype = dtype;
  p->kept = p->reduced = {};
  p->outputs = p->length = 1;
  // Results are independent, so the kept axes may be walked in the order of memory.
  int order[kMaxDims], kept = 0;
  for (int d = 0; d < shape.rank; ++d) {
    if ((shape.axes >> d & 1u) != 0) {
      p->length *= shape.dim[d];
      append(&p->reduced, shape.dim[d], shape.in_stride[d], 0);
    } else {
      p->outputs *= shape.dim[d];
      order[kept++] = d;
    }
  }
  sort_few(order, order + kept,
           [&](int a, int b) { return std::abs(shape.in_stride[a]) > std::abs(shape.in_stride[b]); });
  for (int i = 0; i < kept; ++i)
    append(&p->kept, shape.dim[order[i]], shape.in_stride[order[i]], shape.out_stride[order[i]]);
  if (p->outputs == 0) return {0, 0};
  if (p->length == 0) p->reduced = {};

  const Axes &r = p->reduced, &k = p->kept;
  std::int64_t budget = kernel.isa == Isa::generic ? 1 << 12 : 1 << 17;  // elements per tile
  if (op == Op::log_sum_exp) budget /= 8;
  const std::int64_t inner = k.rank > 0 ? k.dim[k.rank - 1] : 1;
  const std::int64_t element = kCompact && is_int(kernel.compute) ? 8 : bits_of(kernel.compute) / 8;
  p->strips = p->chunks = 0;
  p->group = 1;
  // Sequences of many chunks are shared between tiles. (log_sum_exp would need two rounds of that.)
  const std::int64_t chunks = ceil_div(p->length, kChunk);
  const bool shared = chunks >= kLong && op != Op::log_sum_exp;
  Work work{0, static_cast<std::size_t>(kChunk * element)};
  std::int64_t units = 0;  // tiles of whole sequences
  if (r.rank == 0 || (r.rank == 1 && r.in[0] == 1)) {
    p->form = Form::kRows;
  } else if (kernel.compute == DType::f32 && dtype == DType::f32 && k.rank > 0 && k.in[k.rank - 1] == 1 && inner >= 4) {
    p->form = Form::kColumns;
    std::int64_t length = shared ? kChunk : std::max<std::int64_t>(p->length, 1);
    p->step = std::clamp<std::int64_t>(budget / length / 16 * 16, 16, kStrip);
    p->strips = ceil_div(inner, p->step);
    units = p->outputs / inner * p->strips;
    work.scratch_bytes = static_cast<std::size_t>(18 * kStrip) * sizeof(float);
  } else {
    p->form = Form::kGather;
  }
  if (p->form != Form::kColumns) {
    p->step = shared ? 1 : std::clamp<std::int64_t>(budget / std::max<std::int64_t>(p->length, 1), 1, 1024);
    units = ceil_div(p->outputs, p->step);
    p->group = std::max<std::int64_t>(1, budget / kChunk);
  }
  work.tiles = units;
  if (shared) {
    p->chunks = chunks;
    work.tiles = units * ceil_div(chunks, p->group);
    work.shared_bytes = scratch_size(p->outputs * chunks * element);
    work.combine_tiles = ceil_div(p->outputs, kCombine);
  }
  return work;
}

}  // namespace mote::kernels::reduce
