// Elements of any dtype, for references: typed access by dispatch, or through double / int64.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/half.h"
#include "mote/dtype.h"
#include "tensor/view.h"

namespace mote {

// Calls f(T()) with the C++ type that stores `t`, for types of 8 bits and more that C++ has. Returns false for the
// others.
template <class F>
bool with_native(DType t, F&& f) {
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
    case DType::boolean:
      return f(bool()), true;
    default:
      return false;
  }
}

// Element i of a dense view of any numeric dtype, as a double. Exact for all but 64-bit integers.
double load_f64(const TensorView& v, std::int64_t i);
// Element i of a dense view of integer or boolean dtype.
std::int64_t load_i64(const TensorView& v, std::int64_t i);
// Stores `x` rounded to nearest even (floats) or truncated and saturated, NaN as 0 (integers).
void store_f64(const TensorView& v, std::int64_t i, double x);
// Stores the low bits of `x`.
void store_i64(const TensorView& v, std::int64_t i, std::int64_t x);

// Copies n elements of one dtype between dense positions, also for packed types.
void copy_elements(const TensorView& from, std::int64_t from_index, const TensorView& to, std::int64_t to_index,
                   std::int64_t n);

}  // namespace mote
