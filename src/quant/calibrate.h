// Calibration: what the values of a module's activations are over the samples.
#pragma once

#include "quant/run.h"
#include "quant/schemes.h"

namespace mote::quant {

// Runs the float module over all samples. `inputs`: layers whose inputs are also counted by channel.
Result<Statistics> calibrate(const Module& m, SampleSource& samples, const QuantizeOptions& options, const Link& link,
                             std::span<const Layer> by_channel = {});

// The axis of a layer's input that its weights run along.
int input_axis(const Layer& l, const Type& x);

}  // namespace mote::quant
