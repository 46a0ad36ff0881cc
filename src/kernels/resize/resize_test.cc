#include "kernels/resize/resize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "kernels/testing.h"

namespace mote::kernels::resize {
namespace {

struct Tables {
  std::vector<std::int32_t> index, by_tap_index;
  std::vector<float> weight, by_tap_weight;
  std::vector<std::uint8_t> outside;
};

// Random taps; `by_tap` lays them out for rows of single elements.
void make_axis(std::mt19937& random, std::int64_t in, std::int64_t out, std::int64_t taps, bool outside, Axis& a,
               Tables& t) {
  a.in = in;
  a.out = out;
  a.taps = taps;
  if (taps == 0) {
    a.taps = 1;
    a.out = in;
    return;
  }
  std::size_t n = static_cast<std::size_t>(out * taps);
  t.by_tap_index.resize(n);
  t.by_tap_weight.resize(n);
  for (std::size_t i = 0; i < n; ++i) {
    t.index.push_back(static_cast<std::int32_t>(random() % static_cast<unsigned>(in)));
    t.weight.push_back(taps == 1 ? 1.0f : static_cast<float>(random() % 1000) * 1e-3f);
    std::size_t o = i / static_cast<std::size_t>(taps), k = i % static_cast<std::size_t>(taps);
    t.by_tap_index[k * static_cast<std::size_t>(out) + o] = t.index.back();
    t.by_tap_weight[k * static_cast<std::size_t>(out) + o] = t.weight.back();
  }
  for (std::int64_t o = 0; o < out; ++o) t.outside.push_back(outside && random() % 4 == 0);
  a.index = t.index.data();
  a.weight = t.weight.data();
  a.outside = outside ? t.outside.data() : nullptr;
}

template <class E>
double naive(const Params& p, const Tables* tables, const std::int64_t* at, std::int64_t o, std::int64_t i) {
  double fill = static_cast<double>(*reinterpret_cast<const E*>(p.fill));
  struct Tap {
    std::int64_t offset;
    double weight;
  };
  std::vector<Tap> sum{{i, 1}};
  for (int a = 0; a <= p.row_axes; ++a) {
    const Axis& axis = a < p.row_axes ? p.row[a] : p.last;
    const Tables& t = tables[a];
    std::int64_t pos = a < p.row_axes ? at[a] : o;
    std::vector<Tap> next;
    if (!axis.index) {
      for (Tap s : sum) next.push_back({s.offset + pos * axis.x_stride, s.weight});
    } else {
      if (axis.outside && axis.outside[pos]) return fill;
      for (Tap s : sum) {
        for (std::int64_t k = 0; k < axis.taps; ++k) {
          std::size_t e = static_cast<std::size_t>(pos * axis.taps + k);
          next.push_back({s.offset + t.index[e] * axis.x_stride, s.weight * static_cast<double>(t.weight[e])});
        }
      }
    }
    sum = next;
  }
  double y = 0;
  for (Tap s : sum) y += s.weight * static_cast<double>(reinterpret_cast<const E*>(p.x)[s.offset]);
  return y;
}

template <class E>
void check(DType dtype, std::mt19937& random, int round) {
  Params p;
  Tables tables[3];
  p.dtype = dtype;
  p.width = sizeof(E);
  std::int64_t taps = round % 4 == 0 ? 1 : 1 + static_cast<std::int64_t>(random() % 4);
  p.row_axes = static_cast<std::int32_t>(random() % 3);
  p.inner = round % 3 == 0 ? 1 : 1 + static_cast<std::int64_t>(random() % 40);
  auto extent = [&] { return 1 + static_cast<std::int64_t>(random() % 23); };
  for (int a = 0; a < p.row_axes; ++a)
    make_axis(random, extent(), extent(), random() % 3 == 0 ? 0 : taps, random() % 3 == 0, p.row[a], tables[a]);
  make_axis(random, extent(), extent(), taps, random() % 3 == 0, p.last, tables[p.row_axes]);
  p.move = taps == 1;
  std::int64_t xs = p.inner, ys = p.inner;
  p.last.x_stride = xs;
  p.last.y_stride = ys += static_cast<std::int64_t>(random() % 3);
  xs *= p.last.in;
  ys *= p.last.out;
  for (int a = p.row_axes; a-- > 0;) {
    p.row[a].x_stride = xs;
    p.row[a].y_stride = ys;
    xs *= p.row[a].in;
    ys *= p.row[a].out;
  }
  const Tables& last = tables[p.row_axes];
  if (p.inner == 1 && !p.move) {
    p.last.index = last.by_tap_index.data();
    p.last.weight = last.by_tap_weight.data();
  }
  testing::Data data((xs * static_cast<std::int64_t>(sizeof(E)) + 3) / 4);
  auto* end = reinterpret_cast<std::byte*>(data.get() + data.size());
  E* x = reinterpret_cast<E*>(end - xs * static_cast<std::int64_t>(sizeof(E)));
  for (std::int64_t i = 0; i < xs; ++i)
    x[i] = static_cast<E>(static_cast<int>(random() % 200) - (dtype == DType::u8 ? 0 : 100));
  p.x = reinterpret_cast<std::byte*>(x);
  E fill = static_cast<E>(7);
  std::memcpy(p.fill, &fill, sizeof(E));
  std::vector<E> first;
  for (const Row& row : kernels()) {
    if (!row.run || !active_cpu().has(row.isa)) continue;
    std::vector<E> y(static_cast<std::size_t>(ys), static_cast<E>(42));
    p.y = reinterpret_cast<std::byte*>(y.data());
    Work w = setup(&p);
    testing::run_in_parts(row.run, p, w.tiles, w.scratch_bytes, 3);
    if (!first.empty()) {
      ASSERT_EQ(y, first) << row.name << " has other bits, round " << round;
    }
    first = y;
    std::vector<bool> written(y.size());
    for (std::int64_t r = 0; r < p.rows; ++r) {
      std::int64_t at[3] = {}, rest = r, base = 0;
      for (int a = p.row_axes; a-- > 0;) {
        at[a] = rest % p.row[a].out;
        rest /= p.row[a].out;
        base += at[a] * p.row[a].y_stride;
      }
      for (std::int64_t o = 0; o < p.last.out; ++o) {
        for (std::int64_t i = 0; i < p.inner; ++i) {
          double want = naive<E>(p, tables, at, o, i);
          std::size_t to = static_cast<std::size_t>(base + o * p.last.y_stride + i);
          written[to] = true;
          if (dtype != DType::f32 && !p.move) {
            want = std::fmin(std::fmax(want, dtype == DType::u8 ? 0 : -128), dtype == DType::u8 ? 255 : 127);
          }
          double slack = p.move ? 0 : dtype == DType::f32 ? 1e-3 : 0.501;
          ASSERT_NEAR(static_cast<double>(y[to]), want, slack) << row.name << " round " << round << " at " << to;
        }
      }
    }
    for (std::size_t i = 0; i < y.size(); ++i) {
      if (written[i]) continue;
      ASSERT_EQ(y[i], static_cast<E>(42)) << "wrote between the pixels";
    }
  }
}

TEST(Resize, EveryRowEqualsTheNaiveSumOfTaps) {
  std::mt19937 random(11);
  for (int round = 0; round < 80; ++round) {
    check<float>(DType::f32, random, round);
    check<std::uint8_t>(DType::u8, random, round);
    check<std::int8_t>(DType::i8, random, round);
  }
}

}  // namespace
}  // namespace mote::kernels::resize
