#include "kernels/attention/attention.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/testing.h"

namespace mote::kernels::attention {
namespace {

using namespace testing;
using i64 = std::int64_t;

struct Case {
  i64 batches, heads, kv_heads, queries, keys, head_size, value_size;
  bool causal = false;
  int mask = 0;  // 1: per query and key; 2: per key, broadcast; 3: some rows wholly closed
  float scale = 0.25f;
  bool interleaved = false;  // [batch, length, heads, size] instead of [batch, heads, length, size]
};

Operand operand(const Data& d, const Case& c, i64 heads, i64 length, i64 size) {
  if (c.interleaved) return {d.get(), heads * length * size, size, heads * size};
  return {d.get(), heads * length * size, length * size, size};
}

// In double, without blocks.
std::vector<double> expected(const Params& p) {
  std::vector<double> y(static_cast<std::size_t>(p.batches * p.heads * p.queries * p.value_size));
  std::vector<double> s(static_cast<std::size_t>(p.keys));
  for (i64 r = 0; r < p.batches * p.heads * p.queries; ++r) {
    i64 i = r % p.queries, h = r / p.queries % p.heads, b = r / p.queries / p.heads, kv = h / (p.heads / p.kv_heads);
    const float* q = p.q.data + b * p.q.batch + h * p.q.head + i * p.q.row;
    double most = -INFINITY, sum = 0;
    for (i64 j = 0; j < p.keys; ++j) {
      const float* k = p.k.data + b * p.k.batch + kv * p.k.head + j * p.k.row;
      double dot = 0;
      for (i64 e = 0; e < p.head_size; ++e) dot += static_cast<double>(q[e]) * k[e];
      s[j] = dot * p.scale;
      if (p.mask) s[j] += p.mask[b * p.mask_batch + h * p.mask_head + i * p.mask_row + j * p.mask_col];
      if (p.causal && j > i) s[j] = -INFINITY;
      most = std::max(most, s[j]);
    }
    if (most == -INFINITY) continue;
    for (i64 j = 0; j < p.keys; ++j) sum += s[j] = std::exp(s[j] - most);
    for (i64 j = 0; j < p.keys; ++j) {
      const float* v = p.v.data + b * p.v.batch + kv * p.v.head + j * p.v.row;
      for (i64 e = 0; e < p.value_size; ++e) y[r * p.value_size + e] += s[j] / sum * v[e];
    }
  }
  return y;
}

void check(const Case& c) {
  SCOPED_TRACE(::testing::Message() << "queries " << c.queries << " keys " << c.keys << " sizes " << c.head_size << " "
                                    << c.value_size << " mask " << c.mask << " causal " << c.causal);
  const Data q(c.batches * c.heads * c.queries * c.head_size, 1), k(c.batches * c.kv_heads * c.keys * c.head_size, 2),
      v(c.batches * c.kv_heads * c.keys * c.value_size, 3);
  Data mask(std::max<i64>(c.queries * c.keys, 1), 4);
  for (i64 i = 0; i < c.queries * c.keys; ++i) {
    if (mask[i] > 0.5f || (c.mask == 3 && i / c.keys % 3 == 0)) mask[i] = -INFINITY;
  }
  Params p;
  p.q = operand(q, c, c.heads, c.queries, c.head_size);
  p.k = operand(k, c, c.kv_heads, c.keys, c.head_size);
  p.v = operand(v, c, c.kv_heads, c.keys, c.value_size);
  const i64 y_size = c.batches * c.heads * c.queries * c.value_size;
  p.y_batch = c.heads * c.queries * c.value_size;
  p.y_head = c.queries * c.value_size;
  p.y_row = c.value_size;
  if (c.mask) p.mask = mask.get();
  p.mask_row = c.mask == 2 ? 0 : c.keys;
  p.mask_col = 1;
  p.batches = c.batches;
  p.heads = c.heads;
  p.kv_heads = c.kv_heads;
  p.queries = c.queries;
  p.keys = c.keys;
  p.head_size = c.head_size;
  p.value_size = c.value_size;
  p.scale = c.scale;
  p.causal = c.causal;
  const std::vector<double> want = expected(p);
  Data first = Data::poisoned(y_size);
  bool have_first = false;
  for (const Kernel& kernel : kernels()) {
    if (!kernel.fold || !active_cpu().has(kernel.isa)) continue;
    for (int parts : {1, 3}) {
      CpuFeatures cpu = capped(active_cpu(), kernel.isa);
      p.kernel = &kernel;
      p.dot = &dot::select(cpu);
      Data y = Data::poisoned(y_size);
      p.y = y.get();
      Work work = setup(&p);
      Data packed = Data::poisoned(static_cast<i64>(work.packed_bytes / sizeof(float)));
      p.packed = packed.get();
      run_in_parts<Params>(pack, p, work.pack_tiles, 0, parts);
      run_in_parts<Params>(run, p, work.tiles, work.scratch_bytes, parts);
      for (i64 i = 0; i < y_size; ++i) ASSERT_NEAR(y[i], want[i], 3e-6) << kernel.name << " at " << i;
      if (have_first) {
        EXPECT_TRUE(y.same_bits(first)) << kernel.name;
      }
      first = y;
      have_first = true;
    }
  }
}

TEST(Attention, OddSizes) {
  for (i64 queries : {1, 3, 55, 57, 130}) {
    for (i64 keys : {1, 2, 17, 127, 128, 129, 300}) check({1, 2, 2, queries, keys, 19, 5});
  }
  check({2, 1, 1, 9, 40, 64, 64});
  check({1, 1, 1, 5, 33, 1, 1});
  check({1, 1, 1, 4, 0, 8, 8});
}

TEST(Attention, MasksCausalityAndSharedKeys) {
  for (int mask : {0, 1, 2, 3}) {
    for (bool causal : {false, true}) check({2, 4, 2, 70, 150, 16, 24, causal, mask});
  }
  check({1, 2, 1, 140, 30, 8, 8, true});  // more queries than keys
  check({1, 2, 1, 20, 200, 8, 8, true});  // and fewer
}

TEST(Attention, StridesAndScales) {
  check({2, 3, 3, 60, 140, 20, 12, false, 1, 0.5f, true});
  check({1, 2, 2, 7, 150, 12, 12, false, 0, -1.5f});
  check({1, 2, 2, 7, 150, 12, 12, false, 1, 0.0f});
}

}  // namespace
}  // namespace mote::kernels::attention
