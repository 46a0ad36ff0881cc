#include "quant/ranges.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "quant/weights.h"

namespace mote::quant {
namespace {

Histogram normal(int count, float outlier) {
  std::mt19937 random(3);
  std::normal_distribution<float> draw;
  Histogram h;
  for (int i = 0; i < count; ++i) {
    float x = draw(random);
    h.add(&x, 1, 1);
  }
  if (outlier != 0) h.add(&outlier, 1, 1);
  return h;
}

TEST(Histogram, WidensAndKeepsCounts) {
  Histogram h;
  for (float x : {0.001f, -3.0f, 1000.0f, 0.0f, NAN, INFINITY}) h.add(&x, 1, 1);
  EXPECT_EQ(h.count(), 4);
  EXPECT_EQ(h.min_max().low, -3.0f);
  EXPECT_EQ(h.min_max().high, 1000.0f);
  Histogram small = normal(100, 0);
  small.merge(h);
  EXPECT_EQ(small.count(), 104);
  EXPECT_EQ(small.min_max().high, 1000.0f);
}

TEST(Histogram, MethodsLeaveAnOutlierOut) {
  Histogram h = normal(50000, 200.0f);
  EXPECT_EQ(range_of(h, Calibration::kMinMax, 0, 256).high, 200.0f);
  for (Calibration m : {Calibration::kPercentile, Calibration::kEntropy}) {
    Range r = range_of(h, m, 99.9, 256);
    EXPECT_LT(r.high, 150.0f) << static_cast<int>(m);
    EXPECT_GT(r.high, 1.0f) << static_cast<int>(m);
    EXPECT_LE(r.low, 0.0f);
  }
  // The least of (200 - r)^2 + 50000 / 12 ((r + 4) / 255)^2 is at 188.
  EXPECT_NEAR(range_of(h, Calibration::kMse, 0, 256).high, 188.0f, 4.0f);
}

TEST(Scale, HoldsZeroAndNeverPassesTheTop) {
  Scale s = scale_of({0, 6}, DType::u8, false);
  EXPECT_EQ(s.zero, 0);
  EXPECT_LE(s.scale * 255, 6.0f);
  EXPECT_NEAR(s.scale, 6.0f / 255, 1e-7f);
  EXPECT_EQ(scale_of({-1, 1}, DType::u8, true).zero, 128);
  EXPECT_EQ(scale_of({-1, 1}, DType::i8, true).zero, 0);
  EXPECT_EQ(scale_of({2, 3}, DType::u8, false).zero, 0);  // widened to 0
  EXPECT_GT(scale_of({0, 0}, DType::i8, false).scale, 0.0f);
}

TEST(Weights, RoundedByChannelWithinHalfAStep) {
  Floats w{{2, 3}, {1.0f, -0.5f, 0.25f, 100.0f, 3.0f, 0.0f}};
  Rounded r = round_weights(w, 0, 8);
  ASSERT_EQ(r.scales.size(), 2u);
  for (std::size_t i = 0; i < w.data.size(); ++i)
    EXPECT_LE(std::abs(r.back(i, i / 3) - w.data[i]), r.scales[i / 3] / 2 * 1.001f);
  EXPECT_EQ(r.data[0], 127);
  EXPECT_EQ(r.data[3], 127);
  EXPECT_EQ(round_weights(w, -1, 8).scales.size(), 1u);
}

}  // namespace
}  // namespace mote::quant
