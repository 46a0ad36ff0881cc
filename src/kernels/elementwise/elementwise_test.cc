#include "kernels/elementwise/elementwise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <utility>

#include "base/half.h"
#include "kernels/table.h"
#include "kernels/testing.h"

namespace mote::kernels::elementwise {
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

Dims dense(const Dims& dims) {
  Dims s(dims.size());
  std::int64_t n = 1;
  for (std::size_t i = dims.size(); i-- > 0; n *= dims[i]) s[i] = n;
  return s;
}

// Fills rank, dims and out; operands are added by add_input.
Params make(const Dims& dims, DType out_dtype, void* out, std::vector<EpilogueOp> ops, Dims out_stride = {}) {
  Params p;
  p.rank = static_cast<int>(dims.size());
  if (out_stride.empty()) out_stride = dense(dims);
  std::copy(dims.begin(), dims.end(), p.dim);
  std::copy(out_stride.begin(), out_stride.end(), p.out_stride);
  p.out = out;
  p.out_dtype = out_dtype;
  p.op_count = static_cast<int>(ops.size());
  std::copy(ops.begin(), ops.end(), p.ops);
  return p;
}
void add_input(Params& p, DType t, const void* data, const Dims& stride) {
  Operand& o = p.in[p.inputs++];
  o.data = data;
  o.dtype = t;
  std::copy(stride.begin(), stride.end(), o.stride);
}
void run(const Kernel& k, Params p, int parts = 1) {
  Work w = setup(k, &p);
  testing::run_in_parts(k.run, p, w.tiles, w.scratch_bytes, parts);
}

bool same(float a, float b) { return (a != a && b != b) || f32_to_bits(a) == f32_to_bits(b); }

TEST(Elementwise, BroadcastsAndStridesAgreeWithIndexArithmetic) {
  struct Case {
    Dims dims, a, b, out;
  };
  const std::vector<Case> cases = {
      {{1}, {1}, {1}, {}},
      {{7}, {1}, {0}, {}},
      {{3001}, {1}, {1}, {}},
      {{3001}, {2}, {-1}, {}},
      {{5, 3, 37}, {111, 37, 1}, {0, 1, 0}, {}},         // a value per channel, short rows
      {{2, 3, 1500}, {4500, 1500, 1}, {0, 1, 0}, {}},    // the same with long rows
      {{40, 3}, {3, 1}, {0, 1}, {}},                     // a repeated short row
      {{9, 300}, {300, 1}, {0, 1}, {}},                  // a repeated long row
      {{9, 300}, {1, 9}, {300, 1}, {}},                  // transposed
      {{9, 300}, {300, 1}, {300, 1}, {320, 1}},          // padded result
      {{17, 5, 3}, {15, 3, 1}, {0, 0, 0}, {1, 17, 85}},  // transposed result
      {{2, 3, 4, 5, 2, 3}, {360, 120, 30, 6, 3, 1}, {3, 0, 0, 1, 0, 0}, {}},
      {{4, 1, 130, 2}, {260, 260, 2, 1}, {0, 0, 2, 1}, {}},
  };
  for (const Kernel* k : rows_of(DType::f32)) {
    for (std::size_t c = 0; c < cases.size(); ++c) {
      const Case& t = cases[c];
      std::int64_t n = 1;
      for (auto d : t.dims) n *= d;
      Data a(20000, 1), b(20000, 2);
      const float *pa = a.get() + 9000, *pb = b.get() + 9000;
      Dims so = t.out.empty() ? dense(t.dims) : t.out;
      Data want = Data::poisoned(20000), got = Data::poisoned(20000);
      for (std::int64_t e = 0; e < n; ++e) {
        std::int64_t rest = e, ia = 0, ib = 0, io = 0;
        for (std::size_t d = t.dims.size(); d-- > 0;) {
          std::int64_t i = rest % t.dims[d];
          rest /= t.dims[d];
          ia += i * t.a[d];
          ib += i * t.b[d];
          io += i * so[d];
        }
        want[io] = pa[ia] - pb[ib];
      }
      for (int parts : {1, 2, 3, 7}) {
        got = Data::poisoned(20000);
        Params p = make(t.dims, DType::f32, got.get(), {binary(BinaryOp::sub, 1)}, so);
        add_input(p, DType::f32, pa, t.a);
        add_input(p, DType::f32, pb, t.b);
        run(*k, p, parts);
        ASSERT_TRUE(got.same_bits(want)) << k->name << " case " << c << " parts " << parts;
      }
    }
  }
}

const std::vector<float>& specials() {
  static const std::vector<float> v = {0.0f,     -0.0f,     1.0f, -1.0f,   0.5f,   -0.5f,   2.0f,      -2.0f,
                                       3.0f,     1.5f,      2.5f, -2.5f,   1e-40f, -1e-40f, 3e38f,     -3e38f,
                                       INFINITY, -INFINITY, NAN,  100.25f, -7.75f, 1e-7f,   12345.678f};
  return v;
}

TEST(Elementwise, BinaryOpsAreTheSameOnAllRowsAndForms) {
  const auto& v = specials();
  std::vector<float> x, y;
  for (float a : v) {
    for (float b : v) {
      x.push_back(a);
      y.push_back(b);
    }
  }
  auto n = static_cast<std::int64_t>(x.size());
  const Kernel* base = rows_of(DType::f32).back();
  for (int op = 0; op < kBinaryOpCount; ++op) {
    std::vector<float> want(x.size()), got(x.size());
    EpilogueOp forward = binary(static_cast<BinaryOp>(op), 1), backward = binary(static_cast<BinaryOp>(op), 1, true);
    Params p = make({n}, DType::f32, want.data(), {forward});
    add_input(p, DType::f32, x.data(), {1});
    add_input(p, DType::f32, y.data(), {1});
    run(*base, p);
    for (const Kernel* k : rows_of(DType::f32)) {
      p.out = got.data();
      run(*k, p);
      for (std::size_t i = 0; i < x.size(); ++i) {
        ASSERT_TRUE(same(want[i], got[i])) << k->name << ' ' << name_of(static_cast<BinaryOp>(op)) << ' ' << x[i] << ' '
                                           << y[i] << ": " << want[i] << ' ' << got[i];
      }
      for (std::size_t i = 0; i < v.size(); ++i) {  // with one operand broadcast, on either side
        std::vector<float> left(v.size()), right(v.size());
        Params q = make({static_cast<std::int64_t>(v.size())}, DType::f32, left.data(), {backward});
        add_input(q, DType::f32, v.data(), {1});
        add_input(q, DType::f32, &v[i], {0});
        run(*k, q);
        q.ops[0] = binary_immediate(static_cast<BinaryOp>(op), v[i]);
        q.out = right.data();
        run(*k, q);
        for (std::size_t j = 0; j < v.size(); ++j) {
          ASSERT_TRUE(same(left[j], want[i * v.size() + j])) << k->name << name_of(static_cast<BinaryOp>(op));
          ASSERT_TRUE(same(right[j], want[j * v.size() + i])) << k->name << name_of(static_cast<BinaryOp>(op));
        }
      }
    }
  }
}

float binary_of(BinaryOp op, float x, float y) {
  float out = 0;
  Params p = make({}, DType::f32, &out, {binary(op, 1)});
  add_input(p, DType::f32, &x, {});
  add_input(p, DType::f32, &y, {});
  run(*rows_of(DType::f32).front(), p);
  return out;
}
float unary_of(UnaryOp op, float x, float a = 0, float b = 0) {
  float out = 0;
  Params p = make({}, DType::f32, &out, {unary(op, a, b)});
  add_input(p, DType::f32, &x, {});
  run(*rows_of(DType::f32).front(), p);
  return out;
}

TEST(Elementwise, FloatSemantics) {
  EXPECT_TRUE(std::isnan(binary_of(BinaryOp::min, NAN, 1)));
  EXPECT_TRUE(std::isnan(binary_of(BinaryOp::max, 1, NAN)));
  EXPECT_TRUE(std::signbit(binary_of(BinaryOp::min, 0.0f, -0.0f)));
  EXPECT_FALSE(std::signbit(binary_of(BinaryOp::max, -0.0f, 0.0f)));
  EXPECT_EQ(binary_of(BinaryOp::mod, -7, 3), 2);
  EXPECT_EQ(binary_of(BinaryOp::mod, 7, -3), -2);
  EXPECT_EQ(binary_of(BinaryOp::fmod, -7, 3), -1);
  EXPECT_EQ(binary_of(BinaryOp::floor_div, -7, 2), -4);
  EXPECT_EQ(binary_of(BinaryOp::pow, -2, 3), -8);
  EXPECT_TRUE(std::isnan(binary_of(BinaryOp::pow, -2, 0.5f)));
  EXPECT_EQ(binary_of(BinaryOp::pow, NAN, 0), 1);
  EXPECT_EQ(binary_of(BinaryOp::pow, -0.0f, -3), -INFINITY);
  EXPECT_EQ(binary_of(BinaryOp::prelu, -2, 0.25f), -0.5f);
  EXPECT_EQ(binary_of(BinaryOp::less, 1, NAN), 0);
  EXPECT_EQ(binary_of(BinaryOp::not_equal, NAN, NAN), 1);
  EXPECT_EQ(binary_of(BinaryOp::logical_xor, 5, 0), 1);
  EXPECT_EQ(unary_of(UnaryOp::round, 2.5f), 2);
  EXPECT_EQ(unary_of(UnaryOp::round, -1.5f), -2);
  EXPECT_TRUE(std::isnan(unary_of(UnaryOp::relu, NAN)));
  EXPECT_TRUE(std::isnan(unary_of(UnaryOp::sign, NAN)));
  EXPECT_EQ(unary_of(UnaryOp::clip, 5, 3, 1), 1);  // low above high: high
  EXPECT_TRUE(std::isnan(unary_of(UnaryOp::clip, NAN, 0, 1)));
  EXPECT_EQ(unary_of(UnaryOp::is_inf, -INFINITY, 0, 1), 0);
  EXPECT_EQ(unary_of(UnaryOp::is_inf, -INFINITY, 1, 0), 1);
  EXPECT_EQ(unary_of(UnaryOp::leaky_relu, -2, 0.1f), -2 * 0.1f);
  EXPECT_NEAR(unary_of(UnaryOp::selu, -1, 1.67326f, 1.0507f), 1.0507 * 1.67326 * std::expm1(-1.0), 1e-6);
  EXPECT_NEAR(unary_of(UnaryOp::celu, -1, 2), 2 * std::expm1(-0.5), 1e-6);
  EXPECT_NEAR(unary_of(UnaryOp::hard_sigmoid, 0.7f, 0.2f, 0.5f), 0.64, 1e-6);
  EXPECT_NEAR(unary_of(UnaryOp::hard_swish, 1), 1 * 4.0 / 6, 1e-6);
  EXPECT_EQ(unary_of(UnaryOp::shrink, -3, 1.5f, 0.5f), -2.5f);
  EXPECT_EQ(unary_of(UnaryOp::shrink, 1, 1.5f, 0.5f), 0);
  EXPECT_EQ(unary_of(UnaryOp::thresholded_relu, 1, 1), 0);
  EXPECT_NEAR(unary_of(UnaryOp::softsign, -3), -0.75, 1e-7);
  EXPECT_NEAR(unary_of(UnaryOp::swish, 2, 0.5f), 2 / (1 + std::exp(-1.0)), 1e-6);
}

TEST(Elementwise, UnaryOpsAreTheSameOnAllRows) {
  std::vector<float> x = specials();
  Data more(1003, 3);
  for (std::int64_t i = 0; i < more.size(); ++i) x.push_back(more[i] * 20);
  auto n = static_cast<std::int64_t>(x.size());
  for (int op = 0; op < kUnaryOpCount; ++op) {
    std::vector<float> want(x.size()), got(x.size());
    Params p = make({n}, DType::f32, want.data(), {unary(static_cast<UnaryOp>(op), 0.75f, 1.25f)});
    add_input(p, DType::f32, x.data(), {1});
    run(*rows_of(DType::f32).back(), p);
    for (const Kernel* k : rows_of(DType::f32)) {
      p.out = got.data();
      run(*k, p);
      for (std::size_t i = 0; i < x.size(); ++i) {
        ASSERT_TRUE(same(want[i], got[i])) << k->name << ' ' << name_of(static_cast<UnaryOp>(op)) << ' ' << x[i];
      }
    }
  }
}

TEST(Elementwise, ProgramsRunInOnePass) {
  const std::int64_t n = 2 * 1300;
  Data x(n, 1), r(n, 2), s(2, 3);
  std::vector<std::uint8_t> keep(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < keep.size(); ++i) keep[i] = i % 3 == 0;
  for (const Kernel* k : rows_of(DType::f32)) {
    Data out(n);
    // v = keep ? max(x*s + r, 0.1) * x : r
    Params p = make({2, 1300}, DType::f32, out.get(),
                    {binary(BinaryOp::mul, 1),
                     binary(BinaryOp::add, 2),
                     binary_immediate(BinaryOp::max, 0.1f),
                     binary(BinaryOp::mul, kStart),
                     {Form::kSelect, 0, 3, 2, 0, 0}});
    add_input(p, DType::f32, x.get(), {1300, 1});
    add_input(p, DType::f32, s.get(), {1, 0});
    add_input(p, DType::f32, r.get(), {1300, 1});
    add_input(p, DType::boolean, keep.data(), {1300, 1});
    run(*k, p, 3);
    for (std::int64_t i = 0; i < n; ++i) {
      float v = std::max(x[i] * s[i / 1300] + r[i], 0.1f) * x[i];
      ASSERT_EQ(out[i], keep[static_cast<std::size_t>(i)] ? v : r[i]) << k->name << i;
    }
    Data inplace = x;  // the result over the first input, which the program still needs
    p.in[0].data = p.out = inplace.get();
    run(*k, p, 2);
    EXPECT_TRUE(inplace.same_bits(out)) << k->name;
  }
}

TEST(Elementwise, HalvesAndBools) {
  const std::int64_t n = 2051;
  std::vector<std::uint16_t> a(n), b(n), out(n);
  std::vector<std::uint8_t> mask(n);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = f32_to_f16(static_cast<float>(i) * 0.37f - 300);
    b[i] = f32_to_bf16(3.0f - static_cast<float>(i % 7));
  }
  for (const Kernel* k : rows_of(DType::f32)) {
    Params p = make({n}, DType::f16, out.data(), {binary(BinaryOp::mul, 1)});
    add_input(p, DType::f16, a.data(), {1});
    add_input(p, DType::bf16, b.data(), {1});
    run(*k, p, 2);
    for (std::size_t i = 0; i < a.size(); ++i)
      ASSERT_EQ(out[i], f32_to_f16(f16_to_f32(a[i]) * bf16_to_f32(b[i]))) << k->name;
    p.out_dtype = DType::bf16;
    run(*k, p);
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_EQ(out[i], f32_to_bf16(f16_to_f32(a[i]) * bf16_to_f32(b[i])));
    Params q = make({n}, DType::boolean, mask.data(), {binary(BinaryOp::less, 1)});
    add_input(q, DType::f16, a.data(), {1});
    add_input(q, DType::bf16, b.data(), {1});
    run(*k, q);
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_EQ(mask[i], f16_to_f32(a[i]) < bf16_to_f32(b[i]));
  }
}

