// The f32 block kernel on NEON.
#include "kernels/dot/block_impl.h"

namespace mote::kernels::dot {
void block_neon(const Block& block) noexcept { neon::run_block(block); }
}  // namespace mote::kernels::dot
