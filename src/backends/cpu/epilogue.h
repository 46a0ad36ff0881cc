// Epilogue programs of claimed nodes: checked when a node is claimed, carried in the step's params, bound to operands
// at setup.
#pragma once

#include "kernels/epilogue.h"
#include "plan/target.h"

namespace mote::cpu {

// Which of the result's axes are columns of the program: rows are all the others, in order.
enum class RowOrder : std::uint8_t {
  kChannelsLast,  // columns: axis 1
  kLastAxis,      // columns: the last axis
};

// A program as data; operands are positions in the step's inputs.
struct EpilogueProgram {
  std::int32_t count = 0;
  kernels::EpilogueOp ops[kernels::kMaxProgramOps] = {};
  std::int32_t reserved = 0;
};

// The node's `epilogue` attribute as a program that the kernels run: false where an operand's shape, dtype or number is
// not what they take. Operands must have the extents of output 0, or be one value, or one per column, or one per row.
bool claim_epilogue(const NodeView& node, RowOrder order, EpilogueProgram& program);

// Whether the program reads operands of the step.
bool has_operands(const EpilogueProgram& program);

// The program with its operands' memory. Fails when an operand's view does not fit the output's.
Status bind_epilogue(const EpilogueProgram& program, const KernelCall& call, const TensorView& out, RowOrder order,
                     kernels::Epilogue& to);

}  // namespace mote::cpu
