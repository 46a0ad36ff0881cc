// The depthwise block on AVX-512.
#include "kernels/conv/depthwise_impl.h"

namespace mote::kernels::conv {
void depthwise_avx512(const DepthwiseBlock& block) noexcept { avx512::run_depthwise_block(block); }
}  // namespace mote::kernels::conv
