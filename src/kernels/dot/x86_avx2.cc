// The f32 block kernel on AVX2 with FMA.
#include "kernels/dot/block_impl.h"

namespace mote::kernels::dot {
void block_avx2(const Block& block) noexcept { avx2::run_block(block); }
}  // namespace mote::kernels::dot
