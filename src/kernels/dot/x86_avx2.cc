// The f32 block kernel and the packing of a transposed B on AVX2 with FMA.
#include "kernels/dot/block_impl.h"
#include "kernels/dot/pack_impl.h"

namespace mote::kernels::dot {
void block_avx2(const Block& block) noexcept { avx2::run_block(block); }
void transpose_panel_avx2(const float* src, std::int64_t n_stride, std::int64_t k, int width, float* dst) noexcept {
  avx2::transpose_panel(src, n_stride, k, width, dst);
}
}  // namespace mote::kernels::dot
