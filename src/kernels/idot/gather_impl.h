// Rows of A from the taps of a convolution. For the ISA of the including file.
#pragma once

#include "kernels/idot/idot.h"
#include "simd/dot8.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

MOTE_INLINE std::int32_t sum_bytes(const std::uint8_t* a, std::int64_t k, std::uint8_t flip) {
  std::int32_t s = 0;
  for (std::int64_t i = 0; i < k; ++i) s += a[i] ^ flip;
  return s;
}

// Few bytes without a call.
MOTE_INLINE void copy_bytes(std::uint8_t* to, const std::uint8_t* from, std::int64_t n) {
  if (n > 64) {
    __builtin_memcpy(to, from, static_cast<std::size_t>(n));
    return;
  }
  for (; n >= 8; n -= 8, to += 8, from += 8) __builtin_memcpy(to, from, 8);
  if (n & 4) {
    __builtin_memcpy(to, from, 4);
    to += 4;
    from += 4;
  }
  for (std::int64_t i = 0; i < (n & 3); ++i) to[i] = from[i];
}

// Copies the taps of pixels [first, first + count) of the result to rows of k bytes.
MOTE_INLINE void gather_pixels(const Params& p, std::int64_t first, std::int64_t count, std::int64_t channel,
                               std::uint8_t* to) {
  const Window& w = p.window;
  const int fill = p.a_zero ? static_cast<int>(*p.a_zero) : 0;
  const std::int64_t image = w.in[0] * w.in[1] * w.in[2];
  // Neighbouring taps of a row are neighbours in memory.
  const bool joined = w.dilation[2] == 1 && p.a_row == w.channels;
  for (std::int64_t q = first; q < first + count; ++q) {
    std::int64_t o2 = q % w.out[2], o1 = q / w.out[2] % w.out[1], o0 = q / w.out[2] / w.out[1] % w.out[0],
                 n = q / w.out[2] / w.out[1] / w.out[0];
    const std::int64_t left = o2 * w.stride[2] - w.pad[2];
    for (std::int64_t i = 0; i < w.kernel[0]; ++i) {
      std::int64_t d = o0 * w.stride[0] - w.pad[0] + i * w.dilation[0];
      for (std::int64_t j = 0; j < w.kernel[1]; ++j) {
        std::int64_t h = o1 * w.stride[1] - w.pad[1] + j * w.dilation[1];
        bool row_inside = d >= 0 && d < w.in[0] && h >= 0 && h < w.in[1];
        if (row_inside && joined && left >= 0 && left + w.kernel[2] <= w.in[2]) {
          const std::uint8_t* from = p.a + (n * image + (d * w.in[1] + h) * w.in[2] + left) * p.a_row + channel;
          copy_bytes(to, from, w.kernel[2] * w.channels);
          to += w.kernel[2] * w.channels;
          continue;
        }
        for (std::int64_t l = 0; l < w.kernel[2]; ++l) {
          std::int64_t x = o2 * w.stride[2] - w.pad[2] + l * w.dilation[2];
          if (row_inside && x >= 0 && x < w.in[2]) {
            const std::uint8_t* from = p.a + (n * image + (d * w.in[1] + h) * w.in[2] + x) * p.a_row + channel;
            copy_bytes(to, from, w.channels);
          } else {
            __builtin_memset(to, fill, static_cast<std::size_t>(w.channels));
          }
          to += w.channels;
        }
      }
    }
  }
}

}  // namespace
}  // namespace mote::kernels::idot::MOTE_SIMD_NS
