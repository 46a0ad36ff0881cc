#include "kernels/tiling.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace mote::kernels {
namespace {

TEST(Cut, PartsCoverEverythingInTurnAndDifferByAUnit) {
  for (std::int64_t n : {1, 5, 6, 7, 49, 160, 196, 784, 1001}) {
    for (std::int64_t unit : {1, 6, 16, 64}) {
      for (std::int64_t count = 1; count <= std::min<std::int64_t>((n + unit - 1) / unit, 9); ++count) {
        const Cut cut{n, unit, count};
        EXPECT_EQ(cut.begin(0), 0);
        EXPECT_EQ(cut.end(count - 1), n);
        for (std::int64_t part = 0; part < count; ++part) {
          const std::int64_t size = cut.end(part) - cut.begin(part);
          EXPECT_GT(size, 0);
          EXPECT_LE(size, cut.most());
          EXPECT_EQ(cut.begin(part) % unit, 0);
          if (part + 1 < count) EXPECT_GE(size + unit, cut.most());
        }
      }
    }
  }
}

TEST(Cut, HalvesOfTheUsualCountsHoldAboutAsMuch) {
  for (std::int64_t units = 2; units < 100; ++units) {
    for (std::int64_t count : {2, 4, 8, 16, 32}) {
      const Cut cut{units, 1, count};
      if (count <= units) EXPECT_LE(std::abs(2 * cut.begin(count / 2) - units), 1);
    }
  }
}

TEST(Parts, ArePowersOfTwoOfEnoughWorkAndOfNoMoreThanMost) {
  EXPECT_EQ(parts_of(0, 100, 1000), 1);
  EXPECT_EQ(parts_of(199, 100, 1000), 1);
  EXPECT_EQ(parts_of(200, 100, 1000), 2);
  EXPECT_EQ(parts_of(1000, 100, 1000), 8);
  EXPECT_EQ(parts_of(1e4, 100, 1000), kEnoughParts);
  EXPECT_EQ(parts_of(1e5, 100, 1000), 128);
  EXPECT_EQ(parts_within(16, 5), 4);
  EXPECT_EQ(parts_within(2, 5), 2);
  EXPECT_EQ(parts_within(8, 0), 1);
}

}  // namespace
}  // namespace mote::kernels
