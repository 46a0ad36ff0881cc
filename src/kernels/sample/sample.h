// sample: images read at positions that data gives: grid_sample and roi_align, f32, channels-last and dense.
//
// A result's pixel is the sum (or the largest) of weighted pixels of the image, all its channels at once. Positions are
// computed in double. Class `chain`: taps in order, fused multiply-adds. A tile is some pixels of the result.
#pragma once

#include <span>

#include "base/cpu.h"
#include "kernels/kernel.h"

namespace mote::kernels::sample {

inline constexpr int kMostTaps = 64;

struct Tap {
  std::int64_t offset;  // elements, of channel 0
  float weight;
};

// y[c] = sum of weight * x[offset + c]; with `more` added to y[c]; with `top` the largest product instead.
using Combine = void (*)(const float* x, const Tap* taps, std::int64_t count, bool more, bool top, float* y,
                         std::int64_t channels) noexcept;

enum class Mode : std::int32_t { kLinear, kNearest, kCubic };
enum class Padding : std::int32_t { kZeros, kBorder, kReflection };

// Positions in [-1, 1]: grid [batch, out height * out width, (x, y)].
struct GridParams {
  const float *x = nullptr, *grid = nullptr;
  float* y = nullptr;
  Mode mode = Mode::kLinear;
  Padding padding = Padding::kZeros;
  bool corners = false;
  std::int64_t batch = 0, height = 0, width = 0, channels = 0, pixels = 0;  // pixels: of one image of the result
  std::int64_t pixels_per_tile = 1;
  Combine combine = nullptr;
};
std::int64_t setup(GridParams* params);
void run_grid(const GridParams& params, TileRange range) noexcept;

// Regions [n, 4] in image coordinates, averaged (or the largest taken) over bins.
struct RegionParams {
  const float *x = nullptr, *regions = nullptr;
  const std::int64_t* image = nullptr;  // of every region
  float* y = nullptr;
  bool mean = true, half_pixel = true;
  double scale = 1;
  std::int64_t ratio = 0;  // samples of a bin per axis; 0: as many as it has pixels
  std::int64_t count = 0, batch = 0, height = 0, width = 0, channels = 0, out_height = 0, out_width = 0;
  std::int64_t* fault = nullptr;  // 1 + the region that lies in no image, or is too large to sample
  Combine combine = nullptr;
};
std::int64_t setup(RegionParams* params);
void run_regions(const RegionParams& params, TileRange range) noexcept;

struct Row {
  const char* name;
  Isa isa;
  Numerics numerics;
  Combine combine;
};

std::span<const Row> kernels();
const Row& select(const CpuFeatures& cpu);

}  // namespace mote::kernels::sample
