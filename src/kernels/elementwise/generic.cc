#define MOTE_SIMD_SCALAR
#include "kernels/elementwise/generic.h"
#include "kernels/elementwise/int_ops.h"

namespace mote::kernels::elementwise::scalar {
namespace {

// Calls f with a value of an integer type.
template <class F>
void with_integer(DType type, F f) {
  switch (type) {
    case DType::i8:
      return f(std::int8_t());
    case DType::i16:
      return f(std::int16_t());
    case DType::i32:
      return f(std::int32_t());
    case DType::u8:
      return f(std::uint8_t());
    case DType::u16:
      return f(std::uint16_t());
    case DType::u32:
      return f(std::uint32_t());
    default:
      return f(std::int64_t());
  }
}

// Of Int itself; in a compact build Int has the values of other types, too.
template <class Int>
struct IntOps {
  using T = Int;
  static T constant(DType type, float v) {
    T x = from_float<T>(v);
    if constexpr (kAnyInteger<T> && std::is_signed_v<T>) {
      with_integer(type, [&](auto zero) { x = from_float<decltype(zero)>(v); });
    }
    return x;
  }
  static void narrow(DType type, T* values, std::int64_t n)
    requires(kAnyInteger<T> && std::is_signed_v<T>)
  {
    if (type == DType::i64) return;
    with_integer(type, [&](auto zero) {
      for (std::int64_t i = 0; i < n; ++i) values[i] = static_cast<decltype(zero)>(values[i]);
    });
  }

  template <UnaryOp Op>
  static void unary(View<T> x, T a, T b, T* out, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = apply_int<Op>(x.at(i), a, b);
  }
  static void unary(UnaryOp op, View<T> x, T a, T b, T* out, std::int64_t n) {
    switch (op) {
#define MOTE_X(name)  \
  case UnaryOp::name: \
    return unary<UnaryOp::name>(x, a, b, out, n);
      MOTE_UNARY_OPS(MOTE_X)
#undef MOTE_X
    }
  }
  template <BinaryOp Op>
  static void binary(View<T> x, View<T> y, T* out, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = apply_int<Op>(x.at(i), y.at(i));
  }
  static void binary(BinaryOp op, View<T> x, View<T> y, T* out, std::int64_t n) {
    switch (op) {
#define MOTE_X(name)   \
  case BinaryOp::name: \
    return binary<BinaryOp::name>(x, y, out, n);
      MOTE_BINARY_OPS(MOTE_X)
#undef MOTE_X
    }
  }
};

}  // namespace

void run_f64(const Params& p, TileRange range) noexcept { run<FloatOps<F64>>(p, range, DType::f64, DType::f64); }

#define MOTE_INT(type, T)                                                                                 \
  void run_##type(const Params& p, TileRange range) noexcept {                                            \
    constexpr bool kWider = kCompact && DType::type != DType::u64;                                        \
    run<IntOps<std::conditional_t<kWider, std::int64_t, T>>>(p, range, kWider ? DType::i64 : DType::type, \
                                                             DType::type);                                \
  }
MOTE_INT(i8, std::int8_t)
MOTE_INT(i16, std::int16_t)
MOTE_INT(i32, std::int32_t)
MOTE_INT(i64, std::int64_t)
MOTE_INT(u8, std::uint8_t)
MOTE_INT(u16, std::uint16_t)
MOTE_INT(u32, std::uint32_t)
MOTE_INT(u64, std::uint64_t)
#undef MOTE_INT

}  // namespace mote::kernels::elementwise::scalar
