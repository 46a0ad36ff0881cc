#include "kernels/peak/peak.h"

#include <gtest/gtest.h>

#include <vector>

namespace mote::kernels::peak {
namespace {

TEST(Peak, EveryRowCountsItsWorkAndReadsAll) {
  std::vector<float> storage(2 * 512 + 16);
  float* data = storage.data();
  while (reinterpret_cast<std::uintptr_t>(data) % 64 != 0) ++data;
  for (int i = 0; i < 1024; ++i) data[i] = 1;
  int tried = 0;
  for (const Row& row : kernels()) {
    if (!row.read || !host_cpu().has(row.isa)) continue;
    EXPECT_EQ(row.read(data, 1024), 1024.0f) << row.name;
    EXPECT_EQ(row.read(data, 512), 512.0f) << row.name;
    const std::int64_t one = row.multiply_adds(1);
    EXPECT_GE(one, 12) << row.name;
    EXPECT_EQ(row.multiply_adds(1000), 1000 * one) << row.name;
    ++tried;
  }
  EXPECT_GT(tried, 0);
  EXPECT_TRUE(host_cpu().has(select(host_cpu()).isa));
  EXPECT_EQ(find("no such row"), nullptr);
}

}  // namespace
}  // namespace mote::kernels::peak