template <class T>
T int_op(DType t, BinaryOp op, T x, T y) {
  T out = 0;
  Params p = make({}, t, &out, {binary(op, 1)});
  add_input(p, t, &x, {});
  add_input(p, t, &y, {});
  run(*select(t, host_cpu()), p);
  return out;
}

TEST(Elementwise, IntegersAreDefinedEverywhere) {
  const std::int32_t kMin = INT32_MIN, kMax = INT32_MAX;
  auto i32 = [](BinaryOp op, std::int32_t x, std::int32_t y) { return int_op(DType::i32, op, x, y); };
  EXPECT_EQ(i32(BinaryOp::div, 5, 0), 0);
  EXPECT_EQ(i32(BinaryOp::div, kMin, -1), kMin);
  EXPECT_EQ(i32(BinaryOp::div, -7, 2), -3);
  EXPECT_EQ(i32(BinaryOp::floor_div, -7, 2), -4);
  EXPECT_EQ(i32(BinaryOp::mod, -7, 3), 2);
  EXPECT_EQ(i32(BinaryOp::mod, kMin, -1), 0);
  EXPECT_EQ(i32(BinaryOp::mod, 3, 0), 0);
  EXPECT_EQ(i32(BinaryOp::fmod, -7, 3), -1);
  EXPECT_EQ(i32(BinaryOp::add, kMax, 1), kMin);
  EXPECT_EQ(i32(BinaryOp::mul, kMax, kMax), 1);
  EXPECT_EQ(i32(BinaryOp::shift_left, 1, 32), 0);
  EXPECT_EQ(i32(BinaryOp::shift_left, 1, -1), 0);
  EXPECT_EQ(i32(BinaryOp::shift_right, -8, 1), -4);
  EXPECT_EQ(i32(BinaryOp::shift_right, -8, 32), -1);
  EXPECT_EQ(i32(BinaryOp::shift_right, 8, 32), 0);
  EXPECT_EQ(i32(BinaryOp::pow, 3, 5), 243);
  EXPECT_EQ(i32(BinaryOp::pow, 2, -1), 0);
  EXPECT_EQ(i32(BinaryOp::pow, -1, -3), -1);
  EXPECT_EQ(i32(BinaryOp::less, -1, 0), 1);
  EXPECT_EQ(i32(BinaryOp::bitwise_xor, 12, 10), 6);
  EXPECT_EQ((int_op<std::int64_t>(DType::i64, BinaryOp::mod, INT64_MIN, -1)), 0);
  EXPECT_EQ((int_op<std::uint8_t>(DType::u8, BinaryOp::sub, 3, 5)), 254);
  EXPECT_EQ((int_op<std::uint16_t>(DType::u16, BinaryOp::mul, 65535, 65535)), 1);
  EXPECT_EQ((int_op<std::int8_t>(DType::i8, BinaryOp::div, -128, -1)), -128);
  EXPECT_EQ((int_op<std::uint64_t>(DType::u64, BinaryOp::max, UINT64_MAX, 1)), UINT64_MAX);
  EXPECT_EQ((int_op<std::uint32_t>(DType::u32, BinaryOp::shift_right, UINT32_MAX, 31)), 1u);
  EXPECT_DOUBLE_EQ((int_op<double>(DType::f64, BinaryOp::pow, 2, 0.5)), std::sqrt(2.0));
  EXPECT_FALSE(supported(DType::f32, binary(BinaryOp::bitwise_and, 1)));
  EXPECT_FALSE(supported(DType::i32, unary(UnaryOp::exp)));
  EXPECT_EQ(compute_type(DType::bf16), DType::f32);
  EXPECT_EQ(compute_type(DType::i4), DType::none);
}

