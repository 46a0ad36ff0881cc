#include "bake.h"

#include <algorithm>

namespace mote::conformance {
namespace {

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

// Values that the extents of some tensor depend on, through shape operands.
std::vector<char> shape_values(const Function& f) {
  std::vector<char> marked(f.values.size(), 0);
  for (std::size_t k = f.nodes.size(); k-- > 0;) {
    const Node& n = f.nodes[k];
    bool decides =
        std::any_of(n.outputs.begin(), n.outputs.end(), [&](ValueId v) { return v != kNone && marked[at(v)]; });
    // Of what a marked value is made of, only its elements matter; a shape's elements are no operand.
    bool reads_shape = n.op->name == "shape" || n.op->name == "size";
    for (std::size_t i = 0; i < n.inputs.size(); ++i) {
      bool operand = i < 32 && (n.op->shape_operands >> i & 1u) != 0;
      if (n.inputs[i] != kNone && (operand || (decides && !reads_shape))) marked[at(n.inputs[i])] = 1;
    }
  }
  return marked;
}

}  // namespace

Result<std::vector<std::string>> bake(Module& module, const std::vector<NamedValue>& inputs) {
  Function& f = module.functions[0];
  std::vector<char> marked = shape_values(f);
  std::vector<std::string> taken;
  for (const NamedValue& in : inputs) {
    auto is_it = [&](ValueId v) { return f.values[at(v)].name == in.name; };
    auto it = std::find_if(f.inputs.begin(), f.inputs.end(), is_it);
    const TestValue& t = in.value;
    if (it == f.inputs.end() || !marked[at(*it)] || t.kind != TestValue::Kind::kTensor || t.dtype == DType::string)
      continue;
    bool is_output = std::find(f.outputs.begin(), f.outputs.end(), *it) != f.outputs.end();
    if (is_output) continue;
    f.values[at(*it)].constant = module.add_constant(in.name, t.dtype, t.shape, t.bytes);
    f.values[at(*it)].type = module.constants.back().type;
    taken.push_back(in.name);
    f.inputs.erase(it);
  }
  return taken;
}

}  // namespace mote::conformance
