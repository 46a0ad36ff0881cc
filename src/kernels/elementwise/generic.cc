#define MOTE_SIMD_SCALAR
#include "kernels/elementwise/generic.h"
#include "kernels/elementwise/int_ops.h"

namespace mote::kernels::elementwise::scalar {
namespace {

template <class Int>
struct IntOps {
  using T = Int;
  static constexpr T constant(float v) { return from_float<T>(v); }

  template <UnaryOp Op>
  static void unary(View<T> x, T a, T b, T* out, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = apply_int<Op>(x.at(i), a, b);
  }
  static void unary(UnaryOp op, View<T> x, float a, float b, T* out, std::int64_t n) {
    switch (op) {
#define MOTE_X(name)  \
  case UnaryOp::name: \
    return unary<UnaryOp::name>(x, constant(a), constant(b), out, n);
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

void run_f64(const Params& p, TileRange range) noexcept { run<FloatOps<F64>>(p, range, DType::f64); }

#define MOTE_INT(type, T) \
  void run_##type(const Params& p, TileRange range) noexcept { run<IntOps<T>>(p, range, DType::type); }
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
