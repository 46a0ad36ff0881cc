// Softmax of integers in fixed point: what it looks up, from the scale of its operand, and the kernel of 8 bits. Class
// `exact`.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/fixed_math.h"
#include "kernels/kernel.h"

namespace mote::kernels::qmap {

// Of 8 bits: exp(-below * scale * beta) for each distance from the greatest element of the row, as Q0.
struct Softmax8 {
  std::int32_t exp[256] = {};
  bool counts[256] = {};  // whether it is not too far below

  // In Q12, for the sum of a row.
  std::int32_t term(std::int64_t below) const { return counts[below] ? fixed::divide_by_pot(exp[below], 12) : 0; }
  // In `bits` bits, from `least` on.
  std::int64_t quotient(std::int64_t below, fixed::Reciprocal r, int bits, std::int64_t least) const {
    if (!counts[below]) return least;
    const int shift = std::clamp(r.bits + 31 - bits, 0, 31);
    const std::int64_t y = fixed::divide_by_pot(fixed::high_mul(r.value, exp[below]), shift) + least;
    return std::clamp<std::int64_t>(y, least, least + (std::int64_t{1} << bits) - 1);
  }
};
Softmax8 softmax_table_8(double scale, double beta);

// Of 16 bits: interpolated tables of exp over [-10, 0] and of 1 / (1 + x) over [0, 1].
struct Softmax16 {
  std::vector<std::int16_t> exp, reciprocal;  // 513 samples each
  FixedScale scale;

  struct Divisor {
    std::int32_t value = 0;
    int shift = 1;
  };
  std::int32_t exp_of(std::int64_t below) const {
    const std::int64_t x = std::int64_t{scale_fixed(static_cast<std::int32_t>(-below), scale)} + 32767;
    return fixed::interpolate(exp.data(), static_cast<std::int32_t>(std::clamp<std::int64_t>(x, -32768, 32767)));
  }
  Divisor divisor(std::int32_t sum) const {
    const int headroom = std::countl_zero(static_cast<std::uint32_t>(sum | 1));
    if (headroom < 1) return {};
    const std::int64_t shifted = ((std::int64_t{sum} << (headroom - 1)) + (1 << 13)) >> 14;
    const std::int64_t x = std::clamp<std::int64_t>(shifted - (1 << 15) - (1 << 16), -32768, 32767);
    return {fixed::interpolate(reciprocal.data(), static_cast<std::int32_t>(x)), 31 - headroom};
  }
  std::int64_t quotient(std::int64_t below, Divisor by) const {
    const std::int64_t y = std::int64_t{exp_of(below)} * by.value;
    return std::clamp<std::int64_t>(by.shift > 0 ? (y + (std::int64_t{1} << (by.shift - 1))) >> by.shift : y, 0, 32767);
  }
};
Softmax16 softmax_tables_16(double scale, double beta);

// y[row] = softmax(x[row]) for `rows` rows of `n` bytes; y has 8 bits, signed as x, or where `wide` 16. A tile is
// `step` rows.
struct SoftmaxParams {
  const std::uint8_t* x = nullptr;
  std::byte* y = nullptr;
  const Softmax8* table = nullptr;
  bool is_signed = false, wide = false;
  std::int64_t rows = 0, n = 0, step = 1;
};
std::int64_t setup(SoftmaxParams* params);
void softmax(const SoftmaxParams& params, TileRange range) noexcept;

}  // namespace mote::kernels::qmap
