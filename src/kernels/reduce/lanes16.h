// The numerics class `lanes16`: how a sequence x[0], x[1], ... of f32 is folded into one number, for every ISA, layout
// and number of threads the same way. The sequence is cut into chunks of kChunk. In a chunk element i goes to virtual
// lane i mod 16, each lane takes its elements in order, and the lanes are folded 8-4-2-1 (lane i with lane i+8, then
// i+4, ...). The results of the chunks are combined in order. ISA-neutral.
//
// A fold F has: identity(), step(acc, x), join(a, b), all on F32. It may carry state (the shift of sum_exp), which is
// its parameter().
#pragma once

#include <type_traits>

#include "kernels/compact.h"
#include "kernels/reduce/chunk.h"
#include "simd/math.h"

namespace mote::kernels::reduce::MOTE_SIMD_NS {

using namespace simd::MOTE_SIMD_NS;  // NOLINT(google-build-using-namespace)

enum class Kind : std::uint8_t {
  kSum,
  kSumAbs,
  kSumSquares,
  kSumDeviations,
  kSumExp,
  kProduct,
  kMax,
  kMaxScaled,
  kMin
};

struct Sum {
  static constexpr Kind kKind = Kind::kSum;
  MOTE_INLINE F32 parameter() const { return zero(); }
  MOTE_INLINE F32 identity() const { return zero(); }
  MOTE_INLINE F32 step(F32 acc, F32 x) const { return acc + x; }
  MOTE_INLINE F32 join(F32 a, F32 b) const { return a + b; }
};
struct SumAbs : Sum {
  static constexpr Kind kKind = Kind::kSumAbs;
  MOTE_INLINE F32 step(F32 acc, F32 x) const { return acc + abs(x); }
};
struct SumSquares : Sum {
  static constexpr Kind kKind = Kind::kSumSquares;
  MOTE_INLINE F32 step(F32 acc, F32 x) const { return fma(x, x, acc); }
};
// Of (x - mean)^2.
struct SumDeviations : Sum {
  static constexpr Kind kKind = Kind::kSumDeviations;
  F32 mean;
  MOTE_INLINE F32 parameter() const { return mean; }
  explicit MOTE_INLINE SumDeviations(F32 m) : mean(m) {}
  MOTE_INLINE F32 step(F32 acc, F32 x) const {
    F32 d = x - mean;
    return fma(d, d, acc);
  }
};
// Of e^(x - shift).
struct SumExp : Sum {
  static constexpr Kind kKind = Kind::kSumExp;
  F32 shift;
  MOTE_INLINE F32 parameter() const { return shift; }
  explicit MOTE_INLINE SumExp(F32 s) : shift(s) {}
  MOTE_INLINE F32 step(F32 acc, F32 x) const { return acc + exp(x - shift); }
};
struct Product {
  static constexpr Kind kKind = Kind::kProduct;
  MOTE_INLINE F32 parameter() const { return zero(); }
  MOTE_INLINE F32 identity() const { return set(1.0f); }
  MOTE_INLINE F32 step(F32 acc, F32 x) const { return acc * x; }
  MOTE_INLINE F32 join(F32 a, F32 b) const { return a * b; }
};
struct Max {
  static constexpr Kind kKind = Kind::kMax;
  MOTE_INLINE F32 parameter() const { return zero(); }
  MOTE_INLINE F32 identity() const { return neg(infinity()); }
  MOTE_INLINE F32 step(F32 acc, F32 x) const { return max_nan(acc, x); }
  MOTE_INLINE F32 join(F32 a, F32 b) const { return max_nan(a, b); }
};
// Of x * scale.
struct MaxScaled : Max {
  static constexpr Kind kKind = Kind::kMaxScaled;
  F32 scale;
  explicit MOTE_INLINE MaxScaled(F32 s) : scale(s) {}
  MOTE_INLINE F32 parameter() const { return scale; }
  MOTE_INLINE F32 step(F32 acc, F32 x) const { return max_nan(acc, x * scale); }
};
struct Min {
  static constexpr Kind kKind = Kind::kMin;
  MOTE_INLINE F32 parameter() const { return zero(); }
  MOTE_INLINE F32 identity() const { return infinity(); }
  MOTE_INLINE F32 step(F32 acc, F32 x) const { return min_nan(acc, x); }
  MOTE_INLINE F32 join(F32 a, F32 b) const { return min_nan(a, b); }
};

// Any of them: the only one that a compact build has code for.
struct AnyFold {
  Kind kind;
  F32 value;
  MOTE_INLINE AnyFold(Kind k, F32 parameter) : kind(k), value(parameter) {}
  template <class F>
  explicit MOTE_INLINE AnyFold(const F& f) : kind(F::kKind), value(f.parameter()) {}
  MOTE_INLINE F32 identity() const {
    if (kind == Kind::kProduct) return Product{}.identity();
    if (kind == Kind::kMin) return Min{}.identity();
    return kind == Kind::kMax || kind == Kind::kMaxScaled ? Max{}.identity() : zero();
  }
  MOTE_ONCE F32 step(F32 acc, F32 x) const {
    switch (kind) {
      case Kind::kSumAbs:
        return SumAbs{}.step(acc, x);
      case Kind::kSumSquares:
        return SumSquares{}.step(acc, x);
      case Kind::kSumDeviations:
        return SumDeviations(value).step(acc, x);
      case Kind::kSumExp:
        return SumExp(value).step(acc, x);
      case Kind::kMaxScaled:
        return MaxScaled(value).step(acc, x);
      default:
        return join(acc, x);
    }
  }
  MOTE_ONCE F32 join(F32 a, F32 b) const {
    if (kind == Kind::kProduct) return a * b;
    if (kind == Kind::kMin) return min_nan(a, b);
    return kind == Kind::kMax || kind == Kind::kMaxScaled ? max_nan(a, b) : a + b;
  }
};
template <class F>
using Kept = std::conditional_t<kCompact, AnyFold, F>;

// Scalars through the fold's own join.
template <class F>
MOTE_INLINE float join1(const F& f, float a, float b) {
  return first(f.join(set(a), set(b)));
}

template <int R, class F>
MOTE_INLINE void fold_together(const F* f, const float* const* x, std::int64_t n, float* out) {
  V16 acc[R];
  for (int r = 0; r < R; ++r) {
    for (int k = 0; k < kRegs16; ++k) acc[r].r[k] = f[r].identity();
  }
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    for (int r = 0; r < R; ++r) {
      for (int k = 0; k < kRegs16; ++k) acc[r].r[k] = f[r].step(acc[r].r[k], load(x[r] + i + k * kLanes));
    }
  }
  for (int k = 0; i < n && k < kRegs16; ++k, i += kLanes) {
    int m = static_cast<int>(n - i < kLanes ? n - i : kLanes);
    for (int r = 0; r < R; ++r) {
      F32 next = f[r].step(acc[r].r[k], load_n(x[r] + i, m));
      acc[r].r[k] = select(first_lanes(m), next, acc[r].r[k]);
    }
  }
  for (int r = 0; r < R; ++r) {
    out[r] = fold16(acc[r], [&](F32 a, F32 b) { return f[r].join(a, b); });
  }
}

