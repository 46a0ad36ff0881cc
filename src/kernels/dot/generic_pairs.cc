// The block kernel for pairs of bf16 on plain C++.
#define MOTE_SIMD_SCALAR
#define MOTE_DOT_PAIRS
#include "kernels/dot/block_impl.h"

#include <cstring>

namespace mote::kernels::dot {

void block_pairs_scalar(const Block& block) noexcept { scalar::run_block(block); }

void round_pairs_scalar(const float* src, std::int64_t n, float* dst) noexcept {
  for (std::int64_t i = 0; i < n; i += 2, ++dst) {
    const std::uint32_t low = f32_to_bf16(src[i]), high = i + 1 < n ? f32_to_bf16(src[i + 1]) : 0;
    const std::uint32_t word = high << 16 | low;
    std::memcpy(dst, &word, sizeof word);
  }
}

}  // namespace mote::kernels::dot
