// Detection's ends against naive loops.
#include "kernels/detect/detect.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace mote::kernels::detect {
namespace {

using i64 = std::int64_t;
const float kNan = std::numeric_limits<float>::quiet_NaN();

template <class T>
void check_positions(DType dtype, const std::vector<T>& x, const std::vector<i64>& dims, auto is_set) {
  std::vector<std::vector<i64>> want;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!is_set(x[i])) continue;
    std::vector<i64> at(dims.size());
    i64 rest = static_cast<i64>(i);
    for (std::size_t a = dims.size(); a-- > 0; rest /= dims[a]) at[a] = rest % dims[a];
    want.push_back(at);
  }
  const auto* bytes = reinterpret_cast<const std::byte*>(x.data());
  const i64 n = count_non_zero(dtype, bytes, static_cast<i64>(x.size()));
  ASSERT_EQ(n, static_cast<i64>(want.size()));
  std::vector<i64> got(want.size() * dims.size(), -1);
  find_non_zero(dtype, bytes, dims, n, got.data());
  for (std::size_t i = 0; i < want.size(); ++i) {
    for (std::size_t a = 0; a < dims.size(); ++a) EXPECT_EQ(got[a * want.size() + i], want[i][a]);
  }
}

TEST(Detect, FindsWhatIsNotZero) {
  check_positions<float>(DType::f32, {0, -0.f, 1, kNan, 0, -2, 0, 1e-40f, 0, 0, 0, 3}, {2, 3, 2},
                         [](float v) { return v != 0; });
  check_positions<double>(DType::f64, {-0., 5, 0}, {3}, [](double v) { return v != 0; });
  check_positions<std::uint16_t>(DType::f16, {0, 0x8000, 0x3c00, 0x8001}, {4, 1},
                                 [](std::uint16_t v) { return (v & 0x7fff) != 0; });
  check_positions<std::uint16_t>(DType::u16, {0, 0x8000, 1}, {1, 3}, [](std::uint16_t v) { return v != 0; });
  check_positions<std::int8_t>(DType::i8, {0, -128, 0, 7}, {2, 2}, [](std::int8_t v) { return v != 0; });
  check_positions<i64>(DType::i64, {}, {2, 0, 3}, [](i64 v) { return v != 0; });
  float one = 1;
  EXPECT_EQ(count_non_zero(DType::f32, reinterpret_cast<const std::byte*>(&one), 1), 1);  // a scalar has no positions
  find_non_zero(DType::f32, reinterpret_cast<const std::byte*>(&one), {}, 1, nullptr);
  EXPECT_FALSE(can_look(DType::string));
  EXPECT_FALSE(can_look(DType::i4));
  EXPECT_FALSE(can_look(DType::f8e4m3fn));
}

// By the definition: everything sorted, every pair compared.
std::vector<std::int32_t> naive(const std::vector<float>& boxes, const SuppressParams& p, bool centre) {
  auto corner = [&](i64 i) {
    const float* v = &boxes[static_cast<std::size_t>(i * 4)];
    if (centre) return std::array{v[0] - v[2] / 2, v[1] - v[3] / 2, v[0] + v[2] / 2, v[1] + v[3] / 2};
    return std::array{std::min(v[1], v[3]), std::min(v[0], v[2]), std::max(v[1], v[3]), std::max(v[0], v[2])};
  };
  std::vector<std::int32_t> order, chosen;
  for (i64 i = 0; i < p.n; ++i) {
    if (p.has_least ? p.scores[i] > p.least : !std::isnan(p.scores[i])) order.push_back(static_cast<std::int32_t>(i));
  }
  std::ranges::stable_sort(order, [&](std::int32_t a, std::int32_t b) { return p.scores[a] > p.scores[b]; });
  for (std::int32_t i : order) {
    if (static_cast<i64>(chosen.size()) >= p.most) break;
    auto a = corner(i);
    bool free = true;
    for (std::int32_t j : chosen) {
      auto b = corner(j);
      float w = std::min(a[2], b[2]) - std::max(a[0], b[0]), h = std::min(a[3], b[3]) - std::max(a[1], b[1]);
      float area_a = (a[2] - a[0]) * (a[3] - a[1]), area_b = (b[2] - b[0]) * (b[3] - b[1]);
      if (w > 0 && h > 0 && area_a > 0 && area_b > 0 && w * h / (area_a + area_b - w * h) > p.overlap) free = false;
    }
    if (free) chosen.push_back(i);
  }
  return chosen;
}

