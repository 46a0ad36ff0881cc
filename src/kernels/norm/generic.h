// The kernel of one ISA. ISA-neutral; an ISA's file includes it and nothing more.
#pragma once

#include "kernels/elementwise/engine.h"
#include "kernels/norm/norm.h"
#include "kernels/reduce/axes.h"
#include "kernels/reduce/lanes16.h"

namespace mote::kernels::norm::MOTE_SIMD_NS {

using namespace simd::MOTE_SIMD_NS;  // NOLINT(google-build-using-namespace)
namespace r16 = reduce::MOTE_SIMD_NS;
using elementwise::MOTE_SIMD_NS::load_run;
using elementwise::MOTE_SIMD_NS::store_run;
using reduce::each_run;
using reduce::kChunk;
using reduce::kStrip;
using reduce::offset_of;

// y = (x - sub) * mul, for softmax's relatives and norms alike; what they are is decided by `Stats`.
struct Stats {
  float sub, mul;
};

// out[i] = fn(x[i]) on n floats.
template <class Fn>
MOTE_INLINE void map(const float* x, float* out, std::int64_t n, Fn fn) {
  std::int64_t i = 0;
  if constexpr (kCompact) {
    for (int m = 0; i < n; i += m) {
      m = static_cast<int>(n - i < kLanes ? n - i : kLanes);
      store_n(out + i, fn(load_n(x + i, m), i, m), m);
    }
    return;
  }
  for (; i + kLanes <= n; i += kLanes) store(out + i, fn(load(x + i), i, kLanes));
  if (int m = static_cast<int>(n - i); m > 0) store_n(out + i, fn(load_n(x + i, m), i, m), m);
}

// Folds R sequences at once where they are short.
template <int R, class F>
MOTE_INLINE void fold_rows(const F* f, const float* const* x, std::int64_t n, float* out) {
  if (n <= kChunk) return r16::fold_chunks<R>(f, x, n, out);
  for (int r = 0; r < R; ++r) out[r] = r16::fold_all(f[r], x[r], n);
}

// 1/sqrt(y/n + eps)
MOTE_INLINE F32 inverse_root(F32 y, std::int64_t n, float eps) {
  return set(1.0f) / sqrt(y / set(static_cast<float>(n)) + set(eps));
}
// 1/max(norm, eps), 0 for 0: the result is then x * 0.
MOTE_INLINE F32 norm_divisor(Op op, F32 y, float eps) { return max(set(eps), op == Op::l2_norm ? sqrt(y) : y); }

// Scale and shift of elements [first, first + n) of a sequence as a run along one axis.
struct Affine {
  const Params& p;
  std::int64_t base;  // of the sequence

