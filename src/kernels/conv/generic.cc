// The depthwise block on plain C++.
#define MOTE_SIMD_SCALAR
#include "kernels/conv/depthwise_impl.h"

namespace mote::kernels::conv {
void depthwise_scalar(const DepthwiseBlock& block) noexcept { scalar::run_depthwise_block(block); }
}  // namespace mote::kernels::conv
