// What the conversions of quantized convolutions and products share.
#pragma once

#include "formats/tflite/compose.h"
#include "formats/tflite/quantized.h"

namespace mote::tflite {

std::string auto_pad(fbs::Padding padding);

// Weights, [outputs first], and what they stand for: a scale per output, or one.
struct Weights {
  ValueId value = kNone, scale = kNone, zero = kNone;
  std::vector<float> scales;
};
// Those of operand `i`. u8 weights have a zero point; those of signed weights are 0.
Weights weights_of(NodeContext& n, int i);

// Which sums are 64 bits wide: those of 16-bit operands, unless a bias says otherwise.
bool wide_sums(NodeContext& n, const Scaled& x, int bias);

// A product's operands in the order of the qlinear ops. Where `one_factor`, the two scales are multiplied in f32 first.
std::vector<ValueId> operands(NodeContext& n, const Scaled& x, const Weights& w, const Scaled& y, ValueId bias,
                              bool one_factor);

// The attributes of the recipe.
void add_rounding(std::vector<Attrs::Item>& attrs, std::string rounding, Ints range);

// An error where the image or the filters do not have four axes.
Status check_image(NodeContext& n, const Scaled& x, const Weights& w);

}  // namespace mote::tflite
