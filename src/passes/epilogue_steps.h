// Nodes as steps of an epilogue program, for the passes that make such programs.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "ops/epilogue.h"
#include "passes/rules.h"

namespace mote::passes {

// A node of one operand that is a step; nothing for others, and for immediates that are not constant.
std::optional<EpilogueStep> unary_step(const Graph& g, NodeId n);
// The opcode of a node of two operands that is a step.
std::optional<kernels::BinaryOp> binary_of(std::string_view op);
// The rules of fuse_epilogue.
std::vector<Rule> epilogue_rules();

}  // namespace mote::passes
