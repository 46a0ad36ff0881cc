#include "kernels/convert/convert.h"

#include <algorithm>

namespace mote::kernels::convert {

#define MOTE_CONVERT_KERNEL(ns, isa)                       \
  namespace ns {                                           \
  void cast(const CastParams&, TileRange) noexcept;        \
  void quantize(const ScaleParams&, TileRange) noexcept;   \
  void dequantize(const ScaleParams&, TileRange) noexcept; \
  }
#include "kernels/convert/kernels.inc"
#undef MOTE_CONVERT_KERNEL

namespace {

#if defined(__x86_64__)
#define MOTE_HAS_avx512(f) &avx512::f
#define MOTE_HAS_avx2(f) &avx2::f
#else
#define MOTE_HAS_avx512(f) nullptr
#define MOTE_HAS_avx2(f) nullptr
#endif
#if defined(__aarch64__)
#define MOTE_HAS_neon(f) &neon::f
#else
#define MOTE_HAS_neon(f) nullptr
#endif
#define MOTE_HAS_scalar(f) &scalar::f

constexpr Row kRows[] = {
#define MOTE_CONVERT_KERNEL(ns, isa)                                                                   \
  {"convert_" #isa,          Isa::isa, Numerics::kExact, MOTE_HAS_##ns(cast), MOTE_HAS_##ns(quantize), \
   MOTE_HAS_##ns(dequantize)},
#include "kernels/convert/kernels.inc"
#undef MOTE_CONVERT_KERNEL
};

bool native(DType t) {
  switch (t) {
    case DType::f32:
    case DType::f64:
    case DType::i8:
    case DType::i16:
    case DType::i32:
    case DType::i64:
    case DType::u8:
    case DType::u16:
    case DType::u32:
    case DType::u64:
    case DType::boolean:
      return true;
    default:
      return false;
  }
}
bool half(DType t) { return t == DType::f16 || t == DType::bf16; }

}  // namespace

bool can_cast(DType from, DType to) {
  if (native(from) && native(to)) return true;
  if (half(from)) return native(to) || half(to);
  // Through f32, which must hold the source.
  if (!half(to) || !native(from) || from == DType::f64) return false;
  return to == DType::f16 || from == DType::f32 || bits_of(from) <= 16;
}

bool can_scale(DType t, bool quantize) {
  return t == DType::u8 || t == DType::i8 || t == DType::u16 || t == DType::i16 || (t == DType::i32 && !quantize);
}

std::span<const Row> kernels() { return kRows; }

const Row& select(const CpuFeatures& cpu) {
  return *std::find_if(std::begin(kRows), std::end(kRows) - 1,
                       [&](const Row& r) { return r.cast != nullptr && cpu.has(r.isa); });
}

}  // namespace mote::kernels::convert
