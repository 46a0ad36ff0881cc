#include "kernels/reduce/along.h"

#include <algorithm>
#include <type_traits>

#include "base/checked.h"
#include "base/half.h"
#include "kernels/elementwise/int_ops.h"
#include "kernels/reduce/axes.h"

namespace mote::kernels::reduce {
namespace {

constexpr std::int64_t kSideBySide = 64;  // neighbouring sequences of a running sum

struct F16 {
  std::uint16_t bits;
};
struct Bf16 {
  std::uint16_t bits;
};
template <class T>
T value(T v) {
  return v;
}
float value(F16 v) { return f16_to_f32(v.bits); }
float value(Bf16 v) { return bf16_to_f32(v.bits); }
template <class T, class V>
T stored(V v) {
  if constexpr (std::is_same_v<T, F16>) {
    return {f32_to_f16(v)};
  } else if constexpr (std::is_same_v<T, Bf16>) {
    return {f32_to_bf16(v)};
  } else {
    return v;
  }
}

// Calls fn(T{}) with the C++ type of `t`.
template <class Fn>
bool with_type(DType t, Fn fn) {
  switch (t) {
    case DType::f32:
      fn(float{});
      return true;
    case DType::f64:
      fn(double{});
      return true;
    case DType::f16:
      fn(F16{});
      return true;
    case DType::bf16:
      fn(Bf16{});
      return true;
    case DType::i8:
      fn(std::int8_t{});
      return true;
    case DType::i16:
      fn(std::int16_t{});
      return true;
    case DType::i32:
      fn(std::int32_t{});
      return true;
    case DType::i64:
      fn(std::int64_t{});
      return true;
    case DType::u8:
    case DType::boolean:
      fn(std::uint8_t{});
      return true;
    case DType::u16:
      fn(std::uint16_t{});
      return true;
    case DType::u32:
      fn(std::uint32_t{});
      return true;
    case DType::u64:
      fn(std::uint64_t{});
      return true;
    default:
      return false;
  }
}

// Splits `shape` into its one axis and the kept ones; returns the number of sequences.
std::int64_t split(const Shape& s, Axes* kept, std::int64_t* length, std::int64_t* in_stride,
                   std::int64_t* out_stride) {
  std::int64_t n = 1;
  *kept = {};
  for (int d = 0; d < s.rank; ++d) {
    if ((s.axes >> d & 1u) != 0) {
      *length = s.dim[d];
      *in_stride = s.in_stride[d];
      if (out_stride) *out_stride = s.out_stride[d];
      continue;
    }
    n *= s.dim[d];
    kept->dim[kept->rank] = s.dim[d];
    kept->in[kept->rank] = s.in_stride[d];
    kept->out[kept->rank++] = s.out_stride[d];
  }
  return n;
}

// `x` beats `best`, where `last` also if it is equal.
template <class V>
bool beats(V x, V best, bool largest, bool last) {
  if constexpr (std::is_floating_point_v<V>) {
    if (best != best) return last && x != x;
    if (x != x) return true;
  }
  return (largest ? x > best : x < best) || (last && x == best);
}

template <class T>
void arg_type(const ArgParams& p, std::int64_t begin, std::int64_t end) {
  for (std::int64_t s = begin; s < end; ++s) {
    const T* x = static_cast<const T*>(p.in) + offset_of(p.kept, p.kept.in, s);
    std::int64_t best = 0;
    auto most = value(x[0]);
    for (std::int64_t i = 1; i < p.length; ++i) {
      auto v = value(x[i * p.stride]);
      if (!beats(v, most, p.largest, p.last)) continue;
      most = v;
      best = i;
    }
    p.out[offset_of(p.kept, p.kept.out, s)] = best;
  }
}

template <class V>
V joined(V a, V b, bool product) {
  using elementwise::scalar::apply_int;
  if constexpr (std::is_floating_point_v<V>) {
    return product ? a * b : a + b;
  } else {
    return product ? apply_int<BinaryOp::mul>(a, b) : apply_int<BinaryOp::add>(a, b);
  }
}

// Sequences [begin, end), which lie in the order of the kept axes, up to kSideBySide of them at a time.
template <class T>
void cumulative_type(const CumulativeParams& p, std::int64_t begin, std::int64_t end) {
  using V = decltype(value(T{}));
  for (std::int64_t s = begin; s < end; s += kSideBySide) {
    const auto n = static_cast<int>(std::min(kSideBySide, end - s));
    std::int64_t in[kSideBySide], out[kSideBySide];
    V acc[kSideBySide];
    for (int c = 0; c < n; ++c) {
      in[c] = offset_of(p.kept, p.kept.in, s + c);
      out[c] = offset_of(p.kept, p.kept.out, s + c);
      acc[c] = static_cast<V>(p.product ? 1 : 0);
    }
    for (std::int64_t k = 0; k < p.length; ++k) {
      const std::int64_t i = p.reverse ? p.length - 1 - k : k;
      const T* x = static_cast<const T*>(p.in) + i * p.in_stride;
      T* y = static_cast<T*>(p.out) + i * p.out_stride;
      for (int c = 0; c < n; ++c) {
        V next = k == 0 ? value(x[in[c]]) : joined(acc[c], value(x[in[c]]), p.product);
        y[out[c]] = stored<T>(p.exclusive ? acc[c] : next);
        acc[c] = next;
      }
    }
  }
}

}  // namespace

bool supported_along(DType t) {
  return with_type(t, [](auto) {});
}

Work setup_arg(DType dtype, bool largest, bool last, const Shape& shape, ArgParams* p) {
  p->dtype = dtype;
  p->largest = largest;
  p->last = last;
  p->sequences = split(shape, &p->kept, &p->length, &p->stride, nullptr);
  if (p->sequences == 0 || p->length == 0) return {0, 0};
  p->step = std::clamp<std::int64_t>((1 << 15) / p->length, 1, 4096);
  return {ceil_div(p->sequences, p->step), 0};
}

Work setup_cumulative(DType dtype, bool product, bool exclusive, bool reverse, const Shape& shape,
                      CumulativeParams* p) {
  p->dtype = dtype;
  p->product = product;
  p->exclusive = exclusive;
  p->reverse = reverse;
  p->sequences = split(shape, &p->kept, &p->length, &p->in_stride, &p->out_stride);
  if (p->sequences == 0 || p->length == 0) return {0, 0};
  p->step = std::clamp<std::int64_t>((1 << 15) / p->length, 1, kSideBySide);
  return {ceil_div(p->sequences, p->step), 0};
}

void run_arg(const ArgParams& p, TileRange range) noexcept {
  std::int64_t begin = range.begin * p.step, end = std::min(range.end * p.step, p.sequences);
  with_type(p.dtype, [&](auto t) { arg_type<decltype(t)>(p, begin, end); });
}

void run_cumulative(const CumulativeParams& p, TileRange range) noexcept {
  std::int64_t begin = range.begin * p.step, end = std::min(range.end * p.step, p.sequences);
  with_type(p.dtype, [&](auto t) { cumulative_type<decltype(t)>(p, begin, end); });
}

}  // namespace mote::kernels::reduce
