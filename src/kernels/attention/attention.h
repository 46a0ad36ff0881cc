// attention: y = softmax(scale * q k^T + mask) v per batch and head, in f32, on the dot and norm kernels. A tile is up
// to kRows queries of one head: its scores live in the thread's scratch, so that nothing as large as length^2 is ever
// stored.
//
// Operands are [batch, heads, length, head size] with the last axis contiguous and any strides on the others; kv heads
// may be fewer (each serves heads / kv_heads of q). The mask has any strides, 0 to broadcast. Causal: query i attends
// keys 0..i. A row that attends nothing gives zeros. Numerics: the products are `chain`, the softmax `lanes16`.
#pragma once

#include "kernels/dot/dot.h"
#include "kernels/norm/norm.h"

namespace mote::kernels::attention {

inline constexpr std::int64_t kRows = 64;

struct Operand {
  const float* data = nullptr;
  std::int64_t batch = 0, head = 0, row = 0;  // strides in elements
};

struct Params {
  // Set by the caller.
  Operand q, k, v, y;           // y.data is written
  const float* mask = nullptr;  // or null
  std::int64_t mask_batch = 0, mask_head = 0, mask_row = 0, mask_col = 0;
  std::int64_t batches = 0, heads = 0, kv_heads = 0, queries = 0, keys = 0, head_size = 0, value_size = 0;
  float scale = 1;
  bool causal = false;
  const dot::Kernel* dot = nullptr;
  const norm::Kernel* norm = nullptr;
  // By setup.
  std::int64_t row_tiles = 0;
  std::size_t scores_bytes = 0;
};

struct Work {
  std::int64_t tiles;
  std::size_t scratch_bytes;  // per thread
};
Work setup(Params* params);
void run(const Params& params, TileRange range) noexcept;

}  // namespace mote::kernels::attention
