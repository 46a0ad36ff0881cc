#include "kernels/sample/sample.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "kernels/testing.h"

namespace mote::kernels::sample {
namespace {

TEST(Sample, EveryRowCombinesTapsAlike) {
  std::mt19937 random(3);
  for (std::int64_t channels : {1, 3, 8, 17, 64, 67}) {
    for (int round = 0; round < 12; ++round) {
      bool more = round % 2, top = round % 3 == 0;
      testing::Data x(channels * 9, 4);
      std::vector<Tap> taps;
      for (int t = 0; t < round; ++t)
        taps.push_back(
            {static_cast<std::int64_t>(random() % 9) * channels, static_cast<float>(random() % 100) * 0.01f});
      for (const Row& row : kernels()) {
        if (!row.combine || !active_cpu().has(row.isa)) continue;
        testing::Data y(channels, 9);
        row.combine(x.get(), taps.data(), round, more, top, y.get(), channels);
        for (std::int64_t c = 0; c < channels; ++c) {
          testing::Data before(channels, 9);
          double want = more ? static_cast<double>(before[c]) : top ? -INFINITY : 0;
          for (const Tap& t : taps) {
            double v = static_cast<double>(x[t.offset + c]) * static_cast<double>(t.weight);
            want = top ? std::fmax(want, v) : want + v;
          }
          if (std::isinf(want)) {
            ASSERT_EQ(y[c], -INFINITY);
          } else {
            ASSERT_NEAR(static_cast<double>(y[c]), want, 1e-5) << row.name << " channel " << c;
          }
        }
        testing::Data again(channels, 9);
        select(active_cpu()).combine(x.get(), taps.data(), round, more, top, again.get(), channels);
        EXPECT_TRUE(again.same_bits(y)) << row.name << " has other bits";
      }
    }
  }
}

TEST(Sample, AGridOfPixelCentresIsTheImageInEveryMode) {
  std::int64_t h = 5, w = 7, channels = 19;
  testing::Data x(h * w * channels, 2), y = testing::Data::poisoned(h * w * channels), grid(h * w * 2);
  for (std::int64_t i = 0; i < h * w; ++i) {
    grid[2 * i] = static_cast<float>(i % w) * 2.0f / static_cast<float>(w - 1) - 1;
    grid[2 * i + 1] = static_cast<float>(i / w) * 2.0f / static_cast<float>(h - 1) - 1;
  }
  for (Mode mode : {Mode::kLinear, Mode::kNearest, Mode::kCubic}) {
    for (Padding padding : {Padding::kZeros, Padding::kBorder, Padding::kReflection}) {
      GridParams p{x.get(), grid.get(), y.get(), mode, padding, true, 1, h, w, channels, h * w, 1, nullptr};
      p.combine = select(active_cpu()).combine;
      std::int64_t tiles = setup(&p);
      testing::run_in_parts<GridParams>(run_grid, p, tiles, 0, 3);
      for (std::int64_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], x[i], 2e-5f) << "element " << i;
    }
  }
  // Far outside: nothing, or the nearest corner.
  for (std::int64_t i = 0; i < grid.size(); ++i) grid[i] = -9;
  for (Padding padding : {Padding::kZeros, Padding::kBorder}) {
    GridParams p{x.get(), grid.get(), y.get(), Mode::kLinear, padding, true, 1, h, w, channels, h * w, 1, nullptr};
    p.combine = select(active_cpu()).combine;
    testing::run_in_parts<GridParams>(run_grid, p, setup(&p), 0);
    for (std::int64_t i = 0; i < y.size(); ++i)
      ASSERT_EQ(y[i], padding == Padding::kZeros ? 0.0f : x[i % channels]) << "element " << i;
  }
}

TEST(Sample, RegionsOfALinearImageHaveItsMeans) {
  // x[row, column, c] = row + 10 column + 100 c: the mean of a bin inside of it is the value at its centre.
  std::int64_t h = 9, w = 11, channels = 5, fault = 0;
  testing::Data x(h * w * channels), y = testing::Data::poisoned(2 * 3 * 4 * channels), regions(8);
  for (std::int64_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<float>(i / channels / w + 10 * (i / channels % w) + 100 * (i % channels));
  float boxes[8] = {1, 2, 9, 8, 2, 2, 6, 5};
  std::copy_n(boxes, 8, regions.get());
  std::int64_t image[2] = {0, 0};
  for (std::int64_t ratio : {0, 2, 9}) {
    RegionParams p;
    p.x = x.get();
    p.regions = regions.get();
    p.image = image;
    p.y = y.get();
    p.half_pixel = false;
    p.ratio = ratio;
    p.count = 2;
    p.batch = 1;
    p.height = h;
    p.width = w;
    p.channels = channels;
    p.out_height = 3;
    p.out_width = 4;
    p.fault = &fault;
    p.combine = select(active_cpu()).combine;
    testing::run_in_parts<RegionParams>(run_regions, p, setup(&p), 0, 2);
    for (std::int64_t i = 0; i < y.size(); ++i) {
      const float* box = boxes + i / channels / 12 * 4;
      float row = static_cast<float>(i / channels / 4 % 3) + 0.5f, column = static_cast<float>(i / channels % 4) + 0.5f;
      float want = box[1] + row * (box[3] - box[1]) / 3 + 10 * (box[0] + column * (box[2] - box[0]) / 4) +
                   100 * static_cast<float>(i % channels);
      ASSERT_NEAR(y[i], want, 1e-2f) << "element " << i << " ratio " << ratio;
    }
    EXPECT_EQ(fault, 0);
    image[1] = 1;
    testing::run_in_parts<RegionParams>(run_regions, p, setup(&p), 0);
    EXPECT_EQ(fault, 2);
    image[1] = fault = 0;
  }
}

}  // namespace
}  // namespace mote::kernels::sample
