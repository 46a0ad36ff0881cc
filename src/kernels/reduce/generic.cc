#define MOTE_SIMD_SCALAR
#include "kernels/reduce/generic.h"

#include <limits>
#include <type_traits>

#include "kernels/compact.h"
#include "kernels/elementwise/int_ops.h"
#include "simd/f64.h"

namespace mote::kernels::reduce::scalar {
namespace {

using elementwise::scalar::apply_int;

// The folds of f64 and integers, those of narrow ones by i64 in a compact build. f64 follows lanes16, with the order of
// lanes16.h.
template <class T>
T identity(Op op) {
  using L = std::numeric_limits<T>;
  switch (op) {
    case Op::prod:
      return 1;
    case Op::min:
      return L::has_infinity ? L::infinity() : L::max();
    case Op::max:
      return L::has_infinity ? -L::infinity() : L::lowest();
    default:
      return 0;
  }
}

template <class T>
T join(Op op, T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (op == Op::prod) return a * b;
    if (op == Op::min) return min_nan(F64{a}, F64{b}).v;
    if (op == Op::max) return max_nan(F64{a}, F64{b}).v;
    return a + b;
  } else {
    if (op == Op::prod) return apply_int<BinaryOp::mul>(a, b);
    if (op == Op::min) return a < b ? a : b;
    if (op == Op::max) return a > b ? a : b;
    return apply_int<BinaryOp::add>(a, b);
  }
}

template <class T>
T step(Op op, T acc, T x, T shift) {
  if constexpr (std::is_floating_point_v<T>) {
    if (op == Op::l1) return acc + std::fabs(x);
    if (op == Op::l2 || op == Op::sum_square) return std::fma(x, x, acc);
    if (op == Op::log_sum_exp) return acc + math64::exp(x - shift);
  } else {
    if (op == Op::l1) return apply_int<BinaryOp::add>(acc, apply_int<UnaryOp::abs>(x, x, x));
    if (op == Op::l2 || op == Op::sum_square) return apply_int<BinaryOp::add>(acc, apply_int<BinaryOp::mul>(x, x));
  }
  return join(op, acc, x);
}

template <class T>
T fold_part(const Params& p, Op op, std::int64_t at, std::int64_t begin, std::int64_t n, T shift) {
  T lanes[16];
  for (T& l : lanes) l = identity<T>(op);
  each_run(p.reduced, begin, n, [&](std::int64_t offset, std::int64_t done, std::int64_t count) {
    const std::int64_t stride = p.reduced.rank > 0 ? p.reduced.in[p.reduced.rank - 1] : 1;
    auto take = [&](std::int64_t i, T x) {
      T& lane = lanes[(done + i) & 15];
      lane = step(op, lane, x, shift);
    };
    if constexpr (kCompact) {
      for (std::int64_t i = 0; i < count; ++i) {
        T x;
        load_run(p.dtype, p.in, at + offset + i * stride, 1, 1, &x);
        take(i, x);
      }
    } else {
      const T* x = static_cast<const T*>(p.in) + at + offset;
      for (std::int64_t i = 0; i < count; ++i) take(i, x[i * stride]);
    }
  });
  for (int half = 8; half > 0; half /= 2) {
    for (int l = 0; l < half; ++l) lanes[l] = join(op, lanes[l], lanes[l + half]);
  }
  return lanes[0];
}

template <class T>
T fold_sequence(const Params& p, Op op, std::int64_t at, T shift) {
  T total = identity<T>(op);
  for (std::int64_t begin = 0; begin < p.length; begin += kChunk) {
    T y = fold_part(p, op, at, begin, p.length - begin < kChunk ? p.length - begin : kChunk, shift);
    total = begin == 0 ? y : join(op, total, y);
  }
  return total;
}

template <class T>
T finish(Op op, T y, T shift, std::int64_t length) {
  if constexpr (std::is_floating_point_v<T>) {
    if (op == Op::mean) return y / static_cast<T>(length);
    if (op == Op::l2) return std::sqrt(y);
    if (op == Op::log_sum) return math64::log(y);
    if (op == Op::log_sum_exp) return shift + math64::log(y);
  } else {
    if (op == Op::mean) return length > 0 ? static_cast<T>(static_cast<std::int64_t>(y) / length) : T{0};
    if (op == Op::l2) return y > 0 ? static_cast<T>(std::sqrt(static_cast<double>(y))) : T{0};
  }
  return y;
}

// What a fold by a wider type gives as one of the dtype: wrapped, or for the identities of min and max the closest one.
template <class T>
T narrowed(const Params& p, T y) {
  if constexpr (kCompact && std::is_same_v<T, std::int64_t>) {
    const int bits = bits_of(p.dtype);
    const bool is_signed = is_signed_int(p.dtype);
    if (bits == 64) return y;
    const std::int64_t high = (std::int64_t{1} << (is_signed ? bits - 1 : bits)) - 1, low = is_signed ? -high - 1 : 0;
    if (p.op == Op::min || p.op == Op::max) return y < low ? low : y > high ? high : y;
    const std::uint64_t kept = static_cast<std::uint64_t>(y) << (64 - bits);
    return is_signed ? static_cast<std::int64_t>(kept) >> (64 - bits) : static_cast<std::int64_t>(kept >> (64 - bits));
  }
  return y;
}

// Result o.
template <class T>
void put(const Params& p, std::int64_t o, T y) {
  const std::int64_t at = offset_of(p.kept, p.kept.out, o);
  if constexpr (kCompact) {
    store_run(p.dtype, &y, 1, p.out, at, 1);
  } else {
    static_cast<T*>(p.out)[at] = y;
  }
}

template <class T>
void run_shared_type(const Params& p, TileRange range) {
  const std::int64_t groups = (p.chunks + p.group - 1) / p.group;
  for (std::int64_t t = range.begin; t < range.end; ++t) {
    const std::int64_t o = t / groups, begin = t % groups * p.group;
    const std::int64_t end = begin + p.group < p.chunks ? begin + p.group : p.chunks;
    for (std::int64_t c = begin; c < end; ++c) {
      const std::int64_t n = p.length - c * kChunk < kChunk ? p.length - c * kChunk : kChunk;
      static_cast<T*>(p.partials)[o * p.chunks + c] =
          fold_part<T>(p, p.op, offset_of(p.kept, p.kept.in, o), c * kChunk, n, 0);
    }
  }
}

template <class T>
void combine_type(const Params& p, TileRange range) {
  const std::int64_t end = range.end * kCombine < p.outputs ? range.end * kCombine : p.outputs;
  for (std::int64_t o = range.begin * kCombine; o < end; ++o) {
    const T* part = static_cast<const T*>(p.partials) + o * p.chunks;
    T total = part[0];
    for (std::int64_t c = 1; c < p.chunks; ++c) total = join(p.op, total, part[c]);
    put(p, o, finish<T>(p.op, narrowed(p, total), 0, p.length));
  }
}

template <class T>
void run_type(const Params& p, TileRange range) {
  if (p.chunks > 0) return run_shared_type<T>(p, range);
  std::int64_t end = range.end * p.step < p.outputs ? range.end * p.step : p.outputs;
  for (std::int64_t o = range.begin * p.step; o < end; ++o) {
    std::int64_t at = offset_of(p.kept, p.kept.in, o);
    T shift = 0;
    if constexpr (std::is_floating_point_v<T>) {
      if (p.op == Op::log_sum_exp) shift = fold_sequence<T>(p, Op::max, at, 0);
      if (!(std::fabs(shift) < std::numeric_limits<T>::infinity())) shift = 0;
    }
    T y = finish(p.op, narrowed(p, fold_sequence(p, p.op, at, shift)), shift, p.length);
    if (p.dtype == DType::boolean && p.length == 0) y = p.op == Op::min;
    put(p, o, y);
  }
}

}  // namespace

template <class T>
using Computed =
    std::conditional_t<kCompact && std::is_integral_v<T> && !std::is_same_v<T, std::uint64_t>, std::int64_t, T>;

#define MOTE_TYPE(type, T)                                                                        \
  void run_##type(const Params& p, TileRange range) noexcept { run_type<Computed<T>>(p, range); } \
  void combine_##type(const Params& p, TileRange range) noexcept { combine_type<Computed<T>>(p, range); }
MOTE_TYPE(f64, double)
MOTE_TYPE(i8, std::int8_t)
MOTE_TYPE(i16, std::int16_t)
MOTE_TYPE(i32, std::int32_t)
MOTE_TYPE(i64, std::int64_t)
MOTE_TYPE(u8, std::uint8_t)
MOTE_TYPE(u16, std::uint16_t)
MOTE_TYPE(u32, std::uint32_t)
MOTE_TYPE(u64, std::uint64_t)
#undef MOTE_TYPE

}  // namespace mote::kernels::reduce::scalar
