#include "kernels/sample/sample.h"

#include <algorithm>

namespace mote::kernels::sample {

#define MOTE_SAMPLE_KERNEL(ns, isa)                                                                \
  namespace ns {                                                                                   \
  void combine(const float*, const Tap*, std::int64_t, bool, bool, float*, std::int64_t) noexcept; \
  }
#include "kernels/sample/kernels.inc"
#undef MOTE_SAMPLE_KERNEL

namespace {

#if defined(__x86_64__)
#define MOTE_HAS_avx512 &avx512::combine
#define MOTE_HAS_avx2 &avx2::combine
#else
#define MOTE_HAS_avx512 nullptr
#define MOTE_HAS_avx2 nullptr
#endif
#if defined(__aarch64__)
#define MOTE_HAS_neon &neon::combine
#else
#define MOTE_HAS_neon nullptr
#endif
#define MOTE_HAS_scalar &scalar::combine

constexpr Row kRows[] = {
#define MOTE_SAMPLE_KERNEL(ns, isa) {"sample_" #isa, Isa::isa, Numerics::kChain, MOTE_HAS_##ns},
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
