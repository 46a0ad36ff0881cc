// index: elements and slices picked or placed by index tensors, the largest elements of rows, and tensors made by
// position (one-hot, triangles, repetition is kernels/copy). Dense row-major operands; elements are moved as bytes.
//
// Indices are i64 or i32; negative ones count from the back. One that is out of range is reported in `fault` (1 + its
// position), and nothing is written for it (zeros where something is read). Class `exact`.
#pragma once

#include "kernels/kernel.h"
#include "mote/dtype.h"
#include "tensor/view.h"

namespace mote::kernels::index {

inline constexpr std::int64_t kTupleTile = 1 << 12;

struct Indices {
  const void* data = nullptr;
  bool wide = true;  // i64
  std::int64_t* fault = nullptr;

  // Index i, in [0, extent), or -1.
  std::int64_t at(std::int64_t i, std::int64_t extent) const {
    std::int64_t v = wide ? static_cast<const std::int64_t*>(data)[i] : static_cast<const std::int32_t*>(data)[i];
    if (v < 0) v += extent;
    return v >= 0 && v < extent ? v : -1;
  }
  void report(std::int64_t i) const { __atomic_store_n(fault, i + 1, __ATOMIC_RELAXED); }
};

// Tuples of `k` indices name slices of `slice` bytes of x; tuple t of batch t / per_batch. gather: y's slice t is x's;
// scatter (after y has become x): y's slice is updates' slice t, of several for one place the last.
struct TupleParams {
  const std::byte* x = nullptr;  // gather's data, scatter's updates
  std::byte* y = nullptr;
  Indices index;
  std::int64_t tuples = 0, k = 0, slice = 0, per_batch = 1, batch_bytes = 0;
  std::int64_t extent[kMaxRank] = {}, stride[kMaxRank] = {};  // stride in bytes
};
void gather_tuples(const TupleParams& params, TileRange range) noexcept;
// Tiles in order: rounds, not threads.
void scatter_tuples(const TupleParams& params, TileRange range) noexcept;

// For every position of the index tensor: the element of the data at that position, but at the index along the axis.
struct ElementParams {
  const std::byte* x = nullptr;  // gather's data, scatter's updates
  std::byte* y = nullptr;
  Indices index;
  std::int32_t width = 4, rank = 0, axis = 0;
  std::int64_t count = 0, extent = 0;                        // elements of the index tensor; of the data's axis
  std::int64_t dims[kMaxRank] = {}, strides[kMaxRank] = {};  // of the index tensor; of the data, in elements
};
void gather_positions(const ElementParams& params, TileRange range) noexcept;
void scatter_positions(const ElementParams& params, TileRange range) noexcept;
constexpr std::int64_t tiles_of(std::int64_t count) { return (count + kTupleTile - 1) / kTupleTile; }

// The k largest (or smallest) elements along an axis, in order; of equals the first comes first; NaN is the largest.
// A tile is one sequence, `outer` times `inner` of them; where these are longer than two pieces, sequence after
// sequence in rounds: pieces are sorted, then merged pair by pair, as many elements a tile as a piece has.
struct TopParams {
  const std::byte* x = nullptr;
  std::byte* values = nullptr;      // or null
  std::int64_t* indices = nullptr;  // or null
  DType dtype = DType::f32;
  bool largest = true;
  std::int64_t outer = 1, n = 0, inner = 1, k = 0, piece = 1 << 18;
  std::byte* runs = nullptr;  // memory of the step, as large as setup_top asks for
};
bool can_top(DType dtype);
struct TopWork {
  std::int64_t tiles, rounds;
  std::size_t scratch_bytes, runs_bytes;
};
TopWork setup_top(const TopParams& params);
void top(const TopParams& params, TileRange range) noexcept;

// y[o, :, i] is `on` where the position is the index at [o, i], else `off`. Indices out of range give no `on`. A tile
// is some o.
struct OneHotParams {
  const void* index = nullptr;
  DType index_type = DType::i64;      // i64, i32 or f32
  const std::byte* values = nullptr;  // off, on
  std::byte* y = nullptr;
  std::int32_t width = 4;
  std::int64_t outer = 1, n = 0, inner = 1, outer_per_tile = 1;
};
std::int64_t setup_one_hot(OneHotParams* params);
void one_hot(const OneHotParams& params, TileRange range) noexcept;

// The elements on and above (or below) diagonal `*shift` of matrices; zeros elsewhere. A tile is some rows.
struct TriangleParams {
  const std::byte* x = nullptr;
  std::byte* y = nullptr;
  const std::int64_t* shift = nullptr;  // or null for 0
  bool upper = true;
  std::int32_t width = 4;
  std::int64_t matrices = 1, rows = 0, columns = 0, rows_per_tile = 1;
};
std::int64_t setup_triangle(TriangleParams* params);
void triangle(const TriangleParams& params, TileRange range) noexcept;

}  // namespace mote::kernels::index
