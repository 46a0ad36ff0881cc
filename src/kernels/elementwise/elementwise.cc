#include "kernels/elementwise/elementwise.h"

#include <algorithm>

#include "base/checked.h"
#include "kernels/compact.h"
#include "kernels/elementwise/block.h"
#include "kernels/table.h"

namespace mote::kernels::elementwise {

#define MOTE_ELEMENTWISE_KERNEL(ns, isa, type, numerics) \
  namespace ns {                                         \
  void run_##type(const Params&, TileRange) noexcept;    \
  }
#include "kernels/elementwise/kernels.inc"
#undef MOTE_ELEMENTWISE_KERNEL

namespace {

constexpr Kernel kKernels[] = {
#define MOTE_ELEMENTWISE_KERNEL(ns, isa, type, numerics)                     \
  {"elementwise_" #type "_" #isa, Isa::isa, DType::type, Numerics::numerics, \
   MOTE_IF_##ns(&MOTE_SHARED(ns)::run_##type)},
#include "kernels/elementwise/kernels.inc"
#undef MOTE_ELEMENTWISE_KERNEL
};

bool supported_unary(DType t, UnaryOp op) {
  switch (op) {
    case UnaryOp::copy:
    case UnaryOp::abs:
    case UnaryOp::neg:
    case UnaryOp::sign:
    case UnaryOp::square:
    case UnaryOp::floor:
    case UnaryOp::ceil:
    case UnaryOp::round:
    case UnaryOp::trunc:
    case UnaryOp::relu:
    case UnaryOp::clip:
    case UnaryOp::logical_not:
      return true;
    case UnaryOp::bitwise_not:
      return is_int(t);
    default:
      return is_float(t);
  }
}

bool supported_binary(DType t, BinaryOp op) { return op < BinaryOp::bitwise_and || is_int(t); }

// The strides of every operand and of the result, as rows to be merged.
struct Axes {
  Params* p;
  int operands() const { return p->inputs + 1; }
  std::int64_t* strides(int i) const { return i < p->inputs ? p->in[i].stride : p->out_stride; }
  void move(int from, int to) const {
    p->dim[to] = p->dim[from];
    for (int i = 0; i < operands(); ++i) strides(i)[to] = strides(i)[from];
  }
  // Does axis `outer` continue axis `inner` in all operands?
  bool mergeable(int outer, int inner) const {
    for (int i = 0; i < operands(); ++i) {
      if (strides(i)[outer] != strides(i)[inner] * p->dim[inner]) return false;
    }
    return true;
  }
};

void merge_dims(Params* p) {
  Axes axes{p};
  int rank = 0;
  for (int d = 0; d < p->rank; ++d) {  // from the outermost; axes [0, rank) are settled
    if (p->dim[d] == 1) continue;
    if (rank > 0 && axes.mergeable(rank - 1, d)) {
      std::int64_t n = p->dim[rank - 1];
      axes.move(d, rank - 1);
      p->dim[rank - 1] *= n;
    } else {
      axes.move(d, rank++);
    }
  }
  if (rank == 0) {
    p->dim[0] = 1;
    for (int i = 0; i < axes.operands(); ++i) axes.strides(i)[0] = 0;
    rank = 1;
  }
  p->rank = rank;
}

Access access_of(const Params& p, const std::int64_t* stride, bool result) {
  bool splat = !result, linear = true;
  std::int64_t expect = 1;
  for (int d = p.rank - 1; d >= 0; --d) {
    splat = splat && stride[d] == 0;
    linear = linear && (stride[d] == expect || p.dim[d] == 1);
    expect *= p.dim[d];
  }
  return splat ? Access::kSplat : linear ? Access::kLinear : Access::kStrided;
}

}  // namespace

DType compute_type(DType t) {
  switch (t) {
    case DType::f32:
    case DType::f16:
    case DType::bf16:
      return DType::f32;
    case DType::boolean:
      return DType::u8;
    default:
      return t == DType::f64 || (is_int(t) && bits_of(t) >= 8) ? t : DType::none;
  }
}

bool supported(DType compute, const EpilogueOp& op) {
  switch (op.form) {
    case Form::kUnary:
      return op.opcode < kUnaryOpCount && supported_unary(compute, static_cast<UnaryOp>(op.opcode));
    case Form::kBinary:
    case Form::kReversed:
      return op.opcode < kBinaryOpCount && supported_binary(compute, static_cast<BinaryOp>(op.opcode));
    default:
      return true;
  }
}

std::span<const Kernel> kernels() { return kKernels; }

const Kernel* select(DType compute, const CpuFeatures& cpu) {
  for (const Kernel& k : kKernels) {
    if (k.compute == compute && cpu.has(k.isa)) return &k;
  }
  return nullptr;
}

Work setup(const Kernel& kernel, Params* p) {
  p->count = 1;
  for (int d = 0; d < p->rank; ++d) p->count *= p->dim[d];
  if (p->count == 0) return {0, 0};
  merge_dims(p);
  bool strided = false;
  for (int i = 0; i < p->inputs; ++i) {
    p->in[i].access = access_of(*p, p->in[i].stride, false);
    strided = strided || p->in[i].access == Access::kStrided;
  }
  p->out_access = access_of(*p, p->out_stride, true);
  strided = strided || p->out_access == Access::kStrided;

  // Rows long enough are cut into blocks of their own, whose operands can mostly be read in place.
  std::int64_t row = p->dim[p->rank - 1], block = kBlock;
  bool by_rows = strided && row >= kShortRow;
  p->row_blocks = by_rows ? ceil_div(row, kBlock) : 0;
  p->blocks = by_rows ? p->count / row * p->row_blocks : ceil_div(p->count, kBlock);
  if (by_rows) block = std::min(row, block);
  std::int64_t tile = is_float(kernel.compute) && kernel.isa == Isa::generic ? 1024 : 8192;
  p->tile_blocks = std::max<std::int64_t>(1, tile / block);
  std::size_t buffers = static_cast<std::size_t>(p->inputs) + 1;
  const int bits = kCompact && is_int(kernel.compute) ? 64 : bits_of(kernel.compute);
  return {ceil_div(p->blocks, p->tile_blocks), buffers * kBlock * static_cast<std::size_t>(bits / 8)};
}

}  // namespace mote::kernels::elementwise
