// The depthwise block and the Winograd transforms on AVX-512.
#include "kernels/conv/depthwise_impl.h"
#include "kernels/conv/winograd_impl.h"

namespace mote::kernels::conv {
void depthwise_avx512(const DepthwiseBlock& block) noexcept { avx512::run_depthwise_block(block); }
void winograd_input43_avx512(const WinogradInput& tile) noexcept { avx512::input<4>(tile); }
void winograd_input23_avx512(const WinogradInput& tile) noexcept { avx512::input<2>(tile); }
void winograd_output43_avx512(const WinogradOutput& tile) noexcept { avx512::output<4>(tile); }
void winograd_output23_avx512(const WinogradOutput& tile) noexcept { avx512::output<2>(tile); }
}  // namespace mote::kernels::conv
