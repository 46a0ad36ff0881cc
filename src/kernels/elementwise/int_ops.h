// What each opcode does to integers of type T: wrapping, and defined for every argument (opcode.h). Baseline code only.
#pragma once

#include <limits>
#include <type_traits>

#include "kernels/opcode.h"

namespace mote::kernels::elementwise::scalar {

// The type in which wrapping arithmetic on T is well defined: unsigned, and not promoted to int.
template <class T>
using Wide = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
template <class T>
constexpr T wrap(Wide<T> v) {
  return static_cast<T>(v);
}
template <class T>
constexpr Wide<T> wide(T v) {
  return static_cast<Wide<T>>(v);
}

template <class T>
constexpr bool negative(T v) {
  if constexpr (std::is_signed_v<T>) return v < 0;
  return false;
}

template <class T>
constexpr T divide(T x, T y) {
  if (y == 0) return 0;
  if constexpr (std::is_signed_v<T>) {
    if (y == -1) return wrap<T>(0 - wide(x));
  }
  return static_cast<T>(x / y);
}
template <class T>
constexpr T c_remainder(T x, T y) {
  if (y == 0) return 0;
  if constexpr (std::is_signed_v<T>) {
    if (y == -1) return 0;
  }
  return static_cast<T>(x % y);
}
template <class T>
constexpr T python_remainder(T x, T y) {
  T r = c_remainder(x, y);
  return r != 0 && negative(r) != negative(y) ? static_cast<T>(r + y) : r;
}
template <class T>
constexpr T floor_divide(T x, T y) {
  T q = divide(x, y);
  return y != 0 && c_remainder(x, y) != 0 && negative(x) != negative(y) ? static_cast<T>(q - 1) : q;
}
template <class T>
constexpr T power(T x, T y) {
  if (negative(y)) {  // 1/x^n, truncated
    if (x == 1) return 1;
    if (wide(x) == wide(static_cast<T>(-1))) return (y & 1) != 0 ? x : 1;
    return 0;
  }
  Wide<T> result = 1, base = wide(x);
  for (auto n = wide(y); n != 0; n >>= 1) {
    if ((n & 1) != 0) result *= base;
    base *= base;
  }
  return wrap<T>(result);
}
template <class T>
constexpr T shift(T x, T y, bool left) {
  if (negative(y) || wide(y) >= sizeof(T) * 8) return static_cast<T>(!left && negative(x) ? -1 : 0);
  return left ? wrap<T>(wide(x) << y) : static_cast<T>(x >> y);
}
// Saturates; NaN is 0.
template <class T>
constexpr T from_float(float v) {
  constexpr auto kMax = std::numeric_limits<T>::max(), kMin = std::numeric_limits<T>::min();
  if (!(v == v)) return 0;
  if (v >= static_cast<float>(kMax)) return kMax;
  if (v <= static_cast<float>(kMin)) return kMin;
  return static_cast<T>(v);
}

template <UnaryOp Op, class T>
constexpr T apply_int(T x, T a, T b) {
  switch (Op) {
    case UnaryOp::abs:
      return negative(x) ? wrap<T>(0 - wide(x)) : x;
    case UnaryOp::neg:
      return wrap<T>(0 - wide(x));
    case UnaryOp::sign:
      return negative(x) ? static_cast<T>(-1) : static_cast<T>(x != 0);
    case UnaryOp::square:
      return wrap<T>(wide(x) * wide(x));
    case UnaryOp::relu:
      return negative(x) ? T{0} : x;
    case UnaryOp::clip:
      return x < a ? (a < b ? a : b) : x > b ? b : x;
    case UnaryOp::logical_not:
      return x == 0;
    case UnaryOp::bitwise_not:
      return static_cast<T>(~x);
    default:
      return x;  // copy and the roundings
  }
}

template <BinaryOp Op, class T>
constexpr T apply_int(T x, T y) {
  switch (Op) {
    case BinaryOp::add:
      return wrap<T>(wide(x) + wide(y));
    case BinaryOp::sub:
      return wrap<T>(wide(x) - wide(y));
    case BinaryOp::mul:
      return wrap<T>(wide(x) * wide(y));
    case BinaryOp::div:
      return divide(x, y);
    case BinaryOp::floor_div:
      return floor_divide(x, y);
    case BinaryOp::mod:
      return python_remainder(x, y);
    case BinaryOp::fmod:
      return c_remainder(x, y);
    case BinaryOp::pow:
      return power(x, y);
    case BinaryOp::min:
      return x < y ? x : y;
    case BinaryOp::max:
      return x > y ? x : y;
    case BinaryOp::prelu:
      return negative(x) ? wrap<T>(wide(x) * wide(y)) : x;
    case BinaryOp::squared_difference:
      return wrap<T>((wide(x) - wide(y)) * (wide(x) - wide(y)));
    case BinaryOp::equal:
      return x == y;
    case BinaryOp::not_equal:
      return x != y;
    case BinaryOp::less:
      return x < y;
    case BinaryOp::less_equal:
      return x <= y;
    case BinaryOp::greater:
      return x > y;
    case BinaryOp::greater_equal:
      return x >= y;
    case BinaryOp::logical_and:
      return x != 0 && y != 0;
    case BinaryOp::logical_or:
      return x != 0 || y != 0;
    case BinaryOp::logical_xor:
      return (x != 0) != (y != 0);
    case BinaryOp::bitwise_and:
      return static_cast<T>(x & y);
    case BinaryOp::bitwise_or:
      return static_cast<T>(x | y);
    case BinaryOp::bitwise_xor:
      return static_cast<T>(x ^ y);
    case BinaryOp::shift_left:
      return shift(x, y, true);
    case BinaryOp::shift_right:
      return shift(x, y, false);
  }
  return x;
}

}  // namespace mote::kernels::elementwise::scalar