  // Of elements [begin, end): fn(first element - begin, count, offset, stride) per run.
  template <class Fn>
  MOTE_INLINE void each(std::int64_t begin, std::int64_t end, Fn fn) const {
    const int last = p.reduced.rank - 1;
    if (last < 0) return fn(std::int64_t{0}, end - begin, base, std::int64_t{0});
    const std::int64_t row = p.reduced.dim[last], stride = p.reduced_scale[last];
    for (std::int64_t i = begin; i < end;) {
      const std::int64_t skipped = i % row, n = row - skipped < end - i ? row - skipped : end - i;
      fn(i - begin, n, base + offset_of(p.reduced, p.reduced_scale, i - skipped) + skipped * stride, stride);
      i += n;
    }
  }
};

// n values of scale or shift as floats: in place, or through `buffer` (which holds kStrip).
MOTE_INLINE const float* affine_values(const Params& p, const void* data, std::int64_t at, std::int64_t stride,
                                       std::int64_t n, float* buffer, float absent) {
  if (data && p.scale_dtype == DType::f32 && stride == 1) return static_cast<const float*>(data) + at;
  if (data) {
    load_run(p.scale_dtype, data, at, stride, n, buffer);
  } else {
    for (std::int64_t i = 0; i < n; ++i) buffer[i] = absent;
  }
  return buffer;
}

// y = (x - sub) * mul * scale + shift over elements [begin, end) of a contiguous sequence; x and out are at `begin`.
inline void apply_affine(const Params& p, const float* x, float* out, Stats s, std::int64_t scale_base,
                         std::int64_t begin, std::int64_t end) {
  const F32 sub = set(s.sub), mul = set(s.mul);
  if (!p.scale && !p.shift) {
    return map(x, out, end - begin, [&](F32 v, std::int64_t, int) { return (v - sub) * mul; });
  }
  Affine{p, scale_base}.each(begin, end,
                             [&](std::int64_t first, std::int64_t count, std::int64_t at, std::int64_t stride) {
                               if (stride == 0) {  // one value for the run
                                 float a, b;
                                 a = *affine_values(p, p.scale, at, 0, 1, &a, 1.0f);
                                 b = *affine_values(p, p.shift, at, 0, 1, &b, 0.0f);
                                 const F32 va = set(a), vb = set(b);
                                 return map(x + first, out + first, count,
                                            [&](F32 v, std::int64_t, int) { return fma((v - sub) * mul, va, vb); });
                               }
                               float scales[kStrip], shifts[kStrip];
                               bool direct = stride == 1 && p.scale_dtype == DType::f32 && p.scale && p.shift;
                               std::int64_t most = direct ? count : kStrip;
                               for (std::int64_t done = 0; done < count; done += most) {
                                 std::int64_t n = count - done < most ? count - done : most, here = at + done * stride;
                                 const float* a = affine_values(p, p.scale, here, stride, n, scales, 1.0f);
                                 const float* b = affine_values(p, p.shift, here, stride, n, shifts, 0.0f);
                                 map(x + first + done, out + first + done, n, [&](F32 v, std::int64_t i, int m) {
                                   return fma((v - sub) * mul, m == kLanes ? load(a + i) : load_n(a + i, m),
                                              m == kLanes ? load(b + i) : load_n(b + i, m));
                                 });
                               }
                             });
}

// Softmax and log_softmax of R contiguous sequences.
template <int R>
void softmax_rows(const Params& p, const float* const* x, float* const* out) {
  const r16::Max folds[R] = {};
  float most[R], sum[R];
  fold_rows<R>(folds, x, p.length, most);
  if (p.op == Op::log_softmax) {
    for (int r = 0; r < R; ++r) {
      float total = r16::fold_all(r16::SumExp(set(most[r])), x[r], p.length);
      const F32 m = set(most[r]), l = log(set(total));
      map(x[r], out[r], p.length, [&](F32 v, std::int64_t, int) { return (v - m) - l; });
    }
    return;
  }
  for (int r = 0; r < R; ++r) {
    const F32 m = set(most[r]);
    map(x[r], out[r], p.length, [&](F32 v, std::int64_t, int) { return exp_falling(v - m); });
  }
  const r16::Sum sums[R] = {};
  const float* e[R];
  for (int r = 0; r < R; ++r) e[r] = out[r];
  fold_rows<R>(sums, e, p.length, sum);
  for (int r = 0; r < R; ++r) {
    const F32 inverse = set(1.0f) / set(sum[r]);
    map(out[r], out[r], p.length, [&](F32 v, std::int64_t, int) { return v * inverse; });
  }
}

// The statistics of R contiguous sequences, for the ops that have them.
template <int R>
MOTE_INLINE void statistics(const Params& p, const float* const* x, Stats* s) {
  float y[R];
  for (int r = 0; r < R; ++r) s[r].sub = 0;
  if (p.op == Op::layer_norm) {
    const r16::Sum sums[R] = {};
    fold_rows<R>(sums, x, p.length, y);
    for (int r = 0; r < R; ++r) s[r].sub = first(set(y[r]) / set(static_cast<float>(p.length)));
    if constexpr (R == 1) {
      const r16::SumDeviations folds[1] = {r16::SumDeviations(set(s[0].sub))};
      fold_rows<1>(folds, x, p.length, y);
    } else {
      const r16::SumDeviations folds[4] = {r16::SumDeviations(set(s[0].sub)), r16::SumDeviations(set(s[1].sub)),
                                           r16::SumDeviations(set(s[2].sub)), r16::SumDeviations(set(s[3].sub))};
      fold_rows<4>(folds, x, p.length, y);
    }
  } else if (p.op == Op::l1_norm) {
    const r16::SumAbs folds[R] = {};
    fold_rows<R>(folds, x, p.length, y);
  } else {
    const r16::SumSquares folds[R] = {};
    fold_rows<R>(folds, x, p.length, y);
  }
  bool by_norm = p.op == Op::l1_norm || p.op == Op::l2_norm;
  for (int r = 0; r < R; ++r) {
    s[r].mul = first(by_norm ? norm_divisor(p.op, set(y[r]), p.epsilon) : inverse_root(set(y[r]), p.length, p.epsilon));
  }
}

MOTE_INLINE void store_statistics(const Params& p, std::int64_t sequence, Stats s) {
  std::int64_t at = p.mean || p.inverse ? offset_of(p.kept, p.kept_stat, sequence) : 0;
  if (p.mean) p.mean[at] = s.sub;
  if (p.inverse) p.inverse[at] = s.mul;
}

MOTE_INLINE F32 divide_by_norm(F32 v, F32 d) { return select(d == zero(), zero(), v / d); }

// R contiguous sequences, the first of which is number `sequence`.
template <int R>
void run_rows(const Params& p, std::int64_t sequence, const float* const* x, float* const* out) {
  if (p.op == Op::softmax || p.op == Op::log_softmax) return softmax_rows<R>(p, x, out);
  Stats s[R];
  statistics<R>(p, x, s);
  for (int r = 0; r < R; ++r) {
    if (p.op == Op::l1_norm || p.op == Op::l2_norm) {
      const F32 d = set(s[r].mul);
      map(x[r], out[r], p.length, [&](F32 v, std::int64_t, int) { return divide_by_norm(v, d); });
    } else {
      store_statistics(p, sequence + r, s[r]);
      apply_affine(p, x[r], out[r], s[r], offset_of(p.kept, p.kept_scale, sequence + r), 0, p.length);
    }
  }
}

inline void run_gather(const Params& p, std::int64_t sequence, float* buffer) {
  const int last = p.reduced.rank - 1;
  const std::int64_t in = offset_of(p.kept, p.kept.in, sequence), out = offset_of(p.kept, p.kept.out, sequence);
  each_run(p.reduced, 0, p.length, [&](std::int64_t at, std::int64_t done, std::int64_t n) {
    load_run(p.dtype, p.in, in + at, last < 0 ? 1 : p.reduced.in[last], n, buffer + done);
  });
  const float* x = buffer;
  run_rows<1>(p, sequence, &x, &buffer);
  const std::int64_t row = last < 0 ? p.length : p.reduced.dim[last];
  for (std::int64_t i = 0; i < p.length; i += row) {
    store_run(p.dtype, buffer + i, row, p.out, out + offset_of(p.reduced, p.reduced.out, i),
              last < 0 ? 1 : p.reduced.out[last]);
  }
}

// Neighbouring sequences side by side.
class Columns {
 public:
  Columns(const Params& params, float* buffer)
      : p(params), lanes(buffer), sub(buffer + 16 * kStrip), mul(sub + kStrip), fold(mul + kStrip) {}

