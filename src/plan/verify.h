// What must hold of a plan before it runs, whoever made it: indices, extents, expressions, constants, no recursion.
// O(size of the plan). What depends on extents that are bound at run time is checked when a frame is entered and when a
// kernel is set up.
#pragma once

#include "plan/plan.h"

namespace mote {

Status verify(const Plan& plan);

}  // namespace mote
