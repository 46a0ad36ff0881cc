// Reading one element of any real dtype as a double. Not for loops that matter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/float_format.h"
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

}  // namespace mote::media
