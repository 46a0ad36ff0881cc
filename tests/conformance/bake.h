// The `baked` column: inputs that decide shapes become constants, as most exporters write them.
#pragma once

#include "run_model.h"

namespace mote::conformance {

// Turns inputs of the main function that shape operands depend on into constants of their values, and removes them.
// Gives the names of those it took.
Result<std::vector<std::string>> bake(Module& module, const std::vector<NamedValue>& inputs);

}  // namespace mote::conformance
