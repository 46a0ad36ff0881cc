// The passes, one file each; listed in passes.cc in the order they run in.
#pragma once

#include "passes/passes.h"

namespace mote::passes {

#define MOTE_PASS(name, doc) int name(Module& module, const OpLookup& ops);
#include "passes/passes.inc"
#undef MOTE_PASS

}  // namespace mote::passes
