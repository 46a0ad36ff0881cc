// Weights as numbers: read from a module's constants, rounded, and put back.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ir/module.h"

namespace mote::quant {

struct Floats {
  std::vector<std::int64_t> shape;
  std::vector<float> data;  // row-major
};

// The elements of a constant of f32.
Result<Floats> read_floats(const Module& m, ConstantId id);

// A constant of f32; a value for it in `f`.
ConstantId add_floats(Module& m, std::string name, const Floats& values);
ValueId value_of(Module& m, Function& f, ConstantId id);

// Integers with a scale for every position along an axis, or one scale (axis -1). Zero points are 0.
struct Rounded {
  std::vector<std::int64_t> shape;
  std::vector<std::int32_t> data;
  std::vector<float> scales;
  int axis = -1;
  float back(std::size_t element, std::size_t channel) const {
    return static_cast<float>(data[element]) * scales[channel];
  }
};

// Which position along `axis` an element of a row-major tensor has.
class Channels {
 public:
  Channels(std::span<const std::int64_t> shape, int axis);
  std::size_t operator()(std::size_t element) const { return axis_ < 0 ? 0 : element / inner_ % extent_; }
  std::size_t extent() const { return extent_; }

 private:
  int axis_;
  std::size_t inner_ = 1, extent_ = 1;
};

// To nearest, halves to even, in [-(2^(bits-1) - 1), 2^(bits-1) - 1]. `least`, where not empty, bounds the scales from
// below, one per channel.
Rounded round_weights(const Floats& w, int axis, int bits, std::span<const float> least = {});

// As elements of u8, i8, i16 or i32.
std::vector<std::byte> integer_bytes(std::span<const std::int32_t> values, DType dtype);

}  // namespace mote::quant
