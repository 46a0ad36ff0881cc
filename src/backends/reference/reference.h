// The reference target: claims every op that has a reference and runs it by naive loops on one thread. The oracle that
// other targets are compared with, and what runs ops (or dtypes) no faster kernel takes. Its kernels are named
// "reference.<op>".
#pragma once

#include "plan/target.h"

namespace mote {

const Target& reference_target();
const KernelProvider& reference_kernels();

}  // namespace mote
