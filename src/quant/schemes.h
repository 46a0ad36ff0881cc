// The schemes: what becomes of a module's layers. Each function rewrites the main function in place; the layers are
// those of find_layers on it, and only those chosen are changed.
#pragma once

#include <map>
#include <vector>

#include "quant/layers.h"
#include "quant/ranges.h"
#include "quant/regions.h"

namespace mote::quant {

using Chosen = std::vector<const Layer*>;

struct Statistics {
  std::map<ValueId, Histogram> histograms;           // of the candidates
  std::map<ValueId, std::vector<double>> means;      // of layer inputs by channel, where asked for
  std::map<ValueId, std::vector<float>> magnitudes;  // the largest of each channel, likewise
  std::int64_t samples = 0;
};

// quantize_linear and dequantize_linear around what computes in integers; weights as i8, biases as i32.
Status make_static(Module& m, const Chosen& chosen, const Statistics& statistics, const QuantizeOptions& options);

// Matrix products: their first operand is quantized in the run, weights are i8.
Status make_dynamic(Module& m, const Chosen& chosen, const QuantizeOptions& options);

// Weights as i8 behind a dequantize_linear.
Status make_weight_only_8(Module& m, const Chosen& chosen, const QuantizeOptions& options);

// Weights as f16 behind a cast.
Status make_f16(Module& m, const Chosen& chosen);

}  // namespace mote::quant
