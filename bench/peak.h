// The rate of fused multiply-adds that one core reaches in registers: what kernels are measured against.
#pragma once

#include <cstdint>

namespace mote::bench {

// Runs about `rounds` x 16 independent vector FMAs; returns the multiply-adds done (lanes counted).
using PeakFn = std::int64_t (*)(std::int64_t rounds);
std::int64_t peak_scalar(std::int64_t rounds);
std::int64_t peak_avx2(std::int64_t rounds);
std::int64_t peak_avx512(std::int64_t rounds);
std::int64_t peak_neon(std::int64_t rounds);

}  // namespace mote::bench
