// The CPU target: the fast kernels of src/kernels behind the claims of plan/target.h. One file per kernel family: what
// it claims, how it packs, how its params are made for given shapes.
#pragma once

#include "plan/target.h"

namespace mote {

const Target& cpu_target();
// The kernels that its claims name.
const KernelProvider& cpu_kernels();

}  // namespace mote