template <class F>
MOTE_NOINLINE void fold_chunk(const F& f, const float* x, std::int64_t n, float* out) {
  fold_together<1>(&f, &x, n, out);
}
// Folds R sequences of n <= kChunk elements at once (R chains hide each other's latency).
template <int R, class F>
MOTE_INLINE void fold_chunks(const F* f, const float* const* x, std::int64_t n, float* out) {
  if constexpr (kCompact) {
    for (int r = 0; r < R; ++r) fold_chunk(AnyFold(f[r]), x[r], n, out + r);
  } else {
    fold_together<R>(f, x, n, out);
  }
}

// Folds one contiguous sequence of any length, four chunks at a time.
template <class F>
float fold_sequence(const F& f, const float* x, std::int64_t n) {
  if (n <= kChunk) {
    float y;
    fold_chunks<1>(&f, &x, n, &y);
    return y;
  }
  float total = 0;
  bool first_chunk = true;
  auto add = [&](float y) {
    total = first_chunk ? y : join1(f, total, y);
    first_chunk = false;
  };
  std::int64_t i = 0;
  for (; !kCompact && i + 4 * kChunk <= n; i += 4 * kChunk) {
    const F fs[4] = {f, f, f, f};
    const float* xs[4] = {x + i, x + i + kChunk, x + i + 2 * kChunk, x + i + 3 * kChunk};
    float y[4];
    fold_chunks<4>(fs, xs, kChunk, y);
    for (float v : y) add(v);
  }
  for (; i < n; i += kChunk) {
    const float* p = x + i;
    float y;
    fold_chunks<1>(&f, &p, n - i < kChunk ? n - i : kChunk, &y);
    add(y);
  }
  return total;
}
template <class F>
MOTE_INLINE float fold_all(const F& f, const float* x, std::int64_t n) {
  return fold_sequence(Kept<F>(f), x, n);
}

