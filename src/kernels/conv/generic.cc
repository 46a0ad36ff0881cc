// The depthwise block and the Winograd transforms on plain C++.
#define MOTE_SIMD_SCALAR
#include "kernels/conv/depthwise_impl.h"
#include "kernels/conv/winograd_impl.h"

namespace mote::kernels::conv {
void depthwise_scalar(const DepthwiseBlock& block) noexcept { scalar::run_depthwise_block(block); }
void winograd_input43_scalar(const WinogradInput& tile) noexcept { scalar::input<4>(tile); }
void winograd_input23_scalar(const WinogradInput& tile) noexcept { scalar::input<2>(tile); }
void winograd_output43_scalar(const WinogradOutput& tile) noexcept { scalar::output<4>(tile); }
void winograd_output23_scalar(const WinogradOutput& tile) noexcept { scalar::output<2>(tile); }
}  // namespace mote::kernels::conv
