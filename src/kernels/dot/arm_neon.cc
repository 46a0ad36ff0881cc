// The f32 block kernel and the packing of a transposed B on NEON.
#include "kernels/dot/block_impl.h"
#include "kernels/dot/pack_impl.h"

namespace mote::kernels::dot {
void block_neon(const Block& block) noexcept { neon::run_block(block); }
void transpose_panel_neon(const float* src, std::int64_t n_stride, std::int64_t k, int width, float* dst) noexcept {
  neon::transpose_panel(src, n_stride, k, width, dst);
}
}  // namespace mote::kernels::dot
