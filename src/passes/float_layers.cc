// float_layers: qlinear_conv and qlinear_matmul with the attribute in_f32, which says that the CPU is faster so, become
// conv and matmul between dequantize_linear and quantize_linear, with a clip for the values that integers cannot pass.
// Two such layers in a row hand f32 to each other, unrounded. Weights have one scale, or one for each channel.
#include <set>

#include "passes/list.h"
#include "passes/quantization.h"
#include "passes/rules.h"

namespace mote::passes {
namespace {

// Attributes of the op for f32: those that only integers have go.
std::vector<Attrs::Item> float_attrs(const Node& n) {
  std::vector<Attrs::Item> out;
  for (const Attrs::Item& item : n.attrs.items()) {
    if (item.first != "in_f32" && item.first != "rounding" && item.first != "y_range") out.push_back(item);
  }
  return out;
}

bool is_single(const Graph& g, ValueId v) { return g.has_rank(v) && volume(*g.type(v).shape).is(1); }

class Floats {
 public:
  bool layer(Graph& g, NodeId n) {
    if (g.attr_int(n, "in_f32") == 0 || !fits(g, n)) return false;
    const bool conv = g.is(n, "qlinear_conv");
    const ValueId scale = g.input(n, 6), bias = g.input(n, 8);
    Builder b = g.builder(n);
    std::vector<ValueId> inputs = {operand(g, b, n), weights(g, b, n, conv)};
    if (bias != kNone) inputs.push_back(float_bias(g, b, n, bias));
    ValueId y = b.add(conv ? "conv" : "matmul", inputs, float_attrs(g.node(n)));
    if (scale == kNone) return g.replace(n, b, {y});
    const DType to = g.type(g.output(n)).dtype;
    const QuantizedRange range = range_of(g, n, to);
    const double s = *g.scalar(scale), zero = g.scalar(g.input(n, 7)).value_or(0);
    y = b.add("clip", {y, b.scalar((static_cast<double>(range.low) - zero) * s, DType::f32),
                       b.scalar((static_cast<double>(range.high) - zero) * s, DType::f32)});
    const ValueId q = b.add("quantize_linear", {y, scale, g.input(n, 7)});
    if (!g.replace(n, b, {q})) return false;
    made_.emplace(g.function(), q);
    return true;
  }

 private:
  // Operands of 8 bits with fixed scales, and a result of 8 bits or f32, without an epilogue.
  static bool fits(const Graph& g, NodeId n) {
    const ValueId w = g.input(n, 3), w_scale = g.input(n, 4), scale = g.input(n, 6), zero = g.input(n, 7);
    const bool conv = g.is(n, "qlinear_conv");
    if (g.node(n).attrs.has("epilogue") || !g.constant(w) || bits_of(g.type(w).dtype) != 8 || !g.has_rank(w) ||
        bits_of(g.type(g.input(n, 0)).dtype) != 8 || !is_single(g, g.input(n, 1)) || !is_single(g, g.input(n, 2)))
      return false;
    if (!is_single(g, w_scale) &&
        (!g.has_rank(w_scale) || g.type(w_scale).rank() != 1 || (!conv && g.type(w).rank() != 2)))
      return false;
    if (!no_zero(g, n) &&
        (!g.has_rank(w_scale) || !g.has_rank(g.input(n, 5)) || *g.type(w_scale).shape != *g.type(g.input(n, 5)).shape))
      return false;
    if (conv && g.attr_string(n, "weight_layout") != "OIX") return false;
    return scale == kNone ||
           (g.scalar(scale) && (zero == kNone || g.scalar(zero)) && bits_of(g.type(g.output(n)).dtype) == 8);
  }

  // Whether the zero point of the weights is a single 0.
  static bool no_zero(const Graph& g, NodeId n) { return g.scalar(g.input(n, 5)) == 0.0; }

  // x in f32: what was quantized for this layer alone or by this pass, else dequantized.
  ValueId operand(const Graph& g, Builder& b, NodeId n) const {
    const ValueId x = g.input(n, 0);
    const NodeId p = g.producer(x);
    if (g.is(p, "quantize_linear") && made_.contains({g.function(), x})) return g.input(p, 0);
    if (g.is(p, "dynamic_quantize_linear")) return g.input(p, 0);
    return b.add("dequantize_linear", {x, g.input(n, 1), g.input(n, 2)});
  }

  static ValueId weights(const Graph& g, Builder& b, NodeId n, bool conv) {
    const ValueId scale = g.input(n, 4), zero = g.input(n, 5);
    std::vector<Attrs::Item> attrs;
    if (!is_single(g, scale)) attrs.emplace_back("axis", std::int64_t{conv ? 0 : 1});
    std::vector<ValueId> inputs = {g.input(n, 3), scale};
    if (!no_zero(g, n)) inputs.push_back(zero);
    return b.add("dequantize_linear", inputs, attrs);
  }

  // Integers are in units of the scale of x times that of the weights.
  static ValueId float_bias(const Graph& g, Builder& b, NodeId n, ValueId bias) {
    if (is_float(g.type(bias).dtype)) return bias;
    const ValueId steps = b.add("cast", {bias}, {{"to", DType::f32}});
    return b.add("mul", {steps, b.add("mul", {g.input(n, 1), g.input(n, 4)})});
  }

  static QuantizedRange range_of(const Graph& g, NodeId n, DType dtype) {
    const std::vector<std::int64_t> range = g.attr_ints(n, "y_range");
    return range.size() == 2 ? QuantizedRange{range[0], range[1]} : whole_range(dtype);
  }

  std::set<std::pair<FunctionId, ValueId>> made_;  // results quantized here
};

}  // namespace

int float_layers(Module& m, const OpLookup& ops) {
  int changes = 0;
  Floats floats;
  auto rewrite = [&](Graph& g, NodeId n) { return floats.layer(g, n); };
  changes += apply_rules(m, ops, {{"qlinear_conv", rewrite}, {"qlinear_matmul", rewrite}});
  return changes;
}

}  // namespace mote::passes
