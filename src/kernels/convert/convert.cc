#include "kernels/convert/convert.h"

#include <algorithm>
#include <cmath>

#include "kernels/table.h"

namespace mote::kernels::convert {

#define MOTE_CONVERT_KERNEL(ns, isa)                       \
  namespace ns {                                           \
  void cast(const CastParams&, TileRange) noexcept;        \
  void quantize(const ScaleParams&, TileRange) noexcept;   \
  void dequantize(const ScaleParams&, TileRange) noexcept; \
  void range(const DynamicParams&, TileRange) noexcept;    \
  }
#include "kernels/convert/kernels.inc"
#undef MOTE_CONVERT_KERNEL

namespace {

constexpr Row kRows[] = {
#define MOTE_CONVERT_KERNEL(ns, isa)           \
  {"convert_" #isa,                            \
   Isa::isa,                                   \
   Numerics::kExact,                           \
   MOTE_IF_##ns(&MOTE_SHARED(ns)::cast),       \
   MOTE_IF_##ns(&MOTE_SHARED(ns)::quantize),   \
   MOTE_IF_##ns(&MOTE_SHARED(ns)::dequantize), \
   MOTE_IF_##ns(&MOTE_SHARED(ns)::range)},
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

void choose(const DynamicParams& p, TileRange) noexcept {
  float low = 0, high = 0;
  for (std::int64_t t = 0; t < tiles_of(p.count); ++t) {
    low = std::min(low, p.partial[2 * t]);
    high = std::max(high, p.partial[2 * t + 1]);
  }
  const float scale = (high - low) / 255.0f, start = std::nearbyint(0.0f - low / scale);
  *p.scale = scale;
  *p.zero = start > 0 ? static_cast<std::uint8_t>(std::min(start, 255.0f)) : 0;
}

std::span<const Row> kernels() { return kRows; }

const Row& select(const CpuFeatures& cpu) {
  return *std::find_if(std::begin(kRows), std::end(kRows) - 1,
                       [&](const Row& r) { return r.cast != nullptr && cpu.has(r.isa); });
}

}  // namespace mote::kernels::convert
