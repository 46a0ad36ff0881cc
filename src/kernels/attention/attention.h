// attention: y = softmax(scale * q k^T + mask) v per batch and head, in f32, on the dot kernel. A tile is a range of
// queries of one head. It passes over the keys in blocks of kKeys: packs the block's k and v, or finds them packed
// where several tiles need them, then for some queries at a time computes the scores, folds them into the rows' running
// maximum and sum, and adds the block's share of v to y, which is rescaled when a maximum grows. Nothing larger than a
// block of scores is ever stored.
//
// Operands are [batch, heads, length, head size] with the last axis contiguous and any strides on the others; kv heads
// may be fewer (each serves heads / kv_heads of q). The mask has any strides, 0 to broadcast. Causal: query i attends
// keys 0..i. A row that attends nothing gives zeros. Numerics: the products are `chain` over a block's keys, the folds
// `lanes16`; blocks follow in order. No table row, tile or number of threads changes a bit.
#pragma once

#include "kernels/dot/dot.h"

namespace mote::kernels::attention {

inline constexpr std::int64_t kKeys = 128;
inline constexpr std::int64_t kRows = 56;  // queries at a time, at most

struct Operand {
  const float* data = nullptr;
  std::int64_t batch = 0, head = 0, row = 0;  // strides in elements
};

// The scores of a block of keys for some queries, as a kernel's `fold` takes them.
struct Block {
  float* scores;  // [rows, kKeys] of q k^T; becomes e^(scale * score + mask - maximum), 0 where a query may not attend
  std::int64_t rows, keys;
  float scale;
  const float* mask = nullptr;  // of the first score, or null
  std::int64_t mask_row = 0, mask_col = 0;
  std::int64_t open = kKeys;  // the first query attends this many keys of the block, each later one more if causal
  bool causal = false;
  float *most, *sum;  // per row, of all blocks so far
  float* y;           // rescaled to the new maximum
  std::int64_t y_row, value_size;
  bool first;  // most, sum and y are not set yet
};

struct Kernel {
  const char* name;
  Isa isa;
  void (*fold)(const Block& block) noexcept;
  // y[r] /= sum[r]; zeros where the sum is 0.
  void (*finish)(const Block& block) noexcept;
};

// The rows of kernels.inc, best first; `fold` is null in a row that this build does not contain.
std::span<const Kernel> kernels();
const Kernel& select(const CpuFeatures& cpu);

struct Params {
  // Set by the caller.
  Operand q, k, v;
  float* y = nullptr;
  std::int64_t y_batch = 0, y_head = 0, y_row = 0;
  const float* mask = nullptr;  // or null
  std::int64_t mask_batch = 0, mask_head = 0, mask_row = 0, mask_col = 0;
  std::int64_t batches = 0, heads = 0, kv_heads = 0, queries = 0, keys = 0, head_size = 0, value_size = 0;
  float scale = 1;
  bool causal = false;
  const dot::Kernel* dot = nullptr;
  const Kernel* kernel = nullptr;
  float* packed = nullptr;  // memory of packed_bytes, for all tiles
  // By setup.
  std::int64_t row_step = 0, row_tiles = 0;  // queries of a tile
  std::int64_t rows = 0;                     // at a time: whole tiles of the dot kernel
};

// If packed_bytes > 0, all pack_tiles of `pack` come before the first tile of `run`.
struct Work {
  std::int64_t pack_tiles, tiles;
  std::size_t scratch_bytes;  // per thread
  std::size_t packed_bytes;
};
Work setup(Params* params);
void pack(const Params& params, TileRange range) noexcept;
void run(const Params& params, TileRange range) noexcept;

}  // namespace mote::kernels::attention
