// resize: every output position of an axis is a weighted sum of input positions of that axis ("taps"), axis by axis.
//
// The result is seen as [row axes..., last axis, inner]: `inner` contiguous elements that are not resized, `last` the
// innermost axis that is, and row axes around them, resized or not. A row of the result combines the input rows that
// the row axes' taps name, then its positions along the last axis. Elements are f32, u8 or i8, computed in f32 and
// rounded to the nearest even; with one tap everywhere elements of 1, 2, 4, 8 or 16 bytes are moved.
// Class `chain`: taps in ascending order, fused multiply-adds starting at the first product. A tile is some rows.
#pragma once

#include <span>

#include "base/cpu.h"
#include "kernels/kernel.h"
#include "mote/dtype.h"

namespace mote::kernels::resize {

inline constexpr int kMaxRowAxes = 7;
inline constexpr std::int64_t kMostRowTaps = 1024;  // of all row axes together

// An axis' taps. Null tables: the axis stays as it is.
struct Axis {
  std::int64_t in = 1, out = 1, x_stride = 0, y_stride = 0;  // strides in elements
  std::int64_t taps = 1;
  const std::int32_t* index = nullptr;    // [out, taps], in [0, in); of the last axis, where inner is 1: [taps, out]
  const float* weight = nullptr;          // as index
  const std::uint8_t* outside = nullptr;  // [out]: the position gets `fill`; or null
};

struct Params {
  const std::byte* x = nullptr;
  std::byte* y = nullptr;
  DType dtype = DType::f32;
  std::int32_t width = 4;     // bytes of an element
  bool move = false;          // one tap everywhere: elements are moved, of any type
  std::int32_t row_axes = 0;  // outermost first
  Axis row[kMaxRowAxes];
  Axis last;
  std::int64_t inner = 1;
  std::byte fill[16] = {};  // an element
  // By setup.
  std::int64_t rows = 0, rows_per_tile = 1, chunk = 0, row_taps = 1;
};

struct Row {
  const char* name;
  Isa isa;
  Numerics numerics;
  KernelFn<Params> run;
};

std::span<const Row> kernels();
const Row& select(const CpuFeatures& cpu);

struct Work {
  std::int64_t tiles;
  std::size_t scratch_bytes;  // per thread
};
Work setup(Params* params);

}  // namespace mote::kernels::resize
