// Reading one element of any real dtype as a double, and storing one. Not for loops that matter.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "base/checked.h"
#include "base/float_format.h"
#include "base/half.h"
#include "mote/dtype.h"

namespace mote::media {

constexpr bool is_number(DType t) { return is_float(t) || is_int(t) || t == DType::boolean; }

template <class T>
double load_as(const std::byte* data, std::int64_t i) {
  T v;
  std::memcpy(&v, data + static_cast<std::size_t>(i) * sizeof(T), sizeof(T));
  return static_cast<double>(v);
}

// Element `i` of an array whose dtype is_number().
inline double load_number(DType t, const std::byte* data, std::int64_t i) {
  switch (t) {
    case DType::f32:
      return load_as<float>(data, i);
    case DType::f64:
      return load_as<double>(data, i);
    case DType::i8:
      return load_as<std::int8_t>(data, i);
    case DType::i16:
      return load_as<std::int16_t>(data, i);
    case DType::i32:
      return load_as<std::int32_t>(data, i);
    case DType::i64:
      return load_as<std::int64_t>(data, i);
    case DType::boolean:
    case DType::u8:
      return load_as<std::uint8_t>(data, i);
    case DType::u16:
      return load_as<std::uint16_t>(data, i);
    case DType::u32:
      return load_as<std::uint32_t>(data, i);
    case DType::u64:
      return load_as<std::uint64_t>(data, i);
    default:
      break;
  }
  float v = 0;  // 16 bits and below
  load_as_f32(t, data, i, 1, &v);
  return static_cast<double>(v);
}

template <class Int>
void store_integer(float v, std::byte* to) {
  // The limits as doubles: the largest 64-bit integers are rounded down so that the cast is defined.
  constexpr double kLow = static_cast<double>(std::numeric_limits<Int>::min());
  constexpr double kHigh = sizeof(Int) == 8 ? 0x1p62 : static_cast<double>(std::numeric_limits<Int>::max());
  const Int i = static_cast<Int>(clamp_to_int(std::nearbyint(static_cast<double>(v)), kLow, kHigh));
  std::memcpy(to, &i, sizeof i);
}

// Stores a float as a real dtype of 8 bits and more: integers rounded half to even and clamped; false for others.
inline bool store_number(DType t, float v, std::byte* to) {
  const auto put = [&](auto x) { std::memcpy(to, &x, sizeof x); };
  switch (t) {
    case DType::f32:
      put(v);
      return true;
    case DType::f64:
      put(static_cast<double>(v));
      return true;
    case DType::f16:
      put(f32_to_f16(v));
      return true;
    case DType::bf16:
      put(f32_to_bf16(v));
      return true;
    case DType::u8:
      store_integer<std::uint8_t>(v, to);
      return true;
    case DType::i8:
      store_integer<std::int8_t>(v, to);
      return true;
    case DType::u16:
      store_integer<std::uint16_t>(v, to);
      return true;
    case DType::i16:
      store_integer<std::int16_t>(v, to);
      return true;
    case DType::i32:
      store_integer<std::int32_t>(v, to);
      return true;
    case DType::i64:
      store_integer<std::int64_t>(v, to);
      return true;
    default:
      return false;
  }
}

}  // namespace mote::media
