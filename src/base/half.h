// Conversion between float and the 16-bit storage types, one value at a time. All of it is exact or rounds to nearest,
// ties to even; overflow gives infinity; a NaN stays one (quiet, top payload bits kept). See float_format.h for 8 bits
// and below.
#pragma once

#include <bit>
#include <cstdint>

#include "base/inline.h"

namespace mote {

MOTE_INLINE float bits_to_f32(std::uint32_t u) { return __builtin_bit_cast(float, u); }
MOTE_INLINE std::uint32_t f32_to_bits(float f) { return __builtin_bit_cast(std::uint32_t, f); }

MOTE_INLINE float bf16_to_f32(std::uint16_t h) { return bits_to_f32(static_cast<std::uint32_t>(h) << 16); }

MOTE_INLINE std::uint16_t f32_to_bf16(float f) {
  std::uint32_t u = f32_to_bits(f);
  if ((u & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((u >> 16) | 0x40u);
  return static_cast<std::uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

MOTE_INLINE float f16_to_f32(std::uint16_t h) {
  std::uint32_t sign = static_cast<std::uint32_t>(h & 0x8000u) << 16;
  std::uint32_t magnitude = h & 0x7fffu;
  if (magnitude >= 0x7c00u) {  // infinity, NaN
    std::uint32_t quiet = magnitude > 0x7c00u ? 0x400000u : 0u;
    return bits_to_f32(sign | 0x7f800000u | quiet | (magnitude & 0x3ffu) << 13);
  }
  if (magnitude >= 0x400u) return bits_to_f32(sign | ((magnitude << 13) + (112u << 23)));
  // Subnormal: the integer count of 2^-24, exact in float.
  return bits_to_f32(sign | f32_to_bits(static_cast<float>(static_cast<std::int32_t>(magnitude)) * 0x1p-24f));
}

MOTE_INLINE std::uint16_t f32_to_f16(float f) {
  std::uint32_t u = f32_to_bits(f);
  std::uint32_t sign = (u >> 16) & 0x8000u;
  u &= 0x7fffffffu;
  if (u > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u | (u >> 13 & 0x1ffu));
  if (u >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);  // 65520 and above
  if (u < 0x33000001u) return static_cast<std::uint16_t>(sign);             // 2^-25 and below
  if (u >= 0x38800000u) {                                                   // normal
    u -= 112u << 23;
    return static_cast<std::uint16_t>(sign | ((u + 0xfffu + ((u >> 13) & 1u)) >> 13));
  }
  std::uint32_t shift = 126u - (u >> 23);  // 14 .. 24: the result counts 2^-24
  std::uint32_t m = (u & 0x7fffffu) | 0x800000u;
  std::uint32_t r = m >> shift, rest = m & ((1u << shift) - 1u), half = 1u << (shift - 1u);
  return static_cast<std::uint16_t>(sign | (r + (rest > half || (rest == half && (r & 1u)) ? 1u : 0u)));
}

}  // namespace mote
