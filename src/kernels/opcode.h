// The opcodes of the two elementwise families, unary and binary: what the module's ops name, what programs carry and
// what kernels implement. Immediates a and b are an op's attributes, in the order given here.
//
// Defined where a file could make it undefined: integer division and modulus by zero give 0; the least integer divided
// by -1 wraps; shifts by the width or more, or by a negative amount, give 0, but -1 where a negative value is shifted
// to the right; integer overflow wraps; min and max give NaN where an operand is one, and -0 is below +0; round is to
// nearest, ties to even; results of comparisons and logic are 1 or 0.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace mote::kernels {

// name; floats only? Immediates: leaky_relu(slope) elu(alpha) selu(alpha, gamma) celu(alpha) hard_sigmoid(alpha, beta)
// swish(alpha): x*sigmoid(alpha*x)   thresholded_relu(alpha)   shrink(lambda, bias)   clip(low, high)
// is_inf(negative counts, positive counts). gelu is x*Phi(x); gelu_tanh the tanh form; hard_swish x*clip(x/6+1/2, 0,
// 1).
// clang-format off
#define MOTE_UNARY_OPS(X)                                                                                          \
  X(copy) X(abs) X(neg) X(sign) X(square) X(floor) X(ceil) X(round) X(trunc) X(sqrt) X(rsqrt) X(reciprocal) X(exp) \
  X(exp2) X(expm1) X(log) X(log2) X(log1p) X(sin) X(cos) X(tan) X(asin) X(acos) X(atan) X(sinh) X(cosh) X(tanh)    \
  X(asinh) X(acosh) X(atanh) X(erf) X(sigmoid) X(log_sigmoid) X(relu) X(leaky_relu) X(elu) X(selu) X(celu)         \
  X(hard_sigmoid) X(hard_swish) X(silu) X(swish) X(softplus) X(softsign) X(mish) X(gelu) X(gelu_tanh)              \
  X(thresholded_relu) X(shrink) X(clip) X(is_nan) X(is_inf) X(logical_not) X(bitwise_not)
// clang-format on

// mod: the sign of the divisor (Python); fmod: the sign of the dividend (C); floor_div: towards minus infinity, where
// div of integers truncates; prelu: x < 0 ? x*y : x; squared_difference: (x-y)^2. Shifts to the right are logical for
// unsigned and arithmetic for signed types.
// clang-format off
#define MOTE_BINARY_OPS(X)                                                                                    \
  X(add) X(sub) X(mul) X(div) X(floor_div) X(mod) X(fmod) X(pow) X(min) X(max) X(prelu) X(squared_difference) \
  X(equal) X(not_equal) X(less) X(less_equal) X(greater) X(greater_equal) X(logical_and) X(logical_or)        \
  X(logical_xor) X(bitwise_and) X(bitwise_or) X(bitwise_xor) X(shift_left) X(shift_right)
// clang-format on

enum class UnaryOp : std::uint8_t {
#define MOTE_X(name) name,
  MOTE_UNARY_OPS(MOTE_X)
#undef MOTE_X
};

enum class BinaryOp : std::uint8_t {
#define MOTE_X(name) name,
  MOTE_BINARY_OPS(MOTE_X)
#undef MOTE_X
};

#define MOTE_X(name) +1
inline constexpr int kUnaryOpCount = 0 MOTE_UNARY_OPS(MOTE_X);
inline constexpr int kBinaryOpCount = 0 MOTE_BINARY_OPS(MOTE_X);
#undef MOTE_X

constexpr std::string_view name_of(UnaryOp op) {
  constexpr std::string_view names[] = {
#define MOTE_X(name) #name,
      MOTE_UNARY_OPS(MOTE_X)
#undef MOTE_X
  };
  return names[static_cast<int>(op)];
}

constexpr std::string_view name_of(BinaryOp op) {
  constexpr std::string_view names[] = {
#define MOTE_X(name) #name,
      MOTE_BINARY_OPS(MOTE_X)
#undef MOTE_X
  };
  return names[static_cast<int>(op)];
}

constexpr std::optional<UnaryOp> unary_op_of(std::string_view name) {
  for (int i = 0; i < kUnaryOpCount; ++i) {
    if (name_of(static_cast<UnaryOp>(i)) == name) return static_cast<UnaryOp>(i);
  }
  return std::nullopt;
}

constexpr std::optional<BinaryOp> binary_op_of(std::string_view name) {
  for (int i = 0; i < kBinaryOpCount; ++i) {
    if (name_of(static_cast<BinaryOp>(i)) == name) return static_cast<BinaryOp>(i);
  }
  return std::nullopt;
}

constexpr bool is_comparison(BinaryOp op) { return op >= BinaryOp::equal && op <= BinaryOp::greater_equal; }
constexpr bool is_logical(BinaryOp op) { return op >= BinaryOp::logical_and && op <= BinaryOp::logical_xor; }
// Does the op give a truth value, whatever the type of its operands?
constexpr bool gives_bool(BinaryOp op) { return is_comparison(op) || is_logical(op); }
constexpr bool gives_bool(UnaryOp op) {
  return op == UnaryOp::is_nan || op == UnaryOp::is_inf || op == UnaryOp::logical_not;
}

}  // namespace mote::kernels
