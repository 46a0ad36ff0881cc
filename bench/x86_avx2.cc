#include "peak.h"
#include "peak_impl.h"

namespace mote::bench {
std::int64_t peak_avx2(std::int64_t rounds) { return avx2::peak(rounds); }
}  // namespace mote::bench
