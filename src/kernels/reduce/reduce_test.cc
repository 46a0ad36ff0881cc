#include "kernels/reduce/reduce.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>

#include "base/half.h"
#include "kernels/testing.h"

namespace mote::kernels::reduce {
namespace {

using testing::Data;
using Dims = std::vector<std::int64_t>;

std::vector<const Kernel*> rows_of(DType compute) {
  std::vector<const Kernel*> rows;
  for (const Kernel& k : kernels()) {
    if (k.run && k.compute == compute && host_cpu().has(k.isa)) rows.push_back(&k);
  }
  return rows;
}

// The definition of lanes16, to the letter.
float lanes16(const std::vector<float>& x, float neutral, const std::function<float(float, float)>& step,
              const std::function<float(float, float)>& join) {
  float total = neutral;
  for (std::size_t begin = 0; begin < x.size(); begin += 4096) {
    float lane[16];
    for (float& l : lane) l = neutral;
    for (std::size_t i = 0; i < 4096 && begin + i < x.size(); ++i) lane[i % 16] = step(lane[i % 16], x[begin + i]);
    for (int half : {8, 4, 2, 1}) {
      for (int l = 0; l < half; ++l) lane[l] = join(lane[l], lane[l + half]);
    }
    total = begin == 0 ? lane[0] : join(total, lane[0]);
  }
  return total;
}

float reference(Op op, const std::vector<float>& x) {
  auto add = [](float a, float b) { return a + b; };
  auto n = static_cast<float>(x.size());
  switch (op) {
    case Op::sum:
      return lanes16(x, 0, add, add);
    case Op::mean:
      return lanes16(x, 0, add, add) / n;
    case Op::prod: {
      auto mul = [](float a, float b) { return a * b; };
      return lanes16(x, 1, mul, mul);
    }
    case Op::min:
      return x.empty() ? INFINITY : *std::min_element(x.begin(), x.end());
    case Op::max:
      return x.empty() ? -INFINITY : *std::max_element(x.begin(), x.end());
    case Op::l1:
      return lanes16(
          x, 0, [](float a, float b) { return a + std::fabs(b); }, add);
    case Op::l2:
      return std::sqrt(reference(Op::sum_square, x));
    case Op::sum_square:
      return lanes16(
          x, 0, [](float a, float b) { return std::fma(b, b, a); }, add);
    default: {
      double sum = 0;
      for (float v : x) sum += op == Op::log_sum ? static_cast<double>(v) : std::exp(static_cast<double>(v));
      return static_cast<float>(std::log(sum));
    }
  }
}

struct Case {
  Dims dims, in, out;  // strides
  std::uint32_t axes;
};
const std::vector<Case> kCases = {
    {{1}, {1}, {1}, 1},
    {{37}, {1}, {1}, 1},
    {{30000}, {1}, {1}, 1},
    {{7, 100}, {100, 1}, {1, 0}, 2},    // rows
    {{9, 5000}, {5000, 1}, {1, 0}, 2},  // rows of two chunks
    {{49, 70}, {70, 1}, {0, 1}, 1},     // columns
    {{100000}, {1}, {1}, 1},            // a row shared between tiles
    {{70000, 5}, {5, 1}, {0, 1}, 1},    // columns shared between tiles
    {{7, 10000, 3}, {30000, 3, 1}, {0, 0, 1}, 0b011},
    {{3, 35000, 2}, {70000, 2, 1}, {1, 0, 0}, 0b110},
    {{2, 35000, 3}, {3, 6, 1}, {0, 0, 0}, 0b111},                // shared and gathered
    {{5000, 19}, {19, 1}, {0, 1}, 1},                            // columns of two chunks
    {{2, 5, 7, 6}, {210, 42, 6, 1}, {6, 0, 0, 1}, 0b0110},       // two axes, kept outside and inside
    {{2, 33, 7, 6}, {1386, 1, 198, 33}, {33, 1, 0, 0}, 0b1100},  // channels-last mean
    {{3, 5, 11}, {55, 11, 1}, {0, 1, 0}, 0b101},                 // kept in the middle: gather
    {{300, 20, 3}, {60, 3, 1}, {0, 1, 0}, 0b101},                // the same with chunks
    {{6, 40}, {1, 6}, {1, 0}, 2},                                // transposed rows are columns
    {{4, 3}, {6, 2}, {1, 0}, 2},                                 // nothing is contiguous
    {{4, 0}, {0, 1}, {1, 0}, 2},                                 // nothing to fold
    {{4, 3}, {3, 1}, {3, 1}, 0},                                 // no axis
};

// Calls fn(result offset, sequence) for each result.
void each_result(const Case& c, const float* x,
                 const std::function<void(std::int64_t, const std::vector<float>&)>& fn) {
  std::vector<std::vector<float>> sequences;
  std::vector<std::int64_t> where;
  std::int64_t kept = 1, reduced = 1;
  for (std::size_t d = 0; d < c.dims.size(); ++d) ((c.axes >> d & 1u) != 0 ? reduced : kept) *= c.dims[d];
  for (std::int64_t k = 0; k < kept; ++k) {
    std::vector<float> s;
    std::int64_t out = 0;
    for (std::int64_t r = 0; r < reduced; ++r) {
      std::int64_t at = 0, ik = k, ir = r;
      out = 0;
      for (std::size_t d = c.dims.size(); d-- > 0;) {
        std::int64_t& index = (c.axes >> d & 1u) != 0 ? ir : ik;
        at += index % c.dims[d] * c.in[d];
        if (&index == &ik) out += index % c.dims[d] * c.out[d];
        index /= c.dims[d];
      }
      s.push_back(x[at]);
    }
    if (reduced == 0) out = k;
    fn(out, s);
  }
}

Shape shape_of(const Case& c) {
  Shape s;
  s.rank = static_cast<int>(c.dims.size());
  std::copy(c.dims.begin(), c.dims.end(), s.dim);
  std::copy(c.in.begin(), c.in.end(), s.in_stride);
  std::copy(c.out.begin(), c.out.end(), s.out_stride);
  s.axes = c.axes;
  return s;
}

// Both phases.
void run_all(const Kernel& k, Params p, Work w, int parts = 1) {
  testing::Scratch shared(w.shared_bytes);
  p.partials = shared.get();
  testing::run_in_parts(k.run, p, w.tiles, w.scratch_bytes, parts);
  if (w.combine_tiles > 0) testing::run_in_parts(k.combine, p, w.combine_tiles, 0, parts);
}

TEST(Reduce, FollowsLanes16InEveryFormAndPartition) {
  Data x(400000, 1), y(400000, 2);
  for (std::int64_t i = 0; i < x.size(); ++i) y[i] = 1 + x[i] * 0.001f;  // whose product stays finite
  for (const Kernel* k : rows_of(DType::f32)) {
    for (std::size_t n = 0; n < kCases.size(); ++n) {
      for (Op op : {Op::sum, Op::mean, Op::prod, Op::min, Op::max, Op::l1, Op::l2, Op::sum_square, Op::log_sum,
                    Op::log_sum_exp}) {
        const float* in = op == Op::prod || op == Op::log_sum ? y.get() : x.get();
        Params p;
        Work w = setup(*k, op, DType::f32, shape_of(kCases[n]), &p);
        for (int parts : {1, 2, 3, 7}) {
          Data out = Data::poisoned(64 * 128);
          p.in = in;
          p.out = out.get();
          run_all(*k, p, w, parts);
          each_result(kCases[n], in, [&](std::int64_t at, const std::vector<float>& s) {
            float want = reference(op, s);
            if (want != want) {
              ASSERT_NE(out[at], out[at]);
            } else if (op == Op::log_sum || op == Op::log_sum_exp) {
              if (std::isinf(want)) {
                ASSERT_EQ(out[at], want);
              } else {
                ASSERT_NEAR(out[at], want, 1e-5) << k->name << " case " << n;
              }
            } else {
              ASSERT_EQ(out[at], want) << k->name << " case " << n << " op " << static_cast<int>(op) << " at " << at;
            }
          });
        }
      }
    }
  }
}

TEST(Reduce, AllRowsGiveTheSameBits) {
  Data x(400000, 4);
  for (std::size_t n = 0; n < kCases.size(); ++n) {
    for (Op op : {Op::log_sum_exp, Op::log_sum, Op::mean}) {
      std::vector<std::vector<float>> results;
      for (const Kernel* k : rows_of(DType::f32)) {
        std::vector<float> out(64 * 128, 0.0f);
        Params p;
        Work w = setup(*k, op, DType::f32, shape_of(kCases[n]), &p);
        p.in = x.get();
        p.out = out.data();
        run_all(*k, p, w, 2);
        for (float& v : out) v = v != v ? 0.0f : v;
        results.push_back(out);
      }
      for (auto& r : results) ASSERT_EQ(std::memcmp(r.data(), results[0].data(), r.size() * 4), 0) << n;
    }
  }
}

TEST(Reduce, NanAndInfinity) {
  for (const Kernel* k : rows_of(DType::f32)) {
    auto of = [&](Op op, std::vector<float> x) {
      Case c{{static_cast<std::int64_t>(x.size())}, {1}, {0}, 1};
      Params p;
      Work w = setup(*k, op, DType::f32, shape_of(c), &p);
      float out = 0;
      p.in = x.data();
      p.out = &out;
      run_all(*k, p, w);
      return out;
    };
    EXPECT_TRUE(std::isnan(of(Op::max, {1, NAN, 2})));
    EXPECT_TRUE(std::isnan(of(Op::min, {NAN, 1, 2})));
    EXPECT_EQ(of(Op::log_sum_exp, {-INFINITY, -INFINITY}), -INFINITY);
    EXPECT_EQ(of(Op::log_sum_exp, {INFINITY, 1}), INFINITY);
    EXPECT_NEAR(of(Op::log_sum_exp, {1000, 1000}), 1000 + std::log(2.0), 1e-4);
    EXPECT_EQ(of(Op::max, {-INFINITY}), -INFINITY);
  }
}

TEST(Reduce, OtherTypes) {
  auto run = [](DType t, Op op, const void* in, std::int64_t n, void* out) {
    ASSERT_TRUE(supported(t, op));
    const Kernel* k = select(compute_type(t), host_cpu());
    ASSERT_NE(k, nullptr);
    Params p;
    Work w = setup(*k, op, t, shape_of({{n}, {1}, {0}, 1}), &p);
    p.in = in;
    p.out = out;
    run_all(*k, p, w);
  };
  std::vector<std::uint16_t> h(5000, f32_to_f16(0.5f));
  std::uint16_t h16 = 0;
  run(DType::f16, Op::sum, h.data(), 5000, &h16);
  EXPECT_EQ(f16_to_f32(h16), 2500);
  const std::int64_t i64[] = {INT64_MAX, 1, 5};
  std::int64_t sum = 0, least = 0, mean = 0;
  run(DType::i64, Op::sum, i64, 3, &sum);
  EXPECT_EQ(sum, INT64_MIN + 5);
  run(DType::i64, Op::min, i64, 3, &least);
  EXPECT_EQ(least, 1);
  const std::int64_t small[] = {-7, 2, 1};
  run(DType::i64, Op::mean, small, 3, &mean);
  EXPECT_EQ(mean, -1);
  const std::uint8_t truths[] = {1, 1, 0};
  std::uint8_t any = 9, all = 9;
  run(DType::boolean, Op::max, truths, 3, &any);
  run(DType::boolean, Op::min, truths, 3, &all);
  EXPECT_EQ(any, 1);
  EXPECT_EQ(all, 0);
  run(DType::boolean, Op::min, truths, 0, &all);
  EXPECT_EQ(all, 1);
  const double d[] = {1, 2, 3};
  double lse = 0;
  run(DType::f64, Op::log_sum_exp, d, 3, &lse);
  EXPECT_NEAR(lse, std::log(std::exp(1.0) + std::exp(2.0) + std::exp(3.0)), 1e-14);
  EXPECT_FALSE(supported(DType::i32, Op::log_sum));
  EXPECT_FALSE(supported(DType::string, Op::sum));
}

}  // namespace
}  // namespace mote::kernels::reduce