TEST(Detect, ChoosesBoxesLikeTheDefinition) {
  std::mt19937 random(7);
  auto unit = [&] { return static_cast<float>(random() % 1000) / 1000; };
  for (int round = 0; round < 200; ++round) {
    SuppressParams p;
    p.n = random() % 90;
    p.most = random() % 3 == 0 ? 1000 : random() % 12;
    p.overlap = random() % 4 == 0 ? 0 : unit();
    p.has_least = random() % 2;
    p.least = unit();
    bool centre = random() % 2;
    std::vector<float> boxes, scores;
    for (i64 i = 0; i < p.n * 4; ++i) boxes.push_back(random() % 40 == 0 ? 0 : unit());
    for (i64 i = 0; i < p.n; ++i) {
      scores.push_back(random() % 10 == 0 ? kNan : static_cast<float>(random() % 20) / 20);  // many are equal
    }
    p.scores = scores.data();
    std::size_t n = static_cast<std::size_t>(p.n), room = static_cast<std::size_t>(std::min(p.n, p.most));
    std::vector<float> decoded(5 * n), kept(5 * room);
    std::vector<Candidate> candidates(n);
    std::vector<std::int32_t> chosen(room);
    decode_boxes(boxes.data(), p.n, centre, decoded.data());
    p.decoded = decoded.data();
    chosen.resize(static_cast<std::size_t>(suppress(p, candidates.data(), kept.data(), chosen.data())));
    EXPECT_EQ(chosen, naive(boxes, p, centre)) << "round " << round;
  }
}

// Asked often, and after a no never again.
TEST(Detect, GivesUpWhereItShall) {
  constexpr i64 kBoxes = 10000, kMost = 100;
  std::mt19937 random(3);
  std::vector<float> boxes(4 * kBoxes), scores(kBoxes), decoded(5 * kBoxes), kept(5 * kMost);
  for (float& v : boxes) v = static_cast<float>(random() % 100);
  for (float& v : scores) v = static_cast<float>(random() % 1000);
  std::vector<i64> positions(2 * kBoxes);
  std::vector<Candidate> candidates(kBoxes);
  std::vector<std::int32_t> chosen(kMost);
  struct Count {
    i64 asked = 0, work = 0, most = 0, fail_at = 0;
  };
  auto run = [&](Count& c) {
    GoOn go_on = {[](void* arg, i64 work) {
                    Count& count = *static_cast<Count*>(arg);
                    count.work += work;
                    count.most = std::max(count.most, work);
                    return ++count.asked != count.fail_at;
                  },
                  &c};
    decode_boxes(boxes.data(), kBoxes, false, decoded.data(), go_on);
    if (c.asked == c.fail_at) return;
    SuppressParams p{decoded.data(), scores.data(), kBoxes, kMost, 0.5f, false, 0, go_on};
    suppress(p, candidates.data(), kept.data(), chosen.data());
    if (c.asked == c.fail_at) return;
    const i64 dims[] = {1, kBoxes},
              n = count_non_zero(DType::f32, reinterpret_cast<const std::byte*>(scores.data()), kBoxes);
    find_non_zero(DType::f32, reinterpret_cast<const std::byte*>(scores.data()), dims, n, positions.data(), go_on);
  };
  Count all;
  run(all);
  EXPECT_GE(all.work, 3 * kBoxes);
  EXPECT_LE(all.most, 4100);
  for (i64 at = 1; at <= all.asked; ++at) {
    Count c{.fail_at = at};
    run(c);
    EXPECT_EQ(c.asked, at);
  }
}

}  // namespace
}  // namespace mote::kernels::detect
