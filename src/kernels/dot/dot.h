// dot: C[M, N] = epilogue(A[M, K] * B[K, N] + bias[N]) in f32, one matrix or a batch of them.
//
// A is read in place by rows (`a_row` floats apart, contiguous in k): a 1x1 convolution of a channels-last tensor is a
// dot whose rows are pixels. C is written by rows (`c_row` apart), so that it may be a slice of a wider tensor. B is
// packed once (pack.h; in fewer bits, narrow.h), or, where it is an activation too, given by its strides and packed by
// the kernel into scratch. Numerics class `chain`: every output is one chain of fused multiply-adds in ascending k that
// starts at its bias (or +0); then the epilogue. No row of the table, tile partition, batch or M changes a bit.
// Epilogue operands are indexed by row = batch index * M + m and column n. Reads nothing outside of A's M x K elements
// and C's, but for prefetches. No alignment is needed; 64 bytes is best.
#pragma once

#include <span>
#include <string_view>

#include "base/cpu.h"
#include "kernels/dot/block.h"
#include "kernels/dot/narrow.h"
#include "kernels/dot/pack.h"
#include "kernels/epilogue.h"
#include "kernels/kernel.h"
#include "kernels/tiling.h"

namespace mote::kernels::dot {

inline constexpr int kMaxBatchDims = 4;

struct Shape {
  std::int64_t m = 0, n = 0, k = 0;
  std::int64_t a_row = -1, c_row = -1;  // in floats; negative: k and n; a_row 0 repeats one row
  // Batch: index (i0, .., i3) of batch[] selects the matrices at sum(i * stride); a stride of 0 repeats a matrix. For a
  // packed B strides count 32-bit words of packed B.
  std::int64_t batch[kMaxBatchDims] = {1, 1, 1, 1};
  std::int64_t a_batch[kMaxBatchDims] = {}, b_batch[kMaxBatchDims] = {}, c_batch[kMaxBatchDims] = {};
  bool b_packed = true;
  Store store = Store::kF32;                    // of packed B; others than f32 as Params::narrow describes
  bool pairs = false;                           // A and B rounded to bf16; B packed by pack_pairs
  bool accumulate = false;                      // the chains start from C instead of the bias
  DType b_dtype = DType::f32;                   // of an unpacked B: f32, f16, bf16
  std::int64_t b_k_stride = 0, b_n_stride = 0;  // of an unpacked B
  Tiling tiling = Tiling::kUsual;
};

// The frequent epilogues, [add operand] [relu | clip], run in registers; any other is a pass over the tile while it is
// in L1.
struct Fused {
  bool program;       // the epilogue is not of this form
  int residual = -1;  // the operand that is added first
  float lo, hi;
};
Fused fuse(const Epilogue& epilogue);

struct Params {
  // Set by the caller before every run.
  const float* a = nullptr;
  const void* b = nullptr;
  const float* bias = nullptr;  // N floats, or null
  float* c = nullptr;
  Narrow narrow;      // the scales of a B of fewer bits; setup fills in its store and k
  Epilogue epilogue;  // its operands' data too
  // Set by setup.
  Shape shape;                        // of pairs: k in words
  std::int64_t a_k;                   // floats of a row of A
  std::int64_t a_pitch;               // of pairs: words from one row to the next in the rounded copy of A
  std::int64_t row_step, col_step;    // rows and columns of a tile
  std::int64_t row_tiles, col_tiles;  // per matrix
  std::int64_t k_block;               // k of a block: C is reloaded between blocks
  bool rows_outer;                    // inside of a tile
  Fused fused;                        // what of the epilogue runs in registers
  TransposeFn transpose;              // of an unpacked B
  UnpackFn unpack;                    // of a B of fewer bits
  RowsFn multiply;
};

struct Kernel {
  const char* name;
  Isa isa;
  Numerics numerics;
  int max_rows;            // of a microkernel tile
  std::int64_t tile_macs;  // about what one core does in 20 microseconds
  KernelFn<Params> run;
  TransposeFn transpose;  // packs a transposed B; null of pairs, as what follows
  UnpackFn unpack;        // of a B of fewer bits
  RowsFn multiply;
};

// The rows of kernels.inc, best first. `run` is null in a row that this build does not contain.
std::span<const Kernel> kernels();
// Those of pairs.inc, which take shapes of pairs alone. Numerics class `fast`.
std::span<const Kernel> pair_kernels();
// The best row for a CPU (which may be another than this one), and a row of either table by its name or null.
const Kernel& select(const CpuFeatures& cpu);
const Kernel& select_pairs(const CpuFeatures& cpu);
const Kernel* find(std::string_view name);

struct Work {
  std::int64_t tiles;
  std::size_t scratch_bytes;  // per thread
};

// Fills the second half of `params` for a shape; params.epilogue must hold its ops already.
Work setup(const Kernel& kernel, const Shape& shape, Params* params);

// For kernels that are built on dot: the tiles, by a given block kernel.
void run_with(const Params& params, TileRange range, BlockFn block, RoundFn round = nullptr) noexcept;

}  // namespace mote::kernels::dot
