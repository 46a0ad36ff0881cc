// The depthwise block on NEON.
#include "kernels/conv/depthwise_impl.h"

namespace mote::kernels::conv {
void depthwise_neon(const DepthwiseBlock& block) noexcept { neon::run_depthwise_block(block); }
}  // namespace mote::kernels::conv
