// Weights of fewer bits: every row of the table gives the bits that the widened weights give, one chain from the bias.
#include <gtest/gtest.h>

#include "base/half.h"
#include "kernels/dot/dot.h"
#include "kernels/testing.h"

namespace mote::kernels::dot {
namespace {

using namespace testing;
using i64 = std::int64_t;

struct Case {
  i64 m, n, k, block = 32;
  bool zeros = true, bias = true, residual = false, program = false;
  i64 batch = 1;
  bool accumulate = false;
};

// Integers by a rule that visits all values.
struct Integers final : PackIntegers {
  int bits;
  explicit Integers(int b) : bits(b) {}
  unsigned at(i64 j, i64 k) const override {
    const auto x = static_cast<std::uint32_t>(j * 2654435761 + k * 40503 + (k >> 3) * 97);
    return (x ^ x >> 7) & ((1u << bits) - 1);
  }
};

// Weights as they are packed, and in f32 [batch, k, n].
struct Weights {
  std::vector<std::byte> packed;
  Data scales, wide;
  std::vector<std::uint8_t> zeros;
  Narrow narrow;

  Weights(Store store, const Case& c)
      : packed(static_cast<std::size_t>(packed_bytes(store, c.k, c.n) * c.batch)),
        scales(Data::poisoned(panels_of(c.n) * kPanel * blocks_of(c.k, c.block))),
        wide(c.batch * c.k * c.n, 2) {
    narrow.block = c.block;
    if (has_blocks(store)) {
      in_blocks(store, c);
    } else {
      in_halves(store, c);
    }
  }

  void in_blocks(Store store, const Case& c) {
    const Integers q(bits_of(store));
    pack_integers(store, q, c.k, c.n, packed.data());
    const i64 blocks = blocks_of(c.k, c.block);
    const Data values(blocks * c.n, 7);
    zeros.resize(static_cast<std::size_t>(scales.size()));
    narrow.zero = 1;
    for (i64 j = 0; j < c.n; ++j) {
      for (i64 k = 0; k < c.k; ++k) {
        const i64 b = k / c.block, at = (j / kPanel * blocks + b) * kPanel + j % kPanel;
        const unsigned zero = c.zeros ? Integers(bits_of(store)).at(j + 5, b) : 1;
        zeros[static_cast<std::size_t>(at)] = static_cast<std::uint8_t>(zero);
        scales[at] = values[b * c.n + j];
        wide[k * c.n + j] = static_cast<float>(static_cast<int>(q.at(j, k)) - static_cast<int>(zero)) * scales[at];
      }
    }
    narrow.scales = scales.get();
    if (c.zeros) narrow.zeros = zeros.data();
  }

  void in_halves(Store store, const Case& c) {
    const i64 each = packed_bytes(store, c.k, c.n);
    for (i64 b = 0; b < c.batch; ++b) {
      pack_halves(store, {wide.get() + b * c.k * c.n, DType::f32, c.n, 1}, c.k, c.n, packed.data() + b * each,
                  panel_bytes(store, c.k));
    }
    for (i64 i = 0; i < wide.size(); ++i) {
      wide[i] = store == Store::kF16 ? f16_to_f32(f32_to_f16(wide[i])) : bf16_to_f32(f32_to_bf16(wide[i]));
    }
  }
};

struct Inputs {
  i64 a_row, c_row;
  Data a, bias, residual, start, want;
  Epilogue epilogue;

