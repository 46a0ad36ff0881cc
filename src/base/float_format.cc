#include "base/float_format.h"

#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "base/half.h"

namespace mote {
namespace {

using Kind = FloatFormat::Kind;

constexpr FloatFormat kF16 = {5, 10, 15, Kind::kIeee}, kBf16 = {8, 7, 127, Kind::kIeee}, kE4m3fn = {4, 3, 7, Kind::kFn},
                      kE4m3fnuz = {4, 3, 8, Kind::kFnuz}, kE5m2 = {5, 2, 15, Kind::kIeee},
                      kE5m2fnuz = {5, 2, 16, Kind::kFnuz}, kE2m1 = {2, 1, 1, Kind::kFinite};

constexpr std::uint32_t mantissa_mask(const FloatFormat& f) { return (1u << f.mantissa_bits) - 1u; }
constexpr std::uint32_t magnitude_mask(const FloatFormat& f) { return (1u << (f.bits() - 1)) - 1u; }

constexpr std::uint32_t largest(const FloatFormat& f) {
  switch (f.kind) {
    case Kind::kIeee:
      return magnitude_mask(f) - mantissa_mask(f) - 1;
    case Kind::kFn:
      return magnitude_mask(f) - 1;
    default:
      return magnitude_mask(f);
  }
}

constexpr std::uint32_t nan_of(const FloatFormat& f, std::uint32_t sign) {
  switch (f.kind) {
    case Kind::kIeee:
      return sign | (magnitude_mask(f) - mantissa_mask(f)) | 1u << (f.mantissa_bits - 1);
    case Kind::kFn:
      return sign | magnitude_mask(f);
    default:
      return magnitude_mask(f) + 1;
  }
}

// The 8-bit formats and f4e2m1 by table.
template <int Bits>
using Table = std::array<float, 1u << Bits>;

template <int Bits>
Table<Bits> make_table(const FloatFormat& f) {
  Table<Bits> t;
  for (std::uint32_t i = 0; i < t.size(); ++i) t[i] = static_cast<float>(decode(i, f));
  return t;
}

const float* table_of(DType t) {
  static const auto e4m3fn = make_table<8>(kE4m3fn), e4m3fnuz = make_table<8>(kE4m3fnuz), e5m2 = make_table<8>(kE5m2),
                    e5m2fnuz = make_table<8>(kE5m2fnuz);
  static const auto e2m1 = make_table<4>(kE2m1);
  switch (t) {
    case DType::f8e4m3fn:
      return e4m3fn.data();
    case DType::f8e4m3fnuz:
      return e4m3fnuz.data();
    case DType::f8e5m2:
      return e5m2.data();
    case DType::f8e5m2fnuz:
      return e5m2fnuz.data();
    case DType::f4e2m1:
      return e2m1.data();
    default:
      return nullptr;
  }
}

unsigned packed_bits(const void* data, std::int64_t index, int bits) {
  std::int64_t at = index * bits;
  return static_cast<unsigned>(static_cast<const std::uint8_t*>(data)[at / 8]) >> (at % 8) & ((1u << bits) - 1u);
}

void set_packed_bits(void* data, std::int64_t index, int bits, unsigned value) {
  std::int64_t at = index * bits;
  auto& byte = static_cast<std::uint8_t*>(data)[at / 8];
  unsigned mask = ((1u << bits) - 1u) << (at % 8);
  byte = static_cast<std::uint8_t>((byte & ~mask) | (value << (at % 8) & mask));
}

int wrapped(float v) {
  if (!(v == v)) return 0;
  if (v >= 2147483648.0f) return std::numeric_limits<int>::max();
  if (v < -2147483648.0f) return std::numeric_limits<int>::min();
  return static_cast<int>(v);
}

template <class Fn>
void each(std::int64_t first, std::int64_t count, Fn fn) {
  for (std::int64_t i = 0; i < count; ++i) fn(first + i, i);
}

}  // namespace

std::optional<FloatFormat> float_format_of(DType t) {
  switch (t) {
    case DType::f16:
      return kF16;
    case DType::bf16:
      return kBf16;
    case DType::f8e4m3fn:
      return kE4m3fn;
    case DType::f8e4m3fnuz:
      return kE4m3fnuz;
    case DType::f8e5m2:
      return kE5m2;
    case DType::f8e5m2fnuz:
      return kE5m2fnuz;
    case DType::f4e2m1:
      return kE2m1;
    default:
      return std::nullopt;
  }
}

std::uint32_t encode(double value, const FloatFormat& f, bool saturate) {
  std::uint32_t sign = std::signbit(value) ? magnitude_mask(f) + 1 : 0;
  double magnitude = std::fabs(value);
  if (std::isnan(value)) return f.kind == Kind::kFinite ? magnitude_mask(f) + 1 : nan_of(f, sign);
  std::uint32_t bits = largest(f) + 1;
  if (std::isfinite(value)) {
    // Count units of the last place of the value's own binade (or of the subnormals); a carry moves up a binade by
    // itself.
    int exponent = magnitude == 0 ? 0 : std::ilogb(magnitude);
    int least = 1 - f.bias;
    bool normal = magnitude != 0 && exponent >= least;
    int unit = (normal ? exponent : least) - f.mantissa_bits;
    double units = std::nearbyint(std::ldexp(magnitude, -unit));
    if (exponent - least < (1 << f.exponent_bits)) {
      bits = static_cast<std::uint32_t>(units);
      if (normal) bits += static_cast<std::uint32_t>(exponent - least) << f.mantissa_bits;
    }
  }
  if (bits > largest(f)) {
    if (saturate || f.kind == Kind::kFinite) {
      bits = largest(f);
    } else if (f.kind == Kind::kIeee) {
      bits = magnitude_mask(f) - mantissa_mask(f);
    } else {
      return nan_of(f, sign);
    }
  }
  return f.kind == Kind::kFnuz && bits == 0 ? 0 : sign | bits;
}

double decode(std::uint32_t bits, const FloatFormat& f) {
  bool negative = (bits >> (f.bits() - 1) & 1u) != 0;
  std::uint32_t magnitude = bits & magnitude_mask(f);
  double v = 0;
  if (magnitude > largest(f)) {
    bool infinite = f.kind == Kind::kIeee && (magnitude & mantissa_mask(f)) == 0;
    v = infinite ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  } else if (f.kind == Kind::kFnuz && negative && magnitude == 0) {
    v = std::numeric_limits<double>::quiet_NaN();
  } else {
    auto exponent = static_cast<int>(magnitude >> f.mantissa_bits);
    std::uint32_t mantissa = magnitude & mantissa_mask(f);
    if (exponent > 0) mantissa |= 1u << f.mantissa_bits;
    v = std::ldexp(static_cast<double>(mantissa), (exponent > 0 ? exponent : 1) - f.bias - f.mantissa_bits);
  }
  return negative ? -v : v;
}

std::uint8_t encode_e8m0(float value, Rounding rounding, bool saturate) {
  std::uint32_t u = f32_to_bits(value);
  std::uint32_t exponent = u >> 23 & 0xffu, mantissa = u & 0x7fffffu;
  if (exponent == 0xff) return 0xff;
  bool up = false;
  if (rounding == Rounding::kUp) up = mantissa != 0;
  if (rounding == Rounding::kNearest) up = (mantissa & 0x400000u) != 0 && ((mantissa & 0x3fffffu) != 0 || exponent > 0);
  if (up && (!saturate || exponent < 0xfe)) ++exponent;
  return static_cast<std::uint8_t>(exponent);
}

float decode_e8m0(std::uint8_t bits) {
  if (bits == 0xff) return std::numeric_limits<float>::quiet_NaN();
  return bits == 0 ? 0x1p-127f : bits_to_f32(static_cast<std::uint32_t>(bits) << 23);
}

int load_packed(DType t, const void* data, std::int64_t index) {
  int bits = bits_of(t);
  auto v = static_cast<int>(packed_bits(data, index, bits));
  return is_signed_int(t) && v >= 1 << (bits - 1) ? v - (1 << bits) : v;
}

void store_packed(DType t, void* data, std::int64_t index, int value) {
  set_packed_bits(data, index, bits_of(t), static_cast<unsigned>(value));
}

bool load_as_f32(DType t, const void* data, std::int64_t first, std::int64_t count, float* out) {
  auto bytes = static_cast<const std::uint8_t*>(data);
  auto halves = static_cast<const std::uint16_t*>(data);
  const float* table = table_of(t);
  switch (t) {
    case DType::f16:
      each(first, count, [&](auto at, auto i) { out[i] = f16_to_f32(halves[at]); });
      return true;
    case DType::bf16:
      each(first, count, [&](auto at, auto i) { out[i] = bf16_to_f32(halves[at]); });
      return true;
    case DType::f8e8m0:
      each(first, count, [&](auto at, auto i) { out[i] = decode_e8m0(bytes[at]); });
      return true;
    case DType::f4e2m1:
      each(first, count, [&](auto at, auto i) { out[i] = table[packed_bits(data, at, 4)]; });
      return true;
    case DType::i8:
      each(first, count, [&](auto at, auto i) { out[i] = static_cast<float>(static_cast<std::int8_t>(bytes[at])); });
      return true;
    case DType::u8:
      each(first, count, [&](auto at, auto i) { out[i] = static_cast<float>(bytes[at]); });
      return true;
    case DType::i4:
    case DType::u4:
    case DType::i2:
    case DType::u2:
      each(first, count, [&](auto at, auto i) { out[i] = static_cast<float>(load_packed(t, data, at)); });
      return true;
    default:
      if (!table) return false;
      each(first, count, [&](auto at, auto i) { out[i] = table[bytes[at]]; });
      return true;
  }
}

bool store_from_f32(DType t, const float* values, std::int64_t count, void* data, std::int64_t first, bool saturate) {
  auto bytes = static_cast<std::uint8_t*>(data);
  auto halves = static_cast<std::uint16_t*>(data);
  switch (t) {
    case DType::f16:
      if (!saturate) {
        each(first, count, [&](auto at, auto i) { halves[at] = f32_to_f16(values[i]); });
        return true;
      }
      break;
    case DType::bf16:
      if (!saturate) {
        each(first, count, [&](auto at, auto i) { halves[at] = f32_to_bf16(values[i]); });
        return true;
      }
      break;
    case DType::f8e8m0:
      each(first, count, [&](auto at, auto i) { bytes[at] = encode_e8m0(values[i], Rounding::kUp, saturate); });
      return true;
    case DType::i8:
    case DType::u8:
      each(first, count, [&](auto at, auto i) { bytes[at] = static_cast<std::uint8_t>(wrapped(values[i])); });
      return true;
    case DType::i4:
    case DType::u4:
    case DType::i2:
    case DType::u2:
      each(first, count, [&](auto at, auto i) { store_packed(t, data, at, wrapped(values[i])); });
      return true;
    default:
      break;
  }
  auto format = float_format_of(t);
  if (!format) return false;
  each(first, count, [&](auto at, auto i) {
    std::uint32_t bits = encode(static_cast<double>(values[i]), *format, saturate);
    switch (format->bits()) {
      case 4:
        set_packed_bits(data, at, 4, bits);
        break;
      case 8:
        bytes[at] = static_cast<std::uint8_t>(bits);
        break;
      default:
        halves[at] = static_cast<std::uint16_t>(bits);
        break;
    }
  });
  return true;
}

}  // namespace mote
