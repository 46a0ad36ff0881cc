#include "kernels/qmap/softmax.h"

#include <cmath>

#include "simd/math64.h"

namespace mote::kernels::qmap {

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

std::int64_t setup(SoftmaxParams* p) {
  if (p->rows == 0 || p->n == 0) return 0;
  p->step = std::clamp<std::int64_t>((1 << 14) / p->n, 1, p->rows);
  return (p->rows + p->step - 1) / p->step;
}

void softmax(const SoftmaxParams& p, TileRange range) noexcept {
  const std::uint8_t flip = p.is_signed ? 0x80 : 0;  // bytes in the order of their values
  // The result may lie on the operand, which then is not what its greatest element was found in.
  const auto below = [&](std::uint8_t top, std::uint8_t v) { return static_cast<std::uint8_t>(top - (v ^ flip)); };
  const int bits = p.wide ? 16 : 8;
  const std::int64_t least = p.wide ? -32768 : p.is_signed ? -128 : 0;
  const std::int64_t end = std::min(range.end * p.step, p.rows);
  for (std::int64_t row = range.begin * p.step; row < end; ++row) {
    const std::uint8_t* x = p.x + row * p.n;
    std::uint8_t top = 0;
    for (std::int64_t i = 0; i < p.n; ++i) top = std::max<std::uint8_t>(top, x[i] ^ flip);
    std::int32_t sum = 0;
    for (std::int64_t i = 0; i < p.n; ++i) sum = fixed::wrap_add32(sum, p.table->term(below(top, x[i])));
    const fixed::Reciprocal r = fixed::reciprocal(sum, 12);
    for (std::int64_t i = 0; i < p.n; ++i) {
      const std::int64_t y = p.table->quotient(below(top, x[i]), r, bits, least);
      if (p.wide) {
        reinterpret_cast<std::int16_t*>(p.y)[row * p.n + i] = static_cast<std::int16_t>(y);
      } else {
        reinterpret_cast<std::uint8_t*>(p.y)[row * p.n + i] = static_cast<std::uint8_t>(y);
      }
    }
  }
}

}  // namespace mote::kernels::qmap