  void run(std::int64_t tile) {
    const std::int64_t inner = p.kept.dim[p.kept.rank - 1];
    const std::int64_t col = tile % p.strips * p.step;
    width = inner - col < p.step ? inner - col : p.step;
    const std::int64_t sequence = tile / p.strips * inner + col;
    x = static_cast<const float*>(p.in) + offset_of(p.kept, p.kept.in, sequence);
    out = static_cast<float*>(p.out) + offset_of(p.kept, p.kept.out, sequence);
    scale_base = offset_of(p.kept, p.kept_scale, sequence);
    if (p.op == Op::softmax || p.op == Op::log_softmax) return softmax();
    statistics();
    if (p.op == Op::l1_norm || p.op == Op::l2_norm) {
      return each_row([&](F32 v, std::int64_t c, std::int64_t) { return divide_by_norm(v, load(mul + c)); });
    }
    for (std::int64_t c = 0; c < width; ++c) store_statistics(p, sequence + c, {sub[c], mul[c]});
    affine();
  }

 private:
  // out = fn(x, column, row) over the strip.
  template <class Fn>
  void each_row(Fn fn) {
    for (std::int64_t i = 0; i < p.length; ++i) {
      float* to = out + offset_of(p.reduced, p.reduced.out, i);
      map(x + offset_of(p.reduced, p.reduced.in, i), to, width,
          [&](F32 v, std::int64_t c, int) { return fn(v, c, i); });
    }
  }
  template <class Make>
  void reduce_columns(Make make, const float* base, const std::int64_t* stride, float* result) {
    r16::fold_columns(make, reduce::Addresses{p.reduced, stride, base}, p.length, width, lanes, result);
  }
  template <class Fn>
  void each_column(float* values, Fn fn) {
    for (std::int64_t c = 0; c < width; c += kLanes) store(values + c, fn(load(values + c), c));
  }

