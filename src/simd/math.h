// Elementary functions on vectors of f32: polynomials over fma, the same bits on every ISA (NaN aside: any NaN equals
// another). Correct at +-0, +-infinity and NaN; denormals are arguments and results like others, unless the thread
// flushes them.
//
// Bounds of the error against the true value, in units in the last place (ulp) of the true value, over all f32
// arguments, as measured by the exhaustive test of kernels/elementwise (docs/numerics.md has the figures):
//   1.1: exp exp2 log log2 erf pow      1.5: expm1 log1p sin cos acos atan      2.5: sigmoid sinh cosh asin tanh asinh
//   acosh atanh softplus log_sigmoid          3: tan     4, or 1e-7 absolute: silu mish gelu_tanh    4, or 4e-7
//   absolute: gelu
#pragma once

#include "simd/math64.h"
#include "simd/vec.h"

namespace mote::simd::MOTE_SIMD_NS {

// c0 + c1*x + c2*x^2 + ..., by Horner's rule.
MOTE_INLINE F32 horner(F32, float c) { return set(c); }
template <class... Cs>
MOTE_INLINE F32 horner(F32 x, float c, Cs... cs) {
  return fma(horner(x, cs...), x, set(c));
}

// x limited to [low, high]; NaN stays.
MOTE_INLINE F32 limit(F32 x, float low, float high) { return max(set(low), min(set(high), x)); }
MOTE_INLINE F32 infinity() { return as_f32(set_i32(0x7f800000)); }
MOTE_INLINE F32 quiet_nan() { return as_f32(set_i32(0x7fc00000)); }

inline constexpr float kLog2E = 0x1.715476p0f, kLog2ELo = 0x1.4ae0cp-26f, kLn2Hi = 0x1.62e43p-1f,
                       kLn2Lo = -0x1.05c61p-29f;
inline constexpr float kHalfPiHi = 0x1.921fb6p0f, kHalfPiMid = -0x1.777a5cp-25f, kHalfPiLo = -0x1.ee59dap-50f;

// p * 2^n for |n| <= 252, rounded once even where the result is denormal.
MOTE_INLINE F32 scale(F32 p, I32 n) {
  I32 half = sar<1>(n);
  F32 a = as_f32(shl<23>(half + set_i32(127))), b = as_f32(shl<23>(n - half + set_i32(127)));
  return p * a * b;
}

// n = round(x/ln2) and r = x - n*ln2 for |x| < 200.
struct ExpParts {
  F32 n, r;
};
MOTE_INLINE ExpParts split_exp(F32 x) {
  F32 n = round_even(x * set(kLog2E));
  return {n, fnma(n, set(kLn2Lo), fnma(n, set(kLn2Hi), x))};
}

// e^x * 2^k for small k, overflowing and underflowing only where the product does.
MOTE_ONCE F32 exp_times(F32 x, int k) {
  ExpParts e = split_exp(limit(x, -105.0f, 90.0f));
  F32 q = horner(e.r, 0x1p-1f, 0x1.5554dcp-3f, 0x1.5554e8p-5f, 0x1.120c6cp-7f, 0x1.6d4e94p-10f);
  F32 p = fma(e.r * e.r, q, e.r) + set(1.0f);
  return scale(p, to_i32(e.n) + set_i32(k));
}
MOTE_INLINE F32 exp(F32 x) { return exp_times(x, 0); }

// 2^r for |r| <= 0.501.
MOTE_INLINE F32 exp2_part(F32 r) {
  F32 q = horner(r, 0x1.62e43p-1f, 0x1.ebfbep-3f, 0x1.c6b06ep-5f, 0x1.3b2a52p-7f, 0x1.5da68cp-10f, 0x1.4419dp-13f,
                 0x1.de679ep-17f);
  return fma(r, q, set(1.0f));
}
// e^x * 2^K in fewer steps than exp_times, for arguments whose result is normal, or whose n + K below is -127: then 0.
template <int K>
MOTE_ONCE F32 exp_normal(F32 x) {
  // Adding `round` leaves n + K + 127, n = round(x/ln2), in the lowest nine bits: what 2^(n + K) has as its exponent.
  const F32 round = set(static_cast<float>((3 << 22) + 127 + K));
  F32 t = fma(x, set(kLog2E), round), minus_n = round - t;
  F32 f = fma(x, set(kLog2ELo), fma(x, set(kLog2E), minus_n));
  F32 p =
      horner(f, 1.0f, 0x1.62e432p-1f, 0x1.ebfbe2p-3f, 0x1.c6ae72p-5f, 0x1.3b270ep-7f, 0x1.5f7276p-10f, 0x1.470b48p-13f);
  return p * as_f32(shl<23>(as_i32(t)));
}
// e^x for x up to about 1, as softmax has them: 0 where it would be below 2^-126.5.
MOTE_INLINE F32 exp_falling(F32 x) { return exp_normal<0>(max(set(-88.0f), x)); }

MOTE_ONCE F32 exp2(F32 x) {
  x = limit(x, -160.0f, 130.0f);
  F32 n = round_even(x);
  return scale(exp2_part(x - n), to_i32(n));
}

MOTE_ONCE F32 expm1(F32 x) {
  ExpParts e = split_exp(limit(x, -30.0f, 89.0f));
  F32 q = horner(e.r, 0x1p-1f, 0x1.555556p-3f, 0x1.5555p-5f, 0x1.110fc4p-7f, 0x1.6d30b6p-10f, 0x1.a2d472p-13f);
  F32 p = fma(e.r * e.r, q, e.r);
  F32 half = as_f32(shl<23>(to_i32(e.n) + set_i32(126)));  // 2^(n-1): 2^n may overflow
  F32 y = fma(half, p, half - set(0.5f));
  return select(abs(x) < set(0x1p-25f), x, y + y);
}

// x = m * 2^e with m in [sqrt(1/2), sqrt(2)), for normal positive x.
struct LogParts {
  I32 e;
  F32 m;
};
MOTE_INLINE LogParts split_log(F32 x) {
  I32 bits = as_i32(x);
  I32 e = sar<23>(bits - set_i32(0x3f3504f3));
  return {e, as_f32(bits - shl<23>(e))};
}
// The same for any positive x.
MOTE_ONCE LogParts split_log_any(F32 x) {
  M32 tiny = x < set(0x1p-126f);
  LogParts l = split_log(select(tiny, x * set(0x1p23f), x));
  l.e = l.e - select(tiny, set_i32(23), set_i32(0));
  return l;
}
// Puts in what logarithms of 0, negative numbers, infinity and NaN are.
MOTE_ONCE F32 log_special(F32 x, F32 y) {
  y = select(x < infinity(), y, x);
  y = select(x == zero(), neg(infinity()), y);
  return select(x < zero(), quiet_nan(), y);
}
// e*ln2 + log(1+f)
MOTE_INLINE F32 log_parts(F32 e, F32 f) {
  F32 p = horner(f, 0x1.555554p-2f, -0x1.ffffe6p-3f, 0x1.999d2ap-3f, -0x1.556288p-3f, 0x1.23de4p-3f, -0x1.fbbf2ep-4f,
                 0x1.dc75eap-4f, -0x1.ddb2dp-4f, 0x1.2cb406p-4f);
  F32 tail = fma(f * f, fma(f, p, set(-0.5f)), e * set(kLn2Lo));
  return fma(e, set(kLn2Hi), f + tail);
}
MOTE_ONCE F32 log(F32 x) {
  LogParts l = split_log_any(x);
  return log_special(x, log_parts(to_f32(l.e), l.m - set(1.0f)));
}
MOTE_ONCE F32 log2(F32 x) {
  LogParts l = split_log_any(x);
  F32 f = l.m - set(1.0f);
  F32 q = horner(f, 0x1.c551dap-2f, -0x1.71547p-1f, 0x1.ec7028p-2f, -0x1.715a94p-2f, 0x1.278fe4p-2f, -0x1.ead2p-3f,
                 0x1.a0f066p-3f, -0x1.84bef2p-3f, 0x1.87ce3ap-3f, -0x1.e5db3cp-4f);
  return log_special(x, to_f32(l.e) + fma(f, q, f));
}
MOTE_ONCE F32 log1p(F32 x) {
  F32 u = set(1.0f) + x;
  F32 rest = (set(1.0f) - (u - (u - set(1.0f)))) + (x - (u - set(1.0f)));  // 1 + x = u + rest exactly
  LogParts l = split_log(u);
  F32 f = (l.m - set(1.0f)) + scale(rest, set_i32(0) - l.e);
  F32 y = log_special(u, log_parts(to_f32(l.e), f));
  return select(abs(x) < set(0x1p-25f), x, y);
}

// --- powers

// a + b = sum + error exactly, for |a| >= |b| or a = 0.
struct Two {
  F32 hi, lo;
};
MOTE_INLINE Two fast_two_sum(F32 a, F32 b) {
  F32 s = a + b;
  return {s, b - (s - a)};
}
MOTE_INLINE Two two_product(F32 a, F32 b) {
  F32 p = a * b;
  return {p, fma(a, b, neg(p))};
}
// log2(x) to about 2^-34 relative, for x > 0.
MOTE_ONCE Two log2_two(F32 x) {
  LogParts l = split_log_any(x);
  // log(m) = 2s + 2/3 s^3 + s^5 P(s^2), s = (m-1)/(m+1)
  F32 f = l.m - set(1.0f), d = l.m + set(1.0f), d_lo = l.m - (d - set(1.0f));
  F32 s = f / d;
  F32 s_lo = fnma(s, d_lo, fnma(s, d, f)) / d;
  Two u = two_product(s, s);
  u.lo = fma(s + s, s_lo, u.lo);
  Two cube = two_product(u.hi, s);
  cube.lo = fma(u.lo, s, fma(u.hi, s_lo, cube.lo));
  Two third = two_product(cube.hi, set(0x1.555556p-1f));
  third.lo = fma(cube.lo, set(0x1.555556p-1f), fma(cube.hi, set(-0x1.555556p-26f), third.lo));
  F32 p = horner(u.hi, 0x1.9999a4p-2f, 0x1.2479c8p-2f, 0x1.d828d4p-3f);
  F32 rest = fma(cube.hi * u.hi, p, fma(set(2.0f), s_lo, third.lo));
  Two y = fast_two_sum(s + s, third.hi);
  y = fast_two_sum(y.hi, y.lo + rest);
  Two b = two_product(y.hi, set(kLog2E));
  b.lo = fma(y.hi, set(kLog2ELo), fma(y.lo, set(kLog2E), b.lo));
  Two r = fast_two_sum(to_f32(l.e), b.hi);
  return fast_two_sum(r.hi, r.lo + b.lo);
}
// As C's powf; pow(x, 2) is x*x rounded once.
MOTE_ONCE F32 pow(F32 x, F32 y) {
  F32 a = abs(x);
  Two l = log2_two(a);
  M32 regular = (zero() < a) & (a < infinity());
  l.hi = select(regular, l.hi, select(a == zero(), neg(infinity()), a));
  l.lo = select(regular, l.lo, zero());
  Two e = two_product(y, l.hi);
  e.lo = fma(y, l.lo, e.lo);
  e.lo = select(abs(e.hi) < set(1000.0f), e.lo, zero());
  e.hi = limit(e.hi, -220.0f, 220.0f);
  F32 n = round_even(e.hi);
  F32 r = scale(exp2_part((e.hi - n) + e.lo), to_i32(n));

  F32 half = y * set(0.5f);
  M32 whole = trunc(y) == y, odd = whole & (trunc(half) != half);
  r = select(odd, as_f32(as_i32(r) | sign_bits(x)), r);
  r = select((x < zero()) & !whole & regular, quiet_nan(), r);
  r = select((y == zero()) | (x == set(1.0f)) | ((a == set(1.0f)) & (abs(y) == infinity())), set(1.0f), r);
  return select(y == set(2.0f), x * x, r);
}

// As C's fmodf, lane by lane: it is exact.
MOTE_ONCE F32 remainder(F32 x, F32 y) {
  float a[kLanes], b[kLanes];
  store(a, x);
  store(b, y);
  for (int i = 0; i < kLanes; ++i) a[i] = __builtin_fmodf(a[i], b[i]);
  return load(a);
}

// --- trigonometry

// x - q*pi/2 and q mod 4.
struct Angle {
  F32 r;
  I32 q;
};
// Arguments beyond 48,000, one by one.
MOTE_NOINLINE inline void reduce_huge(float* x, std::int32_t* q) {
  for (int i = 0; i < kLanes; ++i) {
    int quadrant = 0;
    x[i] = static_cast<float>(reduce_half_pi(static_cast<double>(x[i]), &quadrant));
    q[i] = quadrant;
  }
}
MOTE_ONCE Angle reduce_angle(F32 x) {
  if (!all(abs(x) < set(48000.0f))) {
    float t[kLanes];
    std::int32_t q[kLanes];
    store(t, x);
    reduce_huge(t, q);
    M32 near = abs(x) < set(48000.0f);
    F32 n = round_even(select(near, x, zero()) * set(0x1.45f306p-1f));
    F32 r = fnma(n, set(kHalfPiLo), fnma(n, set(kHalfPiMid), fnma(n, set(kHalfPiHi), x)));
    r = select(n == zero(), x, r);
    return {select(near, r, load(t)), select(near, to_i32(n), load(q))};
  }
  F32 n = round_even(x * set(0x1.45f306p-1f));
  F32 r = fnma(n, set(kHalfPiLo), fnma(n, set(kHalfPiMid), fnma(n, set(kHalfPiHi), x)));
  return {select(n == zero(), x, r), to_i32(n)};  // keeps -0
}
MOTE_INLINE F32 sin_part(F32 r) {
  F32 u = r * r;
  F32 y = fma(r * u, horner(u, -0x1.555556p-3f, 0x1.111198p-7f, -0x1.a08312p-13f, 0x1.877536p-19f), r);
  return select(r == zero(), r, y);  // keeps -0
}
MOTE_INLINE F32 cos_part(F32 r) {
  F32 u = r * r;
  F32 p = horner(u, 0x1.555556p-5f, -0x1.6c17d4p-10f, 0x1.a0f596p-16f, -0x1.58df88p-22f);
  return fma(u, fma(u, p, set(-0.5f)), set(1.0f));
}
MOTE_ONCE F32 sin_of(Angle a) {
  M32 odd = (a.q & set_i32(1)) > set_i32(0);
  F32 y = select(odd, cos_part(a.r), sin_part(a.r));
  return as_f32(as_i32(y) ^ shl<30>(a.q & set_i32(2)));
}
MOTE_INLINE F32 sin(F32 x) { return sin_of(reduce_angle(x)); }
MOTE_ONCE F32 cos(F32 x) {
  Angle a = reduce_angle(x);
  a.q = a.q + set_i32(1);
  return sin_of(a);
}
MOTE_ONCE F32 tan(F32 x) {
  Angle a = reduce_angle(x);
  M32 odd = (a.q & set_i32(1)) > set_i32(0);
  F32 s = sin_part(a.r), c = cos_part(a.r);
  return select(odd, neg(c), s) / select(odd, s, c);
}

// asin(s) for s = sqrt(z) <= 1/2.
MOTE_INLINE F32 asin_part(F32 s, F32 z) {
  F32 p = horner(z, 0x1.555554p-3f, 0x1.3334cep-4f, 0x1.6d3e6ap-5f, 0x1.ffbf34p-6f, 0x1.0fe1b2p-6f, 0x1.1acb92p-5f);
  return fma(s * z, p, s);
}
MOTE_ONCE F32 asin(F32 x) {
  F32 a = abs(x);
  M32 big = set(0.5f) < a;
  F32 z = select(big, fnma(a, set(0.5f), set(0.5f)), a * a);
  F32 p = asin_part(select(big, sqrt(z), a), z);
  F32 y = set(kHalfPiHi) - (fma(set(2.0f), p, set(-kHalfPiMid)));
  return copysign(select(big, y, p), x);
}
MOTE_ONCE F32 acos(F32 x) {
  F32 a = abs(x);
  M32 big = set(0.5f) < a;
  F32 z = select(big, fnma(a, set(0.5f), set(0.5f)), a * a);
  F32 p = asin_part(select(big, sqrt(z), x), z);
  F32 middle = set(kHalfPiHi) - (p - set(kHalfPiMid));
  F32 left = fma(set(2.0f), set(kHalfPiHi) - p, set(2.0f * kHalfPiMid));
  return select(big, select(x < zero(), left, p + p), middle);
}
MOTE_ONCE F32 atan(F32 x) {
  F32 a = abs(x);
  M32 big = set(1.0f) < a;
  F32 t = select(big, set(1.0f) / a, a);
  F32 u = t * t;
  F32 q = horner(u, -0x1.555554p-2f, 0x1.99984cp-3f, -0x1.246f74p-3f, 0x1.c423eep-4f, -0x1.636df2p-4f, 0x1.01e514p-4f,
                 -0x1.2a759ap-5f, 0x1.c62ea6p-7f, -0x1.449a16p-9f);
  F32 p = fma(t * u, q, t);
  F32 y = set(kHalfPiHi) - (p - set(kHalfPiMid));
  return copysign(select(big, y, p), x);
}

// --- hyperbolic functions

MOTE_ONCE F32 sinh(F32 x) {
  F32 a = abs(x), u = a * a;
  F32 small = fma(a * u, horner(u, 0x1.555556p-3f, 0x1.1110c6p-7f, 0x1.a0354cp-13f, 0x1.7254e8p-19f), a);
  F32 e = exp_times(a, -1);
  return copysign(select(set(1.0f) < a, e - set(0.25f) / e, select(is_nan(x), x, small)), x);
}
MOTE_ONCE F32 cosh(F32 x) {
  F32 e = exp_times(abs(x), -1);
  return e + set(0.25f) / e;
}
MOTE_ONCE F32 tanh(F32 x) {
  F32 e = expm1(limit(set(2.0f) * abs(x), 0.0f, 20.0f));
  return copysign(e / (e + set(2.0f)), x);
}
MOTE_ONCE F32 asinh(F32 x) {
  F32 a = abs(x), u = a * a;
  M32 big = set(0x1p28f) < a;
  F32 t = select(big, a, a + u / (set(1.0f) + sqrt(u + set(1.0f))));
  return copysign(log1p(t) + select(big, set(kLn2Hi), zero()), x);
}
MOTE_ONCE F32 acosh(F32 x) {
  M32 big = set(0x1p28f) < x;
  F32 t = x - set(1.0f);
  t = select(big, x, t + sqrt(fma(t, t, t + t)));
  F32 y = log1p(t) + select(big, set(kLn2Hi), zero());
  return select(x < set(1.0f), quiet_nan(), y);
}
MOTE_ONCE F32 atanh(F32 x) {
  F32 a = abs(x);
  F32 y = set(0.5f) * log1p((a + a) / (set(1.0f) - a));
  return copysign(select(a < set(0x1p-13f), a, y), x);
}

// --- error function and activations

MOTE_ONCE F32 erf(F32 x) {
  F32 a = abs(x), u = x * x;
  F32 small = fma(x,
                  horner(u, 0x1.06eba8p-3f, -0x1.812742p-2f, 0x1.ce2df2p-4f, -0x1.b80daep-6f, 0x1.54c55p-8f,
                         -0x1.aa49fcp-11f, 0x1.5d4856p-14f),
                  x);
  F32 c = limit(a, 0.9f, 3.93f);
  F32 g = horner(c, -0x1.079094p-3f, -0x1.452006p-1f, -0x1.b3ab1p-4f, 0x1.84aa8p-6f, -0x1.c9d9ccp-9f, 0x1.bd3c0ep-13f,
                 0x1.c307bcp-16f, -0x1.a18876p-18f, 0x1.8a17b8p-22f);
  F32 large = set(1.0f) - exp(fma(c, g, neg(c)));
  return select(a < set(0.921875f), small, copysign(large, x));
}
// 2^-30 / (2^-30 + e^-x * 2^-30): the factor keeps the sum finite where the result is denormal.
MOTE_ONCE F32 sigmoid(F32 x) {
  const F32 unit = set(0x1p-30f);
  return unit / (unit + exp_normal<-30>(limit(neg(x), -30.0f, 105.0f)));
}
MOTE_INLINE F32 silu(F32 x) { return x * sigmoid(x); }
MOTE_INLINE F32 softplus(F32 x) { return max(x, zero()) + log1p(exp(neg(abs(x)))); }
MOTE_INLINE F32 log_sigmoid(F32 x) { return neg(softplus(neg(x))); }
// x * tanh(softplus(x))
MOTE_ONCE F32 mish(F32 x) {
  F32 w = exp(min(set(30.0f), x));
  F32 n = w * (w + set(2.0f));
  return x * (n / (n + set(2.0f)));
}
// x * Phi(x), Phi = 1/2 + x*H(x^2)
MOTE_ONCE F32 gelu(F32 x) {
  F32 c = limit(x, -5.5f, 5.5f);
  F32 s = fma(c * c, set(static_cast<float>(2.0 / (5.5 * 5.5))), set(-1.0f));
  F32 h = horner(s, 0x1.07463cp-3f, -0x1.06d994p-4f, 0x1.8710bp-5f, -0x1.3dc996p-5f, 0x1.06bf76p-5f, -0x1.aaddd8p-6f,
                 0x1.4d3e8ep-6f, -0x1.ea5506p-7f, 0x1.51e852p-7f, -0x1.c62968p-8f, 0x1.25703ap-8f, -0x1.259ff6p-9f,
                 0x1.b90212p-11f, -0x1.610164p-11f, 0x1.36673cp-11f, -0x1.8fd526p-13f);
  F32 phi = fma(c, h, set(0.5f));
  phi = select(x < set(-5.5f), zero(), select(set(5.5f) < x, set(1.0f), phi));
  return x * phi;
}
// The tanh form: x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))
MOTE_ONCE F32 gelu_tanh(F32 x) {
  F32 inner = x * fma(x * x, set(static_cast<float>(0.044715 * 1.5957691216057308)), set(1.5957691216057308f));
  return x * sigmoid(inner);
}

}  // namespace mote::simd::MOTE_SIMD_NS
