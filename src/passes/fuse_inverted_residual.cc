// fuse_inverted_residual: a depthwise convolution joins the 1x1 convolution that makes its input, the one that alone
// reads its result, or both, as an inverted_residual: a backend that computes strips of rows keeps the map in between
// in its cache, another one takes the parts. Steps with operands stay possible at the end only.
#include <algorithm>

#include "ops/epilogue.h"
#include "passes/list.h"
#include "passes/rules.h"

namespace mote::passes {
namespace {

bool all_are(const std::vector<std::int64_t>& v, std::int64_t value) {
  return std::ranges::all_of(v, [&](std::int64_t x) { return x == value; });
}

std::vector<EpilogueStep> steps_of(const Graph& g, NodeId n) {
  Result<std::vector<EpilogueStep>> steps = parse_epilogue(attr_strings(*g.node(n).op, g.node(n).attrs, "epilogue"));
  return steps.ok() ? *steps : std::vector<EpilogueStep>();
}
bool has_operands(const Graph& g, NodeId n) {
  return std::ranges::any_of(steps_of(g, n), [](const EpilogueStep& s) { return s.operand >= 0 || s.operand2 >= 0; });
}

// A convolution of an f32 image with constant f32 weights whose pads are given as numbers.
bool is_conv(const Graph& g, NodeId n) {
  if (!g.is(n, "conv") || g.attr_string(n, "data_layout") != "NCX" || g.attr_string(n, "weight_layout") != "OIX")
    return false;
  std::string pads = g.attr_string(n, "auto_pad");
  const Constant* w = g.constant(g.input(n, 1));
  return (pads == "NOTSET" || pads.empty()) && w && w->type.dtype == DType::f32 && g.has_rank(g.input(n, 0)) &&
         g.type(g.input(n, 0)).dtype == DType::f32;
}
const Shape& weights_of(const Graph& g, NodeId n) { return *g.constant(g.input(n, 1))->type.shape; }

bool is_pointwise(const Graph& g, NodeId n) {
  if (!is_conv(g, n) || g.attr_int(n, "group") != 1) return false;
  const Shape& w = weights_of(g, n);
  return std::all_of(w.begin() + 2, w.end(), [](const Dim& d) { return d.is(1); }) &&
         all_are(g.attr_ints(n, "strides"), 1) && all_are(g.attr_ints(n, "pads"), 0);
}

bool is_depthwise(const Graph& g, NodeId n) {
  if (!is_conv(g, n)) return false;
  const Shape& w = weights_of(g, n);
  std::int64_t group = g.attr_int(n, "group");
  return group > 1 && w[0].is(group) && w[1].is(1) && !volume(w).is(group);
}

bool fuse(Graph& g, NodeId depth) {
  if (!is_depthwise(g, depth)) return false;
  NodeId expand = g.producer(g.input(depth, 0)), project = kNone;
  if (!is_pointwise(g, expand) || !g.single(g.input(depth, 0)) || has_operands(g, expand)) expand = kNone;
  ValueId y = g.output(depth);
  if (g.single(y) && !has_operands(g, depth)) {
    NodeId reader = g.readers(y)[0];
    if (is_pointwise(g, reader) && g.input(reader, 0) == y) project = reader;
  }
  if (expand == kNone && project == kNone) return false;
  NodeId last = project == kNone ? depth : project;
  std::vector<ValueId> inputs{g.input(expand == kNone ? depth : expand, 0)};
  for (NodeId n : {expand, depth, project}) {
    for (std::size_t i : {1u, 2u}) inputs.push_back(n == kNone ? kNone : g.input(n, i));
  }
  std::vector<std::string> epilogue;
  for (EpilogueStep s : steps_of(g, last)) {
    for (int* operand : {&s.operand, &s.operand2}) {
      if (*operand >= 0) *operand += 4;  // operands start at input 7 instead of 3
    }
    epilogue.push_back(to_string(s));
  }
  for (std::size_t i = 3; i < g.node(last).inputs.size(); ++i) inputs.push_back(g.input(last, i));
  while (inputs.back() == kNone) inputs.pop_back();
  std::vector<Attrs::Item> attrs;
  auto texts = [&](const char* name, std::vector<std::string> steps) {
    if (!steps.empty()) attrs.emplace_back(name, AttrValue(std::move(steps)));
  };
  auto own = [&](NodeId n) { return attr_strings(*g.node(n).op, g.node(n).attrs, "epilogue"); };
  if (expand != kNone) texts("expand_epilogue", own(expand));
  if (project != kNone) texts("depth_epilogue", own(depth));
  texts("epilogue", std::move(epilogue));
  for (const char* name : {"dilations", "pads", "strides"}) {
    std::vector<std::int64_t> v = g.attr_ints(depth, name);
    if (!v.empty()) attrs.emplace_back(name, AttrValue(std::move(v)));
  }
  Builder b = g.builder(last);
  ValueId out = b.add("inverted_residual", inputs, std::move(attrs));
  return g.replace(last, b, {out});
}

}  // namespace

int fuse_inverted_residual(Module& m, const OpLookup& ops) { return apply_rules(m, ops, {{"conv", fuse}}); }

}  // namespace mote::passes
