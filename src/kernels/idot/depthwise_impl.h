// Depthwise convolutions, tap by tap. For the ISA of the including file.
#pragma once

#include "kernels/compact.h"
#include "kernels/idot/depthwise.h"
#include "kernels/idot/finish_impl.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

MOTE_INLINE I32 load_a(const std::uint8_t* p, bool is_signed, int n) {
  if (is_signed) {
    auto q = reinterpret_cast<const std::int8_t*>(p);
    return n == kLanes ? load_i8(q) : load_i8_n(q, n);
  }
  return n == kLanes ? load_u8(p) : load_u8_n(p, n);
}

// Channels [c, c + V * kLanes) of one pixel, or the first m of them where V is 1. Taps that lie in padding add nothing.
template <int V, class T>
MOTE_INLINE void depthwise_channels(const Params& p, const Filters& f, const std::int64_t* start,
                                    const std::uint8_t* image, std::int64_t c, int m, T* to) {
  const Window& w = p.window;
  const I32 zero = set_i32(f.flags[0]);
  I32 acc[V];
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) acc[v] = set_i32(0);
  const std::int32_t* weights = f.weights + c;
  for (std::int64_t i = 0; i < w.kernel[0]; ++i) {
    const std::int64_t d = start[0] + i * w.dilation[0];
    for (std::int64_t j = 0; j < w.kernel[1]; ++j) {
      const std::int64_t h = start[1] + j * w.dilation[1];
      const bool inside = d >= 0 && d < w.in[0] && h >= 0 && h < w.in[1];
      for (std::int64_t l = 0; l < w.kernel[2]; ++l, weights += f.pitch) {
        const std::int64_t x = start[2] + l * w.dilation[2];
        if (!inside || x < 0 || x >= w.in[2]) continue;
        const std::uint8_t* a = image + ((d * w.in[1] + h) * w.in[2] + x) * p.a_row + c;
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) {
          I32 value = load_a(a + v * kLanes, p.a_signed, V > 1 ? kLanes : m) - zero;
          acc[v] = acc[v] + value * load(weights + v * kLanes);
        }
      }
    }
  }
  std::int32_t sums[V * kLanes];
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) store(sums + v * kLanes, acc[v]);
  Finish e{f.add + c,   nullptr,       advanced(f.scales, p.recipe, c), p.recipe, false, f.flags[1],
           least<T>(p), greatest<T>(p)};
  finish(e, sums, 0, to + c, V > 1 ? V * kLanes : m);
}

template <class T>
MOTE_INLINE void depthwise_pixel(const Params& p, const Filters& f, std::int64_t q, T* to) {
  const Window& w = p.window;
  const std::int64_t start[3] = {q / w.out[2] / w.out[1] % w.out[0] * w.stride[0] - w.pad[0],
                                 q / w.out[2] % w.out[1] * w.stride[1] - w.pad[1],
                                 q % w.out[2] * w.stride[2] - w.pad[2]};
  const std::uint8_t* image = p.a + q / w.out[2] / w.out[1] / w.out[0] * w.in[0] * w.in[1] * w.in[2] * p.a_row;
  std::int64_t c = 0;
  if constexpr (!kCompact) {
    for (; c + 4 * kLanes <= p.groups; c += 4 * kLanes) depthwise_channels<4>(p, f, start, image, c, kLanes, to);
  }
  for (; c < p.groups; c += kLanes)
    depthwise_channels<1>(p, f, start, image, c, static_cast<int>(p.groups - c < kLanes ? p.groups - c : kLanes), to);
}

template <class T>
void depthwise_as(const Params& p, TileRange range) {
  const Filters f = filters_of(p);
  const std::int64_t end = p.rows.begin(range.end);
  for (std::int64_t q = p.rows.begin(range.begin); q < end; ++q) {
    T* to = reinterpret_cast<T*>(p.c) + q * p.c_row;
    depthwise_pixel(p, f, q, to);
    apply(p, to, 1, p.groups, q, 0);
  }
}

}  // namespace
}  // namespace mote::kernels::idot::MOTE_SIMD_NS
