#include "simd/math64.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

// Polynomials are minimax fits over the stated ranges; DD is an unevaluated sum hi + lo with |lo| <= ulp(hi)/2.
namespace mote {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kLn2Hi = 0x1.62e42fefa39efp-1, kLn2Lo = 0x1.abc9e3b39803fp-56;
constexpr double kLog2EHi = 0x1.71547652b82fep+0, kLog2ELo = 0x1.777d0ffda0d24p-56;
constexpr double kHalfPi[] = {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54, -0x1.f1976b7ed8fbcp-110};

double fma(double a, double b, double c) { return std::fma(a, b, c); }

template <int N>
double horner(double x, const double (&c)[N]) {
  double p = c[N - 1];
  for (int i = N - 2; i >= 0; --i) p = fma(p, x, c[i]);
  return p;
}

struct DD {
  double hi, lo;
};
DD fast_two_sum(double a, double b) {  // |a| >= |b|, or a = 0
  double s = a + b;
  return {s, b - (s - a)};
}
DD two_sum(double a, double b) {
  double s = a + b, t = s - a;
  return {s, (a - (s - t)) + (b - t)};
}
DD two_product(double a, double b) {
  double p = a * b;
  return {p, fma(a, b, -p)};
}
DD times(DD a, DD b) {
  DD p = two_product(a.hi, b.hi);
  return fast_two_sum(p.hi, fma(a.hi, b.lo, fma(a.lo, b.hi, p.lo)));
}

// p * 2^n for |n| <= 2044, rounded once.
double scale(double p, int n) {
  int half = n / 2;
  auto power = [](int e) { return std::bit_cast<double>(static_cast<std::uint64_t>(e + 1023) << 52); };
  return p * power(half) * power(n - half);
}

// e^r - 1 - r over r^2, |r| <= 0.35
double exp_tail(double r) {
  static constexpr double c[] = {0x1p-1,
                                 0x1.5555555555555p-3,
                                 0x1.5555555555556p-5,
                                 0x1.111111111137dp-7,
                                 0x1.6c16c16c15fe5p-10,
                                 0x1.a01a019eaa41dp-13,
                                 0x1.a01a01a8274cep-16,
                                 0x1.71de404d97538p-19,
                                 0x1.27e4d7e5d3943p-22,
                                 0x1.ae4dbe4e1d403p-26,
                                 0x1.1f794cb7219c6p-29,
                                 0x1.813bfb59488a5p-33};
  return horner(r, c);
}
// e^(r.hi + r.lo)
double exp_small(DD r) { return 1 + (r.hi + fma(r.hi * r.hi, exp_tail(r.hi), r.lo)); }

struct ExpParts {
  int n;
  DD r;
};
ExpParts split_exp(double x) {  // |x| < 2000
  double n = std::nearbyint(x * kLog2EHi);
  double r = fma(-n, kLn2Hi, x);
  return {static_cast<int>(n), fast_two_sum(r, -n * kLn2Lo)};
}
double limit(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

double exp_times(double x, int k) {
  if (x != x) return x;
  ExpParts e = split_exp(limit(x, -760, 712));
  return scale(exp_small(e.r), e.n + k);
}
// 2^(x.hi + x.lo)
double exp2_of(DD x) {
  double n = std::nearbyint(x.hi);
  DD r = times(fast_two_sum(x.hi - n, x.lo), {kLn2Hi, kLn2Lo});
  return scale(exp_small(r), static_cast<int>(n));
}

// x = m * 2^e with m in [sqrt(1/2), sqrt(2)), for positive finite x.
struct LogParts {
  int e;
  double m;
};
LogParts split_log(double x) {
  int e = 0;
  if (x < 0x1p-1022) {
    x *= 0x1p54;
    e = -54;
  }
  auto bits = std::bit_cast<std::int64_t>(x);
  std::int64_t k = (bits - 0x3fe6a09e667f3bcd) >> 52;
  return {e + static_cast<int>(k),
          std::bit_cast<double>(bits - static_cast<std::int64_t>(static_cast<std::uint64_t>(k) << 52))};
}
// log(m + c) = 2s + 2/3 s^3 + s^5 P(s^2), s = (m+c-1)/(m+c+1), to about 2^-64 relative; c below an ulp of m.
DD log_of(double m, double c) {
  static constexpr double p[] = {0x1.999999999999ap-2, 0x1.2492492492209p-2, 0x1.c71c71c7b2a0ep-3,
                                 0x1.745d16c8f5f22p-3, 0x1.3b13e85497207p-3, 0x1.110340302acaap-3,
                                 0x1.e5d73e526e608p-4, 0x1.618a2bbe6bc27p-4, 0x1.02c2b4894e121p-2};
  DD f = two_sum(m - 1, c), d = two_sum(m + 1, c + (m - ((m + 1) - 1)));
  double q = f.hi / d.hi;
  DD s = fast_two_sum(q, (fma(-q, d.lo, fma(-q, d.hi, f.hi)) + f.lo) / d.hi);
  DD u = times(s, s), cube = times(times(u, s), {0x1.5555555555555p-1, 0x1.5555555555555p-55});
  DD y = fast_two_sum(2 * s.hi, cube.hi);
  return fast_two_sum(y.hi, y.lo + (2 * s.lo + (cube.lo + s.hi * u.hi * u.hi * horner(u.hi, p))));
}
DD plus_ln2(DD y, int e) {
  DD l = times({static_cast<double>(e), 0}, {kLn2Hi, kLn2Lo});
  DD s = fast_two_sum(l.hi, y.hi);
  return fast_two_sum(s.hi, s.lo + (l.lo + y.lo));
}
DD log2_dd(double x) {
  LogParts l = split_log(x);
  DD y = times(log_of(l.m, 0), {kLog2EHi, kLog2ELo});
  DD s = fast_two_sum(l.e, y.hi);
  return fast_two_sum(s.hi, s.lo + y.lo);
}
bool log_special(double x, double* y) {  // 0, negative, infinite, NaN
  if (x > 0 && x < kInf) return false;
  *y = x == 0 ? -kInf : x < 0 ? kNan : x;
  return true;
}

double sin_part(double r, double lo) {
  static constexpr double c[] = {-0x1.5555555555555p-3, 0x1.111111111101fp-7,   -0x1.a01a019fe8dc5p-13,
                                 0x1.71de3a10d67d1p-19, -0x1.ae63f906fe619p-26, 0x1.60e6949d4005p-33,
                                 -0x1.8dc401e310a1ep-41};
  double u = r * r;
  return r + fma(r * u, horner(u, c), lo * fma(u, -0.5, 1));
}
double cos_part(double r, double lo) {
  static constexpr double c[] = {0x1.5555555555555p-5,   -0x1.6c16c16c16a33p-10, 0x1.a01a019fb80efp-16,
                                 -0x1.27e4faef7e05bp-22, 0x1.1eecd71be6c4p-29,   -0x1.92a818e6724cp-37,
                                 0x1.35aaccebac3c6p-45};
  double u = r * r, h = 0.5 * u, w = 1 - h;
  return w + (((1 - w) - h) + fma(u * u, horner(u, c), -r * lo));
}
double sin_of(double x, int shift) {
  int q = 0;
  double lo = 0, r = simd::reduce_half_pi(x, &q, &lo);
  q += shift;
  double y = (q & 1) != 0 ? cos_part(r, lo) : sin_part(r, lo);
  return (q & 2) != 0 ? -y : y;
}

double asin_part(double s, double z) {  // asin(s) - s for s = sqrt(z) <= 1/2
  static constexpr double c[] = {
      0x1.5555555555556p-3, 0x1.3333333332d9ep-4,  0x1.6db6db6e48dfep-5, 0x1.f1c71c1187fb9p-6, 0x1.6e8bb383be85bp-6,
      0x1.1c4d0fc1f1632p-6, 0x1.c9d336d8d3d2bp-7,  0x1.77ff42edd9f3cp-7, 0x1.533650a538ec1p-7, 0x1.5dc13ab6834p-8,
      0x1.224dc1f6ecf3p-6,  -0x1.f6742fa25a87ap-7, 0x1.dc68fbe7fc6eep-6};
  return s * z * horner(z, c);
}
// asin(sqrt(z)) for z = (1-a)/2, as hi + lo.
DD asin_root(double a) {
  double z = fma(a, -0.5, 0.5), s = std::sqrt(z);
  if (!(s > 0)) return {s, 0};
  return fast_two_sum(s, fma(-s, s, z) / (2 * s) + asin_part(s, z));
}

// --- reduction by pi/2 for huge arguments (Payne and Hanek)

// 2/pi = sum of kTwoOverPi[i] * 2^(-32(i+1)).
constexpr std::uint32_t kTwoOverPi[] = {
    0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab, 0xdebbc561,
    0xb7246e3a, 0x424dd2e0, 0x06492eea, 0x09d1921c, 0xfe1deb1c, 0xb129a73e, 0xe88235f5, 0x2ebb4484,
    0xe99c7026, 0xb45f7e41, 0x3991d639, 0x835339f4, 0x9c845f8b, 0xbdf9283b, 0x1ff897ff, 0xde05980f,
    0xef2f118b, 0x5a0a6d1f, 0x6d367ecf, 0x27cb09b7, 0x4f463f66, 0x9e5fea2d, 0x7527bac7, 0xebe5f17b,
    0x3d0739f7, 0x8a5292ea, 0x6bfb5fb1, 0x1f8d5d08, 0x56033046, 0xfc7b6bab, 0xf0cfbc20, 0x9af4361d};
constexpr int kWords = 7, kLimbs = kWords + 2;

// Reads 53 bits of the little-endian number `limbs` downwards from bit `top`.
double bits_below(const std::uint32_t* limbs, int top) {
  double v = 0;
  for (int i = 0; i < 53; ++i) {
    int at = top - i;
    v = v * 2 + (at >= 0 ? static_cast<double>(limbs[at / 32] >> (at % 32) & 1u) : 0.0);
  }
  return v;
}

// |x| in quarter turns, as quadrant and a fraction in [-1/2, 1/2].
DD quarter_turns(double x, int* quadrant) {
  auto bits = std::bit_cast<std::uint64_t>(x);
  std::uint64_t mantissa = (bits & 0xfffffffffffffu) | 0x10000000000000u;
  int exponent = static_cast<int>(bits >> 52 & 0x7ff) - 1075;  // |x| = mantissa * 2^exponent
  int first = exponent > 33 ? (exponent - 2) / 32 : 0;         // earlier words give multiples of 4
  std::uint32_t product[kLimbs] = {};
  const std::uint32_t m[2] = {static_cast<std::uint32_t>(mantissa), static_cast<std::uint32_t>(mantissa >> 32)};
  for (int i = 0; i < kWords; ++i) {
    std::uint64_t carry = 0, word = kTwoOverPi[first + kWords - 1 - i];
    for (int j = 0; j < 2; ++j) {
      carry += word * m[j] + product[i + j];
      product[i + j] = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
    product[i + 2] = static_cast<std::uint32_t>(carry);
  }
  int point = 32 * (first + kWords) - exponent;  // bits behind the point
  auto bit = [&](int at) { return product[at / 32] >> (at % 32) & 1u; };
  int q = static_cast<int>(bit(point) + 2 * bit(point + 1));
  bool negative = bit(point - 1) != 0;
  if (negative) {  // 1 - fraction: invert all bits below the point; the missing unit is beyond what is read
    ++q;
    for (auto& limb : product) limb = ~limb;
  }
  *quadrant = q;
  int top = point - 1;
  while (top > 0 && bit(top) == 0) --top;
  double hi = std::ldexp(bits_below(product, top), top - 52 - point);
  double lo = std::ldexp(bits_below(product, top - 53), top - 105 - point);
  return negative ? DD{-hi, -lo} : DD{hi, lo};
}

}  // namespace

namespace simd {

double reduce_half_pi(double x, int* quadrant, double* low) {
  DD r{kNan, 0};
  *quadrant = 0;
  if (std::fabs(x) < 1e6) {
    double n = std::nearbyint(x * 0x1.45f306dc9c883p-1);
    r = {x, 0};
    if (n != 0) {
      DD p = two_product(n, kHalfPi[1]);
      DD a = two_sum(fma(-n, kHalfPi[0], x), -p.hi);
      r = fast_two_sum(a.hi, a.lo - (p.lo + n * kHalfPi[2]));
    }
    *quadrant = static_cast<int>(static_cast<std::int64_t>(n) & 3);
  } else if (std::fabs(x) < kInf) {
    int q = 0;
    r = times(quarter_turns(x, &q), {kHalfPi[0], kHalfPi[1]});
    if (x < 0) r = {-r.hi, -r.lo};
    *quadrant = (x < 0 ? -q : q) & 3;
  }
  if (low) *low = r.lo;
  return r.hi;
}

}  // namespace simd

namespace math64 {

double exp(double x) { return exp_times(x, 0); }

double exp2(double x) { return x != x ? x : exp2_of({limit(x, -1100, 1030), 0}); }

double expm1(double x) {
  if (x != x || std::fabs(x) < 0x1p-54) return x;
  ExpParts e = split_exp(limit(x, -50, 712));
  double p = e.r.hi + fma(e.r.hi * e.r.hi, exp_tail(e.r.hi), e.r.lo);
  double half = scale(0.5, e.n);
  return 2 * fma(half, p, half - 0.5);
}

double log(double x) {
  double y = 0;
  if (log_special(x, &y)) return y;
  LogParts l = split_log(x);
  return plus_ln2(log_of(l.m, 0), l.e).hi;
}

double log2(double x) {
  double y = 0;
  return log_special(x, &y) ? y : log2_dd(x).hi;
}

double log1p(double x) {
  if (std::fabs(x) < 0x1p-54) return x;
  DD u = two_sum(1, x);
  double y = 0;
  if (log_special(u.hi, &y)) return y;
  LogParts l = split_log(u.hi);
  return plus_ln2(log_of(l.m, scale(u.lo, -l.e)), l.e).hi;
}

double pow(double x, double y) {
  if (y == 0 || x == 1) return 1;
  if (x != x || y != y) return kNan;
  double a = std::fabs(x), half = 0.5 * y;
  bool whole = std::trunc(y) == y, odd = whole && std::trunc(half) != half;
  double sign = odd && std::signbit(x) ? -1.0 : 1.0;
  if (std::isinf(y)) return a == 1 ? 1 : (a > 1) == (y > 0) ? kInf : 0;
  if (a == 0 || a == kInf) return sign * ((a == 0) == (y < 0) ? kInf : 0.0);
  if (x < 0 && !whole) return kNan;
  DD l = log2_dd(a), e = two_product(y, l.hi);
  if (!(std::fabs(e.hi) < 1100)) return sign * (e.hi > 0 ? kInf : 0.0);
  return sign * exp2_of(fast_two_sum(e.hi, fma(y, l.lo, e.lo)));
}

double sin(double x) { return std::fabs(x) < 0x1p-27 ? x : sin_of(x, 0); }
double cos(double x) { return sin_of(x, 1); }

double tan(double x) {
  if (std::fabs(x) < 0x1p-27) return x;
  int q = 0;
  double lo = 0, r = simd::reduce_half_pi(x, &q, &lo);
  double s = sin_part(r, lo), c = cos_part(r, lo);
  return (q & 1) != 0 ? -c / s : s / c;
}

double asin(double x) {
  double a = std::fabs(x);
  if (a < 0x1p-27) return x;
  if (a <= 0.5) return x + asin_part(x, x * x);
  DD p = asin_root(a);
  DD y = fast_two_sum(kHalfPi[0], -2 * p.hi);
  return std::copysign(y.hi + (y.lo + fma(-2, p.lo, kHalfPi[1])), x);
}

double acos(double x) {
  double a = std::fabs(x);
  if (a <= 0.5) {
    DD y = fast_two_sum(kHalfPi[0], -x);
    return y.hi + (y.lo + (kHalfPi[1] - asin_part(x, x * x)));
  }
  DD p = asin_root(a);
  if (x > 0) return 2 * (p.hi + p.lo);
  DD y = fast_two_sum(kHalfPi[0], -p.hi);
  return 2 * (y.hi + (y.lo + (kHalfPi[1] - p.lo)));
}

double atan(double x) {
  static constexpr double c[] = {-0x1.5555555555555p-2, 0x1.9999999999815p-3,  -0x1.2492492481cb9p-3,
                                 0x1.c71c71bca884ep-4,  -0x1.745d1567edf59p-4, 0x1.3b137c20b019dp-4,
                                 -0x1.110d2ed6e48bap-4, 0x1.e17f365bdf2a3p-5,  -0x1.abcc0bcd1b863p-5,
                                 0x1.7215b04975c2cp-5,  -0x1.14bb077a3ef04p-5, 0x1.fb76a9a8a7918p-7};
  double a = std::fabs(x);
  if (!(a >= 0x1p-27)) return x;
  // atan(a) = k*pi/4 + atan(t): k = 2 with -1/a, k = 1 with (a-1)/(a+1), k = 0 with a.
  DD t{a, 0};
  double k = 0;
  if (a > 0x1.3504f333f9de6p+1) {
    k = 2;
    double q = -1 / a;
    t = {q, a < kInf ? -fma(q, a, 1.0) / a : 0.0};
  } else if (a > 0x1.a827999fcef32p-2) {
    k = 1;
    DD n = two_sum(a, -1), d = two_sum(a, 1);
    double q = n.hi / d.hi;
    t = {q, (fma(-q, d.hi, n.hi) + (n.lo - q * d.lo)) / d.hi};
  }
  double u = t.hi * t.hi, tail = fma(t.hi * u, horner(u, c), t.lo);
  DD y = fast_two_sum(k * (kHalfPi[0] / 2), t.hi);
  return std::copysign(y.hi + (y.lo + fma(k, kHalfPi[1] / 2, tail)), x);
}

double sinh(double x) {
  static constexpr double c[] = {0x1.5555555555555p-3,  0x1.1111111111211p-7,  0x1.a01a019fe20f3p-13,
                                 0x1.71de3aad44867p-19, 0x1.ae63c43897eap-26,  0x1.61ae8caa496b1p-33,
                                 0x1.19d6f14a6a2e7p-41, 0x1.59cb20d89f0bep-43, -0x1.3f1c5a01e67ecp-45};
  double a = std::fabs(x), u = x * x;
  if (!(a > 1)) return a < 0x1p-27 ? x : fma(x * u, horner(u, c), x);
  double e = exp_times(a, -1);
  return std::copysign(e - 0.25 / e, x);
}

double cosh(double x) {
  double e = exp_times(std::fabs(x), -1);
  return e + 0.25 / e;
}

double tanh(double x) {
  if (x != x) return x;
  double e = expm1(2 * limit(std::fabs(x), 0, 30));
  return std::copysign(e / (e + 2), x);
}

double asinh(double x) {
  double a = std::fabs(x);
  if (!(a < kInf)) return x;
  double y = a > 0x1p60 ? log(a) + kLn2Hi : log1p(a + a * a / (1 + std::sqrt(fma(a, a, 1))));
  return std::copysign(y, x);
}

double acosh(double x) {
  if (!(x >= 1)) return kNan;
  double t = x - 1;
  return x > 0x1p60 ? log(x) + kLn2Hi : log1p(t + std::sqrt(fma(t, t, 2 * t)));
}

double atanh(double x) {
  double a = std::fabs(x);
  if (a < 0x1p-28) return x;
  return std::copysign(0.5 * log1p(2 * a / (1 - a)), x);
}

double erf(double x) {
  static constexpr double small[] = {0x1.06eba8214db69p-3,   -0x1.812746b037a02p-2,  0x1.ce2f21a043b37p-4,
                                     -0x1.b82ce312c8f06p-6,  0x1.565bcd17e2c88p-8,   -0x1.c02db5be0650cp-11,
                                     0x1.f9a35d2ec9041p-14,  -0x1.f4d6de639ff23p-17, 0x1.ba2973b346f83p-20,
                                     -0x1.62200af0e5c67p-23, 0x1.1105a8457ce01p-26,  -0x1.fa43edd452ccap-30,
                                     0x1.44bf16205950ep-32,  -0x1.345ff504992edp-35};
  // erfc(a) * e^(a^2) in t = (a-2)/(a+2), 1 <= a <= 6.1
  static constexpr double large[] = {0x1.058671b52c776p-2,   -0x1.b57034efd3f72p-2,  0x1.eeea7dc8a78b3p-3,
                                     -0x1.437f0b68c0c20p-4,  0x1.e9471597a0955p-9,   0x1.ca95ed53442f6p-8,
                                     -0x1.bc25a47f8ef6cp-11, -0x1.016b5ceaf251ap-10, 0x1.6d5f044b85369p-15,
                                     0x1.6da978fee2933p-13,  0x1.cdca5bd323bd2p-16,  -0x1.ceb8f40d09d8ap-16,
                                     -0x1.d477a421031f8p-17, 0x1.7605a58717b33p-20,  0x1.f731f1827f900p-19,
                                     0x1.40febe643b9eep-20,  -0x1.b92f821c366d9p-22, -0x1.150eff67231bep-21,
                                     -0x1.258d037c1c0d8p-23, 0x1.ac61c52943bb2p-24,  0x1.c3f0cdcb07431p-25};
  double a = std::fabs(x);
  if (!(a > 1)) return fma(x, horner(x * x, small), x);
  if (a > 6) return std::copysign(1.0, x);
  DD square = two_product(a, a);
  double e = exp(-square.hi) * (1 - square.lo);
  return std::copysign(1 - e * horner((a - 2) / (a + 2), large), x);
}

double sigmoid(double x) {
  double e = exp(-std::fabs(x));
  return (x < 0 ? e : 1) / (1 + e);
}

double softplus(double x) { return (x > 0 ? x : 0) + log1p(exp(-std::fabs(x))); }

double gelu(double x) { return 0.5 * x * (1 + erf(x * 0x1.6a09e667f3bcdp-1)); }

}  // namespace math64
}  // namespace mote
