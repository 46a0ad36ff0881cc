#include "prepare/precision.h"

#include <algorithm>
#include <map>
#include <string_view>

namespace mote {
namespace {

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

// The inputs of an op, first to last, that are weights where they are constant; {0, -1}: none.
std::pair<int, int> weight_inputs(std::string_view op) {
  if (op == "matmul" || op == "gemm") return {0, 1};
  if (op == "conv" || op == "conv_transpose" || op == "deform_conv") return {1, 1};
  if (op == "lstm" || op == "gru" || op == "rnn") return {1, 2};
  return {0, -1};
}

}  // namespace

void round_weights(Module& m, DType dtype) {
  std::map<ConstantId, ConstantId> rounded;
  for (Function& f : m.functions) {
    for (Node& n : f.nodes) {
      auto [first, last] = weight_inputs(n.op->name);
      for (int i = first; i <= last && i < static_cast<int>(n.inputs.size()); ++i) {
        ValueId& v = n.inputs[at(i)];
        ConstantId c = v == kNone ? kNone : f.values[at(v)].constant;
        if (c == kNone || f.values[at(v)].type.dtype != DType::f32) continue;
        auto [it, is_new] = rounded.emplace(c, kNone);
        if (is_new) {
          Constant copy = m.constants[at(c)];
          copy.transforms.push_back({Transform::Kind::kCast, {}, dtype, {}});
          copy.transforms.push_back({Transform::Kind::kCast, {}, DType::f32, {}});
          it->second = m.add_constant(std::move(copy));
        }
        v = f.constant_value(it->second, m.constants[at(it->second)]);
      }
    }
    f.reindex();
  }
}

}  // namespace mote
