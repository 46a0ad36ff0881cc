// roi_align: the samples of a bin, each of four pixels.
#include <algorithm>
#include <atomic>
#include <cmath>

#include "kernels/sample/sample.h"

namespace mote::kernels::sample {
namespace {

constexpr double kMostSamples = 4096;  // per axis of a bin

// The taps of one sample, weighted by `part`; outside of the image they weigh nothing.
int sample_at(const RegionParams& p, double y, double x, double part, Tap* taps) {
  double height = static_cast<double>(p.height), width = static_cast<double>(p.width);
  bool inside = y >= -1 && y <= height && x >= -1 && x <= width;
  auto split = [](double v, std::int64_t n, std::int64_t& low, std::int64_t& high) {
    v = std::fmax(v, 0);
    low = std::min(static_cast<std::int64_t>(v), n - 1);
    high = std::min(low + 1, n - 1);
    return low == n - 1 ? 0 : v - static_cast<double>(low);
  };
  std::int64_t y0 = 0, y1 = 0, x0 = 0, x1 = 0;
  double fy = 0, fx = 0;
  if (inside) {
    fy = split(y, p.height, y0, y1);
    fx = split(x, p.width, x0, x1);
  } else {
    part = 0;
  }
  auto at = [&](std::int64_t row, std::int64_t column) { return (row * p.width + column) * p.channels; };
  taps[0] = {at(y0, x0), static_cast<float>((1 - fy) * (1 - fx) * part)};
  taps[1] = {at(y0, x1), static_cast<float>((1 - fy) * fx * part)};
  taps[2] = {at(y1, x0), static_cast<float>(fy * (1 - fx) * part)};
  taps[3] = {at(y1, x1), static_cast<float>(fy * fx * part)};
  return 4;
}

}  // namespace

std::int64_t setup(RegionParams* p) { return p->channels == 0 ? 0 : p->count * p->out_height * p->out_width; }

void run_regions(const RegionParams& p, TileRange range) noexcept {
  for (std::int64_t q = range.begin; q < range.end; ++q) {
    std::int64_t r = q / p.out_width / p.out_height;
    double bin_y = static_cast<double>(q / p.out_width % p.out_height), bin_x = static_cast<double>(q % p.out_width);
    double corner[4], offset = p.half_pixel ? 0.5 : 0;
    for (int k = 0; k < 4; ++k) corner[k] = static_cast<double>(p.regions[r * 4 + k]) * p.scale - offset;
    double w = corner[2] - corner[0], h = corner[3] - corner[1];
    if (!p.half_pixel) {
      w = std::fmax(w, 1);
      h = std::fmax(h, 1);
    }
    double bin_h = h / static_cast<double>(p.out_height), bin_w = w / static_cast<double>(p.out_width);
    double down = p.ratio > 0 ? static_cast<double>(p.ratio) : std::ceil(bin_h);
    double across = p.ratio > 0 ? static_cast<double>(p.ratio) : std::ceil(bin_w);
    std::int64_t image = p.image[r];
    float* to = p.y + q * p.channels;
    std::fill(to, to + p.channels, 0.0f);
    if (image < 0 || image >= p.batch || !(down <= kMostSamples && across <= kMostSamples)) {
      std::atomic_ref<std::int64_t>(*p.fault).store(r + 1, std::memory_order_relaxed);
      continue;
    }
    const float* x = p.x + image * p.height * p.width * p.channels;
    double part = p.mean ? 1 / std::fmax(std::fmax(down, 0) * std::fmax(across, 0), 1) : 1;
    Tap taps[kMostTaps];
    int count = 0;
    bool more = false;
    for (double iy = 0; iy < down; ++iy) {
      for (double ix = 0; ix < across; ++ix) {
        if (count + 4 > kMostTaps) {
          p.combine(x, taps, count, more, !p.mean, to, p.channels);
          more = true;
          count = 0;
        }
        count += sample_at(p, corner[1] + (bin_y + (iy + 0.5) / down) * bin_h,
                           corner[0] + (bin_x + (ix + 0.5) / across) * bin_w, part, taps + count);
      }
    }
    if (count > 0) p.combine(x, taps, count, more, !p.mean, to, p.channels);
  }
}

}  // namespace mote::kernels::sample
