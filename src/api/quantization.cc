// What the graph around an integer input or output says about its scale and zero point.
#include <algorithm>

#include "api/engine.h"
#include "base/text.h"

namespace mote::api {
namespace {

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

std::string key_of(std::string_view port) { return concat("mote.quantization.", port); }

// "scale,zero point" from operands 1 and 2 of a (de)quantize node, if they are single constants.
std::string parameters(const Module& m, const Function& f, const Node& n) {
  auto constant = [&](std::size_t i) -> const Constant* {
    if (i >= n.inputs.size() || n.inputs[i] == kNone) return nullptr;
    ConstantId c = f.values[at(n.inputs[i])].constant;
    return c == kNone ? nullptr : &m.constants[at(c)];
  };
  const Constant* scale = constant(1);
  auto scales = scale ? small_floats(*scale, 1) : std::nullopt;
  if (!scales || scales->size() != 1) return {};
  bool has_zero = n.inputs.size() > 2 && n.inputs[2] != kNone;
  const Constant* zero = constant(2);
  auto zeros = zero ? small_ints(*zero, 1) : std::nullopt;
  if (has_zero && (!zeros || zeros->size() != 1)) return {};
  return concat((*scales)[0], ",", has_zero ? (*zeros)[0] : 0);
}

}  // namespace

void note_quantization(Module& m) {
  if (m.functions.empty()) return;
  const Function& f = m.functions[m.signatures.empty() ? 0 : at(m.signatures[0].function)];
  for (const Node& n : f.nodes) {
    bool reads = n.op->name == "dequantize_linear", writes = n.op->name == "quantize_linear";
    if ((!reads && !writes) || n.inputs.empty() || n.outputs.empty()) continue;
    ValueId v = reads ? n.inputs[0] : n.outputs[0];
    const std::vector<ValueId>& ports = reads ? f.inputs : f.outputs;
    if (v == kNone || std::find(ports.begin(), ports.end(), v) == ports.end()) continue;
    std::string key = key_of(f.values[at(v)].name), text = parameters(m, f, n);
    if (!text.empty() && !m.find_metadata(key)) m.metadata.emplace_back(std::move(key), std::move(text));
  }
}

void set_quantization(const std::vector<std::pair<std::string, std::string>>& metadata, Port& port) {
  if (!is_int(port.dtype)) return;
  std::string key = key_of(port.name);
  for (const auto& [k, v] : metadata) {
    if (k != key) continue;
    std::size_t comma = v.find(',');
    if (comma == std::string::npos) return;
    std::optional<double> scale = parse_float(std::string_view(v).substr(0, comma));
    std::optional<std::int64_t> zero = parse_int(std::string_view(v).substr(comma + 1));
    if (!scale || !zero || !(*scale > 0)) return;
    port.scale = static_cast<float>(*scale);
    port.zero_point = static_cast<std::int32_t>(*zero);
  }
}

}  // namespace mote::api
