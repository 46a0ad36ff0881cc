// Epilogue programs: elementwise steps that an op (matmul, conv) applies to its result before storing it, as the fuse
// pass attaches them.
//
// The attribute `epilogue` is a list of steps over a running value v, each "NAME ARGS" with a name of kernels/opcode.h:
//   "relu", "clip 0 6", "leaky_relu 0.01"   unary, with its immediates
//   "add 3", "mul =0.5", "mul start"        binary: the second operand is the node's input 3, the number 0.5, or the
//                                           value that v had before the first step
//   "sub 3 reversed"                        binary with the operands exchanged: input 3 minus v
//   "select 3 4"                            v = input 3 != 0 ? v : input 4
// Operands broadcast to the result's shape and have its dtype. Each step's result is rounded to that dtype, so that a
// fused program gives what its separate ops give.
#pragma once

#include <string>
#include <vector>

#include "ir/infer.h"
#include "kernels/epilogue.h"
#include "ops/reference.h"

namespace mote {

inline constexpr AttrSpec kEpilogueAttr = {"epilogue", AttrKind::kStrings, "strings:[]",
                                           "elementwise steps applied to the result, see ops/epilogue.h"};

// A step; its operands are input positions of the node, or kernels::kImmediate, kernels::kStart.
struct EpilogueStep {
  kernels::Form form;
  std::uint8_t opcode;
  int operand = kernels::kImmediate, operand2 = kernels::kImmediate;
  double a = 0, b = 0;  // immediates
};

Result<std::vector<EpilogueStep>> parse_epilogue(const std::vector<std::string>& steps);
std::string to_string(const EpilogueStep& step);

// Checks the node's program against its result: known opcodes, operands present, of the result's dtype, and
// broadcasting to its shape without enlarging it.
Status infer_epilogue(const InferContext& ctx, const Type& result);

// Applies the node's program to `y`, in place.
Status run_epilogue(ReferenceContext& ctx, const TensorView& y);

}  // namespace mote
