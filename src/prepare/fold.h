// What `prepare` does to a module before kernels are chosen: passes, values that inference already knows, constant
// folding.
#pragma once

#include "prepare/prepare.h"

namespace mote {

Status simplify(Module& module, const PrepareOptions& options);

}  // namespace mote
