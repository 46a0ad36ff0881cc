#include "kernels/peak/peak.h"

#include "kernels/table.h"

namespace mote::kernels::peak {

#define MOTE_PEAK_KERNEL(ns, isa)                           \
  namespace ns {                                            \
  std::int64_t multiply_adds(std::int64_t) noexcept;        \
  float read_all(const float* data, std::int64_t) noexcept; \
  }
#include "kernels/peak/kernels.inc"
#undef MOTE_PEAK_KERNEL

namespace {

constexpr Row kRows[] = {
#define MOTE_PEAK_KERNEL(ns, isa) \
  {"peak_" #isa, Isa::isa, MOTE_IF_##ns(&ns::multiply_adds), MOTE_IF_##ns(&ns::read_all)},
#include "kernels/peak/kernels.inc"
#undef MOTE_PEAK_KERNEL
};

}  // namespace

std::span<const Row> kernels() { return kRows; }
const Row& select(const CpuFeatures& cpu) { return select_row(kernels(), cpu); }
const Row* find(std::string_view name) { return find_row(kernels(), name); }

}  // namespace mote::kernels::peak
