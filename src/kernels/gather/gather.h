// gather: rows picked by index. y[o, i, :] = x[o, index[i], :], where a row is `row_bytes` bytes and x has `extent`
// rows per o. Negative indices count from the back. An index outside of [-extent, extent) is reported in `fault` and
// row 0 taken instead. Exact. A tile is some rows of the result.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace mote::kernels {

struct GatherParams {
  const std::byte* x = nullptr;
  const void* index = nullptr;  // int64 or int32
  std::byte* y = nullptr;
  std::int64_t* fault = nullptr;  // 1 + the position of an illegal index
  std::int64_t outer = 1, count = 0, extent = 0, row_bytes = 0;
  bool wide = true;  // indices are int64
  std::int64_t rows_per_tile = 1;
};

// The number of tiles.
std::int64_t make_gather(GatherParams& p);
void gather_rows(const GatherParams& p, TileRange range) noexcept;

}  // namespace mote::kernels
