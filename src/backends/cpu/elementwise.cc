// Unary, binary and select ops on kernels/elementwise.
#include "kernels/elementwise/elementwise.h"

#include <algorithm>

#include "backends/cpu/family.h"
#include "kernels/sort.h"
#include "ops/element.h"
#include "ops/epilogue.h"

namespace mote::cpu {
namespace {

namespace ke = kernels::elementwise;
using kernels::BinaryOp;
using kernels::UnaryOp;

struct ElementwiseStep {
  std::int32_t inputs = 0, op_count = 0;
  std::int32_t operand[ke::kMaxInputs] = {};  // kernel input -> step input
  std::int32_t compute = 0, isa = 0;
  kernels::EpilogueOp ops[kernels::kMaxProgramOps] = {};
};

struct ElementwiseState {
  ke::Params params;
  kernels::KernelFn<ke::Params> run;
};

void run_elementwise(const void* state, kernels::TileRange range) noexcept {
  const ElementwiseState& s = *static_cast<const ElementwiseState*>(state);
  s.run(s.params, range);
}

struct UnaryRow {
  std::string_view op;
  UnaryOp opcode;
  std::string_view a, b;  // attributes that are its immediates
};

constexpr UnaryRow kUnary[] = {
    {"abs", UnaryOp::abs, "", ""},
    {"neg", UnaryOp::neg, "", ""},
    {"sign", UnaryOp::sign, "", ""},
    {"floor", UnaryOp::floor, "", ""},
    {"ceil", UnaryOp::ceil, "", ""},
    {"round", UnaryOp::round, "", ""},
    {"sqrt", UnaryOp::sqrt, "", ""},
    {"reciprocal", UnaryOp::reciprocal, "", ""},
    {"exp", UnaryOp::exp, "", ""},
    {"log", UnaryOp::log, "", ""},
    {"sin", UnaryOp::sin, "", ""},
    {"cos", UnaryOp::cos, "", ""},
    {"tan", UnaryOp::tan, "", ""},
    {"asin", UnaryOp::asin, "", ""},
    {"acos", UnaryOp::acos, "", ""},
    {"atan", UnaryOp::atan, "", ""},
    {"sinh", UnaryOp::sinh, "", ""},
    {"cosh", UnaryOp::cosh, "", ""},
    {"tanh", UnaryOp::tanh, "", ""},
    {"asinh", UnaryOp::asinh, "", ""},
    {"acosh", UnaryOp::acosh, "", ""},
    {"atanh", UnaryOp::atanh, "", ""},
    {"erf", UnaryOp::erf, "", ""},
    {"sigmoid", UnaryOp::sigmoid, "", ""},
    {"relu", UnaryOp::relu, "", ""},
    {"leaky_relu", UnaryOp::leaky_relu, "alpha", ""},
    {"elu", UnaryOp::elu, "alpha", ""},
    {"selu", UnaryOp::selu, "alpha", "gamma"},
    {"celu", UnaryOp::celu, "alpha", ""},
    {"hard_sigmoid", UnaryOp::hard_sigmoid, "alpha", "beta"},
    {"hard_swish", UnaryOp::hard_swish, "", ""},
    {"swish", UnaryOp::swish, "alpha", ""},
    {"softplus", UnaryOp::softplus, "", ""},
    {"softsign", UnaryOp::softsign, "", ""},
    {"mish", UnaryOp::mish, "", ""},
    {"thresholded_relu", UnaryOp::thresholded_relu, "alpha", ""},
    {"shrink", UnaryOp::shrink, "lambd", "bias"},
    {"is_nan", UnaryOp::is_nan, "", ""},
    {"not", UnaryOp::logical_not, "", ""},
    {"bitwise_not", UnaryOp::bitwise_not, "", ""},
};

struct BinaryRow {
  std::string_view op;
  BinaryOp opcode;
};

constexpr BinaryRow kBinary[] = {
    {"add", BinaryOp::add},
    {"sub", BinaryOp::sub},
    {"mul", BinaryOp::mul},
    {"div", BinaryOp::div},
    {"pow", BinaryOp::pow},
    {"min", BinaryOp::min},
    {"max", BinaryOp::max},
    {"prelu", BinaryOp::prelu},
    {"equal", BinaryOp::equal},
    {"less", BinaryOp::less},
    {"less_or_equal", BinaryOp::less_equal},
    {"greater", BinaryOp::greater},
    {"greater_or_equal", BinaryOp::greater_equal},
    {"and", BinaryOp::logical_and},
    {"or", BinaryOp::logical_or},
    {"xor", BinaryOp::logical_xor},
    {"bitwise_and", BinaryOp::bitwise_and},
    {"bitwise_or", BinaryOp::bitwise_or},
    {"bitwise_xor", BinaryOp::bitwise_xor},
};

std::optional<double> constant_scalar(const NodeView& n, int i) {
  const Constant* c = n.constant(i);
  if (!c || c->encoding != Encoding::kPlain || !c->transforms.empty() || !volume(*c->type.shape).is(1))
    return std::nullopt;
  if (c->size < static_cast<std::size_t>(bytes_of(c->stored_dtype, 1))) return std::nullopt;
  alignas(16) std::byte element[16] = {};
  std::memcpy(element, c->stored().data(), std::min<std::size_t>(16, c->size));
  TensorView v = TensorView::of(element, c->stored_dtype, {});
  return is_float(v.dtype) ? load_f64(v, 0) : static_cast<double>(load_i64(v, 0));
}

// clip(x, low, high): constants become one op; other bounds, and integers beyond f32, min and max with operands.
bool clip_program(const NodeView& n, ElementwiseStep& s) {
  std::optional<double> low = n.has(1) ? constant_scalar(n, 1) : -HUGE_VAL,
                        high = n.has(2) ? constant_scalar(n, 2) : HUGE_VAL;
  if (is_float(n.type(0).dtype) && low && high && *low <= *high) {
    s.ops[s.op_count++] = kernels::unary(UnaryOp::clip, static_cast<float>(*low), static_cast<float>(*high));
    return true;
  }
  for (int i : {1, 2}) {
    if (!n.has(i)) continue;
    s.operand[s.inputs] = i;
    s.ops[s.op_count++] = kernels::binary(i == 1 ? BinaryOp::max : BinaryOp::min, s.inputs++);
  }
  return s.op_count > 0;
}

// The program of an `elementwise` node; its operands become inputs of the kernel in order.
bool read_program(const NodeView& n, ElementwiseStep& s) {
  Result<std::vector<EpilogueStep>> steps = parse_epilogue(n.attr_strings("epilogue"));
  if (!steps.ok() || steps->empty() || steps->size() > kernels::kMaxProgramOps) return false;
  auto input_of = [&](int operand) -> int {
    if (operand < 0) return operand;
    for (int i = 1; i < s.inputs; ++i) {
      if (s.operand[i] == operand) return i;
    }
    if (s.inputs == ke::kMaxInputs) return ke::kMaxInputs;
    s.operand[s.inputs] = operand;
    return s.inputs++;
  };
  for (const EpilogueStep& e : *steps) {
    int x = input_of(e.operand), y = input_of(e.operand2);
    if (x == ke::kMaxInputs || y == ke::kMaxInputs) return false;
    s.ops[s.op_count++] = {e.form,
                           e.opcode,
                           static_cast<std::int8_t>(x),
                           static_cast<std::int8_t>(y),
                           static_cast<float>(e.a),
                           static_cast<float>(e.b)};
  }
  return true;
}

// Fills the program for the ops of the family; false for any other.
bool program_of(const NodeView& n, ElementwiseStep& s) {
  std::string_view op = n.node.op->name;
  s.inputs = 1;
  for (const UnaryRow& row : kUnary) {
    if (row.op != op) continue;
    float a = row.a.empty() ? 0 : static_cast<float>(n.attr_float(row.a)),
          b = row.b.empty() ? 0 : static_cast<float>(n.attr_float(row.b));
    s.ops[s.op_count++] = kernels::unary(row.opcode, a, b);
    return true;
  }
  if (op == "gelu") {
    s.ops[s.op_count++] = kernels::unary(n.attr_string("approximate") == "tanh" ? UnaryOp::gelu_tanh : UnaryOp::gelu);
    return true;
  }
  if (op == "is_inf") {
    s.ops[s.op_count++] = kernels::unary(UnaryOp::is_inf, static_cast<float>(n.attr_int("detect_negative")),
                                         static_cast<float>(n.attr_int("detect_positive")));
    return true;
  }
  if (op == "clip") return clip_program(n, s);
  if (op == "where") {
    s.inputs = 3;
    s.operand[0] = 1;
    s.operand[1] = 0;
    s.operand[2] = 2;
    s.ops[s.op_count++] = {kernels::Form::kSelect, 0, 1, 2, 0, 0};
    return true;
  }
  if (op == "elementwise") return read_program(n, s);
  BinaryOp opcode{};
  bool found = false;
  for (const BinaryRow& row : kBinary) {
    if (row.op == op) {
      opcode = row.opcode;
      found = true;
    }
  }
  if (op == "mod") {
    opcode = n.attr_int("fmod") ? BinaryOp::fmod : BinaryOp::mod;
    found = true;
  }
  if (op == "bit_shift") {
    opcode = n.attr_string("direction") == "LEFT" ? BinaryOp::shift_left : BinaryOp::shift_right;
    found = true;
  }
  std::size_t count = n.node.inputs.size();
  if (!found || count < 1 || count > 5) return false;
  if (count == 1) s.ops[s.op_count++] = kernels::unary(UnaryOp::copy);
  for (std::size_t i = 1; i < count; ++i) {
    s.operand[s.inputs] = static_cast<std::int32_t>(i);
    s.ops[s.op_count++] = kernels::binary(opcode, s.inputs++);
  }
  return true;
}

// Types that hold exactly in f32 and may be mixed with it.
bool narrow(DType t) {
  return t == DType::f16 || t == DType::bf16 || t == DType::boolean || t == DType::u8 || t == DType::i8;
}

std::optional<Claim> claim(const NodeView& n, const TargetOptions& options) {
  ElementwiseStep s;
  if (n.node.inputs.empty() || n.node.outputs.size() != 1 || !n.has(0) || !program_of(n, s)) return std::nullopt;
  for (int i = 0; i < s.inputs; ++i) {
    if (!n.has(s.operand[i]) || !n.type(s.operand[i]).is_tensor()) return std::nullopt;
  }
  DType value = n.type(s.operand[0]).dtype, out = n.out_type(0).dtype;
  DType compute = ke::compute_type(value);
  if (compute == DType::none) return std::nullopt;
  for (int i = 1; i < s.inputs; ++i) {
    DType t = n.type(s.operand[i]).dtype;
    bool same = ke::compute_type(t) == compute || t == DType::boolean;
    if (!same) return std::nullopt;
  }
  bool comparison = out == DType::boolean && value != DType::boolean;
  if (!comparison && out != value) return std::nullopt;
  for (int i = 0; i < s.op_count; ++i) {
    if (!ke::supported(compute, s.ops[i])) return std::nullopt;
  }
  const ke::Kernel* kernel = ke::select(compute, options.cpu);
  if (!kernel) return std::nullopt;
  s.compute = static_cast<std::int32_t>(compute);
  s.isa = static_cast<std::int32_t>(kernel->isa);
  Claim c;
  c.kernel = "elementwise";
  c.numerics = kernel->numerics;
  c.params = to_params(s);
  c.inputs = {{Layout::kStrided, true}};
  if (n.node.op->name == "clip") {
    while (c.inputs.size() < n.node.inputs.size()) {
      std::int32_t i = static_cast<std::int32_t>(c.inputs.size());
      bool used = std::find(s.operand, s.operand + s.inputs, i) != s.operand + s.inputs;
      c.inputs.push_back({used ? Layout::kStrided : Layout::kIgnored, true});
    }
  }
  c.outputs = {{Layout::kSame, true}};
  for (int i = 0; i < s.inputs && c.in_place == kNone; ++i) {
    if (n.type(s.operand[i]) == n.out_type(0)) c.in_place = s.operand[i];
  }
  c.why = kernel->name;
  return c;
}

Status setup(const KernelCall& call, void* state, KernelWork& work) {
  ElementwiseStep s = from_params<ElementwiseStep>(call.params);
  if (call.outputs.empty() || !call.outputs[0] || s.inputs < 1 || s.inputs > ke::kMaxInputs || s.op_count < 0 ||
      s.op_count > kernels::kMaxProgramOps) {
    return invalid("the elementwise program is malformed");
  }
  const TensorView& y = *call.outputs[0];
  auto* st = new (state) ElementwiseState();
  ke::Params& p = st->params;
  p.out = y.data;
  p.out_dtype = y.dtype;
  p.inputs = s.inputs;
  p.op_count = s.op_count;
  DType compute = s.compute > 0 && s.compute < kDTypeCount ? static_cast<DType>(s.compute) : DType::none;
  if (compute == DType::none || (ke::compute_type(y.dtype) != compute && y.dtype != DType::boolean))
    return invalid("the elementwise program gives another dtype");
  for (int i = 0; i < s.op_count; ++i) {
    p.ops[i] = s.ops[i];
    if (s.ops[i].form > kernels::Form::kSelect || s.ops[i].operand >= s.inputs || s.ops[i].operand2 >= s.inputs ||
        std::min(s.ops[i].operand, s.ops[i].operand2) < kernels::kStart || !ke::supported(compute, s.ops[i])) {
      return invalid("the elementwise program is malformed");
    }
  }
  // Axes from outermost to innermost in the result's memory.
  int order[kMaxRank];
  for (int i = 0; i < y.rank; ++i) order[i] = i;
  kernels::sort_few(order, order + y.rank, [&](int a, int b) { return y.strides[a] > y.strides[b]; });
  p.rank = y.rank;
  for (int i = 0; i < y.rank; ++i) {
    p.dim[i] = y.dims[order[i]];
    p.out_stride[i] = y.strides[order[i]];
  }
  for (int k = 0; k < s.inputs; ++k) {
    std::size_t position = static_cast<std::size_t>(s.operand[k]);
    if (position >= call.inputs.size() || !call.inputs[position]) return invalid("an operand is missing");
    const TensorView& x = *call.inputs[position];
    if (ke::compute_type(x.dtype) != compute && x.dtype != DType::boolean &&
        !(compute == DType::f32 && narrow(x.dtype)))
      return invalid("an operand has another dtype");
    int lead = y.rank - x.rank;
    if (lead < 0) return invalid("operands do not broadcast to the result");
    p.in[k].data = x.data;
    p.in[k].dtype = x.dtype;
    for (int i = 0; i < y.rank; ++i) {
      int axis = order[i] - lead;
      bool present = axis >= 0 && x.dims[axis] != 1;
      if (present && x.dims[axis] != p.dim[i]) {
        return invalid("operands do not broadcast: extents " + std::to_string(x.dims[axis]) + " and " +
                       std::to_string(p.dim[i]));
      }
      p.in[k].stride[i] = present ? x.strides[axis] : 0;
    }
  }
  if (y.count() == 0) return {};
  const ke::Kernel* kernel = ke::select(compute, capped(active_cpu(), static_cast<Isa>(s.isa)));
  if (!kernel) return invalid("no elementwise kernel for this dtype");
  ke::Work w = ke::setup(*kernel, &p);
  work.thread_scratch = w.scratch_bytes;
  st->run = kernel->run;
  if (w.tiles > 0) work.add(run_elementwise, w.tiles);
  return {};
}

constexpr Kernel kKernels[] = {
    {.name = "elementwise", .state_bytes = sizeof(ElementwiseState), .setup = setup, .in_place = true}};

}  // namespace

MOTE_DEFINE_CPU_FAMILY(elementwise, claim, kKernels);

}  // namespace mote::cpu
