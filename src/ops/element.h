// Elements of any dtype, for references: typed access by dispatch, or through double / int64.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "base/float_format.h"
#include "base/half.h"
#include "kernels/compact.h"
#include "mote/dtype.h"
#include "tensor/native.h"
#include "tensor/view.h"

namespace mote {

// Element i of a dense view of any numeric dtype, as a double. Exact for all but 64-bit integers.
double load_f64(const TensorView& v, std::int64_t i);
// Element i of a dense view of integer or boolean dtype.
std::int64_t load_i64(const TensorView& v, std::int64_t i);
// Stores `x` rounded to nearest even, beyond the range as infinity or, in floats of 8 bits and fewer, as the largest
// value; truncated and saturated, NaN as 0 (integers of 8 bits and more); truncated and wrapped (packed integers).
void store_f64(const TensorView& v, std::int64_t i, double x);
// Stores the low bits of `x`.
void store_i64(const TensorView& v, std::int64_t i, std::int64_t x);

// The same for a float of 8 bits or fewer, with ONNX's choices for values out of range and for f8e8m0.
void store_small_float(const TensorView& v, std::int64_t i, double x, bool saturate, Rounding rounding = Rounding::kUp);

// Copies n elements of one dtype between dense positions, also for packed types.
void copy_elements(const TensorView& from, std::int64_t from_index, const TensorView& to, std::int64_t to_index,
                   std::int64_t n);

// Accessors, one per dtype: `Value` is what an element is computed as, double for every float (so that a result is
// rounded once), the stored type for integers of 8 bits and more, int64 for packed ones, bool for boolean.
template <class T>
struct NativeElement {
  using Value = T;
  static T load(const TensorView& v, std::int64_t i) { return v.as<const T>()[i]; }
  static void store(const TensorView& v, std::int64_t i, T x) { v.as<T>()[i] = x; }
};
template <>
struct NativeElement<bool> {
  using Value = bool;
  static bool load(const TensorView& v, std::int64_t i) { return v.as<const std::uint8_t>()[i] != 0; }
  static void store(const TensorView& v, std::int64_t i, bool x) { v.as<std::uint8_t>()[i] = x ? 1 : 0; }
};
struct F32Element {
  using Value = double;
  static double load(const TensorView& v, std::int64_t i) { return static_cast<double>(v.as<const float>()[i]); }
  static void store(const TensorView& v, std::int64_t i, double x) { v.as<float>()[i] = static_cast<float>(x); }
};
struct AnyFloatElement {
  using Value = double;
  static double load(const TensorView& v, std::int64_t i) { return load_f64(v, i); }
  static void store(const TensorView& v, std::int64_t i, double x) { store_f64(v, i, x); }
};
struct IntElement {
  using Value = std::int64_t;
  static std::int64_t load(const TensorView& v, std::int64_t i) { return load_i64(v, i); }
  static void store(const TensorView& v, std::int64_t i, std::int64_t x) { store_i64(v, i, x); }
};

// Calls f(accessor()) for a numeric or boolean dtype. Returns false for strings and complex numbers. A compact build
// has code for fewer of them: narrow integers are computed as i64, to the same low bits.
template <class F>
bool with_element(DType t, F&& f) {
  if constexpr (kernels::kCompact) {
    if (is_float(t)) return f(AnyFloatElement()), true;
    if (t == DType::boolean) return f(NativeElement<bool>()), true;
    if (t == DType::u64) return f(NativeElement<std::uint64_t>()), true;
    if (is_int(t)) return f(IntElement()), true;
    return false;
  }
  if (t == DType::f32) return f(F32Element()), true;
  if (t == DType::f64) return f(NativeElement<double>()), true;
  if (is_float(t)) return f(AnyFloatElement()), true;
  if (bits_of(t) > 0 && bits_of(t) < 8) return f(IntElement()), true;
  return with_native(t, [&](auto x) {
    if constexpr (!std::is_floating_point_v<decltype(x)>) f(NativeElement<decltype(x)>());
  });
}

// Calls f(copy) where copy(from, i, to, j) moves one element of dtype `t`, whatever it is.
template <std::size_t width>
struct CopyBytes {
  void operator()(const TensorView& from, std::int64_t i, const TensorView& to, std::int64_t j) const {
    std::memcpy(to.data + j * static_cast<std::int64_t>(width), from.data + i * static_cast<std::int64_t>(width),
                width);
  }
};
struct CopyPacked {
  void operator()(const TensorView& from, std::int64_t i, const TensorView& to, std::int64_t j) const {
    copy_elements(from, i, to, j, 1);
  }
};
template <class F>
void with_copy(DType t, F&& f) {
  switch (bits_of(t)) {
    case 8:
      return f(CopyBytes<1>());
    case 16:
      return f(CopyBytes<2>());
    case 32:
      return f(CopyBytes<4>());
    case 64:
      return f(CopyBytes<8>());
    case 128:
      return f(CopyBytes<16>());
    default:
      return f(CopyPacked());
  }
}

// Integer arithmetic that wraps.
template <class T>
T wrap_add(T a, T b) {
  return static_cast<T>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
template <class T>
T wrap_sub(T a, T b) {
  return static_cast<T>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
template <class T>
T wrap_mul(T a, T b) {
  return static_cast<T>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}

}  // namespace mote
