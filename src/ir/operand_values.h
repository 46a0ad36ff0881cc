// What inference is told of the values of a node's constant operands.
#pragma once

#include <optional>
#include <vector>

#include "ir/infer.h"
#include "ir/module.h"

namespace mote {

// The values of operand i of `op` as extents, where they are few integers: up to kMaxKnown where the shapes of its
// results depend on them and where they are indices (i64), 64 elsewhere: quantized weights and biases say nothing
// about shapes.
std::optional<KnownValue> operand_ints(const Op& op, std::size_t i, const Constant& c);
// The same for floats.
std::optional<std::vector<double>> operand_floats(const Op& op, std::size_t i, const Constant& c);

}  // namespace mote
