// Layers of a quantized module that a CPU is slower at in integers than in f32, by the cost model
// (prepare/layer_cost.h).
#pragma once

#include <string>

#include "prepare/prepare.h"

namespace mote {

// For a layer in integers of which the model says so: ", slower in integers than in f32: ...", for people. Else "".
std::string slow_in_integers(const NodeView& n, const CpuFeatures& cpu);

// Gives the attribute in_f32 (the pass float_layers acts on it) to the layers that are faster in f32 together with what
// is quantized and dequantized around them; between two such layers nothing is. Whether there are any.
bool mark_slow_layers(Module& module, const TargetOptions& target);

}  // namespace mote
