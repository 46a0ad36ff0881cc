// Internal: packing a transposed B (pack.h) over the vector layer, one instance per ISA file.
#pragma once

#include "kernels/dot/pack.h"
#include "simd/vec.h"

namespace mote::kernels::MOTE_SIMD_NS {
namespace {

// Squares of kLanes by kLanes, cut at the end of k and filled up with zeros at the end of n.
void transpose_panel(const float* src, std::int64_t n_stride, std::int64_t k, int width, float* dst) noexcept {
  using namespace simd::MOTE_SIMD_NS;  // NOLINT(google-build-using-namespace)
  for (std::int64_t i = 0; i < k; i += kLanes) {
    const int rows = k - i < kLanes ? static_cast<int>(k - i) : kLanes;
    for (int col = 0; col < dot::kPanel; col += kLanes) {
      F32 square[kLanes];
      for (int j = 0; j < kLanes; ++j) {
        const float* line = src + (col + j) * n_stride + i;
        square[j] = col + j >= width ? zero() : rows == kLanes ? load(line) : load_n(line, rows);
      }
      transpose(square);
      for (int r = 0; r < rows; ++r) store(dst + (i + r) * dot::kPanel + col, square[r]);
    }
  }
}

}  // namespace
}  // namespace mote::kernels::MOTE_SIMD_NS
