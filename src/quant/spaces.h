// Channel spaces of a module's main function; see prune.h.
#pragma once

#include <vector>

#include "quant/layers.h"

namespace mote::quant {

struct Space {
  std::int64_t channels = 0;
  bool frozen = false;
  std::vector<const Layer*> makers;     // their output channels
  std::vector<const Layer*> depthwise;  // both
  struct Reader {
    const Layer* layer;
    std::int64_t repeat;  // inputs of the layer for every channel, where positions were flattened behind it
  };
  std::vector<Reader> readers;
};

// Spaces that can shrink.
std::vector<Space> find_spaces(const Module& m, const std::vector<Layer>& layers);

}  // namespace mote::quant
