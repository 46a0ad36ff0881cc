// The f32 block kernel on AVX-512.
#include "kernels/dot/block_impl.h"

namespace mote::kernels::dot {
void block_avx512(const Block& block) noexcept { avx512::run_block(block); }
}  // namespace mote::kernels::dot
