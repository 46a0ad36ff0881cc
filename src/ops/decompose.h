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

// MOTE_DEFINE_DECOMPOSITION(softmax) = decompose;  in the op's file.
#define MOTE_DEFINE_DECOMPOSITION(name)      \
  extern const DecomposeFn decompose_##name; \
  constinit const DecomposeFn decompose_##name

}  // namespace mote
