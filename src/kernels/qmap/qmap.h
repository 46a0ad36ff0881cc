// qmap: 8-bit quantized tensors to 8-bit quantized tensors, one element at a time or over windows: functions by a table
// of 256 values, sums and products of two tensors (of 16 bits too), pools. Bytes are u8 or i8, words u16 or i16; what
// lies between is i32 and f32.
// Class `exact`: integers, and f32 in one order, as ops/quant says.
#pragma once

#include <cstdint>
#include <span>

#include "base/cpu.h"
#include "base/fixed_point.h"
#include "kernels/kernel.h"

namespace mote::kernels::qmap {

// Bytes of a table's tile, elements of a sum's.
inline constexpr std::int64_t kTile = 1 << 14, kSumTile = 1 << 13;

// y[i] = table[x[i]] for rows of dims[3] bytes, side by side in x and y, strides in bytes; a tile is some rows, or, of
// a single row, kTile bytes.
struct LookupParams {
  const std::uint8_t* x = nullptr;
  std::uint8_t* y = nullptr;
  const std::uint8_t* table = nullptr;  // 256
  std::int64_t dims[4] = {1, 1, 1, 0}, x_stride[3] = {}, y_stride[3] = {};
  std::int64_t rows = 1, step = 1;  // by setup
};

// A quantized value as the kernels take it.
struct Quantized {
  bool is_signed = false;
  std::int32_t zero = 0;
};
// Of results: clamped to [low, high].
struct Result {
  bool is_signed = false;
  std::int32_t zero = 0, low = 0, high = 255;
};

// y = a * a_scale + b * b_scale, or a * b * a_scale, rounded; scales are over that of y already. Where `fixed`, in
// fixed point: the sum of a * 2^left and b * 2^left (subtracted where `negative`), each scaled by its own scale, scaled
// by that of y; or a * b scaled by that of y. Operands broadcast: strides in elements, outermost axis first, of the
// last axis 0 or 1 (y: 1). A tile is `step` rows of that axis, or, of a single row, kSumTile elements.
struct BinaryParams {
  const std::uint8_t *a = nullptr, *b = nullptr;
  std::uint8_t* y = nullptr;
  Quantized a_type, b_type;
  Result y_type;
  float a_scale = 1, b_scale = 1;
  bool product = false, fixed = false, negative = false;
  bool words = false;  // operands and result have 16 bits; products only where `fixed`, and wrap
  FixedScale a_fixed, b_fixed, y_fixed;
  std::int32_t left = 0;
  std::int64_t dims[4] = {1, 1, 1, 1}, a_stride[4] = {}, b_stride[4] = {}, y_stride[4] = {};
  std::int64_t rows = 1, step = 1;  // by setup
};

// Windows over channels-last images, in one to three dimensions; those of fewer have extents of 1 in front. Average:
// (sum of x - zero) * f32(scale / n), n the taps inside of x, or with count_pad inside of the padded x; where
// `integer`, the sum of x over n, halves away from zero.
struct PoolParams {
  const std::uint8_t* x = nullptr;
  std::uint8_t* y = nullptr;
  bool average = false, count_pad = false, integer = false;
  Quantized x_type;
  Result y_type;
  float scale = 1;  // x's over y's
  std::int64_t batch = 1, channels = 0, x_pixel = 0, y_pixel = 0;
  std::int64_t in[3] = {1, 1, 1}, out[3] = {1, 1, 1}, kernel[3] = {1, 1, 1}, stride[3] = {1, 1, 1},
               dilation[3] = {1, 1, 1}, pad_begin[3] = {}, pad_end[3] = {};
  std::int64_t step = 1;  // by setup: output pixels of a tile
};

struct Row {
  const char* name;
  Isa isa;
  Numerics numerics;
  KernelFn<LookupParams> lookup;
  KernelFn<BinaryParams> binary;
  KernelFn<PoolParams> pool;
};

std::span<const Row> kernels();
const Row& select(const CpuFeatures& cpu);

// How many tiles there are.
std::int64_t setup(LookupParams* params);
std::int64_t setup(BinaryParams* params);
std::int64_t setup(PoolParams* params);

}  // namespace mote::kernels::qmap
