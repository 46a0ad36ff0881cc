// The f32 block kernel, the packing of a transposed B and weights of fewer bits on plain C++.
#define MOTE_SIMD_SCALAR
#include "kernels/dot/block_impl.h"
#include "kernels/dot/narrow_impl.h"
#include "kernels/dot/pack_impl.h"

namespace mote::kernels::dot {
void block_scalar(const Block& block) noexcept { scalar::run_block(block); }
void transpose_panel_scalar(const float* src, std::int64_t n_stride, std::int64_t k, int width, float* dst) noexcept {
  scalar::transpose_panel(src, n_stride, k, width, dst);
}
void unpack_scalar(const Narrow& b, std::int64_t panel, std::int64_t panels, std::int64_t k, std::int64_t count,
                   float* dst, std::int64_t dst_panel) noexcept {
  scalar::unpack_narrow(b, panel, panels, k, count, dst, dst_panel);
}
void multiply_scalar(const Narrow& b, const NarrowRows& rows) noexcept { scalar::multiply_narrow(b, rows); }
}  // namespace mote::kernels::dot
