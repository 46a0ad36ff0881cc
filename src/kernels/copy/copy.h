// src/kernels/copy: moving elements between two strided views of the same extents: layout changes, concatenation,
// slices.
//
// Elements are 1, 2, 4, 8 or 16 bytes and are moved, never read as numbers. `make_copy` drops axes of extent 1, joins
// axes that lie together in both views, and orders them by the destination, so that writes are sequential; where the
// source is contiguous along another axis than the destination, blocks of both are moved at once (a transpose in
// tiles).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/kernel.h"
#include "tensor/view.h"

namespace mote::kernels {

// Moves a block of `rows` by `n` 32-bit elements: the source is contiguous down the rows, whose columns lie from_stride
// apart, the destination along them, whose rows lie to_row apart.
using TransposeBlock = void (*)(const std::byte* from, std::byte* to, std::int64_t rows, std::int64_t n,
                                std::int64_t from_stride, std::int64_t to_row) noexcept;

struct CopyParams {
  const std::byte* from = nullptr;
  std::byte* to = nullptr;
  std::int32_t width = 0;  // bytes per element
  std::int32_t rank = 0;
  // Outermost first. The last axis is the destination's innermost one.
  std::int64_t dims[kMaxRank], from_strides[kMaxRank], to_strides[kMaxRank];
  std::int64_t rows = 0;               // product of all extents but the last
  std::int64_t rows_per_tile = 1;      // tiles cut the rows
  TransposeBlock transpose = nullptr;  // null: element by element
  std::int32_t transpose_axis = -1;    // an axis along which the source is contiguous while the last one is not
};

// Number of tiles; fills `p`. Views have equal extents and a dtype of whole bytes.
std::int64_t make_copy(const TensorView& from, const TensorView& to, CopyParams& p);

void copy_elements(const CopyParams& p, TileRange range) noexcept;

}  // namespace mote::kernels
