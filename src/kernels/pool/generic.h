// The pooling kernel, for the ISA of the including file.
#include "kernels/pool/pool.h"
#include "kernels/pool/window.h"
#include "simd/vec.h"

namespace mote::kernels::pool::MOTE_SIMD_NS {
namespace {

using namespace simd::MOTE_SIMD_NS;

template <bool Average, class Load, class Store>
MOTE_INLINE void channels(const Params& p, const float* x, const Window& a, const Window& b, const Window& c, F32 scale,
                          Load load_at, Store store_at) {
  F32 acc = set(Average ? 0.0f : -__builtin_inff());
  for (std::int64_t i = a.first; i < a.last; ++i) {
    for (std::int64_t j = b.first; j < b.last; ++j) {
      std::int64_t row = ((a.start + i * p.dilation[0]) * p.in[1] + b.start + j * p.dilation[1]) * p.in[2] + c.start;
      for (std::int64_t k = c.first; k < c.last; ++k) {
        F32 v = load_at(x + (row + k * p.dilation[2]) * p.x_pixel);
        acc = Average ? acc + v : max(v, acc);
      }
    }
  }
  store_at(Average ? acc / scale : acc);
}

template <bool Average>
MOTE_INLINE void rows(const Params& p, TileRange range) {
  std::int64_t total = p.batch * p.out[0] * p.out[1], begin = range.begin * p.rows_per_tile,
               end = range.end * p.rows_per_tile;
  if (end > total) end = total;
  std::int64_t image = p.in[0] * p.in[1] * p.in[2] * p.x_pixel;
  for (std::int64_t r = begin; r < end; ++r) {
    std::int64_t h = r % p.out[1], d = r / p.out[1] % p.out[0], n = r / p.out[1] / p.out[0];
    Window a = window(p, 0, d), b = window(p, 1, h);
    for (std::int64_t w = 0; w < p.out[2]; ++w) {
      Window c = window(p, 2, w);
      std::int64_t taps =
          p.count_pad ? a.padded * b.padded * c.padded : (a.last - a.first) * (b.last - b.first) * (c.last - c.first);
      F32 scale = set(static_cast<float>(taps > 0 ? taps : 1));
      const float* x = p.x + n * image;
      float* y = p.y + (r * p.out[2] + w) * p.y_pixel;
      std::int64_t ch = 0;
      for (; ch + kLanes <= p.channels; ch += kLanes) {
        channels<Average>(
            p, x + ch, a, b, c, scale, [](const float* q) { return load(q); }, [&](F32 v) { store(y + ch, v); });
      }
      if (int left = static_cast<int>(p.channels - ch); left > 0) {
        channels<Average>(
            p, x + ch, a, b, c, scale, [left](const float* q) { return load_n(q, left); },
            [&](F32 v) { store_n(y + ch, v, left); });
      }
    }
  }
}

}  // namespace

// NOLINTNEXTLINE(misc-definitions-in-headers): one namespace per including file
void run(const Params& p, TileRange range) noexcept { p.average ? rows<true>(p, range) : rows<false>(p, range); }

}  // namespace mote::kernels::pool::MOTE_SIMD_NS
