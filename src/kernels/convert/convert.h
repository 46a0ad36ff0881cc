// convert: elements of one dtype become elements of another, by value (cast) or by scale and zero point (quantize,
// dequantize). Dense runs; a tile is kTile elements. Class `exact`: the references' bits.
#pragma once

#include <span>

#include "base/cpu.h"
#include "kernels/kernel.h"
#include "mote/dtype.h"

namespace mote::kernels::convert {

inline constexpr std::int64_t kTile = 1 << 15;

// Floats to integers truncate and saturate, NaN gives 0; integers wrap; to bool: not zero.
struct CastParams {
  const std::byte* x = nullptr;
  std::byte* y = nullptr;
  DType from = DType::none, to = DType::none;
  std::int32_t from_bytes = 0, to_bytes = 0;  // of an element
  std::int64_t count = 0;
};
// Pairs that the kernels convert in one rounding.
bool can_cast(DType from, DType to);

// x / scale rounded to the nearest even (or where `away`, halves away from zero), plus the zero point, saturated; or (x
// - zero point) * scale. The tensor is [rows, channels, length]: element e has the scale of channel e / length %
// channels.
struct ScaleParams {
  const std::byte* x = nullptr;
  std::byte* y = nullptr;
  DType dtype = DType::u8;          // of the quantized side: u8, i8, u16, i16; dequantize: i32 too. The other is f32
  const float* scale = nullptr;     // [channels]
  const std::byte* zero = nullptr;  // [channels] of `dtype`, or null
  std::int64_t count = 0, channels = 1, length = 1;
  bool away = false;
};
bool can_scale(DType dtype, bool quantize);

// Dynamic quantization to u8: the range of x and 0 becomes 255 steps. First `range`, whose tiles are kTile elements,
// then `choose`, one tile, then `quantize` of `then`, whose scale and zero point are what choose found.
struct DynamicParams {
  const float* x = nullptr;
  std::int64_t count = 0;
  float* partial = nullptr;  // [tiles][2]: least and greatest of each tile
  float* scale = nullptr;
  std::uint8_t* zero = nullptr;
  ScaleParams then;
};
void choose(const DynamicParams& params, TileRange range) noexcept;

struct Row {
  const char* name;
  Isa isa;
  Numerics numerics;
  KernelFn<CastParams> cast;
  KernelFn<ScaleParams> quantize, dequantize;
  KernelFn<DynamicParams> range;
};

std::span<const Row> kernels();
const Row& select(const CpuFeatures& cpu);

constexpr std::int64_t tiles_of(std::int64_t count) { return (count + kTile - 1) / kTile; }

}  // namespace mote::kernels::convert
