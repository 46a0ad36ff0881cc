// Elementary functions of double, one value at a time: fma and polynomials, no libm, so that the same bits come out on
// every machine. Within 1 ulp, apart from expm1, tan, asinh, acosh, atanh, tanh, sinh and cosh (2.5 ulp); measured on
// samples by the tests of kernels/elementwise (docs/numerics.md). Correct at +-0, +-infinity, NaN and denormals.
#pragma once

namespace mote::simd {

// x - q*pi/2, in [-pi/4, pi/4], for any finite x (NaN for others); *quadrant = q mod 4. `low`, where given, gets what
// the rounding of the result left over.
double reduce_half_pi(double x, int* quadrant, double* low = nullptr);

}  // namespace mote::simd

namespace mote::math64 {

double exp(double x);
double exp2(double x);
double expm1(double x);
double log(double x);
double log2(double x);
double log1p(double x);
double pow(double x, double y);  // as C's pow
double sin(double x);
double cos(double x);
double tan(double x);
double asin(double x);
double acos(double x);
double atan(double x);
double sinh(double x);
double cosh(double x);
double tanh(double x);
double asinh(double x);
double acosh(double x);
double atanh(double x);
double erf(double x);
double sigmoid(double x);
double softplus(double x);
double gelu(double x);

}  // namespace mote::math64
