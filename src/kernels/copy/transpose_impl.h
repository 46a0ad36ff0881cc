// Internal: transposing a block of 32-bit elements in registers (TransposeBlock of copy.h), one instance per ISA file.
#pragma once

#include "kernels/copy/copy.h"
#include "simd/vec.h"

namespace mote::kernels::copy::MOTE_SIMD_NS {

using namespace simd::MOTE_SIMD_NS;  // NOLINT(google-build-using-namespace)

// Three planes to pixels, kLanes of them: element e of the result is plane e % 3 of pixel e / 3.
inline void interleave3(const float* from, std::int64_t plane, float* to) {
  const F32 x[3] = {load(from), load(from + plane), load(from + 2 * plane)};
  for (int r = 0; r < 3; ++r) {
    std::int32_t pixel[kLanes], which[kLanes];
    for (int l = 0; l < kLanes; ++l) {
      pixel[l] = (r * kLanes + l) / 3;
      which[l] = (r * kLanes + l) % 3;
    }
    const I32 at = load(pixel), of = load(which);
    const F32 first_two = select(of == set_i32(0), permute(x[0], at), permute(x[1], at));
    store(to + r * kLanes, select(of == set_i32(2), permute(x[2], at), first_two));
  }
}

inline void transpose_block(const float* from, float* to, std::int64_t rows, std::int64_t n, std::int64_t from_stride,
                            std::int64_t to_row) {
  std::int64_t r = 0;
  for (; n == 3 && to_row == 3 && r + kLanes <= rows; r += kLanes) interleave3(from + r, from_stride, to + 3 * r);
  for (; r < rows; r += kLanes) {
    const int height = rows - r < kLanes ? static_cast<int>(rows - r) : kLanes;
    for (std::int64_t i = 0; i < n; i += kLanes) {
      const int width = n - i < kLanes ? static_cast<int>(n - i) : kLanes;
      F32 square[kLanes];
      for (int j = 0; j < kLanes; ++j) {
        const float* column = from + (i + j) * from_stride + r;
        square[j] = j >= width ? zero() : height == kLanes ? load(column) : load_n(column, height);
      }
      transpose(square);
      for (int j = 0; j < height; ++j) {
        float* row = to + (r + j) * to_row + i;
        width == kLanes ? store(row, square[j]) : store_n(row, square[j], width);
      }
    }
  }
}

void transpose32(const std::byte* from, std::byte* to, std::int64_t rows, std::int64_t n, std::int64_t from_stride,
                 std::int64_t to_row) noexcept {
  transpose_block(reinterpret_cast<const float*>(from), reinterpret_cast<float*>(to), rows, n, from_stride, to_row);
}

}  // namespace mote::kernels::copy::MOTE_SIMD_NS