  Inputs(const Case& c, const Weights& w)
      : a_row(c.k + 3),
        c_row(c.n + 2),
        a(Data::poisoned(c.batch * c.m * a_row)),
        bias(c.n, 3),
        residual(c.batch * c.m * c.n, 4),
        start(c.batch * c.m * c_row, 6),
        want(c.accumulate ? start : Data::poisoned(c.batch * c.m * c_row)) {
    const Data values(c.batch * c.m * c.k, 5);
    for (i64 i = 0; i < values.size(); ++i) a[i / c.k * a_row + i % c.k] = values[i];
    epilogue.operands[0] = {residual.get(), c.n, 1};
    if (c.residual || c.program) {
      epilogue.count = 2;
      epilogue.ops[0] = binary(BinaryOp::add, 0);
      epilogue.ops[1] = unary(c.program ? UnaryOp::gelu : UnaryOp::relu);
    }
    for (i64 i = 0; i < c.batch * c.m; ++i) {
      float* row = want.get() + i * c_row;
      for (i64 j = 0; j < c.n; ++j) {
        float acc = c.accumulate ? row[j] : c.bias ? bias[j] : 0;
        for (i64 k = 0; k < c.k; ++k) acc = std::fma(a[i * a_row + k], w.wide[(i / c.m * c.k + k) * c.n + j], acc);
        row[j] = acc;
      }
      scalar::apply_epilogue(epilogue, {row, c_row, 1, c.n, i, 1, 0});
    }
  }
};

void check(Store store, const Case& c) {
  SCOPED_TRACE(::testing::Message() << "store " << static_cast<int>(store) << " m " << c.m << " n " << c.n << " k "
                                    << c.k << " block " << c.block << " zeros " << c.zeros);
  const Weights w(store, c);
  const Inputs in(c, w);
  for (const Kernel& kernel : kernels()) {
    if (!host_cpu().has(kernel.isa) || !kernel.run) continue;
    SCOPED_TRACE(kernel.name);
    Shape s{.m = c.m, .n = c.n, .k = c.k, .a_row = in.a_row, .c_row = in.c_row};
    s.batch[1] = c.batch;
    s.a_batch[1] = c.m * in.a_row;
    s.b_batch[1] = packed_bytes(store, c.k, c.n) / 4;
    s.c_batch[1] = c.m * in.c_row;
    s.store = store;
    s.accumulate = c.accumulate;
    for (Tiling tiling : {Tiling::kUsual, Tiling::kSmaller, Tiling::kLarger, Tiling::kTurned}) {
      s.tiling = tiling;
      Params p;
      p.epilogue = in.epilogue;
      p.narrow = w.narrow;
      const Work work = setup(kernel, s, &p);
      p.a = in.a.get();
      p.b = w.packed.data();
      p.bias = c.bias ? in.bias.get() : nullptr;
      for (int parts : {1, 2, 3, 7}) {
        Data got = c.accumulate ? in.start : Data::poisoned(in.want.size());
        p.c = got.get();
        run_in_parts(kernel.run, p, work.tiles, work.scratch_bytes, parts);
        ASSERT_TRUE(got.same_bits(in.want)) << parts << " parts, " << kTilingNames[static_cast<std::size_t>(tiling)];
      }
    }
  }
}

constexpr Store kStores[] = {Store::kF16, Store::kBf16, Store::kU8, Store::kU4, Store::kU2};

TEST(Narrow, RowsAndColumnTails) {
  for (Store s : kStores) {
    for (i64 m = 1; m <= 16; ++m) check(s, {.m = m, .n = 37, .k = 50});
    for (i64 n = 1; n <= 70; ++n)
      check(s, {.m = n % 3 + 1, .n = n, .k = 35, .zeros = n % 2 == 0, .residual = n % 3 == 0});
  }
}

TEST(Narrow, DepthsAndBlocks) {
  for (Store s : kStores) {
    for (i64 k : {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 257, 600}) {
      for (i64 block : {16, 32, 128, 1000}) {
        check(s, {.m = 1, .n = 20, .k = k, .block = block, .zeros = false});
        check(s, {.m = 7, .n = 50, .k = k, .block = block, .bias = false});
      }
    }
    check(s, {.m = 1, .n = 19, .k = 45, .block = 45});
  }
}

TEST(Narrow, EpiloguesBatchesAndSums) {
  for (Store s : kStores) {
    for (i64 m : {1, 5}) {
      check(s, {.m = m, .n = 150, .k = 300, .program = true});
      check(s, {.m = m, .n = 45, .k = 40, .accumulate = true});
      if (!has_blocks(s)) check(s, {.m = m, .n = 33, .k = 21, .batch = 3});
    }
  }
}

TEST(Narrow, ManyRows) {
  for (Store s : {Store::kF16, Store::kU4}) check(s, {.m = 70, .n = 100, .k = 520});
}

}  // namespace
}  // namespace mote::kernels::dot
