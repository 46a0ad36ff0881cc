// The f32 kernel of one ISA. ISA-neutral; an ISA's file includes it and nothing more.
#pragma once

#include "kernels/elementwise/engine.h"
#include "kernels/reduce/axes.h"
#include "kernels/reduce/lanes16.h"

namespace mote::kernels::reduce::MOTE_SIMD_NS {

using elementwise::MOTE_SIMD_NS::load_run;
using elementwise::MOTE_SIMD_NS::store_run;

// One element of the sequence of result o, or all of it, chunk by chunk, through a buffer where it is not contiguous
// f32.
template <class F>
float fold_sequence(const Params& p, const F& f, std::int64_t at, float* buffer) {
  if (p.length == 0) return first(f.identity());
  if (p.form == Form::kRows && p.dtype == DType::f32)
    return fold_all(f, static_cast<const float*>(p.in) + at, p.length);
  float total = 0;
  for (std::int64_t begin = 0; begin < p.length; begin += kChunk) {
    std::int64_t n = p.length - begin < kChunk ? p.length - begin : kChunk;
    const int last = p.reduced.rank - 1;
    each_run(p.reduced, begin, n, [&](std::int64_t offset, std::int64_t done, std::int64_t count) {
      load_run(p.dtype, p.in, at + offset, last < 0 ? 1 : p.reduced.in[last], count, buffer + done);
    });
    const float* x = buffer;
    float y;
    fold_chunks<1>(&f, &x, n, &y);
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
  float y;
  if constexpr (std::is_same_v<F, SumExp>) {
    y = fold_sequence(p, SumExp(set(shift)), at, buffer);
  } else {
    y = fold_sequence(p, F{}, at, buffer);
  }
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
    if constexpr (std::is_same_v<F, SumExp>) shift = first(usable_shift(set(fold_sequence(p, Max{}, at, buffer))));
    float v = reduce_one<F>(p, at, buffer, shift);
    store_run(p.dtype, &v, 1, p.out, offset_of(p.kept, p.kept.out, o), 1);
  }
}

template <class F>
void run_columns(const Params& p, std::int64_t begin, std::int64_t end, float* buffer) {
  const int last = p.kept.rank - 1;
  const std::int64_t inner = p.kept.dim[last];
  float *lanes = buffer, *shifts = buffer + 16 * kStrip, *result = shifts + kStrip;
  for (std::int64_t t = begin; t < end; ++t) {
    std::int64_t col = t % p.strips * p.step, width = inner - col < p.step ? inner - col : p.step;
    std::int64_t o = t / p.strips * inner + col;
    const float* x = static_cast<const float*>(p.in) + offset_of(p.kept, p.kept.in, o);
    std::int64_t previous = -1, at = 0;
    auto row = [&](std::int64_t i) {  // rows come in order: mostly one addition
      bool steps = p.reduced.rank == 1 && i == previous + 1 && i > 0;
      at = steps ? at + p.reduced.in[0] : offset_of(p.reduced, p.reduced.in, i);
      previous = i;
      return x + at;
    };
    for (std::int64_t c = 0; c < kStrip; ++c) shifts[c] = 0;
    if constexpr (std::is_same_v<F, SumExp>) {
      fold_columns([](std::int64_t) { return Max{}; }, row, p.length, width, lanes, shifts);
      for (std::int64_t c = 0; c < kStrip; c += kLanes) store(shifts + c, usable_shift(load(shifts + c)));
      fold_columns([&](std::int64_t c) { return SumExp(load(shifts + c)); }, row, p.length, width, lanes, result);
    } else {
      fold_columns([](std::int64_t) { return F{}; }, row, p.length, width, lanes, result);
    }
    for (std::int64_t c = 0; c < width; c += kLanes) {
      store(result + c, finish(p.op, load(result + c), load(shifts + c), p.length));
    }
    store_run(DType::f32, result, width, p.out, offset_of(p.kept, p.kept.out, o), p.kept.out[last]);
  }
}

template <class F>
void run_fold(const Params& p, TileRange range) {
  auto buffer = reinterpret_cast<float*>(range.scratch);
  if (p.form == Form::kColumns) return run_columns<F>(p, range.begin, range.end, buffer);
  std::int64_t end = range.end * p.step < p.outputs ? range.end * p.step : p.outputs;
  run_rows<F>(p, range.begin * p.step, end, buffer);
}

void run_f32(const Params& p, TileRange range) noexcept {
  switch (p.op) {
    case Op::sum:
    case Op::mean:
    case Op::log_sum:
      return run_fold<Sum>(p, range);
    case Op::prod:
      return run_fold<Product>(p, range);
    case Op::min:
      return run_fold<Min>(p, range);
    case Op::max:
      return run_fold<Max>(p, range);
    case Op::l1:
      return run_fold<SumAbs>(p, range);
    case Op::l2:
    case Op::sum_square:
      return run_fold<SumSquares>(p, range);
    case Op::log_sum_exp:
      return run_fold<SumExp>(p, range);
  }
}

}  // namespace mote::kernels::reduce::MOTE_SIMD_NS
