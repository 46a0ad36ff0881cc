#include "kernels/pool/pool.h"

#include <algorithm>

#include "kernels/table.h"

namespace mote::kernels::pool {

#define MOTE_POOL_KERNEL(ns, isa)              \
  namespace ns {                               \
  void run(const Params&, TileRange) noexcept; \
  }
#include "kernels/pool/kernels.inc"
#undef MOTE_POOL_KERNEL

namespace {

constexpr Row kRows[] = {
#define MOTE_POOL_KERNEL(ns, isa) {"pool_" #isa, Isa::isa, Numerics::kChain, MOTE_IF_##ns(&MOTE_SHARED(ns)::run)},
#include "kernels/pool/kernels.inc"
#undef MOTE_POOL_KERNEL
};

constexpr std::int64_t kTileLoads = 1 << 18;

}  // namespace

std::span<const Row> kernels() { return kRows; }

const Row& select(const CpuFeatures& cpu) { return select_row(kernels(), cpu); }

std::int64_t setup(Params* p) {
  std::int64_t rows = p->batch * p->out[0] * p->out[1];
  std::int64_t loads = p->out[2] * p->channels * p->kernel[0] * p->kernel[1] * p->kernel[2];
  if (rows == 0 || p->out[2] == 0 || p->channels == 0) return 0;
  p->rows_per_tile = std::clamp<std::int64_t>(kTileLoads / std::max<std::int64_t>(loads, 1), 1, rows);
  return (rows + p->rows_per_tile - 1) / p->rows_per_tile;
}

}  // namespace mote::kernels::pool
