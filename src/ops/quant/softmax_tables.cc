#include "ops/quant/softmax_tables.h"

#include <cmath>

#include "simd/math64.h"

namespace mote {

Softmax8 softmax_table_8(double scale, double beta) {
  Softmax8 t;
  // Distances in Q5, capped: what is further away than that is 0.
  const double real = std::min(beta * scale * 0x1p26, 0x1p31 - 1);
  const FixedScale s = fixed_scale(real);
  const double radius = std::floor(31 * 0x1p26 / std::ldexp(1.0, s.shift));
  for (int below = 0; below < 256; ++below) {
    t.counts[below] = below <= radius;
    if (t.counts[below]) t.exp[below] = fixed::exp_of_negative(scale_fixed(-below, s));
  }
  return t;
}

Softmax16 softmax_tables_16(double scale, double beta) {
  Softmax16 t;
  t.exp.resize(513);
  t.reciprocal.resize(513);
  // One unit of the results, 2 / 65535, in the arithmetic that the reference tables come from.
  const double inverse = 65536 / (2.0 / 65535 * 32767 - 2.0 / 65535 * -32768);
  fixed::sample_16_bits<double>(10.0 / 65535 * -65535, 0, inverse, math64::exp, t.exp.data());
  fixed::sample_16_bits<double>(
      0, 1.0 / 65535 * 65535, inverse, [](double x) { return 1 / (1 + x); }, t.reciprocal.data());
  t.scale = fixed_scale(scale * beta / (10.0 / 65535));
  return t;
}

}  // namespace mote