TEST(Elementwise, IntegerSelectAndComparisonGiveBool) {
  const std::int64_t n = 1500;
  std::vector<std::int64_t> a(n), b(n), out(n);
  std::vector<std::uint8_t> less(n);
  for (std::int64_t i = 0; i < n; ++i) {
    a[static_cast<std::size_t>(i)] = i;
    b[static_cast<std::size_t>(i)] = n - i;
  }
  const Kernel* k = select(DType::i64, host_cpu());
  Params p = make({n}, DType::boolean, less.data(), {binary(BinaryOp::less, 1)});
  add_input(p, DType::i64, a.data(), {1});
  add_input(p, DType::i64, b.data(), {1});
  run(*k, p);
  Params q = make({n}, DType::i64, out.data(), {{Form::kSelect, 0, 1, 2, 0, 0}});
  add_input(q, DType::i64, a.data(), {1});
  add_input(q, DType::boolean, less.data(), {1});
  add_input(q, DType::i64, b.data(), {1});
  run(*k, q, 2);
  for (std::size_t i = 0; i < out.size(); ++i) ASSERT_EQ(out[i], std::min(a[i], b[i]));
}

TEST(Elementwise, EpiloguesDoNotDependOnCutsOrIsa) {
  const std::int64_t rows = 3, cols = 1100;
  Data bias(cols, 4), residual(rows * 1200, 5), scale(rows, 6), c0(rows * cols, 7);
  Epilogue e;
  e.count = 5;
  e.ops[0] = binary(BinaryOp::add, 0);
  e.ops[1] = unary(UnaryOp::silu);
  e.ops[2] = binary(BinaryOp::mul, kStart);
  e.ops[3] = binary(BinaryOp::add, 1);
  e.ops[4] = binary(BinaryOp::sub, 2, true);
  e.operands[0] = {bias.get(), 0, 1};
  e.operands[1] = {residual.get(), 1200, 1};
  e.operands[2] = {scale.get(), 1, 0};
  using Apply = void (*)(const Epilogue&, const EpilogueBlock&) noexcept;
  const std::pair<Isa, Apply> vectors[] = {{Isa::avx2, MOTE_IF_avx2(avx2::apply_epilogue)},
                                           {Isa::avx512, MOTE_IF_avx512(avx512::apply_epilogue)},
                                           {Isa::neon, MOTE_IF_neon(neon::apply_epilogue)}};
  std::vector<Apply> all = {scalar::apply_epilogue};
  for (const auto& [isa, apply] : vectors) {
    if (apply && host_cpu().has(isa)) all.push_back(apply);
  }
  Data want = c0;
  for (std::int64_t r = 0; r < rows; ++r) scalar::apply_epilogue(e, {want.get() + r * cols, cols, 1, cols, r, 1, 0});
  EXPECT_NEAR(want[cols + 1], scale[1] - ([&] {
                                float v = c0[cols + 1] + bias[1];
                                return v / (1 + std::exp(-v)) * c0[cols + 1] + residual[1201];
                              }()),
              1e-5);
  for (Apply apply : all) {
    for (std::int64_t cut : {1l, 7l, 100l, 513l, 1100l}) {
      Data got = c0;
      for (std::int64_t i = 0; i < cols; i += cut) {
        const std::int64_t n = std::min(cut, cols - i);
        apply(e, {got.get() + i, cols, 1, n, 0, 1, i});
        apply(e, {got.get() + cols + i, cols, rows - 1, n, 1, 1, i});
      }
      ASSERT_TRUE(got.same_bits(want)) << cut;
    }
  }
}

