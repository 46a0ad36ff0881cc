// The f32 block kernel on plain C++.
#define MOTE_SIMD_SCALAR
#include "kernels/dot/block_impl.h"

namespace mote::kernels::dot {
void block_scalar(const Block& block) noexcept { scalar::run_block(block); }
}  // namespace mote::kernels::dot
