// grid_sample: the taps of a position, per axis.
#include <algorithm>
#include <cmath>

#include "kernels/sample/sample.h"

namespace mote::kernels::sample {
namespace {

constexpr double kCubic = -0.75;

double reflect(double x, double lo, double hi) {
  double range = hi - lo;
  if (range <= 0) return lo;
  double beyond = x < lo ? lo - x : x > hi ? x - hi : -1;
  if (beyond < 0) return x;
  double turns = std::floor(beyond / range), rest = beyond - turns * range;
  bool from_low = (x < lo) == (std::fmod(turns, 2) == 0);
  return from_low ? lo + rest : hi - rest;
}

struct Axis {
  std::int64_t extent;
  double lo, hi;  // where reflection turns
  Padding padding;

  // The element at position i, or -1 for a zero.
  std::int64_t element(double i) const {
    double last = static_cast<double>(extent - 1);
    if (padding == Padding::kZeros) return i >= 0 && i <= last ? static_cast<std::int64_t>(i) : -1;
    double at = padding == Padding::kBorder ? i : reflect(i, lo, hi);
    return static_cast<std::int64_t>(std::fmin(std::fmax(at, 0), last));
  }
  double inside(double x) const {
    if (x >= lo && x <= hi) return x;
    if (padding == Padding::kBorder) return std::fmin(std::fmax(x, 0), static_cast<double>(extent - 1));
    return padding == Padding::kReflection ? reflect(x, lo, hi) : x;
  }
};

struct Taps {
  int count = 0;
  std::int64_t element[4];
  double weight[4];
};

double cubic(double x) {
  x = std::fabs(x);
  if (x <= 1) return ((kCubic + 2) * x - (kCubic + 3)) * x * x + 1;
  return ((kCubic * x - 5 * kCubic) * x + 8 * kCubic) * x - 4 * kCubic;
}

Taps taps_at(const Axis& axis, double x, Mode mode) {
  Taps t;
  if (!std::isfinite(x)) x = -1;
  if (mode == Mode::kNearest) {
    t.count = 1;
    t.element[0] = axis.element(axis.inside(std::nearbyint(x)));
    t.weight[0] = 1;
    return t;
  }
  // The cubic filter reads beyond the border where its centre lies beyond.
  if (mode != Mode::kCubic) x = axis.inside(x);
  double base = std::floor(x) + (mode == Mode::kCubic ? -1 : 0);
  t.count = mode == Mode::kCubic ? 4 : 2;
  for (int k = 0; k < t.count; ++k) {
    double i = base + k;
    t.element[k] = axis.element(i);
    t.weight[k] = mode == Mode::kCubic ? cubic(x - i) : 1 - std::fabs(x - i);
  }
  return t;
}

Taps taps_of(const GridParams& p, std::int64_t extent, float g) {
  double n = static_cast<double>(extent), at = static_cast<double>(g);
  at = p.corners ? (at + 1) / 2 * (n - 1) : ((at + 1) * n - 1) / 2;
  Axis axis{extent, p.corners ? 0 : -0.5, p.corners ? n - 1 : n - 0.5, p.padding};
  return taps_at(axis, static_cast<double>(static_cast<float>(at)), p.mode);
}

}  // namespace

std::int64_t setup(GridParams* p) {
  std::int64_t all = p->batch * p->pixels;
  if (all == 0 || p->channels == 0) return 0;
  p->pixels_per_tile = std::clamp<std::int64_t>((1 << 15) / p->channels, 1, std::min<std::int64_t>(all, 512));
  return (all + p->pixels_per_tile - 1) / p->pixels_per_tile;
}

void run_grid(const GridParams& p, TileRange range) noexcept {
  std::int64_t end = std::min(p.batch * p.pixels, range.end * p.pixels_per_tile);
  for (std::int64_t q = range.begin * p.pixels_per_tile; q < end; ++q) {
    Taps along = taps_of(p, p.width, p.grid[2 * q]), down = taps_of(p, p.height, p.grid[2 * q + 1]);
    Tap taps[16];
    int count = 0;
    for (int i = 0; i < down.count; ++i) {
      for (int j = 0; j < along.count; ++j) {
        if (down.element[i] < 0 || along.element[j] < 0) continue;
        taps[count++] = {(down.element[i] * p.width + along.element[j]) * p.channels,
                         static_cast<float>(down.weight[i] * along.weight[j])};
      }
    }
    const float* image = p.x + q / p.pixels * p.height * p.width * p.channels;
    p.combine(image, taps, count, false, false, p.y + q * p.channels, p.channels);
  }
}

}  // namespace mote::kernels::sample
