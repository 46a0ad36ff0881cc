// Quantized values as passes see them: behind a dequantize_linear, or before a quantize_linear.
#pragma once

#include <optional>
#include <vector>

#include "passes/graph.h"

namespace mote::passes {

// A tensor of integers with its scale and zero point.
struct Quantized {
  NodeId node = kNone;  // the dequantize_linear or quantize_linear
  ValueId value = kNone, scale = kNone, zero = kNone;
  DType dtype = DType::none;
  int axis = -1;  // of a vector of scales; -1: one scale
  bool eight_bits() const { return dtype == DType::u8 || dtype == DType::i8; }
  bool sixteen_bits() const { return dtype == DType::u16 || dtype == DType::i16; }
};

// What `v`, f32, is dequantized from, without blocks.
std::optional<Quantized> dequantized(const Graph& g, ValueId v);
// The result of a quantize_linear of f32 with one constant scale above 0; `value` is its output.
std::optional<Quantized> quantized(const Graph& g, NodeId quantize);
// One constant scale above 0, and a constant zero point or none.
bool is_fixed(const Graph& g, const Quantized& q);
// Both fixed, with the same numbers and dtype.
bool same_scale(const Graph& g, const Quantized& a, const Quantized& b);

// Whether there is a product of integers: x of 8 or 16 bits by w of 8, into no more bits than x has, or into f32
// (null).
bool is_integer_product(const Quantized& x, const Quantized& w, const Quantized* y);

// The elements of a constant vector of i32 or f32 that may be dequantized: a bias.
std::optional<std::vector<double>> bias_values(const Graph& g, ValueId v);

// The zero point; a constant 0 where there is none.
ValueId zero_point(Builder& b, const Quantized& q);

// The values that a quantized tensor may take: what relu and clip before a quantize_linear leave of its dtype's.
struct QuantizedRange {
  std::int64_t low, high;
};
QuantizedRange whole_range(DType dtype);
// `range` without what lies beyond [low, high], as quantize_linear rounds them.
QuantizedRange clipped(const Graph& g, const Quantized& to, QuantizedRange range, double low, double high);

// A step of a function of 8 bits: the value of `v` for all 256 bytes, when v depends on one 8-bit tensor alone.
struct ByteFunction {
  ValueId source = kNone;  // that tensor
  ValueId values = kNone;  // f32[256], made with `b`
};
std::optional<ByteFunction> byte_function(const Graph& g, Builder& b, ValueId v);

}  // namespace mote::passes
