// Structured pruning: whole channels go, out of every weight that makes or reads them, so that the graph itself
// shrinks.
//
// A space is a set of channels that values share: those of a convolution's result, through everything elementwise,
// pools, residual sums and depthwise convolutions. A space can shrink where only convolutions and products make its
// channels and only those read them in the end. Channels with the smallest weights go first: the norm of what makes
// them, as a share of the mean norm in their space. Where samples are given, what a channel gives on average stays
// behind in the biases of its readers.
#pragma once

#include "quant/layers.h"
#include "quant/run.h"

namespace mote::quant {

struct Pruned {
  Module module;
  PruneReport report;
};

Result<Pruned> prune(Module m, SampleSource* samples, const PruneOptions& options, const Link& link);

}  // namespace mote::quant
