#include "kernels/qmap/qmap.h"

#include <algorithm>

#include "kernels/table.h"

namespace mote::kernels::qmap {

#define MOTE_QMAP_KERNEL(ns, isa)                       \
  namespace ns {                                        \
  void lookup(const LookupParams&, TileRange) noexcept; \
  void binary(const BinaryParams&, TileRange) noexcept; \
  void pool(const PoolParams&, TileRange) noexcept;     \
  }
#include "kernels/qmap/kernels.inc"
#undef MOTE_QMAP_KERNEL

namespace {

constexpr Row kRows[] = {
#define MOTE_QMAP_KERNEL(ns, isa)          \
  {"qmap_" #isa,                           \
   Isa::isa,                               \
   Numerics::kExact,                       \
   MOTE_IF_##ns(&MOTE_SHARED(ns)::lookup), \
   MOTE_IF_##ns(&MOTE_SHARED(ns)::binary), \
   MOTE_IF_##ns(&MOTE_SHARED(ns)::pool)},
#include "kernels/qmap/kernels.inc"
#undef MOTE_QMAP_KERNEL
};

constexpr std::int64_t kTileLoads = 1 << 16;

}  // namespace

std::span<const Row> kernels() { return kRows; }

const Row& select(const CpuFeatures& cpu) { return select_row(kernels(), cpu); }

std::int64_t setup(LookupParams* p) {
  p->rows = p->dims[0] * p->dims[1] * p->dims[2];
  if (p->rows == 0 || p->dims[3] == 0) return 0;
  if (p->rows == 1) return (p->dims[3] + kTile - 1) / kTile;
  p->step = std::clamp<std::int64_t>(kTile / p->dims[3], 1, p->rows);
  return (p->rows + p->step - 1) / p->step;
}

std::int64_t setup(BinaryParams* p) {
  p->rows = p->dims[0] * p->dims[1] * p->dims[2];
  if (p->rows == 0 || p->dims[3] == 0) return 0;
  if (p->rows == 1) return (p->dims[3] + kSumTile - 1) / kSumTile;
  p->step = std::clamp<std::int64_t>(kSumTile / p->dims[3], 1, p->rows);
  return (p->rows + p->step - 1) / p->step;
}

std::int64_t setup(PoolParams* p) {
  std::int64_t pixels = p->batch * p->out[0] * p->out[1] * p->out[2];
  std::int64_t loads = p->channels * p->kernel[0] * p->kernel[1] * p->kernel[2];
  if (pixels == 0 || p->channels == 0) return 0;
  p->step = std::clamp<std::int64_t>(kTileLoads / std::max<std::int64_t>(loads, 1), 1, pixels);
  return (pixels + p->step - 1) / p->step;
}

}  // namespace mote::kernels::qmap
