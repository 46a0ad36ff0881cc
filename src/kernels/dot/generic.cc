// The f32 block kernel and the packing of a transposed B on plain C++.
#define MOTE_SIMD_SCALAR
#include "kernels/dot/block_impl.h"
#include "kernels/dot/pack_impl.h"

namespace mote::kernels::dot {
void block_scalar(const Block& block) noexcept { scalar::run_block(block); }
void transpose_panel_scalar(const float* src, std::int64_t n_stride, std::int64_t k, int width, float* dst) noexcept {
  scalar::transpose_panel(src, n_stride, k, width, dst);
}
}  // namespace mote::kernels::dot
