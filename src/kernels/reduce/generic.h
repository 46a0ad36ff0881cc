// The f32 kernel of one ISA. ISA-neutral; an ISA's file includes it and nothing more.
#pragma once

#include "kernels/elementwise/engine.h"
#include "kernels/reduce/axes.h"
#include "kernels/reduce/lanes16.h"

namespace mote::kernels::reduce::MOTE_SIMD_NS {

using elementwise::MOTE_SIMD_NS::load_run;
using elementwise::MOTE_SIMD_NS::store_run;

// The fold of an op, of which F is the one, or any.
template <class F>
MOTE_INLINE F fold_of(Op op, F32 shift) {
  if constexpr (std::is_same_v<F, AnyFold>) {
    switch (op) {
      case Op::prod:
        return AnyFold(Product{});
      case Op::min:
        return AnyFold(Min{});
      case Op::max:
        return AnyFold(Max{});
      case Op::l1:
        return AnyFold(SumAbs{});
      case Op::l2:
      case Op::sum_square:
        return AnyFold(SumSquares{});
      case Op::log_sum_exp:
        return AnyFold(SumExp(shift));
      default:
        return AnyFold(Sum{});
    }
  } else if constexpr (std::is_empty_v<F>) {
    return F{};
  } else {
    return F(shift);
  }
}
template <class F>
MOTE_INLINE bool has_shift(Op op) {
  return std::is_same_v<F, AnyFold> ? op == Op::log_sum_exp : std::is_same_v<F, SumExp>;
}

// Elements [begin, begin + n) of the sequence at `at`, n <= kChunk; through a buffer where they are not contiguous f32.
template <class F>
float fold_part(const Params& p, const F& f, std::int64_t at, std::int64_t begin, std::int64_t n, float* buffer) {
  const float* x = static_cast<const float*>(p.in) + at + begin;
  if (p.form != Form::kRows || p.dtype != DType::f32) {
    const int last = p.reduced.rank - 1;
    each_run(p.reduced, begin, n, [&](std::int64_t offset, std::int64_t done, std::int64_t count) {
      load_run(p.dtype, p.in, at + offset, last < 0 ? 1 : p.reduced.in[last], count, buffer + done);
    });
    x = buffer;
  }
  float y;
  fold_chunks<1>(&f, &x, n, &y);
  return y;
}

// The whole sequence.
template <class F>
float fold_sequence(const Params& p, const F& f, std::int64_t at, float* buffer) {
  if (p.length == 0) return first(f.identity());
  if (p.form == Form::kRows && p.dtype == DType::f32)
    return fold_all(f, static_cast<const float*>(p.in) + at, p.length);
  float total = 0;
  for (std::int64_t begin = 0; begin < p.length; begin += kChunk) {
    float y = fold_part(p, f, at, begin, p.length - begin < kChunk ? p.length - begin : kChunk, buffer);
    total = begin == 0 ? y : join1(f, total, y);
  }
  return total;
}

// What comes after the fold.
MOTE_INLINE F32 finish(Op op, F32 y, F32 shift, std::int64_t length) {
  switch (op) {
    case Op::mean:
      return y / set(static_cast<float>(length));
    case Op::l2:
      return sqrt(y);
    case Op::log_sum:
      return log(y);
    case Op::log_sum_exp:
      return shift + log(y);
    default:
      return y;
  }
}
// Infinite maxima would make x - shift NaN.
MOTE_INLINE F32 usable_shift(F32 greatest) { return select(abs(greatest) < infinity(), greatest, zero()); }

template <class F>
float reduce_one(const Params& p, std::int64_t at, float* buffer, float shift) {
  const float y = fold_sequence(p, fold_of<F>(p.op, set(shift)), at, buffer);
  return first(finish(p.op, set(y), set(shift), p.length));
}

template <class F>
void run_rows(const Params& p, std::int64_t begin, std::int64_t end, float* buffer) {
  std::int64_t o = begin;
  if constexpr (std::is_empty_v<F>) {
    const bool direct = p.form == Form::kRows && p.dtype == DType::f32 && p.length > 0 && p.length <= kChunk;
    for (; direct && o + 4 <= end; o += 4) {  // four rows at a time
      const F f[4] = {};
      const float* x[4];
      float y[4];
      for (int r = 0; r < 4; ++r) x[r] = static_cast<const float*>(p.in) + offset_of(p.kept, p.kept.in, o + r);
      fold_chunks<4>(f, x, p.length, y);
      for (int r = 0; r < 4; ++r) {
        float v = first(finish(p.op, set(y[r]), zero(), p.length));
        store_run(p.dtype, &v, 1, p.out, offset_of(p.kept, p.kept.out, o + r), 1);
      }
    }
  }
  for (; o < end; ++o) {
    std::int64_t at = offset_of(p.kept, p.kept.in, o);
    float shift = 0;
    if (has_shift<F>(p.op)) shift = first(usable_shift(set(fold_sequence(p, Kept<Max>(Max{}), at, buffer))));
    float v = reduce_one<F>(p, at, buffer, shift);
    store_run(p.dtype, &v, 1, p.out, offset_of(p.kept, p.kept.out, o), 1);
  }
}

// The folds of columns from c on, shifted where F is.
template <class F>
MOTE_INLINE auto columns_of(Op op, const float* shifts) {
  if constexpr (std::is_same_v<F, AnyFold>) {
    return AnyColumnFolds{fold_of<F>(op, zero()).kind, shifts};
  } else {
    return ColumnFolds<F>{shifts};
  }
}

// Strip t: its first result and its width.
struct Strip {
  std::int64_t first, width;
};
MOTE_INLINE Strip strip_of(const Params& p, std::int64_t t) {
  const std::int64_t inner = p.kept.dim[p.kept.rank - 1], col = t % p.strips * p.step;
  return {t / p.strips * inner + col, inner - col < p.step ? inner - col : p.step};
}

template <class F>
void run_columns(const Params& p, std::int64_t begin, std::int64_t end, float* buffer) {
  float *lanes = buffer, *shifts = buffer + 16 * kStrip, *result = shifts + kStrip;
  for (std::int64_t t = begin; t < end; ++t) {
    const Strip strip = strip_of(p, t);
    const Addresses rows{p.reduced, p.reduced.in,
                         static_cast<const float*>(p.in) + offset_of(p.kept, p.kept.in, strip.first)};
    for (std::int64_t c = 0; c < kStrip; ++c) shifts[c] = 0;
    if (has_shift<F>(p.op)) {
      fold_columns(columns_of<Max>(), Addresses(rows), p.length, strip.width, lanes, shifts);
      for (std::int64_t c = 0; c < kStrip; c += kLanes) store(shifts + c, usable_shift(load(shifts + c)));
    }
    fold_columns(columns_of<F>(p.op, shifts), Addresses(rows), p.length, strip.width, lanes, result);
    for (std::int64_t c = 0; c < strip.width; c += kLanes) {
      store(result + c, finish(p.op, load(result + c), load(shifts + c), p.length));
    }
    store_run(DType::f32, result, strip.width, p.out, offset_of(p.kept, p.kept.out, strip.first),
              p.kept.out[p.kept.rank - 1]);
  }
}

// Tiles of chunks of long sequences: partials[result][chunk].
template <class F>
void run_shared(const Params& p, TileRange range) {
  auto buffer = reinterpret_cast<float*>(range.scratch);
  auto partials = static_cast<float*>(p.partials);
  const std::int64_t groups = (p.chunks + p.group - 1) / p.group;
  for (std::int64_t t = range.begin; t < range.end; ++t) {
    const std::int64_t unit = t / groups, first_chunk = t % groups * p.group;
    for (std::int64_t c = first_chunk; c < first_chunk + p.group && c < p.chunks; ++c) {
      const std::int64_t begin = c * kChunk, n = p.length - begin < kChunk ? p.length - begin : kChunk;
      if (p.form == Form::kColumns) {
        const Strip strip = strip_of(p, unit);
        float* result = buffer + 16 * kStrip;
        const Addresses rows{p.reduced, p.reduced.in,
                             static_cast<const float*>(p.in) + offset_of(p.kept, p.kept.in, strip.first)};
        fold_column_chunk(columns_of<F>(p.op, nullptr), rows, begin, n, strip.width, buffer, result);
        for (std::int64_t i = 0; i < strip.width; ++i) partials[(strip.first + i) * p.chunks + c] = result[i];
      } else {
        partials[unit * p.chunks + c] =
            fold_part(p, fold_of<F>(p.op, zero()), offset_of(p.kept, p.kept.in, unit), begin, n, buffer);
      }
    }
  }
}

template <class F>
void combine(const Params& p, TileRange range) {
  const std::int64_t end = range.end * kCombine < p.outputs ? range.end * kCombine : p.outputs;
  for (std::int64_t o = range.begin * kCombine; o < end; ++o) {
    const float* part = static_cast<const float*>(p.partials) + o * p.chunks;
    float total = part[0];
    for (std::int64_t c = 1; c < p.chunks; ++c) total = join1(fold_of<F>(p.op, zero()), total, part[c]);
    total = first(finish(p.op, set(total), zero(), p.length));
    store_run(p.dtype, &total, 1, p.out, offset_of(p.kept, p.kept.out, o), 1);
  }
}

template <class F>
void run_fold(const Params& p, TileRange range) {
  auto buffer = reinterpret_cast<float*>(range.scratch);
  if constexpr (kCompact || std::is_empty_v<F>) {
    if (p.chunks > 0) return run_shared<F>(p, range);
  }
  if (p.form == Form::kColumns) return run_columns<F>(p, range.begin, range.end, buffer);
  std::int64_t end = range.end * p.step < p.outputs ? range.end * p.step : p.outputs;
  run_rows<F>(p, range.begin * p.step, end, buffer);
}

// Calls what<F>(...) with the fold of the op.
#define MOTE_WITH_FOLD(what, log_sum_exp_case) \
  if constexpr (kCompact) {                    \
    return what<AnyFold>(p, range);            \
  }                                            \
  switch (p.op) {                              \
    case Op::sum:                              \
    case Op::mean:                             \
    case Op::log_sum:                          \
      return what<Sum>(p, range);              \
    case Op::prod:                             \
      return what<Product>(p, range);          \
    case Op::min:                              \
      return what<Min>(p, range);              \
    case Op::max:                              \
      return what<Max>(p, range);              \
    case Op::l1:                               \
      return what<SumAbs>(p, range);           \
    case Op::l2:                               \
    case Op::sum_square:                       \
      return what<SumSquares>(p, range);       \
    case Op::log_sum_exp:                      \
      log_sum_exp_case;                        \
  }

void run_f32(const Params& p, TileRange range) noexcept { MOTE_WITH_FOLD(run_fold, return run_fold<SumExp>(p, range)) }
void combine_f32(const Params& p, TileRange range) noexcept { MOTE_WITH_FOLD(combine, return) }
#undef MOTE_WITH_FOLD

}  // namespace mote::kernels::reduce::MOTE_SIMD_NS
