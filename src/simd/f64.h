// F64: one double under the names of the vector layer, so that templates over vectors also serve doubles.
#pragma once

#include <cmath>

#include "simd/math64.h"
#include "simd/vec.h"

namespace mote::simd::MOTE_SIMD_NS {

struct F64 {
  double v;
};
struct M64 {
  bool v;
};
template <class V>
inline constexpr bool kIsF64 = false;
template <>
inline constexpr bool kIsF64<F64> = true;

MOTE_INLINE F64 load(const double* p) { return {*p}; }
MOTE_INLINE void store(double* p, F64 a) { *p = a.v; }
MOTE_INLINE F64 operator+(F64 a, F64 b) { return {a.v + b.v}; }
MOTE_INLINE F64 operator-(F64 a, F64 b) { return {a.v - b.v}; }
MOTE_INLINE F64 operator*(F64 a, F64 b) { return {a.v * b.v}; }
MOTE_INLINE F64 operator/(F64 a, F64 b) { return {a.v / b.v}; }
MOTE_INLINE M64 operator<(F64 a, F64 b) { return {a.v < b.v}; }
MOTE_INLINE M64 operator<=(F64 a, F64 b) { return {a.v <= b.v}; }
MOTE_INLINE M64 operator==(F64 a, F64 b) { return {a.v == b.v}; }
MOTE_INLINE M64 operator!=(F64 a, F64 b) { return {a.v != b.v}; }
MOTE_INLINE M64 operator&(M64 a, M64 b) { return {a.v && b.v}; }
MOTE_INLINE M64 operator|(M64 a, M64 b) { return {a.v || b.v}; }
MOTE_INLINE F64 select(M64 m, F64 yes, F64 no) { return m.v ? yes : no; }
MOTE_INLINE F64 fma(F64 a, F64 b, F64 c) { return {std::fma(a.v, b.v, c.v)}; }
MOTE_INLINE F64 min(F64 a, F64 b) { return a.v < b.v ? a : b; }
MOTE_INLINE F64 max(F64 a, F64 b) { return a.v > b.v ? a : b; }
MOTE_INLINE F64 min_nan(F64 a, F64 b) { return a.v != a.v || a.v < b.v || (a.v == b.v && std::signbit(a.v)) ? a : b; }
MOTE_INLINE F64 max_nan(F64 a, F64 b) { return a.v != a.v || a.v > b.v || (a.v == b.v && !std::signbit(a.v)) ? a : b; }
MOTE_INLINE F64 abs(F64 a) { return {std::fabs(a.v)}; }
MOTE_INLINE F64 neg(F64 a) { return {-a.v}; }
MOTE_INLINE F64 sqrt(F64 a) { return {std::sqrt(a.v)}; }
MOTE_INLINE F64 floor(F64 a) { return {std::floor(a.v)}; }
MOTE_INLINE F64 ceil(F64 a) { return {std::ceil(a.v)}; }
MOTE_INLINE F64 trunc(F64 a) { return {std::trunc(a.v)}; }
MOTE_INLINE F64 round_even(F64 a) { return {std::nearbyint(a.v)}; }
MOTE_INLINE F64 remainder(F64 a, F64 b) { return {std::fmod(a.v, b.v)}; }
MOTE_INLINE F64 pow(F64 a, F64 b) { return {math64::pow(a.v, b.v)}; }

#define MOTE_F64(name) \
  MOTE_INLINE F64 name(F64 a) { return {math64::name(a.v)}; }
MOTE_F64(exp)
MOTE_F64(exp2)
MOTE_F64(expm1)
MOTE_F64(log)
MOTE_F64(log2)
MOTE_F64(log1p)
MOTE_F64(sin)
MOTE_F64(cos)
MOTE_F64(tan)
MOTE_F64(asin)
MOTE_F64(acos)
MOTE_F64(atan)
MOTE_F64(sinh)
MOTE_F64(cosh)
MOTE_F64(tanh)
MOTE_F64(asinh)
MOTE_F64(acosh)
MOTE_F64(atanh)
MOTE_F64(erf)
MOTE_F64(sigmoid)
MOTE_F64(softplus)
MOTE_F64(gelu)
#undef MOTE_F64
MOTE_INLINE F64 silu(F64 a) { return a * sigmoid(a); }
MOTE_INLINE F64 log_sigmoid(F64 a) { return neg(softplus(neg(a))); }
MOTE_INLINE F64 mish(F64 a) { return a * tanh(softplus(a)); }
MOTE_INLINE F64 gelu_tanh(F64 a) {
  return a * sigmoid(a * fma(a * a, {0.044715 * 1.5957691216057308}, {1.5957691216057308}));
}

}  // namespace mote::simd::MOTE_SIMD_NS
