// Search: which layers stay in f32 so that a bound on the answers holds.
//
// Each layer is quantized alone first, on a part of the samples; that orders the layers. Then the fewest of the most
// sensitive ones are left in f32 that meet the bound on all samples, found by bisection.
#pragma once

#include "quant/run.h"
#include "quant/schemes.h"

namespace mote::quant {

// How the module with these layers quantized compares with the float one, on at most so many samples (0: all).
using Judge = std::function<Result<Agreement>(const Chosen&, std::int64_t most)>;

struct Sensitivity {
  double error = 0;
  std::optional<double> drop;  // of accuracy, with labels
};

struct Found {
  Chosen chosen;
  bool met = true;
  Agreement agreement;
  std::map<NodeId, Sensitivity> alone;  // by the layer's node
};

// Whether the bounds of the options hold.
bool meets(const Agreement& a, const QuantizeOptions& options);

// Quantizes every layer alone.
Result<std::map<NodeId, Sensitivity>> sensitivities(const Chosen& all, const Judge& judge,
                                                    const QuantizeOptions& options);

Result<Found> search(const Chosen& all, const Judge& judge, const QuantizeOptions& options);

}  // namespace mote::quant
