#include "ops/scalar.h"

#include <cmath>

namespace mote {
namespace {

double sigmoid(double x) {
  if (x >= 0) return 1 / (1 + std::exp(-x));
  double e = std::exp(x);
  return e / (1 + e);
}

double softplus(double x) { return std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x))); }

double gelu_tanh(double x) { return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))); }

}  // namespace

double eval_unary(UnaryOp op, double x, double a, double b) {
  switch (op) {
    case UnaryOp::copy:
      return x;
    case UnaryOp::abs:
      return std::fabs(x);
    case UnaryOp::neg:
      return -x;
    case UnaryOp::sign:
      return x > 0 ? 1 : x < 0 ? -1 : x;
    case UnaryOp::square:
      return x * x;
    case UnaryOp::floor:
      return std::floor(x);
    case UnaryOp::ceil:
      return std::ceil(x);
    case UnaryOp::round:
      return std::nearbyint(x);
    case UnaryOp::trunc:
      return std::trunc(x);
    case UnaryOp::sqrt:
      return std::sqrt(x);
    case UnaryOp::rsqrt:
      return 1 / std::sqrt(x);
    case UnaryOp::reciprocal:
      return 1 / x;
    case UnaryOp::exp:
      return std::exp(x);
    case UnaryOp::exp2:
      return std::exp2(x);
    case UnaryOp::expm1:
      return std::expm1(x);
    case UnaryOp::log:
      return std::log(x);
    case UnaryOp::log2:
      return std::log2(x);
    case UnaryOp::log1p:
      return std::log1p(x);
    case UnaryOp::sin:
      return std::sin(x);
    case UnaryOp::cos:
      return std::cos(x);
    case UnaryOp::tan:
      return std::tan(x);
    case UnaryOp::asin:
      return std::asin(x);
    case UnaryOp::acos:
      return std::acos(x);
    case UnaryOp::atan:
      return std::atan(x);
    case UnaryOp::sinh:
      return std::sinh(x);
    case UnaryOp::cosh:
      return std::cosh(x);
    case UnaryOp::tanh:
      return std::tanh(x);
    case UnaryOp::asinh:
      return std::asinh(x);
    case UnaryOp::acosh:
      return std::acosh(x);
    case UnaryOp::atanh:
      return std::atanh(x);
    case UnaryOp::erf:
      return std::erf(x);
    case UnaryOp::sigmoid:
      return sigmoid(x);
    case UnaryOp::log_sigmoid:
      return -softplus(-x);
    case UnaryOp::relu:
      return x < 0 ? 0 : x;
    case UnaryOp::leaky_relu:
      return x < 0 ? a * x : x;
    case UnaryOp::elu:
      return x < 0 ? a * std::expm1(x) : x;
    case UnaryOp::selu:
      return b * (x < 0 ? a * std::expm1(x) : x);
    case UnaryOp::celu:
      return x < 0 ? a * std::expm1(x / a) : x;
    case UnaryOp::hard_sigmoid:
      return std::isnan(x) ? x : std::fmax(0, std::fmin(1, a * x + b));
    case UnaryOp::hard_swish:
      return x * std::fmax(0, std::fmin(1, x / 6 + 0.5));
    case UnaryOp::silu:
      return x * sigmoid(x);
    case UnaryOp::swish:
      return x * sigmoid(a * x);
    case UnaryOp::softplus:
      return softplus(x);
    case UnaryOp::softsign:
      return x / (1 + std::fabs(x));
    case UnaryOp::mish:
      return x * std::tanh(softplus(x));
    case UnaryOp::gelu:
      return 0.5 * x * (1 + std::erf(x * 0.7071067811865476));
    case UnaryOp::gelu_tanh:
      return gelu_tanh(x);
    case UnaryOp::thresholded_relu:
      return x > a ? x : 0;
    case UnaryOp::shrink:
      return x < -a ? x + b : x > a ? x - b : 0;
    case UnaryOp::clip:
      return x < a ? a : x > b ? b : x;
    case UnaryOp::is_nan:
      return std::isnan(x);
    case UnaryOp::is_inf:
      return std::isinf(x) && (x < 0 ? a : b) != 0;
    case UnaryOp::logical_not:
      return x == 0;
    case UnaryOp::bitwise_not:
      return 0;
  }
  return 0;
}

double eval_binary(BinaryOp op, double x, double y) {
  if (is_comparison(op)) return compare(op, x, y);
  switch (op) {
    case BinaryOp::add:
      return x + y;
    case BinaryOp::sub:
      return x - y;
    case BinaryOp::mul:
      return x * y;
    case BinaryOp::div:
      return x / y;
    case BinaryOp::floor_div:
      return std::floor(x / y);
    case BinaryOp::mod: {
      double r = std::fmod(x, y);
      if (r == 0) return std::copysign(0.0, y);
      return (r < 0) != (y < 0) ? r + y : r;
    }
    case BinaryOp::fmod:
      return std::fmod(x, y);
    case BinaryOp::pow:
      return std::pow(x, y);
    case BinaryOp::min:
      if (std::isnan(x) || std::isnan(y)) return NAN;
      return x < y || (x == y && std::signbit(x)) ? x : y;
    case BinaryOp::max:
      if (std::isnan(x) || std::isnan(y)) return NAN;
      return x > y || (x == y && !std::signbit(x)) ? x : y;
    case BinaryOp::prelu:
      return x < 0 ? x * y : x;
    case BinaryOp::squared_difference:
      return (x - y) * (x - y);
    case BinaryOp::logical_and:
      return x != 0 && y != 0;
    case BinaryOp::logical_or:
      return x != 0 || y != 0;
    case BinaryOp::logical_xor:
      return (x != 0) != (y != 0);
    default:
      return 0;
  }
}

}  // namespace mote
