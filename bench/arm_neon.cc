#include "peak.h"
#include "peak_impl.h"

namespace mote::bench {
std::int64_t peak_neon(std::int64_t rounds) { return neon::peak(rounds); }
}  // namespace mote::bench
