#include "kernels/dot/dot.h"

#include <gtest/gtest.h>

#include "base/half.h"
#include "kernels/testing.h"

namespace mote::kernels::dot {
namespace {

using namespace testing;
using i64 = std::int64_t;

struct Case {
  i64 m, n, k;
  i64 a_gap = 0, c_gap = 0;
  bool bias = true, residual = false, program = false;
  i64 batch = 1;
  bool packed = true, transposed = false;
  DType dtype = DType::f32;
};

float value_of(const Case& c, float x) {
  if (c.dtype == DType::f16) return f16_to_f32(f32_to_f16(x));
  if (c.dtype == DType::bf16) return bf16_to_f32(f32_to_bf16(x));
  return x;
}

std::vector<std::byte> stored(const Case& c, const Data& b) {
  std::vector<std::byte> out(static_cast<std::size_t>(bytes_of(c.dtype, b.size())));
  for (i64 i = 0; i < b.size(); ++i) {
    if (c.dtype == DType::f32) {
      std::memcpy(out.data() + i * 4, b.get() + i, 4);
    } else {
      const std::uint16_t h = c.dtype == DType::f16 ? f32_to_f16(b[i]) : f32_to_bf16(b[i]);
      std::memcpy(out.data() + i * 2, &h, 2);
    }
  }
  return out;
}

// Every row of the table must give these bits: one chain of FMAs from the bias.
void check(const Case& c) {
  SCOPED_TRACE(::testing::Message() << "m " << c.m << " n " << c.n << " k " << c.k << " batch " << c.batch << " packed "
                                    << c.packed << " transposed " << c.transposed << " " << name_of(c.dtype));
  const i64 a_row = c.k + c.a_gap, c_row = c.n + c.c_gap;
  Data a = Data::poisoned(c.batch * c.m * a_row), b(c.batch * c.k * c.n, 2), bias(c.n, 3),
       residual(c.batch * c.m * c.n, 4);
  const Data values(c.batch * c.m * c.k, 5);
  for (i64 i = 0; i < c.batch * c.m; ++i) {
    for (i64 k = 0; k < c.k; ++k) a[i * a_row + k] = values[i * c.k + k];
  }
  Epilogue epilogue;
  epilogue.operands[0] = {residual.get(), c.n, 1};
  epilogue.operands[1] = {values.get(), 1, 0};
  if (c.residual) {
    epilogue.count = 2;
    epilogue.ops[0] = binary(BinaryOp::add, 0);
    epilogue.ops[1] = unary(UnaryOp::relu);
  } else if (c.program) {
    epilogue.count = 3;
    epilogue.ops[0] = unary(UnaryOp::gelu);
    epilogue.ops[1] = binary(BinaryOp::mul, 1);
    epilogue.ops[2] = binary(BinaryOp::sub, 0);
  }
  const i64 k_stride = c.transposed ? 1 : c.n, n_stride = c.transposed ? c.k : 1;
  Data want = Data::poisoned(c.batch * c.m * c_row);
  for (i64 i = 0; i < c.batch * c.m; ++i) {
    const i64 offset = i / c.m * c.k * c.n;
    for (i64 j = 0; j < c.n; ++j) {
      float acc = c.bias ? bias[j] : 0;
      for (i64 k = 0; k < c.k; ++k) {
        acc = std::fma(a[i * a_row + k], value_of(c, b[offset + k * k_stride + j * n_stride]), acc);
      }
      if (c.residual) acc = std::max(acc + residual[i * c.n + j], 0.0f);
      want[i * c_row + j] = acc;
    }
    if (c.program) scalar::apply_epilogue(epilogue, {want.get() + i * c_row, c_row, 1, c.n, i, 1, 0});
  }
  const std::vector<std::byte> raw = stored(c, b);
  Data packed = Data::poisoned(c.batch * packed_size(c.k, c.n));
  const std::size_t element = bits_of(c.dtype) / 8;
  for (i64 i = 0; i < c.batch; ++i) {
    pack({raw.data() + static_cast<std::size_t>(i * c.k * c.n) * element, c.dtype, k_stride, n_stride}, c.k, c.n,
         packed.get() + i * packed_size(c.k, c.n), c.k * kPanel);
  }
  for (const Kernel& kernel : kernels()) {
    if (!host_cpu().has(kernel.isa)) continue;
    SCOPED_TRACE(kernel.name);
    Params p;
    p.epilogue = epilogue;
    Shape s{.m = c.m, .n = c.n, .k = c.k, .a_row = a_row, .c_row = c_row};
    s.batch[1] = c.batch;
    s.a_batch[1] = c.m * a_row;
    s.b_batch[1] = c.packed ? packed_size(c.k, c.n) : c.k * c.n;
    s.c_batch[1] = c.m * c_row;
    s.b_packed = c.packed;
    s.b_dtype = c.dtype;
    s.b_k_stride = k_stride;
    s.b_n_stride = n_stride;
    Work work = setup(kernel, s, &p);
    p.a = a.get();
    p.b = c.packed ? static_cast<const void*>(packed.get()) : raw.data();
    p.bias = c.bias ? bias.get() : nullptr;
    for (int parts : {1, 2, 3, 7}) {
      Data got = Data::poisoned(want.size());
      p.c = got.get();
      run_in_parts(kernel.run, p, work.tiles, work.scratch_bytes, parts);
      ASSERT_TRUE(got.same_bits(want)) << parts << " parts";
    }
    for (Tiling tiling : {Tiling::kSmaller, Tiling::kLarger, Tiling::kTurned}) {
      s.tiling = tiling;
      work = setup(kernel, s, &p);
      Data got = Data::poisoned(want.size());
      p.c = got.get();
      run_in_parts(kernel.run, p, work.tiles, work.scratch_bytes, 2);
      ASSERT_TRUE(got.same_bits(want)) << kTilingNames[static_cast<std::size_t>(tiling)];
    }
  }
}

// One row of A for all rows of C, as an expanded operand has it.
TEST(Dot, RepeatsARow) {
  const i64 m = 9, n = 20, k = 17;
  const Data a(k), b(k * n, 2);
  for (const Kernel& kernel : kernels()) {
    if (!host_cpu().has(kernel.isa) || !kernel.run) continue;
    Shape s;
    s.m = m;
    s.n = n;
    s.k = k;
    s.a_row = 0;
    s.b_packed = false;
    s.b_k_stride = n;
    s.b_n_stride = 1;
    Params p;
    const Work work = setup(kernel, s, &p);
    Data c = Data::poisoned(m * n);
    p.a = a.get();
    p.b = b.get();
    p.c = c.get();
    run_in_parts(kernel.run, p, work.tiles, work.scratch_bytes);
    for (i64 i = 0; i < m * n; ++i) {
      float want = 0;
      for (i64 e = 0; e < k; ++e) want = std::fma(a[e], b[e * n + i % n], want);
      ASSERT_EQ(c[i], want) << kernel.name << " at " << i;
    }
  }
}

// Pairs of bf16: near to the chain over rounded operands, the same bits for any partition.
void check_pairs(i64 m, i64 n, i64 k, DType dtype = DType::f32) {
  SCOPED_TRACE(::testing::Message() << "m " << m << " n " << n << " k " << k);
  const Case c{.m = m, .n = n, .k = k, .dtype = dtype};
  const i64 a_row = k + 3;
  const Data values(m * k), b(k * n, 2), bias(n, 3);
  Data a = Data::poisoned(m * a_row), want(m * n);
  for (i64 i = 0; i < m * k; ++i) a[i / k * a_row + i % k] = values[i];
  const auto round = [](float x) { return bf16_to_f32(f32_to_bf16(x)); };
  for (i64 i = 0; i < m * n; ++i) {
    float acc = bias[i % n];
    for (i64 e = 0; e < k; ++e) acc = std::fma(round(values[i / n * k + e]), round(value_of(c, b[e * n + i % n])), acc);
    want[i] = acc;
  }
  const std::vector<std::byte> raw = stored(c, b);
  Data packed = Data::poisoned(packed_size(pairs_of(k), n));
  pack_pairs({raw.data(), dtype, n, 1}, k, n, packed.get(), pairs_of(k) * kPanel);
  for (const Kernel& kernel : pair_kernels()) {
    if (!host_cpu().has(kernel.isa) || !kernel.run) continue;
    SCOPED_TRACE(kernel.name);
    Params p;
    const Work work = setup(kernel, {.m = m, .n = n, .k = k, .a_row = a_row, .pairs = true}, &p);
    p.a = a.get();
    p.b = packed.get();
    p.bias = bias.get();
    Data first = Data::poisoned(m * n);
    for (int parts : {1, 2, 7}) {
      Data got = Data::poisoned(m * n);
      p.c = got.get();
      run_in_parts(kernel.run, p, work.tiles, work.scratch_bytes, parts);
      for (i64 i = 0; i < m * n; ++i) ASSERT_NEAR(got[i], want[i], 1e-5 * std::sqrt(k)) << i;
      if (parts == 1) first = got;
      ASSERT_TRUE(got.same_bits(first)) << parts << " parts";
    }
  }
}

TEST(Dot, PairsOfBf16) {
  for (i64 m = 1; m <= 31; ++m) check_pairs(m, 37, 9);
  for (i64 n = 1; n <= 67; ++n) check_pairs(15, n, 6);
  for (i64 k : {1, 2, 15, 16, 17, 31, 32, 33, 47, 48, 64, 100, 4097, 9001}) check_pairs(20, 50, k);
  check_pairs(300, 700, 512, DType::bf16);
  check_pairs(1, 1000, 300, DType::f16);
}

TEST(Dot, EveryTileHeightAndColumnTail) {
  for (i64 m = 1; m <= 31; ++m) check({.m = m, .n = 37, .k = 9, .a_gap = 3, .c_gap = 2});
  for (i64 n = 1; n <= 67; ++n) check({.m = 15, .n = n, .k = 5, .a_gap = 1, .c_gap = 1, .residual = n % 2 == 0});
  for (i64 n : {1, 8, 16, 31, 100, 129, 200}) {
    for (i64 m : {1, 2, 3, 4}) check({.m = m, .n = n, .k = 33});
  }
}

TEST(Dot, DepthsAndBlocksOverK) {
  for (i64 k : {0, 1, 2, 3, 4, 7, 255, 256, 257, 385, 700})
    check({.m = 29, .n = 40, .k = k, .c_gap = 5, .residual = true});
  check({.m = 300, .n = 70, .k = 300, .bias = false});
  check({.m = 700, .n = 33, .k = 20});
  check({.m = 1, .n = 1000, .k = 517});
}

TEST(Dot, Batches) {
  check({.m = 5, .n = 20, .k = 11, .batch = 3});
  check({.m = 17, .n = 18, .k = 6, .a_gap = 2, .residual = true, .batch = 4});
}

TEST(Dot, UnpackedB) {
  for (bool transposed : {false, true}) {
    for (DType t : {DType::f32, DType::f16, DType::bf16}) {
      check({.m = 19, .n = 45, .k = 30, .batch = 2, .packed = false, .transposed = transposed, .dtype = t});
      check({.m = 1, .n = 45, .k = 30, .packed = true, .transposed = transposed, .dtype = t});
    }
  }
  check({.m = 130, .n = 130, .k = 64, .batch = 3, .packed = false, .transposed = true});
}

TEST(Dot, EpiloguePrograms) {
  for (i64 n : {1, 15, 40, 300}) check({.m = 23, .n = n, .k = 12, .c_gap = 3, .program = true});
  check({.m = 200, .n = 50, .k = 40, .program = true, .batch = 2});
  check({.m = 9, .n = 50, .k = 5000, .program = true});
}

TEST(Dot, BroadcastMatrixOfABatch) {
  Data a(6), b(2 * 6, 2), packed = Data::poisoned(packed_size(3, 2)), c(2 * 2 * 2);
  pack({b.get(), DType::f32, 2, 1}, 3, 2, packed.get(), 3 * kPanel);
  Params p;
  Shape s{.m = 1, .n = 2, .k = 3};
  s.batch[0] = 2;
  s.a_batch[0] = 3;
  s.c_batch[0] = 2;  // B is the same for both
  const Kernel& kernel = select(host_cpu());
  const Work work = setup(kernel, s, &p);
  p.a = a.get();
  p.b = packed.get();
  p.c = c.get();
  run_in_parts(kernel.run, p, work.tiles, work.scratch_bytes);
  for (i64 i = 0; i < 2; ++i) {
    for (i64 j = 0; j < 2; ++j) {
      float acc = 0;
      for (i64 k = 0; k < 3; ++k) acc = std::fma(a[i * 3 + k], b[k * 2 + j], acc);
      EXPECT_EQ(c[i * 2 + j], acc);
    }
  }
}

TEST(Dot, SelectsByInstructionSet) {
  EXPECT_STREQ(select(typical_cpu(Isa::generic)).name, "dot_f32_generic");
  EXPECT_STREQ(select(typical_cpu(Isa::avx2)).name, "dot_f32_avx2");
  EXPECT_STREQ(select(typical_cpu(Isa::avx512)).name, "dot_f32_avx512");
  EXPECT_STREQ(select(typical_cpu(Isa::i8mm)).name, "dot_f32_neon");
  EXPECT_EQ(find("dot_f32_neon")->isa, Isa::neon);
  EXPECT_EQ(find("no such kernel"), nullptr);
  EXPECT_STREQ(select_pairs(typical_cpu(Isa::avx512bf16)).name, "dot_bf16_avx512bf16");
  EXPECT_STREQ(select_pairs(typical_cpu(Isa::avx512)).name, "dot_bf16_generic");
}

TEST(Dot, FusesFrequentEpilogues) {
  Epilogue e;
  EXPECT_FALSE(fuse(e).program);
  e.count = 1;
  e.ops[0] = unary(UnaryOp::clip, 0, 6);
  EXPECT_FALSE(fuse(e).program);
  EXPECT_EQ(fuse(e).hi, 6);
  e.ops[0] = unary(UnaryOp::gelu);
  EXPECT_TRUE(fuse(e).program);
}

TEST(Dot, TilesAreBounded) {
  for (const Kernel& kernel : kernels()) {
    for (Shape s : {Shape{.m = 4096, .n = 4096, .k = 4096}, Shape{.m = 1, .n = 50000, .k = 4096},
                    Shape{.m = 100000, .n = 64, .k = 64}, Shape{.m = 49, .n = 2048, .k = 512}}) {
      Params p;
      setup(kernel, s, &p);
      EXPECT_LE(p.row_step * p.col_step * s.k,
                std::max<i64>(kernel.tile_macs * 5, std::max(kernel.max_rows, 4) * 32 * s.k));
    }
  }
}

}  // namespace
}  // namespace mote::kernels::dot
