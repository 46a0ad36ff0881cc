#include "backends/cpu/epilogue.h"

#include <algorithm>

#include "ops/epilogue.h"

namespace mote::cpu {
namespace {

int column_axis(int rank, RowOrder order) { return order == RowOrder::kLastAxis || rank < 2 ? rank - 1 : 1; }

// Whether an operand's extents can be walked as (row stride, column stride) over the output.
bool fits(const Shape& operand, const Shape& out, RowOrder order) {
  int rank = static_cast<int>(out.size()), lead = rank - static_cast<int>(operand.size());
  if (lead < 0) return false;
  int column = column_axis(rank, order);
  bool full = true, none = true;
  for (int axis = 0; axis < rank; ++axis) {
    const Dim& want = out[static_cast<std::size_t>(axis)];
    Dim have = axis < lead ? Dim(1) : operand[static_cast<std::size_t>(axis - lead)];
    if (!(have == want) && !have.is(1)) return false;
    if (axis == column || want.is(1)) continue;
    if (have == want) none = false;
    if (!(have == want)) full = false;
  }
  return full || none;
}

bool bind_operand(const TensorView& v, const TensorView& out, RowOrder order, kernels::EpilogueOperand& to) {
  int lead = out.rank - v.rank;
  if (lead < 0 || v.dtype != DType::f32) return false;
  int column = column_axis(out.rank, order);
  auto stride = [&](int axis) -> std::int64_t {
    if (axis < lead || v.dims[axis - lead] == 1) return 0;
    return v.strides[axis - lead];
  };
  for (int axis = lead; axis < out.rank; ++axis) {
    if (v.dims[axis - lead] != 1 && v.dims[axis - lead] != out.dims[axis]) return false;
  }
  to.data = v.as<float>();
  to.col_stride = column >= 0 && out.dims[column] > 1 ? stride(column) : 0;
  to.row_stride = 0;
  if (to.col_stride > 1) return false;
  bool first = true;
  std::int64_t expect = 0;
  for (int axis = out.rank - 1; axis >= 0; --axis) {
    if (axis == column || out.dims[axis] == 1) continue;
    if (first) {
      to.row_stride = stride(axis);
      expect = to.row_stride * out.dims[axis];
      first = false;
    } else {
      if (stride(axis) != expect) return false;
      expect *= out.dims[axis];
    }
  }
  return true;
}

}  // namespace

bool claim_epilogue(const NodeView& n, RowOrder order, EpilogueProgram& program) {
  std::vector<std::string> text = n.attr_strings("epilogue");
  if (text.empty()) return true;
  Result<std::vector<EpilogueStep>> steps = mote::parse_epilogue(text);
  if (!steps.ok() || steps->size() > kernels::kMaxProgramOps || !n.out_type(0).has_rank()) return false;
  int operands = 0;
  for (const EpilogueStep& s : *steps) {
    for (int operand : {s.operand, s.operand2}) {
      if (operand < 0) continue;
      if (!n.has(operand) || n.type(operand).dtype != DType::f32 || !n.type(operand).has_rank()) return false;
      if (!fits(*n.type(operand).shape, *n.out_type(0).shape, order) || ++operands > kernels::kMaxProgramOperands)
        return false;
    }
    program.ops[program.count++] = {s.form,
                                    s.opcode,
                                    static_cast<std::int8_t>(s.operand),
                                    static_cast<std::int8_t>(s.operand2),
                                    static_cast<float>(s.a),
                                    static_cast<float>(s.b)};
  }
  return true;
}

bool has_operands(const EpilogueProgram& program) {
  int count = std::clamp<int>(program.count, 0, kernels::kMaxProgramOps);
  return std::any_of(program.ops, program.ops + count,
                     [](const kernels::EpilogueOp& op) { return op.operand >= 0 || op.operand2 >= 0; });
}

Status bind_epilogue(const EpilogueProgram& program, const KernelCall& call, const TensorView& out, RowOrder order,
                     kernels::Epilogue& to) {
  if (program.count < 0 || program.count > kernels::kMaxProgramOps) return invalid("the epilogue is malformed");
  to.count = program.count;
  int used = 0;
  for (int i = 0; i < program.count; ++i) {
    kernels::EpilogueOp op = program.ops[i];
    bool known = op.form == kernels::Form::kUnary ? op.opcode < kernels::kUnaryOpCount
                 : op.form == kernels::Form::kSelect
                     ? true
                     : op.form <= kernels::Form::kSelect && op.opcode < kernels::kBinaryOpCount;
    if (!known) return invalid("the epilogue is malformed");
    for (std::int8_t* operand : {&op.operand, &op.operand2}) {
      if (*operand < kernels::kStart) return invalid("the epilogue is malformed");
      if (*operand < 0) continue;
      std::size_t position = static_cast<std::size_t>(*operand);
      if (used >= kernels::kMaxProgramOperands || position >= call.inputs.size() || !call.inputs[position] ||
          !bind_operand(*call.inputs[position], out, order, to.operands[used])) {
        return invalid("an operand of the epilogue does not fit the result");
      }
      *operand = static_cast<std::int8_t>(used++);
    }
    to.ops[i] = op;
  }
  return {};
}

}  // namespace mote::cpu
