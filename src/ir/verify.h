// The verifier: what every module that reaches a pass or prepare may rely on. Importers and the text parser build
// modules from files; a module that verifies can be walked without checks.
//
// Checked: names, positions and types of signatures and states; every id in range; inputs, constants and node outputs
// are the only producers, each value has one; nodes stand in topological order; operands, outputs, attributes and
// bodies as the op's definition says; no function calls itself, however far around; constants lie inside their sources,
// have the size their type needs, and transforms that lead to it. Types of values are not compared with inference.
#pragma once

#include "ir/module.h"

namespace mote {

// Names the function and the node.
Status verify(const Module& module);

// One call of an op, without its bodies: the number of operands, which of them are there, the number of outputs,
// attributes.
Status verify_call(const Op& op, std::span<const std::uint8_t> present, std::size_t outputs, const Attrs& attrs);

// One constant by itself.
Status verify_constant(const Constant& constant);

}  // namespace mote
