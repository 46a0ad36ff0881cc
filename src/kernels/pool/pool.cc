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

constexpr double kLeastLoads = 1 << 15, kTileLoads = 1 << 18;
constexpr std::int64_t kColumnUnit = 32;  // two cache lines

}  // namespace

std::span<const Row> kernels() { return kRows; }

const Row& select(const CpuFeatures& cpu) { return select_row(kernels(), cpu); }

std::int64_t setup(Params* p) {
  std::int64_t rows = p->batch * p->out[0] * p->out[1];
  if (rows == 0 || p->out[2] == 0 || p->channels == 0) return 0;
  double loads = static_cast<double>(rows) * static_cast<double>(p->out[2]) * static_cast<double>(p->channels);
  for (std::int64_t extent : p->kernel) loads *= static_cast<double>(extent);
  const std::int64_t parts = parts_of(loads, kLeastLoads, kTileLoads);
  p->rows = {rows, 1, std::min(parts, rows)};
  p->columns = {p->channels, kColumnUnit, 1};
  p->columns.count = parts_within(parts / p->rows.count, p->columns.units());
  return p->rows.count * p->columns.count;
}

}  // namespace mote::kernels::pool
