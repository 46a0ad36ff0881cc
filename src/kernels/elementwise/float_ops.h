// What each opcode does to floats: V is F32, or F64 (one lane). ISA-neutral; included by generic.h only.
#pragma once

#include "kernels/opcode.h"
#include "simd/f64.h"
#include "simd/math.h"

namespace mote::kernels::elementwise::MOTE_SIMD_NS {

using namespace simd::MOTE_SIMD_NS;  // NOLINT(google-build-using-namespace)

template <class V>
MOTE_INLINE V number(double c) {
  if constexpr (kIsF64<V>) {
    return {c};
  } else {
    return set(static_cast<float>(c));
  }
}
template <class V>
MOTE_INLINE V truth(decltype(V{} < V{}) m) {
  return select(m, number<V>(1), number<V>(0));
}

// min(b, max(a, x)), where NaN stays.
template <class V>
MOTE_INLINE V clamp(V x, V a, V b) {
  return min(b, max(a, x));
}

template <UnaryOp Op, class V>
MOTE_INLINE V activation(V x, V a, V b) {
  const V one = number<V>(1), nil = number<V>(0);
  if constexpr (Op == UnaryOp::relu) return max(nil, x);
  if constexpr (Op == UnaryOp::leaky_relu) return select(x < nil, x * a, x);
  if constexpr (Op == UnaryOp::elu) return select(x < nil, a * expm1(x), x);
  if constexpr (Op == UnaryOp::selu) return b * select(x < nil, a * expm1(x), x);
  if constexpr (Op == UnaryOp::celu) return select(x < nil, a * expm1(x / a), x);
  if constexpr (Op == UnaryOp::hard_sigmoid) return clamp(fma(a, x, b), nil, one);
  if constexpr (Op == UnaryOp::hard_swish) return x * clamp(fma(x, number<V>(1.0 / 6), number<V>(0.5)), nil, one);
  if constexpr (Op == UnaryOp::silu) return silu(x);
  if constexpr (Op == UnaryOp::swish) return x * sigmoid(a * x);
  if constexpr (Op == UnaryOp::softplus) return softplus(x);
  if constexpr (Op == UnaryOp::softsign) return x / (one + abs(x));
  if constexpr (Op == UnaryOp::mish) return mish(x);
  if constexpr (Op == UnaryOp::gelu) return gelu(x);
  if constexpr (Op == UnaryOp::gelu_tanh) return gelu_tanh(x);
  if constexpr (Op == UnaryOp::thresholded_relu) return select(a < x, x, nil);
  if constexpr (Op == UnaryOp::shrink) return select(x < neg(a), x + b, select(a < x, x - b, nil));
  if constexpr (Op == UnaryOp::clip) return clamp(x, a, b);
  if constexpr (Op == UnaryOp::sigmoid) return sigmoid(x);
  if constexpr (Op == UnaryOp::log_sigmoid) return log_sigmoid(x);
  return x;
}

template <UnaryOp Op, class V>
MOTE_INLINE V apply(V x, V a, V b) {
  const V one = number<V>(1), nil = number<V>(0);
  if constexpr (Op == UnaryOp::copy || Op == UnaryOp::bitwise_not) return x;
  if constexpr (Op == UnaryOp::abs) return abs(x);
  if constexpr (Op == UnaryOp::neg) return neg(x);
  if constexpr (Op == UnaryOp::sign) return select(nil < x, one, select(x < nil, neg(one), x));
  if constexpr (Op == UnaryOp::square) return x * x;
  if constexpr (Op == UnaryOp::floor) return floor(x);
  if constexpr (Op == UnaryOp::ceil) return ceil(x);
  if constexpr (Op == UnaryOp::round) return round_even(x);
  if constexpr (Op == UnaryOp::trunc) return trunc(x);
  if constexpr (Op == UnaryOp::sqrt) return sqrt(x);
  if constexpr (Op == UnaryOp::rsqrt) return one / sqrt(x);
  if constexpr (Op == UnaryOp::reciprocal) return one / x;
  if constexpr (Op == UnaryOp::exp) return exp(x);
  if constexpr (Op == UnaryOp::exp2) return exp2(x);
  if constexpr (Op == UnaryOp::expm1) return expm1(x);
  if constexpr (Op == UnaryOp::log) return log(x);
  if constexpr (Op == UnaryOp::log2) return log2(x);
  if constexpr (Op == UnaryOp::log1p) return log1p(x);
  if constexpr (Op == UnaryOp::sin) return sin(x);
  if constexpr (Op == UnaryOp::cos) return cos(x);
  if constexpr (Op == UnaryOp::tan) return tan(x);
  if constexpr (Op == UnaryOp::asin) return asin(x);
  if constexpr (Op == UnaryOp::acos) return acos(x);
  if constexpr (Op == UnaryOp::atan) return atan(x);
  if constexpr (Op == UnaryOp::sinh) return sinh(x);
  if constexpr (Op == UnaryOp::cosh) return cosh(x);
  if constexpr (Op == UnaryOp::tanh) return tanh(x);
  if constexpr (Op == UnaryOp::asinh) return asinh(x);
  if constexpr (Op == UnaryOp::acosh) return acosh(x);
  if constexpr (Op == UnaryOp::atanh) return atanh(x);
  if constexpr (Op == UnaryOp::erf) return erf(x);
  if constexpr (Op == UnaryOp::is_nan) return truth<V>(x != x);
  if constexpr (Op == UnaryOp::is_inf) {
    const V inf = number<V>(__builtin_inf());
    return truth<V>(((x == inf) & (b != nil)) | ((x == neg(inf)) & (a != nil)));
  }
  if constexpr (Op == UnaryOp::logical_not) return truth<V>(x == nil);
  return activation<Op>(x, a, b);
}

template <BinaryOp Op, class V>
MOTE_INLINE V apply(V x, V y) {
  const V nil = number<V>(0);
  if constexpr (Op == BinaryOp::add) return x + y;
  if constexpr (Op == BinaryOp::sub) return x - y;
  if constexpr (Op == BinaryOp::mul) return x * y;
  if constexpr (Op == BinaryOp::div) return x / y;
  if constexpr (Op == BinaryOp::floor_div) return floor(x / y);
  if constexpr (Op == BinaryOp::fmod) return remainder(x, y);
  if constexpr (Op == BinaryOp::mod) {
    V r = remainder(x, y);
    return select((r != nil) & ((r * y) < nil), r + y, r);
  }
  if constexpr (Op == BinaryOp::pow) return pow(x, y);
  if constexpr (Op == BinaryOp::min) return min_nan(x, y);
  if constexpr (Op == BinaryOp::max) return max_nan(x, y);
  if constexpr (Op == BinaryOp::prelu) return select(x < nil, x * y, x);
  if constexpr (Op == BinaryOp::squared_difference) return (x - y) * (x - y);
  if constexpr (Op == BinaryOp::equal) return truth<V>(x == y);
  if constexpr (Op == BinaryOp::not_equal) return truth<V>(x != y);
  if constexpr (Op == BinaryOp::less) return truth<V>(x < y);
  if constexpr (Op == BinaryOp::less_equal) return truth<V>(x <= y);
  if constexpr (Op == BinaryOp::greater) return truth<V>(y < x);
  if constexpr (Op == BinaryOp::greater_equal) return truth<V>(y <= x);
  if constexpr (Op == BinaryOp::logical_and) return truth<V>((x != nil) & (y != nil));
  if constexpr (Op == BinaryOp::logical_or) return truth<V>((x != nil) | (y != nil));
  if constexpr (Op == BinaryOp::logical_xor) {
    return truth<V>(((x != nil) & (y == nil)) | ((x == nil) & (y != nil)));
  }
  return x;  // bitwise ops, which floats do not have
}

}  // namespace mote::kernels::elementwise::MOTE_SIMD_NS
