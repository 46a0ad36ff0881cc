// The depthwise block on AVX2 with FMA.
#include "kernels/conv/depthwise_impl.h"

namespace mote::kernels::conv {
void depthwise_avx2(const DepthwiseBlock& block) noexcept { avx2::run_depthwise_block(block); }
}  // namespace mote::kernels::conv
