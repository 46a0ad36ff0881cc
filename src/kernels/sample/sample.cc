#include "kernels/sample/sample.h"

#include <algorithm>

#include "kernels/table.h"

namespace mote::kernels::sample {

#define MOTE_SAMPLE_KERNEL(ns, isa)                                                                \
  namespace ns {                                                                                   \
  void combine(const float*, const Tap*, std::int64_t, bool, bool, float*, std::int64_t) noexcept; \
  }
#include "kernels/sample/kernels.inc"
#undef MOTE_SAMPLE_KERNEL

namespace {

constexpr Row kRows[] = {
#define MOTE_SAMPLE_KERNEL(ns, isa) \
  {"sample_" #isa, Isa::isa, Numerics::kChain, MOTE_IF_##ns(&MOTE_SHARED(ns)::combine)},
#include "kernels/sample/kernels.inc"
#undef MOTE_SAMPLE_KERNEL
};

}  // namespace

std::span<const Row> kernels() { return kRows; }

const Row& select(const CpuFeatures& cpu) {
  return *std::find_if(std::begin(kRows), std::end(kRows) - 1,
                       [&](const Row& r) { return r.combine != nullptr && cpu.has(r.isa); });
}

}  // namespace mote::kernels::sample
