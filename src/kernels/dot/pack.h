// Packing of B, the right side of a dot: panels of 16 columns, panel p = columns [16p, 16p+16), each [k][16], zero
// beyond n. The same layout serves every ISA. Sources of f16 and bf16 are widened. A source element (k, j) lies at k *
// k_stride + j * n_stride, in elements: [K, N] row-major has strides (N, 1), its transpose [N, K] has (1, K).
#pragma once

#include <cstddef>
#include <cstdint>

#include "mote/dtype.h"

namespace mote::kernels::dot {

inline constexpr int kPanel = 16;

constexpr std::int64_t panels_of(std::int64_t n) { return (n + kPanel - 1) / kPanel; }

// Floats that a packed [k, n] takes.
constexpr std::int64_t packed_size(std::int64_t k, std::int64_t n) { return panels_of(n) * kPanel * k; }

struct PackSource {
  const void* data;
  DType dtype;  // f32, f16 or bf16
  std::int64_t k_stride, n_stride;
};

// Packs one panel, `width` columns of f32 that are contiguous in k; the same bits on every ISA.
using TransposeFn = void (*)(const float* src, std::int64_t n_stride, std::int64_t k, int width, float* dst) noexcept;

// Writes rows [0, k) of columns [0, n), panels at dst + p * panel_stride. `panel_stride` is k * 16 for a whole matrix
// and more where the rows are one piece of a longer k.
void pack(const PackSource& source, std::int64_t k, std::int64_t n, float* dst, std::int64_t panel_stride) noexcept;
// The same for kernels, which know their ISA's transposition.
void pack_with(TransposeFn transpose, const PackSource& source, std::int64_t k, std::int64_t n, float* dst,
               std::int64_t panel_stride) noexcept;

// The same with every element a pair of bf16, of rows 2i and 2i + 1, and `dst` and `panel_stride` in such words. The
// rows may be a part of a longer k that begins at an even one.
constexpr std::int64_t pairs_of(std::int64_t k) { return (k + 1) / 2; }
void pack_pairs(const PackSource& source, std::int64_t k, std::int64_t n, float* dst,
                std::int64_t panel_stride) noexcept;

}  // namespace mote::kernels::dot
