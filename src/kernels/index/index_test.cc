#include "kernels/index/index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "kernels/testing.h"

namespace mote::kernels::index {
namespace {

std::byte* bytes(auto& v) { return reinterpret_cast<std::byte*>(v.data()); }

TEST(Index, TuplesNameSlicesAndReportWhatIsOutOfRange) {
  std::mt19937 random(2);
  for (int round = 0; round < 100; ++round) {
    bool wide = random() % 2;
    std::int64_t k = 1 + static_cast<std::int64_t>(random() % 3), slice = 1 + static_cast<std::int64_t>(random() % 5);
    std::int64_t batches = 1 + static_cast<std::int64_t>(random() % 3),
                 each = 1 + static_cast<std::int64_t>(random() % 6);
    TupleParams p;
    p.k = k;
    p.slice = slice * 2;
    p.tuples = batches * each;
    p.per_batch = each;
    p.batch_bytes = p.slice;
    for (std::int64_t j = k - 1; j >= 0; --j) {
      p.extent[j] = 1 + static_cast<std::int64_t>(random() % 4);
      p.stride[j] = p.batch_bytes;
      p.batch_bytes *= p.extent[j];
    }
    std::vector<std::uint16_t> data(static_cast<std::size_t>(batches * p.batch_bytes / 2)),
        moved(static_cast<std::size_t>(p.tuples * slice), 7);
    for (std::uint16_t& v : data) v = static_cast<std::uint16_t>(random());
    std::vector<std::int64_t> index(static_cast<std::size_t>(p.tuples * k));
    std::vector<std::int32_t> narrow;
    for (std::size_t i = 0; i < index.size(); ++i) {
      std::int64_t extent = p.extent[static_cast<std::int64_t>(i) % k];
      index[i] = static_cast<std::int64_t>(random() % static_cast<unsigned>(2 * extent)) - extent;
    }
    bool wrong = round % 5 == 0;
    if (wrong) index.back() = p.extent[k - 1];
    narrow.assign(index.begin(), index.end());
    std::int64_t fault = 0;
    p.index = {wide ? static_cast<const void*>(index.data()) : narrow.data(), wide, &fault};
    p.x = bytes(data);
    p.y = bytes(moved);
    gather_tuples(p, {0, tiles_of(p.tuples), nullptr});
    EXPECT_EQ(fault, wrong ? static_cast<std::int64_t>(index.size()) : 0);
    std::vector<std::uint16_t> scattered(data.size(), 9), expected(data.size(), 9);
    for (std::int64_t t = 0; t < p.tuples; ++t) {
      std::int64_t from = t / each * p.batch_bytes;
      for (std::int64_t j = 0; j < k; ++j) {
        std::int64_t at = index[static_cast<std::size_t>(t * k + j)];
        from += (at < 0 ? at + p.extent[j] : at) * p.stride[j];
      }
      bool bad = wrong && t + 1 == p.tuples;
      for (std::int64_t i = 0; i < slice; ++i) {
        std::uint16_t got = moved[static_cast<std::size_t>(t * slice + i)];
        ASSERT_EQ(got, bad ? 0 : data[static_cast<std::size_t>(from / 2 + i)]) << "round " << round;
        if (!bad) expected[static_cast<std::size_t>(from / 2 + i)] = got;
      }
    }
    p.x = bytes(moved);
    p.y = bytes(scattered);
    fault = 0;
    scatter_tuples(p, {0, tiles_of(p.tuples), nullptr});
    EXPECT_EQ(scattered, expected) << "round " << round;
    EXPECT_EQ(fault != 0, wrong);
  }
}

TEST(Index, PositionsAreThoseOfTheIndicesButForTheAxis) {
  std::mt19937 random(6);
  for (int round = 0; round < 60; ++round) {
    ElementParams p;
    p.rank = 3;
    p.axis = round % 3;
    p.width = 4;
    std::int64_t data_dims[3], stride = 1;
    p.count = 1;
    for (int d = 2; d >= 0; --d) {
      data_dims[d] = 1 + static_cast<std::int64_t>(random() % 6);
      p.dims[d] = d == p.axis ? 1 + static_cast<std::int64_t>(random() % 9)
                              : 1 + static_cast<std::int64_t>(random() % static_cast<unsigned>(data_dims[d]));
      p.strides[d] = stride;
      stride *= data_dims[d];
      p.count *= p.dims[d];
    }
    p.extent = data_dims[p.axis];
    std::vector<std::int32_t> data(static_cast<std::size_t>(stride)), y(static_cast<std::size_t>(p.count));
    std::iota(data.begin(), data.end(), 100);
    std::vector<std::int64_t> index(y.size());
    for (std::int64_t& v : index)
      v = static_cast<std::int64_t>(random() % static_cast<unsigned>(2 * p.extent)) - p.extent;
    std::int64_t fault = 0;
    p.index = {index.data(), true, &fault};
    p.x = bytes(data);
    p.y = bytes(y);
    gather_positions(p, {0, tiles_of(p.count), nullptr});
    std::vector<std::int32_t> expected(data.size(), -1), put(data.size(), -1);
    for (std::int64_t i = 0; i < p.count; ++i) {
      std::int64_t at[3] = {i / p.dims[2] / p.dims[1], i / p.dims[2] % p.dims[1], i % p.dims[2]};
      std::int64_t v = index[static_cast<std::size_t>(i)];
      at[p.axis] = v < 0 ? v + p.extent : v;
      std::int64_t offset = at[0] * p.strides[0] + at[1] * p.strides[1] + at[2] * p.strides[2];
      ASSERT_EQ(y[static_cast<std::size_t>(i)], 100 + offset) << "round " << round;
      expected[static_cast<std::size_t>(offset)] = y[static_cast<std::size_t>(i)];
    }
    p.x = bytes(y);
    p.y = bytes(put);
    scatter_positions(p, {0, tiles_of(p.count), nullptr});
    EXPECT_EQ(put, expected);
    EXPECT_EQ(fault, 0);
  }
}

TEST(Index, TopOrdersLikeASortWithNanLargestAndFirstOfEquals) {
  std::mt19937 random(1);
  for (int round = 0; round < 60; ++round) {
    TopParams p;
    p.outer = 2;
    p.inner = 1 + round % 3;
    p.n = 1 + static_cast<std::int64_t>(random() % 200);
    p.k = 1 + static_cast<std::int64_t>(random() % static_cast<unsigned>(p.n));
    if (round % 4 == 0) p.k = std::min<std::int64_t>(p.k, 3);
    p.largest = round % 2;
    std::vector<float> x(static_cast<std::size_t>(p.outer * p.n * p.inner));
    for (float& v : x) v = random() % 40 == 0 ? NAN : static_cast<float>(random() % 30);
    std::vector<float> values(static_cast<std::size_t>(p.outer * p.k * p.inner));
    std::vector<std::int64_t> at(values.size());
    p.x = bytes(x);
    p.values = bytes(values);
    p.indices = at.data();
    if (round % 3 == 0) p.piece = 1 + round % 7;  // the row is cut, and its pieces merged
    const TopWork work = setup_top(p);
    std::vector<std::byte> runs(work.runs_bytes);
    p.runs = runs.data();
    for (std::int64_t r = 0; r < work.rounds; ++r) {
      for (int part : {1, 0}) {
        testing::Scratch scratch(work.scratch_bytes);
        const std::int64_t half = work.tiles / 2;
        top(p, {r * work.tiles + (part ? half : 0), r * work.tiles + (part ? work.tiles : half), scratch.get()});
      }
    }
    for (std::int64_t s = 0; s < p.outer * p.inner; ++s) {
      std::int64_t o = s / p.inner, i = s % p.inner;
      std::vector<std::int64_t> order(static_cast<std::size_t>(p.n));
      std::iota(order.begin(), order.end(), 0);
      auto key = [&](std::int64_t j) {
        float v = x[static_cast<std::size_t>((o * p.n + j) * p.inner + i)];
        return std::isnan(v) ? INFINITY : v;
      };
      std::stable_sort(order.begin(), order.end(),
                       [&](std::int64_t a, std::int64_t b) { return p.largest ? key(a) > key(b) : key(a) < key(b); });
      for (std::int64_t j = 0; j < p.k; ++j) {
        std::size_t to = static_cast<std::size_t>((o * p.k + j) * p.inner + i);
        ASSERT_EQ(at[to], order[static_cast<std::size_t>(j)]) << "round " << round << " sequence " << s << " " << j;
        float want = x[static_cast<std::size_t>((o * p.n + at[to]) * p.inner + i)];
        ASSERT_TRUE(values[to] == want || (std::isnan(values[to]) && std::isnan(want)));
      }
    }
  }
}

TEST(Index, OneHotAndTriangles) {
  std::vector<float> index{0, -1, 3, 4, -5, 1.7f}, values{-1, 2}, y(24, 7);
  OneHotParams p;
  p.index = index.data();
  p.index_type = DType::f32;
  p.values = bytes(values);
  p.y = bytes(y);
  p.outer = 3;
  p.n = 4;
  p.inner = 2;
  std::int64_t tiles = setup_one_hot(&p);
  testing::run_in_parts<OneHotParams>(one_hot, p, tiles, 0);
  EXPECT_EQ(y, (std::vector<float>{2,  -1, -1, -1, -1, -1, -1, 2, -1, -1, -1, -1,
                                   -1, -1, 2,  -1, -1, -1, -1, 2, -1, -1, -1, -1}));

  std::vector<std::uint8_t> x(2 * 3 * 4, 1), t(x.size(), 5);
  for (bool upper : {true, false}) {
    for (std::int64_t shift : {0, 1, -2, 9, -9}) {
      TriangleParams q;
      q.x = bytes(x);
      q.y = bytes(t);
      q.shift = &shift;
      q.upper = upper;
      q.width = 1;
      q.matrices = 2;
      q.rows = 3;
      q.columns = 4;
      testing::run_in_parts<TriangleParams>(triangle, q, setup_triangle(&q), 0);
      for (std::int64_t i = 0; i < 24; ++i) {
        std::int64_t diagonal = i / 4 % 3 + shift;
        ASSERT_EQ(t[static_cast<std::size_t>(i)], (upper ? i % 4 >= diagonal : i % 4 <= diagonal) ? 1 : 0);
      }
    }
  }
}

}  // namespace
}  // namespace mote::kernels::index
