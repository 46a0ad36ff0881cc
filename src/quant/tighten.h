// Changes to a float module that leave its answers alone but make it lose less when it is quantized.
#pragma once

#include "quant/schemes.h"

namespace mote::quant {

// Cross-layer equalization (Nagel et al., "Data-Free Quantization", 2019): where a layer's result goes through relu or
// max_pool to one other layer alone, channels are scaled so that both weights have the same range in each: by
// sqrt(r1 r2) / r1. Several rounds. How many pairs there were.
int equalize(Module& m);

// SmoothQuant (Xiao et al., 2022): channel j of an activation that products read is divided by
// s_j = max|x_j|^alpha / max|w_j|^(1 - alpha), their weights multiplied. The division goes into the normalization
// before it where nobody else reads that, else it is a node.
Status smooth(Module& m, const std::vector<Layer>& layers, const Statistics& seen, double alpha);

}  // namespace mote::quant
