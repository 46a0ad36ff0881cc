// The softmax part of attention on one ISA. ISA-neutral; an ISA's file includes it and nothing more.
#pragma once

#include "kernels/attention/attention.h"
#include "kernels/reduce/lanes16.h"

namespace mote::kernels::attention::MOTE_SIMD_NS {

using namespace simd::MOTE_SIMD_NS;  // NOLINT(google-build-using-namespace)
namespace r16 = reduce::MOTE_SIMD_NS;

// x[i] = fn(x[i], i, count) on n floats.
template <class Fn>
MOTE_INLINE void each(float* x, std::int64_t n, Fn fn) {
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(x + i, fn(load(x + i), i, kLanes));
  if (int m = static_cast<int>(n - i); m > 0) store_n(x + i, fn(load_n(x + i, m), i, m), m);
}

// The same, and the sum of the results by `lanes16`, for n <= kKeys.
template <class Fn>
MOTE_INLINE float map_sum(float* x, std::int64_t n, Fn fn) {
  static_assert(kKeys <= reduce::kChunk);
  V16 acc;
  for (int k = 0; k < kRegs16; ++k) acc.r[k] = zero();
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    for (int k = 0; k < kRegs16; ++k) {
      const F32 v = fn(load(x + i + k * kLanes));
      store(x + i + k * kLanes, v);
      acc.r[k] += v;
    }
  }
  for (int k = 0; i < n && k < kRegs16; ++k, i += kLanes) {
    const int m = static_cast<int>(n - i < kLanes ? n - i : kLanes);
    const F32 v = fn(load_n(x + i, m));
    store_n(x + i, v, m);
    acc.r[k] = select(first_lanes(m), acc.r[k] + v, acc.r[k]);
  }
  return fold16(acc, [](F32 a, F32 b) { return a + b; });
}

// x * scale + mask
MOTE_INLINE void add_mask(const Block& b, std::int64_t row, std::int64_t n) {
  const float* mask = b.mask + row * b.mask_row;
  float* x = b.scores + row * kKeys;
  const F32 scale = set(b.scale);
  if (b.mask_col == 1) {
    return each(x, n, [&](F32 v, std::int64_t i, int m) {
      return fma(v, scale, m == kLanes ? load(mask + i) : load_n(mask + i, m));
    });
  }
  for (std::int64_t i = 0; i < n; ++i) x[i] = first(fma(set(x[i]), scale, set(mask[i * b.mask_col])));
}

// Rows [row, row + R), of which the first n > 0 scores count.
template <int R>
void fold_rows(const Block& b, std::int64_t row, std::int64_t n) {
  const float* x[R];
  float most[R], sum[R], shift[R];
  for (int r = 0; r < R; ++r) {
    if (b.mask) add_mask(b, row + r, n);
    x[r] = b.scores + (row + r) * kKeys;
  }
  const F32 scale = set(b.mask ? 1.0f : b.scale);
  if constexpr (R == 1) {
    const r16::MaxScaled folds[1] = {r16::MaxScaled(scale)};
    r16::fold_chunks<1>(folds, x, n, most);
  } else {
    const r16::MaxScaled folds[4] = {r16::MaxScaled(scale), r16::MaxScaled(scale), r16::MaxScaled(scale),
                                     r16::MaxScaled(scale)};
    r16::fold_chunks<4>(folds, x, n, most);
  }
  for (int r = 0; r < R; ++r) {
    if (!b.first) most[r] = r16::join1(r16::Max{}, b.most[row + r], most[r]);
    shift[r] = most[r] == first(neg(infinity())) ? 0.0f : most[r];
    const F32 by = set(-shift[r]);
    float* e = b.scores + (row + r) * kKeys;
    sum[r] = map_sum(e, n, [&](F32 v) { return exp_falling(fma(v, scale, by)); });
    for (std::int64_t i = n; i < b.keys; ++i) e[i] = 0;
  }
  for (int r = 0; r < R; ++r) {
    if (!b.first) {
      float scale = first(exp_falling(set(b.most[row + r]) - set(shift[r])));
      sum[r] = first(fma(set(b.sum[row + r]), set(scale), set(sum[r])));
      if (scale != 1)
        each(b.y + (row + r) * b.y_row, b.value_size, [&](F32 v, std::int64_t, int) { return v * set(scale); });
    }
    b.most[row + r] = most[r];
    b.sum[row + r] = sum[r];
  }
}

void fold(const Block& b) noexcept {
  auto count = [&](std::int64_t r) {
    std::int64_t n = b.causal ? b.open + r : b.keys;
    return n < 0 ? 0 : n < b.keys ? n : b.keys;
  };
  for (std::int64_t r = 0; r < b.rows;) {
    std::int64_t n = count(r);
    if (n == 0) {
      for (std::int64_t i = 0; i < b.keys; ++i) b.scores[r * kKeys + i] = 0;
      if (b.first) b.most[r] = first(neg(infinity())), b.sum[r] = 0;
      ++r;
    } else if (!kCompact && r + 4 <= b.rows && n == count(r + 3)) {
      fold_rows<4>(b, r, n);
      r += 4;
    } else {
      fold_rows<1>(b, r, n);
      ++r;
    }
  }
}

void finish(const Block& b) noexcept {
  for (std::int64_t r = 0; r < b.rows; ++r) {
    const bool closed = b.sum[r] == 0;
    const F32 inverse = set(1.0f) / set(b.sum[r]);
    each(b.y + r * b.y_row, b.value_size, [&](F32 v, std::int64_t, int) { return closed ? zero() : v * inverse; });
  }
}

}  // namespace mote::kernels::attention::MOTE_SIMD_NS
