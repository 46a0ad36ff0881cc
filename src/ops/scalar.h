// The elementwise opcodes on one value: what kernels/opcode.h means, for references.
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

#include "kernels/opcode.h"
#include "ops/element.h"

namespace mote {

using kernels::BinaryOp;
using kernels::UnaryOp;

// `a` and `b` are the immediates, in the order of kernels/opcode.h. Truth values are 1 and 0.
double eval_unary(UnaryOp op, double x, double a = 0, double b = 0);
double eval_binary(BinaryOp op, double x, double y);

template <class T>
constexpr bool is_negative(T x) {
  if constexpr (std::is_signed_v<T>) {
    return x < 0;
  } else {
    return false;
  }
}

// Integers and bool. Ops that only floats have give 0.
template <class T>
  requires std::is_integral_v<T>
T eval_unary(UnaryOp op, T x, double a = 0, double b = 0) {
  switch (op) {
    case UnaryOp::copy:
      return x;
    case UnaryOp::abs:
      return is_negative(x) ? wrap_sub(T(0), x) : x;
    case UnaryOp::neg:
      return wrap_sub(T(0), x);
    case UnaryOp::sign:
      return static_cast<T>(is_negative(x) ? -1 : x != 0);
    case UnaryOp::square:
      return wrap_mul(x, x);
    case UnaryOp::relu:
      return is_negative(x) ? T(0) : x;
    case UnaryOp::clip:
      return static_cast<double>(x) < a ? static_cast<T>(a) : static_cast<double>(x) > b ? static_cast<T>(b) : x;
    case UnaryOp::logical_not:
      return static_cast<T>(x == 0);
    case UnaryOp::bitwise_not:
      if constexpr (std::is_same_v<T, bool>) {
        return !x;
      } else {
        return static_cast<T>(~x);
      }
    default:
      return 0;
  }
}

namespace detail {

template <class T>
T int_div(T x, T y) {
  if (y == 0) return 0;
  if constexpr (std::is_signed_v<T>) {
    if (y == -1) return wrap_sub(T(0), x);
  }
  return static_cast<T>(x / y);
}

template <class T>
T int_fmod(T x, T y) {
  if (y == 0) return 0;
  if constexpr (std::is_signed_v<T>) {
    if (y == -1) return 0;
  }
  return static_cast<T>(x % y);
}

template <class T>
T int_pow(T x, T y) {
  if constexpr (std::is_signed_v<T>) {
    if (y < 0) return x == 1 ? T(1) : x == -1 ? (y % 2 ? T(-1) : T(1)) : T(0);
  }
  T r = 1;
  for (; y != 0; y = static_cast<T>(y / 2)) {
    if (y % 2) r = wrap_mul(r, x);
    x = wrap_mul(x, x);
  }
  return r;
}

template <class T>
T shift(T x, T y, bool left) {
  constexpr T width = static_cast<T>(sizeof(T) * 8);
  if (is_negative(y) || y >= width) return !left && is_negative(x) ? static_cast<T>(-1) : T(0);
  if (left) return static_cast<T>(static_cast<std::uint64_t>(x) << y);
  return static_cast<T>(x >> y);
}

}  // namespace detail

template <class T>
bool compare(BinaryOp op, const T& x, const T& y) {
  switch (op) {
    case BinaryOp::equal:
      return x == y;
    case BinaryOp::not_equal:
      return !(x == y);
    case BinaryOp::less:
      return x < y;
    case BinaryOp::less_equal:
      return x <= y;
    case BinaryOp::greater:
      return x > y;
    default:
      return x >= y;
  }
}

template <class T>
  requires std::is_integral_v<T>
T eval_binary(BinaryOp op, T x, T y) {
  if (is_comparison(op)) return static_cast<T>(compare(op, x, y));
  if constexpr (!std::is_same_v<T, bool>) {
    switch (op) {
      case BinaryOp::div:
        return detail::int_div(x, y);
      case BinaryOp::floor_div: {
        T q = detail::int_div(x, y);
        return detail::int_fmod(x, y) != 0 && is_negative(x) != is_negative(y) ? wrap_sub(q, T(1)) : q;
      }
      case BinaryOp::mod: {
        T r = detail::int_fmod(x, y);
        return r != 0 && is_negative(r) != is_negative(y) ? wrap_add(r, y) : r;
      }
      case BinaryOp::fmod:
        return detail::int_fmod(x, y);
      case BinaryOp::pow:
        return detail::int_pow(x, y);
      case BinaryOp::bitwise_and:
        return static_cast<T>(x & y);
      case BinaryOp::bitwise_or:
        return static_cast<T>(x | y);
      case BinaryOp::bitwise_xor:
        return static_cast<T>(x ^ y);
      case BinaryOp::shift_left:
        return detail::shift(x, y, true);
      case BinaryOp::shift_right:
        return detail::shift(x, y, false);
      default:
        break;
    }
  }
  switch (op) {
    case BinaryOp::add:
      return wrap_add(x, y);
    case BinaryOp::sub:
      return wrap_sub(x, y);
    case BinaryOp::mul:
      return wrap_mul(x, y);
    case BinaryOp::min:
      return x < y ? x : y;
    case BinaryOp::max:
      return x > y ? x : y;
    case BinaryOp::prelu:
      return is_negative(x) ? wrap_mul(x, y) : x;
    case BinaryOp::squared_difference:
      return wrap_mul(wrap_sub(x, y), wrap_sub(x, y));
    case BinaryOp::logical_and:
      return static_cast<T>(x != 0 && y != 0);
    case BinaryOp::logical_or:
      return static_cast<T>(x != 0 || y != 0);
    case BinaryOp::logical_xor:
      return static_cast<T>((x != 0) != (y != 0));
    default:
      return 0;
  }
}

}  // namespace mote
