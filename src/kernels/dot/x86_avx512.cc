// The f32 block kernel and the packing of a transposed B on AVX-512.
#include "kernels/dot/block_impl.h"
#include "kernels/dot/pack_impl.h"

namespace mote::kernels::dot {
void block_avx512(const Block& block) noexcept { avx512::run_block(block); }
void transpose_panel_avx512(const float* src, std::int64_t n_stride, std::int64_t k, int width, float* dst) noexcept {
  avx512::transpose_panel(src, n_stride, k, width, dst);
}
}  // namespace mote::kernels::dot