  void softmax() {
    reduce_columns(r16::columns_of<r16::Max>(), x, p.reduced.in, sub);
    if (p.op == Op::log_softmax) {
      reduce_columns(r16::columns_of<r16::SumExp>(sub), x, p.reduced.in, fold);
      each_column(fold, [](F32 v, std::int64_t) { return log(v); });
      return each_row([&](F32 v, std::int64_t c, std::int64_t) { return (v - load(sub + c)) - load(fold + c); });
    }
    each_row([&](F32 v, std::int64_t c, std::int64_t) { return exp_falling(v - load(sub + c)); });
    reduce_columns(r16::columns_of<r16::Sum>(), out, p.reduced.out, fold);
    each_column(fold, [](F32 v, std::int64_t) { return set(1.0f) / v; });
    for (std::int64_t i = 0; i < p.length; ++i) {
      float* y = out + offset_of(p.reduced, p.reduced.out, i);
      map(y, y, width, [&](F32 v, std::int64_t c, int) { return v * load(fold + c); });
    }
  }

  void statistics() {
    for (std::int64_t c = 0; c < kStrip; ++c) sub[c] = 0;
    if (p.op == Op::layer_norm) {
      reduce_columns(r16::columns_of<r16::Sum>(), x, p.reduced.in, sub);
      each_column(sub, [&](F32 v, std::int64_t) { return v / set(static_cast<float>(p.length)); });
      reduce_columns(r16::columns_of<r16::SumDeviations>(sub), x, p.reduced.in, mul);
    } else if (p.op == Op::l1_norm) {
      reduce_columns(r16::columns_of<r16::SumAbs>(), x, p.reduced.in, mul);
    } else {
      reduce_columns(r16::columns_of<r16::SumSquares>(), x, p.reduced.in, mul);
    }
    bool by_norm = p.op == Op::l1_norm || p.op == Op::l2_norm;
    each_column(mul, [&](F32 v, std::int64_t) {
      return by_norm ? norm_divisor(p.op, v, p.epsilon) : inverse_root(v, p.length, p.epsilon);
    });
  }

  void affine() {
    const bool per_column = p.kept_scale[p.kept.rank - 1] != 0;
    auto value = [&](const void* data, std::int64_t at, std::int64_t c, float absent) {
      if (!data) return set(absent);
      const float* v = static_cast<const float*>(data) + at;
      if (!per_column) return set(*v);
      return width - c < kLanes ? load_n(v + c, static_cast<int>(width - c)) : load(v + c);
    };
    bool plain = !p.scale && !p.shift;
    each_row([&](F32 v, std::int64_t c, std::int64_t i) {
      F32 y = (v - load(sub + c)) * load(mul + c);
      if (plain) return y;
      std::int64_t at = scale_base + offset_of(p.reduced, p.reduced_scale, i);
      return fma(y, value(p.scale, at, c, 1.0f), value(p.shift, at, c, 0.0f));
    });
  }

  const Params& p;
  float *lanes, *sub, *mul, *fold;
  const float* x = nullptr;
  float* out = nullptr;
  std::int64_t width = 0, scale_base = 0;
};

// One piece of one long sequence in one of three rounds: what is folded first (the maximum, the mean), what is folded
// with that (the sum of exponentials, the deviations), the result. Each round combines the chunks of the one before in
// order, as a fold over the whole sequence does.
class Piece {
 public:
  Piece(const Params& params, std::int64_t tile)
      : p(params),
        sequence(tile / p.pieces),
        chunks((p.length + kChunk - 1) / kChunk),
        begin(tile % p.pieces * p.piece) {
    end = p.length - begin < p.piece ? p.length : begin + p.piece;
    x = static_cast<const float*>(p.in) + offset_of(p.kept, p.kept.in, sequence) + begin;
    out = static_cast<float*>(p.out) + offset_of(p.kept, p.kept.out, sequence) + begin;
    first = p.partials + sequence * chunks;
    second = first + p.sequences * chunks;
  }

