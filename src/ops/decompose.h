// Decompositions: an op in terms of other ops, used when no backend claims it whole.
#pragma once

#include "ir/builder.h"

namespace mote {

// Builds the replacement of `node` with `b` (types of all values are inferred) and returns the values that stand for
// its outputs, kNone where an output is not wanted. Unsupported when this use of the op has no decomposition (an
// unknown rank).
using DecomposeFn = Result<std::vector<ValueId>> (*)(Builder& b, const Node& node);

// Null for an op without one.
DecomposeFn find_decomposition(const Op& op);

#define MOTE_OP_DEC(name, folder) extern const DecomposeFn decompose_##name;
#define MOTE_OP_REF(name, folder)
#define MOTE_OP_BOTH(name, folder) MOTE_OP_DEC(name, folder)
#define MOTE_OP_NONE(name, folder)
#include "ops/ops.inc"
#undef MOTE_OP_DEC
#undef MOTE_OP_REF
#undef MOTE_OP_BOTH
#undef MOTE_OP_NONE

}  // namespace mote
