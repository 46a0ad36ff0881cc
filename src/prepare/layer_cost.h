// What a layer takes in f32 and in integers, by the model of a CPU (mote/quantize.h).
#pragma once

#include <optional>

#include "mote/quantize.h"
#include "plan/target.h"

namespace mote {

struct LayerCost {
  double f32_us = 0, int8_us = 0;
};

// What the model asks of a layer.
struct LayerWork {
  double macs = 0;          // multiply-adds by definition: what integers make with instructions for bytes
  double word_macs = 0;     // what they make with those for words
  double f32_macs = 0;      // what the kernel for f32 makes, Winograd's transforms counted as such
  double x = 0, y = 0;      // elements of the first operand and of the result
  double w = 0, f32_w = 0;  // elements of the weights, as packed for integers and for f32
  bool depthwise = false;
};

// Of conv, matmul, gemm, qlinear_conv and qlinear_matmul. Nothing where weights are no constant, an extent is not
// known, or images are not [batch, channels, space].
std::optional<LayerWork> work_of(const NodeView& n);

LayerCost cost_of(const LayerWork& work, const CpuModel& cpu);

// Quantizing or dequantizing so many elements in a step of its own.
double convert_us(double elements, const CpuModel& cpu);

// The built-in model nearest to `cpu`; null for a CPU without vectors.
const CpuModel* model_of(const CpuFeatures& cpu);

}  // namespace mote
