#include "ops/element.h"

#include <cmath>
#include <limits>

#include "base/float_format.h"

namespace mote {
namespace {

// The bits of an 8- or 4-bit float.
std::uint32_t raw_bits(const TensorView& v, std::int64_t i) {
  if (v.dtype == DType::f4e2m1) return static_cast<std::uint32_t>(load_packed(v.dtype, v.data, i)) & 15u;
  return v.as<const std::uint8_t>()[i];
}

double load_small_float(const TensorView& v, std::int64_t i) {
  if (v.dtype == DType::f8e8m0) return static_cast<double>(decode_e8m0(v.as<const std::uint8_t>()[i]));
  return decode(raw_bits(v, i), *float_format_of(v.dtype));
}

// Rounds once: by way of float only where that is exact.
std::uint16_t round_to_16(DType t, double x) {
  float f = static_cast<float>(x);
  if (static_cast<double>(f) != x && !std::isnan(x)) {
    return static_cast<std::uint16_t>(encode(x, *float_format_of(t), false));
  }
  return t == DType::f16 ? f32_to_f16(f) : f32_to_bf16(f);
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
  if (bits_of(v.dtype) < 8) return load_packed(v.dtype, v.data, i);
  if (v.dtype == DType::boolean) return NativeElement<bool>::load(v, i);
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
    default:
      break;
  }
  if (is_float(v.dtype) && bits_of(v.dtype) <= 8) return load_small_float(v, i);
  if (bits_of(v.dtype) < 8 || v.dtype == DType::boolean) return static_cast<double>(load_i64(v, i));
  double out = 0;
  with_native(v.dtype, [&](auto t) { out = static_cast<double>(v.as<decltype(t)>()[i]); });
  return out;
}

void store_i64(const TensorView& v, std::int64_t i, std::int64_t x) {
  if (bits_of(v.dtype) < 8) return store_packed(v.dtype, v.data, i, static_cast<int>(x & 15));
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
    case DType::bf16:
      v.as<std::uint16_t>()[i] = round_to_16(v.dtype, x);
      return;
    case DType::boolean:
      v.as<bool>()[i] = x != 0;
      return;
    default:
      break;
  }
  if (is_float(v.dtype)) return store_small_float(v, i, x, true);
  if (bits_of(v.dtype) < 8) return store_i64(v, i, saturate<std::int64_t>(x));
  with_native(v.dtype, [&](auto t) { v.as<decltype(t)>()[i] = saturate<decltype(t)>(x); });
}

void store_small_float(const TensorView& v, std::int64_t i, double x, bool saturate, Rounding rounding) {
  if (v.dtype == DType::f8e8m0) {
    v.as<std::uint8_t>()[i] = encode_e8m0(static_cast<float>(x), rounding, saturate);
  } else if (v.dtype == DType::f4e2m1) {
    store_packed(v.dtype, v.data, i, static_cast<int>(encode(x, *float_format_of(v.dtype), saturate)));
  } else {
    v.as<std::uint8_t>()[i] = static_cast<std::uint8_t>(encode(x, *float_format_of(v.dtype), saturate));
  }
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
  for (std::int64_t i = 0; i < n; ++i) {
    store_packed(to.dtype, to.data, to_index + i, load_packed(from.dtype, from.data, from_index + i));
  }
}

}  // namespace mote
