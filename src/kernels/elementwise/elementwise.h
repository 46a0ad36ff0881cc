// elementwise: a program of unary, binary and select ops (epilogue.h) over tensors of one shape or broadcast to it, in
// a single pass.
//
// The value starts as in[0]; an op's operand i names in[i]. All arithmetic is done in the kernel's compute type: f32
// (for f32, f16 and bf16 tensors, and bool, u8 and i8 operands, which it holds exactly), f64, or an integer type; bool
// computes as u8. Every operand has the compute type, or one that converts to it as said, or bool. The result is stored
// in the compute type, as f16 or bf16 (rounded once, at the end), or as bool (not zero). Strides are any, 0 broadcasts.
// The result may be one of the inputs, exactly (same address, strides and dtype size); otherwise they must not overlap.
// Numerics class `exact`: the same bits from every row, partition and layout.
#pragma once

#include <span>
#include <string_view>

#include "base/cpu.h"
#include "kernels/epilogue.h"
#include "kernels/kernel.h"
#include "mote/dtype.h"

namespace mote::kernels::elementwise {

inline constexpr int kMaxDims = 8;
inline constexpr int kMaxInputs = kMaxProgramOperands + 1;

enum class Access : std::uint8_t { kSplat, kLinear, kStrided };

struct Operand {
  const void* data = nullptr;  // set before every run
  DType dtype = DType::none;
  std::int64_t stride[kMaxDims] = {};  // in elements, of dim[]
  Access access = Access::kStrided;    // by setup
};

struct Params {
  void* out = nullptr;  // set before every run
  DType out_dtype = DType::none;
  std::int64_t out_stride[kMaxDims] = {};
  int inputs = 0;
  Operand in[kMaxInputs];
  int op_count = 0;
  EpilogueOp ops[kMaxProgramOps] = {};
  int rank = 0;
  std::int64_t dim[kMaxDims] = {};  // of the result

  // By setup.
  Access out_access = Access::kStrided;
  std::int64_t count = 0;        // elements
  std::int64_t row_blocks = 0;   // blocks per innermost row; 0: blocks go on from row to row
  std::int64_t blocks = 0;       // in all
  std::int64_t tile_blocks = 0;  // per tile
};

struct Kernel {
  const char* name;
  Isa isa;
  DType compute;
  Numerics numerics;
  KernelFn<Params> run;
};

struct Work {
  std::int64_t tiles;
  std::size_t scratch_bytes;  // per thread
};

// The type in which tensors of type `t` are computed, none where there is no kernel.
DType compute_type(DType t);
// Can a kernel of this compute type do the op?
bool supported(DType compute, const EpilogueOp& op);

// The rows of kernels.inc, best first. `run` is null in a row that this build does not contain.
std::span<const Kernel> kernels();
// The best row for a CPU (which may be another than this one), or null.
const Kernel* select(DType compute, const CpuFeatures& cpu);

// Takes params with dtypes, ops, rank, dims and strides; merges dimensions where it can and fills in the rest.
Work setup(const Kernel& kernel, Params* params);

}  // namespace mote::kernels::elementwise
