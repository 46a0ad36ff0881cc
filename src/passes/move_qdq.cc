// move_qdq: what only moves elements of a dequantized tensor moves its integers: dequantize_linear goes behind
// reshapes, transposes, slices, splits, gathers, zero padding, nearest resizing, concats of one scale and max pools.
// quantize_linear goes before a concat of dequantized tensors. A tensor that is dequantized and quantized again with
// the same scale stays as it is.
#include <algorithm>

#include "passes/facts.h"
#include "passes/list.h"
#include "passes/quantization.h"
#include "passes/rules.h"

namespace mote::passes {
namespace {

std::vector<Attrs::Item> attrs_of(const Node& n) { return {n.attrs.items().begin(), n.attrs.items().end()}; }

std::vector<Attrs::Item> axis_attrs(const Quantized& q, int axis) {
  if (q.axis < 0) return {};
  return {{"axis", std::int64_t{axis}}};
}

// The node's op on the integers instead of `q`, its outputs dequantized.
bool sink(Graph& g, NodeId n, const Quantized& q, std::vector<ValueId> inputs, int axis = -1) {
  const Node node = g.node(n);
  Builder b = g.builder(n);
  inputs[0] = q.value;
  std::vector<ValueId> moved =
      b.add_multi(node.op->name, inputs, static_cast<int>(node.outputs.size()), attrs_of(node));
  std::vector<ValueId> with;
  std::vector<ValueId> operands = {kNone, q.scale};
  if (q.zero != kNone) operands.push_back(q.zero);
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    bool made = node.outputs[i] != kNone && i < moved.size();
    if (made) operands[0] = moved[i];
    with.push_back(made ? b.add("dequantize_linear", operands, axis_attrs(q, axis)) : kNone);
  }
  return g.replace(n, b, with);
}

bool move(Graph& g, NodeId n) {
  std::optional<Quantized> q = dequantized(g, g.input(n, 0));
  return q && q->axis < 0 && sink(g, n, *q, g.node(n).inputs);
}

bool transpose(Graph& g, NodeId n) {
  std::optional<Quantized> q = dequantized(g, g.input(n, 0));
  if (!q || q->axis < 0) return move(g, n);
  std::vector<std::int64_t> perm = perm_of(g, n);
  auto at = std::ranges::find(perm, q->axis);
  return at != perm.end() && sink(g, n, *q, g.node(n).inputs, static_cast<int>(at - perm.begin()));
}

bool pad(Graph& g, NodeId n) {
  std::optional<Quantized> q = dequantized(g, g.input(n, 0));
  if (!q || q->axis >= 0) return false;
  if (g.attr_string(n, "mode") != "constant") return move(g, n);
  ValueId value = g.input(n, 2);
  if (value != kNone && g.scalar(value) != 0.0) return false;
  Builder b = g.builder(n);
  std::vector<ValueId> inputs = g.node(n).inputs;
  inputs.resize(std::max<std::size_t>(inputs.size(), 3), kNone);
  inputs[2] = zero_point(b, *q);
  g.insert(n, b);
  return sink(g, n, *q, inputs);
}

bool resize(Graph& g, NodeId n) {
  return g.attr_string(n, "mode") == "nearest" &&
         g.attr_string(n, "coordinate_transformation_mode") != "tf_crop_and_resize" && move(g, n);
}

bool max_pool(Graph& g, NodeId n) {
  std::optional<Quantized> q = dequantized(g, g.input(n, 0));
  if (!q || !q->eight_bits() || !is_fixed(g, *q) || g.node(n).outputs.size() != 1) return false;
  return sink(g, n, *q, g.node(n).inputs);
}

bool concat(Graph& g, NodeId n) {
  std::optional<Quantized> first;
  std::vector<ValueId> parts;
  for (ValueId v : g.node(n).inputs) {
    std::optional<Quantized> q = dequantized(g, v);
    if (!q || (first && !same_scale(g, *first, *q))) return false;
    if (!first) first = q;
    parts.push_back(q->value);
  }
  return first && is_fixed(g, *first) && sink(g, n, *first, parts);
}

bool quantize(Graph& g, NodeId n) {
  std::optional<Quantized> to = quantized(g, n);
  if (!to) return false;
  if (std::optional<Quantized> from = dequantized(g, g.input(n, 0)); from && same_scale(g, *from, *to))
    return g.forward(g.output(n), from->value);
  NodeId joined = g.producer(g.input(n, 0), "concat");
  if (joined == kNone || !g.single(g.input(n, 0))) return false;
  const Node concat = g.node(joined), node = g.node(n);
  if (!std::ranges::all_of(concat.inputs, [&](ValueId v) { return dequantized(g, v).has_value(); })) return false;
  Builder b = g.builder(n);
  std::vector<ValueId> parts;
  for (ValueId v : concat.inputs) {
    std::vector<ValueId> inputs = node.inputs;
    inputs[0] = v;
    parts.push_back(b.add("quantize_linear", inputs, attrs_of(node)));
  }
  return g.replace(n, b, {b.add("concat", parts, attrs_of(concat))});
}

}  // namespace

int move_qdq(Module& m, const OpLookup& ops) {
  std::vector<Rule> rules = {{"transpose", transpose}, {"pad", pad},       {"resize", resize},
                             {"max_pool", max_pool},   {"concat", concat}, {"quantize_linear", quantize}};
  for (const char* op :
       {"reshape", "squeeze", "unsqueeze", "flatten", "slice", "split", "gather", "depth_to_space", "space_to_depth"})
    rules.push_back({op, move});
  return apply_rules(m, ops, rules);
}

}  // namespace mote::passes
