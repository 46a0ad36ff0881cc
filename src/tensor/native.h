// Code for a dtype of values: the C++ type that stores it.
#pragma once

#include <cstdint>

#include "mote/dtype.h"

namespace mote {

// Calls f(T()) with the C++ type that stores the numbers of dtype `t`, of 8 bits and more, where C++ has one. Returns
// false for the others.
template <class F>
bool with_number(DType t, F&& f) {
  switch (t) {
    case DType::f32:
      return f(float()), true;
    case DType::f64:
      return f(double()), true;
    case DType::i8:
      return f(std::int8_t()), true;
    case DType::i16:
      return f(std::int16_t()), true;
    case DType::i32:
      return f(std::int32_t()), true;
    case DType::i64:
      return f(std::int64_t()), true;
    case DType::u8:
      return f(std::uint8_t()), true;
    case DType::u16:
      return f(std::uint16_t()), true;
    case DType::u32:
      return f(std::uint32_t()), true;
    case DType::u64:
      return f(std::uint64_t()), true;
    default:
      return false;
  }
}

// As above, for booleans too.
template <class F>
bool with_native(DType t, F&& f) {
  if (t == DType::boolean) return f(bool()), true;
  return with_number(t, f);
}

}  // namespace mote
