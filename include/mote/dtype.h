// DType: the storage type of a tensor's elements. Sizes are in bits: types below 8 bits are packed, low bits first.
// Types describe storage only; quantization scales and zero points are operands, never part of a type.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace mote {

// name, bits, enumerator. The order is part of `.mote` files: append only.
// clang-format off
#define MOTE_DTYPES(X)                                                                                      \
  X(f32, 32) X(f64, 64) X(f16, 16) X(bf16, 16) X(i8, 8) X(i16, 16) X(i32, 32) X(i64, 64) X(u8, 8) X(u16, 16) \
  X(u32, 32) X(u64, 64) X(boolean, 8) X(string, 128) X(i4, 4) X(u4, 4) X(i2, 2) X(u2, 2) X(f4e2m1, 4)        \
  X(f8e4m3fn, 8) X(f8e4m3fnuz, 8) X(f8e5m2, 8) X(f8e5m2fnuz, 8) X(f8e8m0, 8) X(c64, 64) X(c128, 128)
// clang-format on

enum class DType : std::uint8_t {
  none,
#define MOTE_X(name, bits) name,
  MOTE_DTYPES(MOTE_X)
#undef MOTE_X
};

constexpr int bits_of(DType t) {
  constexpr int bits[] = {0,
#define MOTE_X(name, b) b,
                          MOTE_DTYPES(MOTE_X)
#undef MOTE_X
  };
  return bits[static_cast<int>(t)];
}

constexpr std::string_view name_of(DType t) {
  constexpr std::string_view names[] = {"none",
#define MOTE_X(name, b) #name,
                                        MOTE_DTYPES(MOTE_X)
#undef MOTE_X
  };
  return names[static_cast<int>(t)];
}

constexpr std::optional<DType> dtype_of(std::string_view name) {
#define MOTE_X(n, b) \
  if (name == #n) return DType::n;
  MOTE_DTYPES(MOTE_X)
#undef MOTE_X
  return std::nullopt;
}

inline constexpr int kDTypeCount = 1
#define MOTE_X(name, b) +1
    MOTE_DTYPES(MOTE_X)
#undef MOTE_X
    ;

// Bytes of `count` elements, the last byte filled up for packed types.
constexpr std::int64_t bytes_of(DType t, std::int64_t count) { return (count * bits_of(t) + 7) / 8; }

constexpr bool is_float(DType t) {
  return (t >= DType::f32 && t <= DType::bf16) || (t >= DType::f4e2m1 && t <= DType::f8e8m0);
}
constexpr bool is_signed_int(DType t) {
  return (t >= DType::i8 && t <= DType::i64) || t == DType::i4 || t == DType::i2;
}
constexpr bool is_unsigned_int(DType t) {
  return (t >= DType::u8 && t <= DType::u64) || t == DType::u4 || t == DType::u2;
}
constexpr bool is_int(DType t) { return is_signed_int(t) || is_unsigned_int(t); }

}  // namespace mote
