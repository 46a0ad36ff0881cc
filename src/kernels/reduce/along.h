// Kernels that walk along one axis of a tensor in order: the index of the extreme element, and running sums and
// products. Baseline code for every CPU; any strides; the same bits everywhere.
//
// arg: i64 results. A NaN wins over every number; of equals the first wins, or the last where asked for.
// cumulative: out[i] = x[0] + ... + x[i] (or the product), one after another; exclusive leaves x[i] itself out, reverse
// begins at the end. f16 and bf16 accumulate in f32, integers wrap. The result may be the input itself.
#pragma once

#include "kernels/reduce/reduce.h"

namespace mote::kernels::reduce {

struct ArgParams {
  const void* in = nullptr;  // set before every run
  std::int64_t* out = nullptr;
  // By setup.
  DType dtype = DType::none;
  bool largest = true, last = false;
  Axes kept;
  std::int64_t length = 0, stride = 1, sequences = 0, step = 1;
};

struct CumulativeParams {
  const void* in = nullptr;  // set before every run
  void* out = nullptr;
  // By setup.
  DType dtype = DType::none;
  bool product = false, exclusive = false, reverse = false;
  Axes kept;
  std::int64_t length = 0, in_stride = 1, out_stride = 1, sequences = 0, step = 1;
};

// f32, f64, f16, bf16 and the integers of 8 bits and more (arg: bool too).
bool supported_along(DType t);

// shape.axes has exactly one bit. For arg out_stride is read for kept axes, for cumulative for all.
Work setup_arg(DType dtype, bool largest, bool last, const Shape& shape, ArgParams* params);
Work setup_cumulative(DType dtype, bool product, bool exclusive, bool reverse, const Shape& shape,
                      CumulativeParams* params);

void run_arg(const ArgParams& params, TileRange range) noexcept;
void run_cumulative(const CumulativeParams& params, TileRange range) noexcept;

}  // namespace mote::kernels::reduce