// Rows that follow one another are taken for one; rows further apart, or of a program's every other row, are not.
TEST(Elementwise, EpiloguesOfManyNarrowRows) {
  const std::int64_t rows = 150, n = 5;
  Data other(2 * rows * n, 5), c0(rows * n, 7);
  Epilogue e;
  e.count = 3;
  e.ops[0] = binary(BinaryOp::add, 0);
  e.ops[1] = unary(UnaryOp::hard_swish);
  e.ops[2] = binary(BinaryOp::sub, kStart);
  e.operands[0] = {other.get(), n, 1};
  for (std::int64_t step : {1, 2}) {
    Data want = c0;
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t i = 0; i < n; ++i) {
        const float v = c0[r * n + i] + other[r * step * n + i];
        want[r * n + i] = v * std::clamp(v / 6 + 0.5f, 0.0f, 1.0f) - c0[r * n + i];
      }
    }
    Data got = c0, apart = Data::poisoned(rows * (n + 2));
    scalar::apply_epilogue(e, {got.get(), n, rows, n, 0, step, 0});
    for (std::int64_t i = 0; i < rows * n; ++i) {
      ASSERT_NEAR(got[i], want[i], 1e-6) << i;
      apart[i / n * (n + 2) + i % n] = c0[i];
    }
    scalar::apply_epilogue(e, {apart.get(), n + 2, rows, n, 0, step, 0});
    for (std::int64_t i = 0; i < rows * n; ++i) ASSERT_EQ(apart[i / n * (n + 2) + i % n], got[i]);
  }
}

TEST(Elementwise, EmptyTensorsNeedNoWork) {
  Params p = make({3, 0, 2}, DType::f32, nullptr, {unary(UnaryOp::exp)});
  add_input(p, DType::f32, nullptr, {0, 2, 1});
  EXPECT_EQ(setup(*rows_of(DType::f32).front(), &p).tiles, 0);
}

}  // namespace
}  // namespace mote::kernels::elementwise
