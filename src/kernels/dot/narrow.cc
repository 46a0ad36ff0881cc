#include "kernels/dot/narrow.h"

#include <cstring>

#include "base/half.h"

namespace mote::kernels::dot {
namespace {

using i64 = std::int64_t;

}  // namespace

void pack_integers(Store store, const PackIntegers& source, i64 k, i64 n, std::byte* dst) noexcept {
  const int bits = bits_of(store), each = per_word(store);
  for (i64 col = 0; col < n; col += kPanel) {
    for (i64 i = 0; i < k; i += each) {
      for (i64 j = col; j < col + kPanel; ++j, dst += 4) {
        std::uint32_t word = 0;
        for (int e = 0; e < each && i + e < k && j < n; ++e) word |= source.at(j, i + e) << e * bits;
        std::memcpy(dst, &word, sizeof word);
      }
    }
  }
}

void pack_halves(Store store, const PackSource& s, i64 k, i64 n, std::byte* dst, i64 panel_stride) noexcept {
  const DType as = store == Store::kF16 ? DType::f16 : DType::bf16;
  const auto half = [&](i64 at) -> std::uint16_t {
    if (s.dtype == as) return static_cast<const std::uint16_t*>(s.data)[at];
    float x;
    if (s.dtype == DType::f32) {
      x = static_cast<const float*>(s.data)[at];
    } else {
      const std::uint16_t h = static_cast<const std::uint16_t*>(s.data)[at];
      x = s.dtype == DType::f16 ? f16_to_f32(h) : bf16_to_f32(h);
    }
    return store == Store::kF16 ? f32_to_f16(x) : f32_to_bf16(x);
  };
  for (i64 col = 0; col < n; col += kPanel, dst += panel_stride) {
    for (i64 i = 0; i < k; ++i) {
      std::uint16_t line[kPanel] = {};
      for (i64 j = 0; j < kPanel && col + j < n; ++j) line[j] = half(i * s.k_stride + (col + j) * s.n_stride);
      std::memcpy(dst + i * kPanel * 2, line, sizeof line);
    }
  }
}

}  // namespace mote::kernels::dot
