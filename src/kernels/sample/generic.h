// Weighted sums of pixels, for the ISA of the including file.
#include "kernels/sample/sample.h"
#include "simd/vec.h"

namespace mote::kernels::sample::MOTE_SIMD_NS {

using namespace simd::MOTE_SIMD_NS;

// NOLINTNEXTLINE(misc-definitions-in-headers): one namespace per including file
void combine(const float* x, const Tap* taps, std::int64_t count, bool more, bool top, float* y,
             std::int64_t channels) noexcept {
  for (std::int64_t c = 0; c < channels; c += kLanes) {
    const int m = static_cast<int>(channels - c < kLanes ? channels - c : kLanes);
    F32 acc = more ? load_n(y + c, m) : set(top ? -__builtin_inff() : 0.0f);
    for (std::int64_t t = 0; t < count; ++t) {
      F32 v = load_n(x + taps[t].offset + c, m), w = set(taps[t].weight);
      acc = top ? max(v * w, acc) : fma(v, w, acc);
    }
    store_n(y + c, acc, m);
  }
}

}  // namespace mote::kernels::sample::MOTE_SIMD_NS
