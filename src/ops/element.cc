#include "ops/element.h"

#include <cmath>
#include <limits>

namespace mote {
namespace {

// Bits of packed element i; low bits first within a byte.
std::uint8_t packed(const TensorView& v, std::int64_t i, int bits) {
  int per_byte = 8 / bits;
  auto byte = std::to_integer<unsigned>(v.data[i / per_byte]);
  return static_cast<std::uint8_t>((byte >> (static_cast<int>(i % per_byte) * bits)) & ((1u << bits) - 1u));
}

void set_packed(const TensorView& v, std::int64_t i, int bits, unsigned value) {
  int per_byte = 8 / bits;
  unsigned shift = static_cast<unsigned>(static_cast<int>(i % per_byte) * bits), mask = ((1u << bits) - 1u) << shift;
  auto byte = std::to_integer<unsigned>(v.data[i / per_byte]);
  v.data[i / per_byte] = static_cast<std::byte>((byte & ~mask) | ((value << shift) & mask));
}

template <class T>
T saturate(double x) {
  if (std::isnan(x)) return 0;
  x = std::trunc(x);
  constexpr double lo = static_cast<double>(std::numeric_limits<T>::min()),
                   hi = static_cast<double>(std::numeric_limits<T>::max());
  if (x <= lo) return std::numeric_limits<T>::min();
  if (x >= hi) return std::numeric_limits<T>::max();
  return static_cast<T>(x);
}

}  // namespace

std::int64_t load_i64(const TensorView& v, std::int64_t i) {
  switch (v.dtype) {
    case DType::i4:
    case DType::i2: {
      int bits = bits_of(v.dtype);
      int raw = packed(v, i, bits);
      return raw >= (1 << (bits - 1)) ? raw - (1 << bits) : raw;
    }
    case DType::u4:
    case DType::u2:
      return packed(v, i, bits_of(v.dtype));
    default:
      break;
  }
  std::int64_t out = 0;
  with_native(v.dtype, [&](auto t) { out = static_cast<std::int64_t>(v.as<decltype(t)>()[i]); });
  return out;
}

double load_f64(const TensorView& v, std::int64_t i) {
  switch (v.dtype) {
    case DType::f16:
      return f16_to_f32(v.as<std::uint16_t>()[i]);
    case DType::bf16:
      return bf16_to_f32(v.as<std::uint16_t>()[i]);
    case DType::i4:
    case DType::i2:
    case DType::u4:
    case DType::u2:
      return static_cast<double>(load_i64(v, i));
    default:
      break;
  }
  double out = 0;
  with_native(v.dtype, [&](auto t) { out = static_cast<double>(v.as<decltype(t)>()[i]); });
  return out;
}

void store_i64(const TensorView& v, std::int64_t i, std::int64_t x) {
  if (bits_of(v.dtype) < 8) return set_packed(v, i, bits_of(v.dtype), static_cast<unsigned>(x));
  with_native(v.dtype, [&](auto t) { v.as<decltype(t)>()[i] = static_cast<decltype(t)>(x); });
}

void store_f64(const TensorView& v, std::int64_t i, double x) {
  switch (v.dtype) {
    case DType::f32:
      v.as<float>()[i] = static_cast<float>(x);
      return;
    case DType::f64:
      v.as<double>()[i] = x;
      return;
    case DType::f16:
      v.as<std::uint16_t>()[i] = f32_to_f16(static_cast<float>(x));
      return;
    case DType::bf16:
      v.as<std::uint16_t>()[i] = f32_to_bf16(static_cast<float>(x));
      return;
    case DType::boolean:
      v.as<bool>()[i] = x != 0;
      return;
    default:
      break;
  }
  if (bits_of(v.dtype) < 8) {
    int bits = bits_of(v.dtype);
    double lo = is_signed_int(v.dtype) ? -(1 << (bits - 1)) : 0, hi = lo + (1 << bits) - 1;
    double t = std::isnan(x) ? 0 : std::fmin(std::fmax(std::trunc(x), lo), hi);
    return set_packed(v, i, bits, static_cast<unsigned>(static_cast<int>(t)));
  }
  with_native(v.dtype, [&](auto t) { v.as<decltype(t)>()[i] = saturate<decltype(t)>(x); });
}

void copy_elements(const TensorView& from, std::int64_t from_index, const TensorView& to, std::int64_t to_index,
                   std::int64_t n) {
  int bits = bits_of(from.dtype);
  if (bits >= 8) {
    std::int64_t width = bits / 8;
    if (n > 0)
      std::memcpy(to.data + to_index * width, from.data + from_index * width, static_cast<std::size_t>(n * width));
    return;
  }
  for (std::int64_t i = 0; i < n; ++i) set_packed(to, to_index + i, bits, packed(from, from_index + i, bits));
}

}  // namespace mote
