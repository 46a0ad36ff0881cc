#include "kernels/pad/pad.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "kernels/testing.h"

namespace mote::kernels::pad {
namespace {

template <class E>
void check(std::mt19937& random, int round) {
  Params p;
  p.width = sizeof(E);
  p.mode = static_cast<Mode>(round % 4);
  p.row_axes = static_cast<std::int32_t>(random() % 3);
  p.inner = 1 + static_cast<std::int64_t>(random() % 5);
  auto axis = [&](Axis& a) {
    a.in = 1 + static_cast<std::int64_t>(random() % 7);
    a.before = static_cast<std::int64_t>(random() % 14) - 4;
    a.out = std::max<std::int64_t>(0, a.in + a.before + static_cast<std::int64_t>(random() % 14) - 4);
  };
  for (int a = 0; a < p.row_axes; ++a) axis(p.row[a]);
  axis(p.last);
  std::int64_t stride = p.inner + static_cast<std::int64_t>(random() % 2);
  p.last.x_stride = stride;
  stride *= p.last.in;
  for (int a = p.row_axes; a-- > 0;) {
    p.row[a].x_stride = stride;
    stride *= p.row[a].in;
  }
  std::vector<E> x(static_cast<std::size_t>(stride));
  for (E& v : x) v = static_cast<E>(random());
  E value = static_cast<E>(77);
  p.x = reinterpret_cast<std::byte*>(x.data());
  p.value = round % 8 < 4 ? reinterpret_cast<std::byte*>(&value) : nullptr;
  std::int64_t tiles = setup(&p);
  std::int64_t count = p.rows * p.last.out * p.inner;
  std::vector<E> y(static_cast<std::size_t>(count) + 1, static_cast<E>(5));
  p.y = reinterpret_cast<std::byte*>(y.data());
  testing::run_in_parts<Params>(run, p, tiles, 0, 2);
  ASSERT_EQ(y.back(), static_cast<E>(5));
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t rest = i / p.inner, from = i % p.inner;
    for (int a = p.row_axes; a >= 0 && from >= 0; --a) {
      const Axis& axis = a == p.row_axes ? p.last : p.row[a];
      // Step by step from where it lies outside, as the modes are defined.
      std::int64_t at = rest % axis.out - axis.before;
      rest /= axis.out;
      while (at < 0 || at >= axis.in) {
        if (p.mode == Mode::kConstant) break;
        if (p.mode == Mode::kEdge) at = at < 0 ? 0 : axis.in - 1;
        if (p.mode == Mode::kWrap) at += at < 0 ? axis.in : -axis.in;
        if (p.mode == Mode::kReflect) at = axis.in == 1 ? 0 : at < 0 ? -at : 2 * (axis.in - 1) - at;
      }
      from = at < 0 || at >= axis.in ? -1 : from + at * axis.x_stride;
    }
    E want = from < 0 ? (p.value ? value : E{}) : x[static_cast<std::size_t>(from)];
    ASSERT_EQ(y[static_cast<std::size_t>(i)], want) << "round " << round << " element " << i;
  }
}

TEST(Pad, EqualsTheDefinitionOfEveryMode) {
  std::mt19937 random(4);
  for (int round = 0; round < 400; ++round) {
    check<std::uint8_t>(random, round);
    check<std::uint16_t>(random, round);
    check<std::uint32_t>(random, round);
    check<std::uint64_t>(random, round);
  }
}

}  // namespace
}  // namespace mote::kernels::pad
