#include "kernels/gather/gather.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace mote::kernels {

std::int64_t make_gather(GatherParams& p) {
  std::int64_t rows = p.outer * p.count;
  if (rows == 0 || p.row_bytes == 0) return 0;
  p.rows_per_tile = std::clamp<std::int64_t>((64 << 10) / p.row_bytes, 1, rows);
  return (rows + p.rows_per_tile - 1) / p.rows_per_tile;
}

void gather_rows(const GatherParams& p, TileRange range) noexcept {
  std::int64_t begin = range.begin * p.rows_per_tile, end = std::min(p.outer * p.count, range.end * p.rows_per_tile);
  for (std::int64_t r = begin; r < end; ++r) {
    std::int64_t o = r / p.count, i = r % p.count;
    std::int64_t at =
        p.wide ? static_cast<const std::int64_t*>(p.index)[i] : static_cast<const std::int32_t*>(p.index)[i];
    if (at < 0) at += p.extent;
    if (at < 0 || at >= p.extent) {
      std::atomic_ref<std::int64_t>(*p.fault).store(i + 1, std::memory_order_relaxed);
      if (p.extent == 0) continue;
      at = 0;
    }
    std::memmove(p.y + r * p.row_bytes, p.x + (o * p.extent + at) * p.row_bytes, static_cast<std::size_t>(p.row_bytes));
  }
}

}  // namespace mote::kernels
