// reduce: folds the elements of any axes of a tensor: sums, products, extremes, norms, logarithms of sums.
//
// The sequence that is folded runs over the reduced axes in logical row-major order, whatever the layout. f32 (and f16
// and bf16, computed in f32 and rounded once) and f64 follow the numerics class `lanes16` (lanes16.h); integers wrap,
// and are exact. bool folds as u8 0/1: max is any, min is all. Empty sequences give the fold's neutral element (0, 1,
// -inf or the least value, +inf or the greatest), mean of nothing NaN (0 for integers). min and max give NaN where an
// element is one. Integer means are truncated; of integers, l2 is the root truncated, the logarithms do not exist.
// Input and result have the same dtype; strides of both are any and in elements.
#pragma once

#include <span>
#include <string_view>

#include "base/cpu.h"
#include "kernels/kernel.h"
#include "mote/dtype.h"

namespace mote::kernels::reduce {

inline constexpr int kMaxDims = 8;

// name; the order is part of `.mote` files: append only.
#define MOTE_REDUCE_OPS(X) X(sum) X(mean) X(prod) X(min) X(max) X(l1) X(l2) X(sum_square) X(log_sum) X(log_sum_exp)

enum class Op : std::uint8_t {
#define MOTE_X(name) name,
  MOTE_REDUCE_OPS(MOTE_X)
#undef MOTE_X
};

// The axes of a kept or reduced part.
struct Axes {
  int rank = 0;
  std::int64_t dim[kMaxDims] = {};
  std::int64_t in[kMaxDims] = {};   // strides in the input
  std::int64_t out[kMaxDims] = {};  // strides in the result; kept axes only
};

enum class Form : std::uint8_t {
  kRows,     // the sequence is contiguous
  kColumns,  // neighbouring sequences are
  kGather,   // neither
};

struct Params {
  const void* in = nullptr;  // set before every run
  void* out = nullptr;
  void* partials = nullptr;  // Work::shared_bytes of memory for all threads together, where asked for

  // By setup.
  Op op = Op::sum;
  DType dtype = DType::none;
  Axes kept, reduced;  // reduced in logical order
  std::int64_t outputs = 0, length = 0;
  Form form = Form::kGather;
  std::int64_t step = 1;    // results per tile (kColumns: per strip)
  std::int64_t strips = 0;  // kColumns: strips per innermost kept axis
  std::int64_t chunks = 0;  // > 0: a tile folds `group` of a sequence's chunks, and combine puts them together
  std::int64_t group = 0;
};

struct Kernel {
  const char* name;
  Isa isa;
  DType compute;  // f32 serves f16 and bf16 too, u8 bool
  Numerics numerics;
  KernelFn<Params> run;
  KernelFn<Params> combine;  // to be run after `run` over Work::combine_tiles, where that is not 0
};

struct Work {
  std::int64_t tiles;
  std::size_t scratch_bytes;  // per thread
  std::size_t shared_bytes = 0;
  std::int64_t combine_tiles = 0;
};

// What a caller says about the tensor; bit i of `axes` is set where axis i is reduced. out_stride is read for kept
// axes.
struct Shape {
  int rank = 0;
  std::int64_t dim[kMaxDims] = {}, in_stride[kMaxDims] = {}, out_stride[kMaxDims] = {};
  std::uint32_t axes = 0;
};

DType compute_type(DType t);
bool supported(DType t, Op op);

std::span<const Kernel> kernels();
const Kernel* select(DType compute, const CpuFeatures& cpu);

Work setup(const Kernel& kernel, Op op, DType dtype, const Shape& shape, Params* params);

}  // namespace mote::kernels::reduce
