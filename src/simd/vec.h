// The thin vector layer: one register of the ISA this file is compiled for.
//
// The ISA follows from the flags of the including file; MOTE_SIMD_NS names it (avx2, avxvnni, avx512, avx512vnni,
// avx512bf16, amx, neon, neondot, neonfp16, i8mm, scalar). Everything lives in mote::simd::MOTE_SIMD_NS; a kernel file
// writes
//     namespace mote::kernels::MOTE_SIMD_NS { using namespace simd::MOTE_SIMD_NS; ... }
// so that no symbol is shared between ISAs. Define MOTE_SIMD_SCALAR before the include for the portable version
// (generic.cc). ISA files must not let std:: templates or inline functions of other headers survive as symbols: use
// MOTE_INLINE ones.
//
// MOTE_SIMD_BASE_NS is the ISA this one extends, whose functions it may call: avx512 for amx, neon for i8mm, ...
//
// Types: F32 and I32 with kLanes lanes each, M32 a mask per lane. Loads and stores need no alignment; *_n take the
// first n lanes, 0 <= n <= kLanes, touch nothing beyond, and fill with zero. Same bits on every ISA for all operations,
// apart from the sign and payload of a NaN that an operation made, and from to_i32/to_i32_trunc of values outside of
// int32 (use to_i32_sat).
//   fma(a,b,c) = a*b+c, fnma(a,b,c) = c-a*b, both rounded once.   min(a,b) = a<b?a:b, max(a,b) = a>b?a:b (b if a is
//   NaN).
#pragma once

#include <cstdint>
#include <cstring>

#include "base/inline.h"

#if defined(MOTE_SIMD_SCALAR)
#define MOTE_SIMD_NS scalar
#define MOTE_SIMD_BASE_NS scalar
#include "simd/vec_scalar.h"
#elif defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)
#if defined(__AMX_INT8__)
#define MOTE_SIMD_NS amx
#elif defined(__AVX512BF16__)
#define MOTE_SIMD_NS avx512bf16
#elif defined(__AVX512VNNI__)
#define MOTE_SIMD_NS avx512vnni
#else
#define MOTE_SIMD_NS avx512
#endif
#define MOTE_SIMD_BASE_NS avx512
#include "simd/vec_avx512.h"
#elif defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#if defined(__AVXVNNI__)
#define MOTE_SIMD_NS avxvnni
#else
#define MOTE_SIMD_NS avx2
#endif
#define MOTE_SIMD_BASE_NS avx2
#include "simd/vec_avx2.h"
#elif defined(__ARM_NEON) && defined(__aarch64__)
#if defined(__ARM_FEATURE_MATMUL_INT8)
#define MOTE_SIMD_NS i8mm
#elif defined(__ARM_FEATURE_FP16_VECTOR_ARITHMETIC)
#define MOTE_SIMD_NS neonfp16
#elif defined(__ARM_FEATURE_DOTPROD)
#define MOTE_SIMD_NS neondot
#else
#define MOTE_SIMD_NS neon
#endif
#define MOTE_SIMD_BASE_NS neon
#include "simd/vec_neon.h"
#else
#define MOTE_SIMD_NS scalar
#define MOTE_SIMD_BASE_NS scalar
#include "simd/vec_scalar.h"
#endif

