// Weights of few bits in blocks (matmul_nbits), as kernels/dot has them.
#pragma once

#include <vector>

#include "kernels/dot/narrow.h"
#include "plan/target.h"

namespace mote::cpu {

// Positions of the operands in the node.
inline constexpr int kBlockWeights = 1, kBlockScales = 2, kBlockZeros = 3, kBlockBias = 4;

struct BlockWeights {
  kernels::dot::Store store;
  std::int64_t k, n, block;
  float zero = 0;          // in the packed form, where all blocks have the same
  bool has_zeros = false;  // else each has its own: operand kBlockZeros is packed too
  std::vector<Packing> packings;
};

// The constant operands of a matmul_nbits packed; nothing where a kernel cannot take them.
std::optional<BlockWeights> pack_blocks(const NodeView& node);

}  // namespace mote::cpu
