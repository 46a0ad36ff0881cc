#include "kernels/resize/resize.h"

#include <algorithm>

#include "kernels/scratch.h"
#include "kernels/table.h"

namespace mote::kernels::resize {

#define MOTE_RESIZE_KERNEL(ns, isa)            \
  namespace ns {                               \
  void run(const Params&, TileRange) noexcept; \
  }
#include "kernels/resize/kernels.inc"
#undef MOTE_RESIZE_KERNEL

namespace {

constexpr Row kRows[] = {
#define MOTE_RESIZE_KERNEL(ns, isa) {"resize_" #isa, Isa::isa, Numerics::kChain, MOTE_IF_##ns(&MOTE_SHARED(ns)::run)},
#include "kernels/resize/kernels.inc"
#undef MOTE_RESIZE_KERNEL
};

constexpr std::int64_t kTileOps = 1 << 17;
constexpr std::int64_t kChunkFloats = 24 << 10;  // of combined rows: what stays in the first two levels of cache

}  // namespace

std::span<const Row> kernels() { return kRows; }

const Row& select(const CpuFeatures& cpu) {
  return *std::find_if(std::begin(kRows), std::end(kRows) - 1,
                       [&](const Row& r) { return r.run != nullptr && cpu.has(r.isa); });
}

Work setup(Params* p) {
  p->rows = 1;
  p->row_taps = 1;
  for (int a = 0; a < p->row_axes; ++a) {
    p->rows *= p->row[a].out;
    p->row_taps *= p->row[a].taps;
  }
  if (p->rows == 0 || p->last.out == 0 || p->inner == 0) return {0, 0};
  std::int64_t ops = p->inner * (p->last.in * p->row_taps + p->last.out * p->last.taps);
  p->rows_per_tile = std::clamp<std::int64_t>(kTileOps / std::max<std::int64_t>(ops, 1), 1, p->rows);
  p->chunk = p->inner;
  if (p->inner * p->last.in > kChunkFloats) {
    p->chunk = std::min(p->inner, std::max<std::int64_t>(64, kChunkFloats / p->last.in / 16 * 16));
  }
  std::size_t scratch = p->move ? 0 : scratch_size(p->chunk * p->last.in * 4);
  return {(p->rows + p->rows_per_tile - 1) / p->rows_per_tile, scratch};
}

}  // namespace mote::kernels::resize
