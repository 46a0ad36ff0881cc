// Cost: what a layer takes in f32 and in integers, measured on this CPU or by the model of another one.
#pragma once

#include "prepare/layer_cost.h"
#include "quant/run.h"
#include "quant/schemes.h"

namespace mote::quant {

// The module with the extents of its inputs as the first sample has them.
Result<Module> with_shapes_of(const Module& m, SampleSource& samples);

// A module of the layer alone, with the clamp behind it; where `integers`, from quantized values to quantized values.
// `m` has constant shapes.
Result<Module> layer_alone(const Module& m, const Layer& l, bool integers, const QuantizeOptions& options);

// Runs both forms in turns and takes the shortest time of each, without copies between layouts.
Result<LayerCost> measure(const Module& m, const Layer& l, const QuantizeOptions& options, const Link& link);

LayerCost estimate(const Module& m, const Layer& l, const CpuModel& cpu);
// What dequantizing its operand and quantizing its result take where the layer stays in f32 among layers in integers.
double estimate_around(const Module& m, const Layer& l, const CpuModel& cpu);

// Milliseconds of a run of each on the first sample, in turns: the shortest.
Result<std::pair<double, double>> measure_models(Module a, Module b, SampleSource& samples, const Link& link,
                                                 int threads);

}  // namespace mote::quant
