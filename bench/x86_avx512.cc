#include "peak.h"
#include "peak_impl.h"

namespace mote::bench {
std::int64_t peak_avx512(std::int64_t rounds) { return avx512::peak(rounds); }
}  // namespace mote::bench