namespace mote::simd::MOTE_SIMD_NS {

MOTE_INLINE F32& operator+=(F32& a, F32 b) { return a = a + b; }
MOTE_INLINE F32& operator-=(F32& a, F32 b) { return a = a - b; }
MOTE_INLINE F32& operator*=(F32& a, F32 b) { return a = a * b; }
MOTE_INLINE M32 operator>(F32 a, F32 b) { return b < a; }
MOTE_INLINE M32 operator>=(F32 a, F32 b) { return b <= a; }
MOTE_INLINE M32 operator<(I32 a, I32 b) { return b > a; }
MOTE_INLINE M32 is_nan(F32 a) { return a != a; }

// Bitwise on the representation of floats.
MOTE_INLINE F32 bit_and(F32 a, F32 b) { return as_f32(as_i32(a) & as_i32(b)); }
MOTE_INLINE F32 bit_or(F32 a, F32 b) { return as_f32(as_i32(a) | as_i32(b)); }
MOTE_INLINE F32 bit_xor(F32 a, F32 b) { return as_f32(as_i32(a) ^ as_i32(b)); }
MOTE_INLINE I32 sign_bits(F32 a) { return as_i32(a) & set_i32(INT32_MIN); }
MOTE_INLINE F32 abs(F32 a) { return as_f32(as_i32(a) & set_i32(INT32_MAX)); }
MOTE_INLINE F32 neg(F32 a) { return as_f32(as_i32(a) ^ set_i32(INT32_MIN)); }
MOTE_INLINE F32 operator-(F32 a) { return neg(a); }
MOTE_INLINE F32 copysign(F32 magnitude, F32 sign) {
  return as_f32((as_i32(magnitude) & set_i32(INT32_MAX)) | sign_bits(sign));
}
// min and max that give NaN where either operand is one, and order -0 below +0.
MOTE_INLINE F32 min_nan(F32 a, F32 b) {
  F32 r = select(a == b, bit_or(a, b), min(a, b));
  return select(is_nan(a), a, r);
}
MOTE_INLINE F32 max_nan(F32 a, F32 b) {
  F32 r = select(a == b, bit_and(a, b), max(a, b));
  return select(is_nan(a), a, r);
}
// Truncates; saturates at the ends of int32; NaN gives 0.
MOTE_INLINE I32 to_i32_sat(F32 a) {
  I32 r = select(set(2147483648.0f) <= a, set_i32(INT32_MAX), to_i32_trunc(a));
  r = select(a < set(-2147483648.0f), set_i32(INT32_MIN), r);
  return select(is_nan(a), set_i32(0), r);
}

// Folds lanes pairwise in the fixed order 8-4-2-1 (from the width of the register down): lane i with lane i+8, then
// i+4, ...
template <class Op>
MOTE_INLINE float fold(F32 v, Op op) {
  if constexpr (kLanes > 8) v = op(v, down<8>(v));
  if constexpr (kLanes > 4) v = op(v, down<4>(v));
  v = op(v, down<2>(v));
  return first(op(v, down<1>(v)));
}
MOTE_INLINE float reduce_add(F32 v) {
  return fold(v, [](F32 a, F32 b) { return a + b; });
}
MOTE_INLINE float reduce_max(F32 v) {
  return fold(v, [](F32 a, F32 b) { return max(a, b); });
}
MOTE_INLINE float reduce_min(F32 v) {
  return fold(v, [](F32 a, F32 b) { return min(a, b); });
}

// 16 virtual lanes, the unit of the numerics class `lanes16`: folding gives the same bits for every register width.
inline constexpr int kRegs16 = 16 / kLanes;
struct V16 {
  F32 r[kRegs16];
};
MOTE_INLINE V16 set16(float x) {
  V16 v;
  for (int i = 0; i < kRegs16; ++i) v.r[i] = set(x);
  return v;
}
MOTE_INLINE V16 load16(const float* p) {
  V16 v;
  for (int i = 0; i < kRegs16; ++i) v.r[i] = load(p + i * kLanes);
  return v;
}
MOTE_INLINE void store16(float* p, V16 v) {
  for (int i = 0; i < kRegs16; ++i) store(p + i * kLanes, v.r[i]);
}
template <class Op>
MOTE_INLINE float fold16(V16 v, Op op) {
  for (int n = kRegs16 / 2; n > 0; n /= 2) {
    for (int i = 0; i < n; ++i) v.r[i] = op(v.r[i], v.r[i + n]);
  }
  return fold(v.r[0], op);
}

}  // namespace mote::simd::MOTE_SIMD_NS
