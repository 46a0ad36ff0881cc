#include "kernels/dot/pack.h"

#include <cstring>

#include "base/half.h"
#include "kernels/dot/dot.h"

namespace mote::kernels::dot {
namespace {

// One panel of up to 16 columns.
template <class T, class ToF32>
void pack_panel(const T* src, const PackSource& s, std::int64_t k, int width, float* dst, ToF32 to_f32) {
  for (std::int64_t i = 0; i < k; ++i, dst += kPanel) {
    const T* row = src + i * s.k_stride;
    if constexpr (sizeof(T) == sizeof(float)) {
      if (s.n_stride == 1 && width == kPanel) {
        std::memcpy(dst, row, kPanel * sizeof(float));
        continue;
      }
    }
    for (int j = 0; j < width; ++j) dst[j] = to_f32(row[j * s.n_stride]);
    for (int j = width; j < kPanel; ++j) dst[j] = 0;
  }
}

}  // namespace

void pack(const PackSource& source, std::int64_t k, std::int64_t n, float* dst, std::int64_t panel_stride) noexcept {
  pack_with(select(active_cpu()).transpose, source, k, n, dst, panel_stride);
}

void pack_with(TransposeFn transpose, const PackSource& s, std::int64_t k, std::int64_t n, float* dst,
               std::int64_t panel_stride) noexcept {
  for (std::int64_t col = 0; col < n; col += kPanel, dst += panel_stride) {
    const int width = n - col < kPanel ? static_cast<int>(n - col) : kPanel;
    const std::int64_t first = col * s.n_stride;
    if (s.dtype == DType::f32) {
      const float* src = static_cast<const float*>(s.data) + first;
      if (s.k_stride == 1 && s.n_stride != 1) {
        transpose(src, s.n_stride, k, width, dst);
      } else {
        pack_panel(src, s, k, width, dst, [](float x) { return x; });
      }
    } else {
      const auto* src = static_cast<const std::uint16_t*>(s.data) + first;
      if (s.dtype == DType::f16) {
        pack_panel(src, s, k, width, dst, [](std::uint16_t x) { return f16_to_f32(x); });
      } else {
        pack_panel(src, s, k, width, dst, [](std::uint16_t x) { return bf16_to_f32(x); });
      }
    }
  }
}

void pack_pairs(const PackSource& s, std::int64_t k, std::int64_t n, float* dst, std::int64_t panel_stride) noexcept {
  const auto half = [&](std::int64_t i, std::int64_t j) -> std::uint32_t {
    if (i >= k || j >= n) return 0;
    const std::int64_t at = i * s.k_stride + j * s.n_stride;
    if (s.dtype == DType::f32) return f32_to_bf16(static_cast<const float*>(s.data)[at]);
    const std::uint16_t h = static_cast<const std::uint16_t*>(s.data)[at];
    return s.dtype == DType::f16 ? f32_to_bf16(f16_to_f32(h)) : h;
  };
  for (std::int64_t col = 0; col < n; col += kPanel, dst += panel_stride) {
    for (std::int64_t i = 0; i < k; i += 2) {
      for (int j = 0; j < kPanel; ++j) {
        const std::uint32_t word = half(i, col + j) | half(i + 1, col + j) << 16;
        std::memcpy(dst + i / 2 * kPanel + j, &word, sizeof word);
      }
    }
  }
}

}  // namespace mote::kernels::dot
