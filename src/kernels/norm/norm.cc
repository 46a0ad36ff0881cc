#include "kernels/norm/norm.h"

#include <algorithm>
#include <iterator>

#include "base/checked.h"
#include "kernels/reduce/chunk.h"
#include "kernels/scratch.h"
#include "kernels/sort.h"
#include "kernels/table.h"

namespace mote::kernels::norm {

#define MOTE_NORM_KERNEL(ns, isa, numerics)        \
  namespace ns {                                   \
  void run_f32(const Params&, TileRange) noexcept; \
  }
#include "kernels/norm/kernels.inc"
#undef MOTE_NORM_KERNEL

namespace {

constexpr Kernel kKernels[] = {
#define MOTE_NORM_KERNEL(ns, isa, numerics) \
  {"norm_f32_" #isa, Isa::isa, Numerics::numerics, MOTE_IF_##ns(&MOTE_SHARED(ns)::run_f32)},
#include "kernels/norm/kernels.inc"
#undef MOTE_NORM_KERNEL
};

// Appends axis d to `a`, merged with the one before where all strides allow it.
void append(const Shape& s, int d, Axes* a, std::int64_t* scale, std::int64_t* stat) {
  if (s.dim[d] == 1) return;
  std::int64_t n = s.dim[d], stat_stride = stat ? s.stat_stride[d] : 0;
  int last = a->rank - 1;
  bool merge = last >= 0 && a->in[last] == s.in_stride[d] * n && a->out[last] == s.out_stride[d] * n &&
               scale[last] == s.scale_stride[d] * n && (!stat || stat[last] == stat_stride * n);
  int to = merge ? last : a->rank++;
  a->dim[to] = merge ? a->dim[to] * n : n;
  a->in[to] = s.in_stride[d];
  a->out[to] = s.out_stride[d];
  scale[to] = s.scale_stride[d];
  if (stat) stat[to] = stat_stride;
}

bool dense(const Axes& a, const std::int64_t* stride) {
  std::int64_t expect = 1;
  for (int d = a.rank - 1; d >= 0; --d) {
    if (stride[d] != expect) return false;
    expect *= a.dim[d];
  }
  return true;
}

}  // namespace

std::span<const Kernel> kernels() { return kKernels; }

const Kernel& select(const CpuFeatures& cpu) { return select_row(kernels(), cpu); }

Work setup(const Kernel& kernel, Op op, DType dtype, DType scale_dtype, float epsilon, const Shape& shape, Params* p) {
  p->op = op;
  p->dtype = dtype;
  p->scale_dtype = scale_dtype;
  p->epsilon = epsilon;
  p->kept = p->reduced = {};
  p->pieces = 0;
  p->sequences = p->length = 1;
  int order[kMaxDims], kept = 0;
  for (int d = 0; d < shape.rank; ++d) {
    if ((shape.axes >> d & 1u) != 0) {
      p->length *= shape.dim[d];
      append(shape, d, &p->reduced, p->reduced_scale, nullptr);
    } else {
      p->sequences *= shape.dim[d];
      order[kept++] = d;
    }
  }
  if (p->sequences == 0 || p->length == 0) return {0, 0};
  sort_few(order, order + kept,  // sequences are independent: walk them in the order of memory
           [&](int a, int b) { return std::abs(shape.in_stride[a]) > std::abs(shape.in_stride[b]); });
  for (int i = 0; i < kept; ++i) append(shape, order[i], &p->kept, p->kept_scale, p->kept_stat);

  const int last = p->kept.rank - 1;
  const std::int64_t inner = last >= 0 ? p->kept.dim[last] : 1;
  std::int64_t budget = kernel.isa == Isa::generic ? 1 << 11 : 1 << 15;  // elements per tile
  p->contiguous = dense(p->reduced, p->reduced.in) && dense(p->reduced, p->reduced.out);
  bool columns = dtype == DType::f32 && scale_dtype == DType::f32 && inner >= 4 && !p->contiguous;
  columns = columns && p->kept.in[last] == 1 && p->kept.out[last] == 1 &&
            (p->kept_scale[last] == 0 || p->kept_scale[last] == 1);
  if (columns) {
    p->form = Form::kColumns;
    p->step = std::clamp<std::int64_t>(budget / p->length / 16 * 16, 16, reduce::kStrip);
    p->strips = ceil_div(inner, p->step);
    return {p->sequences / inner * p->strips, static_cast<std::size_t>(19 * reduce::kStrip) * sizeof(float)};
  }
  p->form = dtype == DType::f32 && p->contiguous ? Form::kRows : Form::kGather;
  p->piece = std::max(budget, reduce::kChunk);
  if (p->form == Form::kRows && p->length >= 2 * p->piece) {
    p->pieces = ceil_div(p->length, p->piece);
    std::int64_t partials = 2 * p->sequences * ceil_div(p->length, reduce::kChunk);
    return {p->sequences * p->pieces, 0, scratch_size(partials * 4)};
  }
  p->step = std::clamp<std::int64_t>(budget / p->length, 1, 1024);
  std::size_t buffer = p->form == Form::kRows ? 0 : scratch_size(p->length * 4);
  return {ceil_div(p->sequences, p->step), buffer};
}

}  // namespace mote::kernels::norm
