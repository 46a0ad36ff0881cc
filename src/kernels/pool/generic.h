// The pooling kernel, for the ISA of the including file.
#include "kernels/pool/pool.h"
#include "kernels/pool/window.h"
#include "simd/vec.h"

namespace mote::kernels::pool::MOTE_SIMD_NS {
namespace {

using namespace simd::MOTE_SIMD_NS;

// A place of the result: the windows of its taps, and what their sum is divided by.
struct Taps {
  Window a, b, c;
  F32 count;
};

// V registers of channels, each a chain of its own; of the last one `n` lanes.
template <bool Average, int V>
MOTE_INLINE void channels(const Params& p, const Taps& t, const float* x, float* y, int n) {
  F32 acc[V];
  for (int v = 0; v < V; ++v) acc[v] = set(Average ? 0.0f : -__builtin_inff());
  for (std::int64_t i = t.a.first; i < t.a.last; ++i) {
    for (std::int64_t j = t.b.first; j < t.b.last; ++j) {
      std::int64_t row =
          ((t.a.start + i * p.dilation[0]) * p.in[1] + t.b.start + j * p.dilation[1]) * p.in[2] + t.c.start;
      for (std::int64_t k = t.c.first; k < t.c.last; ++k) {
        const float* tap = x + (row + k * p.dilation[2]) * p.x_pixel;
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) {
          F32 value = V > 1 || n == kLanes ? load(tap + v * kLanes) : load_n(tap, n);
          acc[v] = Average ? acc[v] + value : max(value, acc[v]);
        }
      }
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) {
    F32 result = Average ? acc[v] / t.count : acc[v];
    V > 1 || n == kLanes ? store(y + v * kLanes, result) : store_n(y, result, n);
  }
}

// Channels [begin, end) of row r.
template <bool Average>
MOTE_INLINE void row(const Params& p, std::int64_t r, std::int64_t begin, std::int64_t end) {
  const std::int64_t h = r % p.out[1], d = r / p.out[1] % p.out[0], n = r / p.out[1] / p.out[0];
  Taps t{window(p, 0, d), window(p, 1, h), {}, {}};
  const float* x = p.x + n * p.in[0] * p.in[1] * p.in[2] * p.x_pixel;
  for (std::int64_t w = 0; w < p.out[2]; ++w) {
    t.c = window(p, 2, w);
    const std::int64_t taps = p.count_pad ? t.a.padded * t.b.padded * t.c.padded
                                          : (t.a.last - t.a.first) * (t.b.last - t.b.first) * (t.c.last - t.c.first);
    t.count = set(static_cast<float>(taps > 0 ? taps : 1));
    float* y = p.y + (r * p.out[2] + w) * p.y_pixel;
    std::int64_t ch = begin;
    for (; ch + 4 * kLanes <= end; ch += 4 * kLanes) channels<Average, 4>(p, t, x + ch, y + ch, kLanes);
    for (; ch < end; ch += kLanes)
      channels<Average, 1>(p, t, x + ch, y + ch, static_cast<int>(end - ch < kLanes ? end - ch : kLanes));
  }
}

template <bool Average>
MOTE_INLINE void tiles(const Params& p, TileRange range) {
  for (std::int64_t t = range.begin; t < range.end; ++t) {
    const std::int64_t rows = t / p.columns.count, columns = t % p.columns.count;
    for (std::int64_t r = p.rows.begin(rows); r < p.rows.end(rows); ++r)
      row<Average>(p, r, p.columns.begin(columns), p.columns.end(columns));
  }
}

}  // namespace

// NOLINTNEXTLINE(misc-definitions-in-headers): one namespace per including file
void run(const Params& p, TileRange range) noexcept { p.average ? tiles<true>(p, range) : tiles<false>(p, range); }

}  // namespace mote::kernels::pool::MOTE_SIMD_NS
