// The depthwise block and the Winograd transforms on AVX2 with FMA.
#include "kernels/conv/depthwise_impl.h"
#include "kernels/conv/winograd_impl.h"

namespace mote::kernels::conv {
void depthwise_avx2(const DepthwiseBlock& block) noexcept { avx2::run_depthwise_block(block); }
void winograd_input43_avx2(const WinogradInput& tile) noexcept { avx2::input<4>(tile); }
void winograd_input23_avx2(const WinogradInput& tile) noexcept { avx2::input<2>(tile); }
void winograd_output43_avx2(const WinogradOutput& tile) noexcept { avx2::output<4>(tile); }
void winograd_output23_avx2(const WinogradOutput& tile) noexcept { avx2::output<2>(tile); }
}  // namespace mote::kernels::conv
