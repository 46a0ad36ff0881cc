#include "kernels/reduce/along.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/half.h"
#include "kernels/testing.h"

namespace mote::kernels::reduce {
namespace {

std::int64_t arg_of(std::vector<float> x, bool largest, bool last) {
  Shape s;
  s.rank = 1;
  s.dim[0] = static_cast<std::int64_t>(x.size());
  s.in_stride[0] = 1;
  s.axes = 1;
  ArgParams p;
  Work w = setup_arg(DType::f32, largest, last, s, &p);
  std::int64_t out = -1;
  p.in = x.data();
  p.out = &out;
  testing::run_in_parts(run_arg, p, w.tiles, w.scratch_bytes);
  return out;
}

TEST(Along, ArgTiesAndNan) {
  EXPECT_EQ(arg_of({1, 3, 3, 2}, true, false), 1);
  EXPECT_EQ(arg_of({1, 3, 3, 2}, true, true), 2);
  EXPECT_EQ(arg_of({1, 3, 1, 2}, false, false), 0);
  EXPECT_EQ(arg_of({1, 3, 1, 2}, false, true), 2);
  EXPECT_EQ(arg_of({1, NAN, 3, NAN}, true, false), 1);
  EXPECT_EQ(arg_of({1, NAN, 3, NAN}, false, true), 3);
  EXPECT_EQ(arg_of({-INFINITY}, true, false), 0);
  EXPECT_EQ(arg_of({-0.0f, 0.0f}, true, false), 0);
}

// [7, 130, 9] along each axis, from a transposed layout.
Shape strided(std::uint32_t axis, bool for_arg) {
  Shape s;
  s.rank = 3;
  const std::int64_t dim[] = {7, 130, 9}, in[] = {130, 1, 910};
  std::int64_t out = 1;
  for (int d = 2; d >= 0; --d) {
    s.dim[d] = dim[d];
    s.in_stride[d] = in[d];
    s.out_stride[d] = out;
    if (!(for_arg && d == static_cast<int>(axis))) out *= dim[d];
  }
  s.axes = 1u << axis;
  return s;
}

TEST(Along, EveryAxisAndPartition) {
  const std::int64_t dim[] = {7, 130, 9}, in[] = {130, 1, 910};
  testing::Data x(7 * 130 * 9, 3);
  for (std::uint32_t axis = 0; axis < 3; ++axis) {
    for (int parts : {1, 2, 3, 7}) {
      ArgParams a;
      Work w = setup_arg(DType::f32, true, false, strided(axis, true), &a);
      std::vector<std::int64_t> index(8190, -1);
      a.in = x.get();
      a.out = index.data();
      testing::run_in_parts(run_arg, a, w.tiles, w.scratch_bytes, parts);
      CumulativeParams c;
      w = setup_cumulative(DType::f32, false, true, true, strided(axis, false), &c);
      testing::Data sums(8190);
      c.in = x.get();
      c.out = sums.get();
      testing::run_in_parts(run_cumulative, c, w.tiles, w.scratch_bytes, parts);

      std::int64_t other[2], n = 0;
      for (std::uint32_t d = 0; d < 3; ++d) {
        if (d != axis) other[n++] = d;
      }
      for (std::int64_t i = 0; i < dim[other[0]]; ++i) {
        for (std::int64_t j = 0; j < dim[other[1]]; ++j) {
          std::int64_t base = i * in[other[0]] + j * in[other[1]], best = 0;
          float sum = 0;
          for (std::int64_t k = dim[axis] - 1; k >= 0; --k) {
            std::int64_t at[3] = {};
            at[other[0]] = i;
            at[other[1]] = j;
            at[axis] = k;
            ASSERT_EQ(sums[(at[0] * 130 + at[1]) * 9 + at[2]], sum);
            sum = k == dim[axis] - 1 ? x[base + k * in[axis]] : sum + x[base + k * in[axis]];
          }
          for (std::int64_t k = 1; k < dim[axis]; ++k) {
            if (x[base + k * in[axis]] > x[base + best * in[axis]]) best = k;
          }
          ASSERT_EQ(index[static_cast<std::size_t>(i * dim[other[1]] + j)], best);
        }
      }
    }
  }
}

TEST(Along, TypesAndInPlace) {
  Shape s;
  s.rank = 1;
  s.dim[0] = 4;
  s.in_stride[0] = s.out_stride[0] = 1;
  s.axes = 1;
  CumulativeParams p;
  std::int8_t bytes[] = {100, 100, 1, 2};
  Work w = setup_cumulative(DType::i8, false, false, false, s, &p);
  p.in = p.out = bytes;
  testing::run_in_parts(run_cumulative, p, w.tiles, w.scratch_bytes);
  EXPECT_EQ(bytes[1], -56);
  EXPECT_EQ(bytes[3], -53);
  std::uint16_t halves[4];
  for (auto& h : halves) h = f32_to_f16(3);
  w = setup_cumulative(DType::f16, true, false, false, s, &p);
  p.in = p.out = halves;
  testing::run_in_parts(run_cumulative, p, w.tiles, w.scratch_bytes);
  EXPECT_EQ(f16_to_f32(halves[3]), 81);
  EXPECT_FALSE(supported_along(DType::string));
  s.dim[0] = 0;
  EXPECT_EQ(setup_cumulative(DType::f32, false, false, false, s, &p).tiles, 0);
}

}  // namespace
}  // namespace mote::kernels::reduce
