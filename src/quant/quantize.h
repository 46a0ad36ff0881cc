// src/quant: from a float module to a quantized one. Calibration (ranges.h) sees samples run by run.h; regions.h
// decides what computes in integers; the schemes rewrite; search.h finds layers that are better left in f32.
#pragma once

#include "quant/layers.h"
#include "quant/run.h"

namespace mote::quant {

struct Outcome {
  Module module;
  QuantizeReport report;
};

// `m` with its shapes and states as they will be. `link` makes modules runnable; `samples` may be null where nothing
// needs them. Where a bound is not met, the report says so and the module is the nearest found.
Result<Outcome> quantize(Module m, SampleSource* samples, const QuantizeOptions& options, const Link& link);

}  // namespace mote::quant
