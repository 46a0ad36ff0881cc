// The depthwise block and the Winograd transforms on NEON.
#include "kernels/conv/depthwise_impl.h"
#include "kernels/conv/winograd_impl.h"

namespace mote::kernels::conv {
void depthwise_neon(const DepthwiseBlock& block) noexcept { neon::run_depthwise_block(block); }
void winograd_input43_neon(const WinogradInput& tile) noexcept { neon::input<4>(tile); }
void winograd_input23_neon(const WinogradInput& tile) noexcept { neon::input<2>(tile); }
void winograd_output43_neon(const WinogradOutput& tile) noexcept { neon::output<4>(tile); }
void winograd_output23_neon(const WinogradOutput& tile) noexcept { neon::output<2>(tile); }
}  // namespace mote::kernels::conv
