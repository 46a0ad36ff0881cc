#include "runtime/overlap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <set>

namespace mote {
namespace {

std::set<std::int64_t> elements(const TensorView& v, const std::byte* from) {
  std::set<std::int64_t> all;
  for (std::int64_t i = 0; i < v.count(); ++i) {
    std::int64_t rest = i, at = (v.data - from) / 4;
    for (int d = v.rank - 1; d >= 0; --d) {
      at += rest % v.dims[d] * v.strides[d];
      rest /= v.dims[d];
    }
    all.insert(at);
  }
  return all;
}

// Windows of one tensor in any order of its axes meet where they have an element in common, and only there; of any
// other two views, none that have one is missed.
TEST(Overlap, IsThatOfElements) {
  std::array<std::byte, 4096> memory;
  std::mt19937 random(1);
  auto some = [&](int low, int high) {
    return low + static_cast<std::int64_t>(random() % static_cast<unsigned>(high - low + 1));
  };
  for (int round = 0; round < 4000; ++round) {
    const int rank = static_cast<int>(some(1, 4));
    std::int64_t extent[4], stride[4], order[4] = {0, 1, 2, 3}, next = 1;
    std::shuffle(order, order + rank, random);
    for (int d = 0; d < rank; ++d) {
      extent[order[d]] = some(1, 5);
      stride[order[d]] = next;
      next *= extent[order[d]];
    }
    auto window = [&] {
      TensorView v;
      v.dtype = DType::f32;
      v.rank = rank;
      v.data = memory.data() + 1024;
      for (int d = 0; d < rank; ++d) {
        const std::int64_t begin = some(0, static_cast<int>(extent[d]) - 1);
        v.dims[d] = some(1, static_cast<int>(extent[d] - begin));
        v.strides[d] = stride[d];
        v.data += begin * stride[d] * 4;
      }
      return v;
    };
    TensorView a = window(), b = window();
    const bool windows = round % 4 != 0;
    for (int d = 0; d < rank && !windows; ++d) {
      b.dims[d] = some(1, 4);
      b.strides[d] = some(0, 12);
    }
    bool common = false;
    const std::set<std::int64_t> taken = elements(a, memory.data());
    for (std::int64_t e : elements(b, memory.data())) common = common || taken.contains(e);
    if (windows || common) {
      ASSERT_EQ(views_meet(a, b), common) << round;
      ASSERT_EQ(views_meet(b, a), common) << round;
    }
  }
}

}  // namespace
}  // namespace mote
