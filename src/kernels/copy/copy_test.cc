#include "kernels/copy/copy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

namespace mote::kernels {
namespace {

// Views of one shape whose axes lie in random orders with random gaps, for every element width and partition.
TEST(Copy, MovesEveryElementBetweenAnyTwoLayouts) {
  std::mt19937 random(3);
  constexpr DType kTypes[] = {DType::u8, DType::u16, DType::f32, DType::i64, DType::string};
  for (int round = 0; round < 400; ++round) {
    DType type = kTypes[round % 5];
    int rank = static_cast<int>(random() % 6);
    std::vector<std::int64_t> dims;
    for (int i = 0; i < rank; ++i)
      dims.push_back(
          static_cast<std::int64_t>(random() % (round % 7 == 0 ? 3 : 2) == 0 ? random() % 4 : random() % 37));
    auto make = [&](std::vector<std::byte>& memory) {
      TensorView v = TensorView::of(nullptr, type, dims);
      std::vector<int> order(static_cast<std::size_t>(rank));
      std::iota(order.begin(), order.end(), 0);
      std::shuffle(order.begin(), order.end(), random);
      std::int64_t stride = 1;
      for (int axis : order) {
        v.strides[axis] = stride;
        stride *= dims[static_cast<std::size_t>(axis)] + static_cast<std::int64_t>(random() % 2);
      }
      memory.assign(static_cast<std::size_t>(std::max<std::int64_t>(bytes_of(type, stride), 16)), std::byte{0xee});
      v.data = memory.data();
      return v;
    };
    std::vector<std::byte> a, b;
    TensorView from = make(a), to = make(b);
    if (from.count() > 200000) continue;
    for (std::byte& x : a) x = static_cast<std::byte>(random());
    std::vector<std::byte> before = b;
    CopyParams p;
    std::int64_t tiles = make_copy(from, to, p);
    for (std::int64_t t = 0; t < tiles; ++t) copy_elements(p, {t, t + 1, nullptr});
    std::int64_t width = bits_of(type) / 8;
    for (std::int64_t i = 0; i < from.count(); ++i) {
      std::int64_t rest = i, x = 0, y = 0;
      for (int d = rank; d-- > 0;) {
        x += rest % from.dims[d] * from.strides[d];
        y += rest % from.dims[d] * to.strides[d];
        rest /= from.dims[d];
      }
      ASSERT_TRUE(std::equal(&a[static_cast<std::size_t>(x * width)], &a[static_cast<std::size_t>(x * width)] + width,
                             &b[static_cast<std::size_t>(y * width)]))
          << "round " << round << " element " << i;
      std::copy_n(&before[static_cast<std::size_t>(y * width)], width, &b[static_cast<std::size_t>(y * width)]);
    }
    ASSERT_EQ(b, before) << "wrote between the elements, round " << round;
  }
}

// An image's planes to pixels, and channels to columns, past every end of a register and of a block.
TEST(Copy, InterleavesPlanes) {
  for (std::int64_t planes : {1, 2, 3, 4, 5, 8, 9, 16, 17}) {
    for (std::int64_t pixels : {1, 3, 7, 8, 15, 16, 17, 31, 33, 255, 256, 257, 300, 700}) {
      const std::vector<std::int64_t> dims{pixels, planes};
      std::vector<float> a(static_cast<std::size_t>(planes * pixels)), b(a.size() + 1, -1);
      std::iota(a.begin(), a.end(), 0.0f);
      TensorView from = TensorView::of(reinterpret_cast<std::byte*>(a.data()), DType::f32, dims);
      from.strides[0] = 1;
      from.strides[1] = pixels;
      CopyParams p;
      std::int64_t tiles = make_copy(from, TensorView::of(reinterpret_cast<std::byte*>(b.data()), DType::f32, dims), p);
      for (std::int64_t t = 0; t < tiles; ++t) copy_elements(p, {t, t + 1, nullptr});
      for (std::int64_t i = 0; i < planes * pixels; ++i) {
        ASSERT_EQ(b[static_cast<std::size_t>(i)], static_cast<float>(i % planes * pixels + i / planes))
            << planes << ' ' << i;
      }
      ASSERT_EQ(b.back(), -1);
    }
  }
}

}  // namespace
}  // namespace mote::kernels