// The folds of columns from c on, `parameters` one per column where the folds have them.
template <class F>
struct ColumnFolds {
  const float* parameters;
  MOTE_INLINE F operator()(std::int64_t c) const {
    if constexpr (std::is_empty_v<F>) {
      return F{};
    } else {
      return F(load(parameters + c));
    }
  }
};
struct AnyColumnFolds {
  Kind kind;
  const float* parameters;  // or null
  MOTE_INLINE AnyFold operator()(std::int64_t c) const {
    return AnyFold(kind, parameters ? load(parameters + c) : zero());
  }
};
template <class F>
MOTE_INLINE auto columns_of(const float* parameters = nullptr) {
  if constexpr (kCompact) {
    return AnyColumnFolds{F::kKind, parameters};
  } else {
    return ColumnFolds<F>{parameters};
  }
}

// The same fold for `width` <= kStrip neighbouring sequences whose elements i lie in rows: row(i) gives the address of
// element i of the first sequence, called in order. `lanes` holds 16 * kStrip floats; make(c) is the fold of columns
// from c on. Folds elements [begin, begin + n), n <= kChunk, into out.
template <class Make, class Row>
void fold_column_chunk(Make make, Row row, std::int64_t begin, std::int64_t n, std::int64_t width, float* lanes,
                       float* out) {
  const std::int64_t used = n < 16 ? n : 16;  // lanes that hold more than the identity
  for (std::int64_t i = 0; i < n; ++i) {
    const float* x = row(begin + i);
    float* acc = lanes + (i & 15) * kStrip;
    for (std::int64_t c = 0; c < width; c += kLanes) {
      auto f = make(c);
      int m = static_cast<int>(width - c < kLanes ? width - c : kLanes);
      F32 v = m == kLanes ? load(x + c) : load_n(x + c, m);
      store(acc + c, f.step(i < 16 ? f.identity() : load(acc + c), v));
    }
  }
  for (std::int64_t c = 0; c < width; c += kLanes) {
    auto f = make(c);
    F32 v[16];
    for (int l = 0; l < 16; ++l) v[l] = l < used ? load(lanes + l * kStrip + c) : f.identity();
    for (int half = 8; half > 0; half /= 2) {
      for (int l = 0; l < half; ++l) v[l] = f.join(v[l], v[l + half]);
    }
    store_n(out + c, v[0], static_cast<int>(width - c < kLanes ? width - c : kLanes));
  }
}

template <class Make, class Row>
void fold_columns(Make make, Row row, std::int64_t length, std::int64_t width, float* lanes, float* out) {
  float part[kStrip];
  for (std::int64_t begin = 0; begin < length; begin += kChunk) {
    std::int64_t n = length - begin < kChunk ? length - begin : kChunk;
    fold_column_chunk(make, row, begin, n, width, lanes, begin == 0 ? out : part);
    for (std::int64_t c = 0; begin > 0 && c < width; c += kLanes) {
      int m = static_cast<int>(width - c < kLanes ? width - c : kLanes);
      store_n(out + c, make(c).join(load_n(out + c, m), load_n(part + c, m)), m);
    }
  }
}

}  // namespace mote::kernels::reduce::MOTE_SIMD_NS