  void run(std::int64_t round) {
    if (p.op == Op::softmax || p.op == Op::log_softmax) return softmax(round);
    bool layer = p.op == Op::layer_norm;
    if (round == 0) {
      if (layer) fold(r16::Sum{}, x, first);
      return;
    }
    Stats s{layer ? mean(combine(r16::Sum{}, first)) : 0.0f, 0.0f};
    if (round == 1) {
      if (layer) return fold(r16::SumDeviations(set(s.sub)), x, second);
      if (p.op == Op::l1_norm) return fold(r16::SumAbs{}, x, second);
      return fold(r16::SumSquares{}, x, second);
    }
    const F32 y = set(combine(r16::Sum{}, second));
    if (p.op == Op::l1_norm || p.op == Op::l2_norm) {
      const F32 d = set(simd::MOTE_SIMD_NS::first(norm_divisor(p.op, y, p.epsilon)));
      return map(x, out, end - begin, [&](F32 v, std::int64_t, int) { return divide_by_norm(v, d); });
    }
    s.mul = simd::MOTE_SIMD_NS::first(inverse_root(y, p.length, p.epsilon));
    if (begin == 0) store_statistics(p, sequence, s);
    apply_affine(p, x, out, s, offset_of(p.kept, p.kept_scale, sequence), begin, end);
  }

 private:
  float mean(float sum) const { return simd::MOTE_SIMD_NS::first(set(sum) / set(static_cast<float>(p.length))); }

  template <class F>
  void fold(const F& f, const float* from, float* to) const {
    for (std::int64_t i = 0; i < end - begin; i += kChunk) {
      const float* chunk = from + i;
      r16::fold_chunks<1>(&f, &chunk, end - begin - i < kChunk ? end - begin - i : kChunk, to + (begin + i) / kChunk);
    }
  }
  template <class F>
  float combine(const F& f, const float* of) const {
    float total = of[0];
    for (std::int64_t i = 1; i < chunks; ++i) total = r16::join1(f, total, of[i]);
    return total;
  }

  void softmax(std::int64_t round) {
    if (round == 0) return fold(r16::Max{}, x, first);
    const F32 most = set(combine(r16::Max{}, first));
    if (p.op == Op::log_softmax) {
      if (round == 1) return fold(r16::SumExp(most), x, second);
      const F32 l = log(set(combine(r16::Sum{}, second)));
      return map(x, out, end - begin, [&](F32 v, std::int64_t, int) { return (v - most) - l; });
    }
    if (round == 1) {
      map(x, out, end - begin, [&](F32 v, std::int64_t, int) { return exp_falling(v - most); });
      return fold(r16::Sum{}, out, second);
    }
    const F32 inverse = set(1.0f) / set(combine(r16::Sum{}, second));
    map(out, out, end - begin, [&](F32 v, std::int64_t, int) { return v * inverse; });
  }

  const Params& p;
  std::int64_t sequence, chunks, begin, end;
  const float* x;
  float *out, *first, *second;
};

void run_f32(const Params& p, TileRange range) noexcept {
  if (p.pieces > 0) {
    const std::int64_t tiles = p.sequences * p.pieces;
    for (std::int64_t t = range.begin; t < range.end; ++t) Piece(p, t % tiles).run(t / tiles);
    return;
  }
  auto buffer = reinterpret_cast<float*>(range.scratch);
  if (p.form == Form::kColumns) {
    Columns columns(p, buffer);
    for (std::int64_t t = range.begin; t < range.end; ++t) columns.run(t);
    return;
  }
  std::int64_t s = range.begin * p.step, end = range.end * p.step < p.sequences ? range.end * p.step : p.sequences;
  if (p.form == Form::kGather) {
    for (; s < end; ++s) run_gather(p, s, buffer);
    return;
  }
  const float* x[4];
  float* out[4];
  auto place = [&](int n) {
    for (int r = 0; r < n; ++r) {
      x[r] = static_cast<const float*>(p.in) + offset_of(p.kept, p.kept.in, s + r);
      out[r] = static_cast<float*>(p.out) + offset_of(p.kept, p.kept.out, s + r);
    }
  };
  if constexpr (!kCompact) {
    for (; s + 4 <= end; s += 4) {
      place(4);
      run_rows<4>(p, s, x, out);
    }
  }
  for (; s < end; ++s) {
    place(1);
    run_rows<1>(p, s, x, out);
  }
}

}  // namespace mote::kernels::norm::MOTE_SIMD_NS
