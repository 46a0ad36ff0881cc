#include "ops/macs.h"

#include <map>

namespace mote {
namespace {

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

class Counter {
 public:
  explicit Counter(const Module& module) : module_(module) {}

  Dim function(FunctionId id, int depth = 0) {
    Dim total;
    if (depth > 32) return total;
    const Function& f = module_.functions[at(id)];
    for (const Node& n : f.nodes) total = total + node(f, n, depth);
    return total;
  }

  Dim node(const Function& f, const Node& n, int depth) {
    std::string_view op = n.op->name;
    auto in = [&](std::size_t i) { return shape(f, n.inputs, i); };
    const Shape* out = shape(f, n.outputs, 0);
    if (op == "if") {
      Dim most;
      for (FunctionId b : n.bodies) most = max(most, function(b, depth + 1));
      return most;
    }
    if (op == "loop") return n.bodies.empty() ? Dim() : function(n.bodies[0], depth + 1) * trips(f, n);
    if (!n.bodies.empty()) return function(n.bodies[0], depth + 1);
    if (op == "conv" || op == "conv_integer" || op == "deform_conv")
      return out && in(1) ? volume(*out) * product(*in(1), 1) : Dim();
    if (op == "inverted_residual") {
      if (!out || out->size() < 3 || !in(0) || !in(3)) return {};
      return (*out)[0] * product(*out, 2) * volume(*in(3)) + (in(1) ? volume(*in(0)) * (*in(1))[0] : Dim()) +
             (in(5) ? volume(*out) * product(*in(5), 1) : Dim());
    }
    if (op == "qlinear_conv") return out && in(3) ? volume(*out) * product(*in(3), 1) : Dim();
    if (op == "conv_transpose") return in(0) && in(1) ? volume(*in(0)) * product(*in(1), 1) : Dim();
    if (op == "matmul" || op == "matmul_integer" || op == "matmul_nbits" || op == "qlinear_matmul" || op == "dot") {
      return out && in(0) && !in(0)->empty() ? volume(*out) * in(0)->back() : Dim();
    }
    if (op == "gemm") {
      bool transposed = n.op->attr("trans_a") && attr_int(*n.op, n.attrs, "trans_a") != 0;
      return out && in(0) && in(0)->size() == 2 ? volume(*out) * (*in(0))[transposed ? 0 : 1] : Dim();
    }
    if (op == "lstm" || op == "gru" || op == "rnn") {
      if (!in(0) || !in(1) || !in(2) || in(0)->size() != 3) return {};
      return (*in(0))[0] * (*in(0))[1] * (volume(*in(1)) + volume(*in(2)));
    }
    if (op == "attention" || op == "scaled_dot_product_attention") {
      if (!in(0) || !in(1) || !out || in(0)->size() != 4 || in(1)->size() != 4) return {};
      return (volume(*in(0)) + volume(*out)) * (*in(1))[2];
    }
    if (op == "einsum") return einsum(f, n);
    return {};
  }

 private:
  static const Shape* shape(const Function& f, const std::vector<ValueId>& list, std::size_t i) {
    if (i >= list.size() || list[i] == kNone) return nullptr;
    const Type& t = f.values[at(list[i])].type;
    return t.has_rank() ? &*t.shape : nullptr;
  }
  static Dim product(const Shape& s, std::size_t from) {
    Dim p(1);
    for (std::size_t i = from; i < s.size(); ++i) p = p * s[i];
    return p;
  }

  Dim trips(const Function& f, const Node& n) {
    if (n.inputs.empty() || n.inputs[0] == kNone) return Dim(1);
    ConstantId c = f.values[at(n.inputs[0])].constant;
    if (c == kNone) return Dim(1);
    auto values = small_ints(module_.constants[at(c)]);
    return values && values->size() == 1 && (*values)[0] >= 0 ? Dim((*values)[0]) : Dim(1);
  }

  // The product of all labels' extents, for two operands without an ellipsis.
  Dim einsum(const Function& f, const Node& n) {
    if (!n.op->attr("equation") || n.inputs.size() != 2) return {};
    std::string equation = attr_string(*n.op, n.attrs, "equation");
    std::map<char, Dim> extents;
    std::size_t operand = 0, axis = 0;
    for (char c : equation.substr(0, equation.find("->"))) {
      if (c == ' ') continue;
      if (c == '.') return {};
      if (c == ',') {
        ++operand;
        axis = 0;
        continue;
      }
      const Shape* s = shape(f, n.inputs, operand);
      if (!s || axis >= s->size()) return {};
      extents[c] = (*s)[axis++];
    }
    Dim total(1);
    for (const auto& [label, extent] : extents) total = total * extent;
    return total;
  }

  const Module& module_;
};

}  // namespace

Dim count_macs(const Module& module) {
  FunctionId id = module.signatures.empty() ? 0 : module.signatures[0].function;
  return Counter(module).function(id);
}

Dim count_macs(const Module& module, const Function& function, const Node& node) {
  return Counter(module).node(function, node, 0);
}

}  // namespace mote
