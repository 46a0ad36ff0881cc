// Two or three convolutions in a row, as inverted residual blocks have them: 1x1 (expand), depthwise, 1x1 (project).
#include <algorithm>

#include "ops/decompose.h"
#include "ops/epilogue.h"
#include "ops/infer_util.h"
#include "ops/nn/convolve.h"
#include "ops/ops.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {
    {"x", "image: batch, C channels and two or more spatial axes"},
    {"expand_w", "weights of a 1x1 convolution to E channels: E, C, 1..; absent: E is C", Arity::kOptional},
    {"expand_b", "one value per channel", Arity::kOptional},
    {"depth_w", "weights of a depthwise convolution: E, 1, kernel extents"},
    {"depth_b", "one value per channel", Arity::kOptional},
    {"project_w", "weights of a 1x1 convolution to P channels: P, E, 1..; absent: P is E", Arity::kOptional},
    {"project_b", "one value per channel", Arity::kOptional},
    {"operands", "operands of the epilogue", Arity::kVariadic}};
constexpr Slot kOutputs[] = {{"y", "dtype of x, with P channels"}};
constexpr AttrSpec kAttrs[] = {
    {"depth_epilogue", AttrKind::kStrings, "strings:[]", "steps, without operands, between depthwise and project"},
    kDilationsAttr,
    kEpilogueAttr,
    {"expand_epilogue", AttrKind::kStrings, "strings:[]", "steps, without operands, between expand and depthwise"},
    kPadsAttr,
    kStridesAttr,
    {"strips", AttrKind::kInt, "0", "1: asks for strips of rows, where the map between would take much memory"}};

// The channels behind a 1x1 convolution by input i of a map with `channels`.
Result<Dim> through(const InferContext& ctx, int i, const Dim& channels, int rank) {
  if (!ctx.has(i)) return channels;
  if (!ctx.has_rank(i) || ctx.rank(i) != rank) return ctx.error("the weights of a 1x1 convolution have the rank of x");
  const Shape& w = ctx.shape(i);
  bool one = std::all_of(w.begin() + 2, w.end(), [](const Dim& d) { return !d.is_const() || d.is(1); });
  if (!one) return ctx.error("expand_w and project_w are of 1x1 convolutions");
  if (w[1].is_const() && channels.is_const() && !(w[1] == channels))
    return ctx.error("weights for " + w[1].to_string() + " channels meet " + channels.to_string());
  MOTE_TRY(check_per_channel(ctx, i + 1, w[0], false));
  return w[0];
}

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  for (int i = 1; i < 7; ++i) {
    if (ctx.has(i)) MOTE_TRY(check_same_dtype(ctx, 0, i));
  }
  if (!ctx.has_rank(0)) return ctx.output(0, Type::tensor(ctx.dtype(0))), Status();
  int rank = ctx.rank(0);
  if (rank < 3 || !ctx.has_rank(3) || ctx.rank(3) != rank)
    return ctx.error("x and depth_w need a batch, channels and the same number of spatial axes");
  const Shape &x = ctx.shape(0), &w = ctx.shape(3);
  MOTE_ASSIGN(Dim expanded, through(ctx, 1, x[1], rank));
  if (w[0].is_const() && expanded.is_const() && !(w[0] == expanded))
    return ctx.error("depth_w has " + w[0].to_string() + " channels, its input " + expanded.to_string());
  if (w[1].is_const() && !w[1].is(1)) return ctx.error("depth_w is of a depthwise convolution");
  MOTE_TRY(check_per_channel(ctx, 4, w[0], false));
  MOTE_ASSIGN(Dim channels, through(ctx, 5, expanded, rank));
  auto window = window_of(ctx.op(), ctx.attrs(), std::span(x).subspan(2), std::span(w).subspan(2));
  if (!window.ok()) return ctx.error(std::string(window.status().message()));
  Shape y = x;
  y[1] = channels;
  for (std::size_t i = 0; i < window->size(); ++i) y[2 + i] = (*window)[i].out;
  ctx.output(0, ctx.dtype(0), std::move(y));
  for (const char* name : {"expand_epilogue", "depth_epilogue"}) {
    Result<std::vector<EpilogueStep>> steps = parse_epilogue(ctx.attr_strings(name));
    if (!steps.ok()) return ctx.error(std::string(steps.status().message()));
    for (const EpilogueStep& s : *steps) {
      if (s.operand >= 0 || s.operand2 >= 0) return ctx.error(std::string(name) + " reads an operand");
    }
  }
  return infer_epilogue(ctx, ctx.out_types_[0]);
}

// Steps whose operands are counted from input `from` on, for a node where they are counted from `to` on.
Result<AttrValue> moved(const Node& node, int from, int to) {
  std::vector<std::string> text;
  MOTE_ASSIGN(std::vector<EpilogueStep> steps, parse_epilogue(attr_strings(*node.op, node.attrs, "epilogue")));
  for (EpilogueStep& s : steps) {
    for (int* operand : {&s.operand, &s.operand2}) {
      if (*operand >= 0) *operand += to - from;
    }
    text.push_back(to_string(s));
  }
  return AttrValue(text);
}

Result<std::vector<ValueId>> decompose(Builder& b, const Node& node) {
  auto in = [&](std::size_t i) { return i < node.inputs.size() ? node.inputs[i] : kNone; };
  auto steps = [&](const char* name) { return AttrValue(attr_strings(*node.op, node.attrs, name)); };
  if (!b.has_rank(in(3)) || !b.shape(in(3))[0].is_const()) return unsupported("the depthwise weights are not known");
  MOTE_ASSIGN(AttrValue last, moved(node, 7, 3));
  ValueId v = in(0);
  if (in(1) != kNone) v = b.add("conv", {v, in(1), in(2)}, {{"epilogue", steps("expand_epilogue")}});
  std::vector<ValueId> operands;
  for (std::size_t i = 7; i < node.inputs.size(); ++i) operands.push_back(node.inputs[i]);
  std::vector<ValueId> depth{v, in(3), in(4)}, project{kNone, in(5), in(6)};
  bool projects = in(5) != kNone;
  std::vector<ValueId>& end = projects ? project : depth;
  end.insert(end.end(), operands.begin(), operands.end());
  std::vector<Attrs::Item> attrs{{"group", b.shape(in(3))[0].value()},
                                 {"epilogue", projects ? steps("depth_epilogue") : last}};
  for (const char* name : {"dilations", "pads", "strides"}) {
    attrs.emplace_back(name, AttrValue(attr_ints(*node.op, node.attrs, name)));
  }
  project[0] = v = b.add("conv", depth, std::move(attrs));
  if (projects) v = b.add("conv", project, {{"epilogue", last}});
  return std::vector{v};
}

}  // namespace

MOTE_DEFINE_OP(inverted_residual) = {
    .name = "inverted_residual",
    .doc =
        "Two or three convolutions in a row: 1x1 to more channels, depthwise, 1x1 to fewer. Without project_w the "
        "epilogue follows the depthwise convolution.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attrs = kAttrs,
    .infer = infer};
MOTE_DEFINE_DECOMPOSITION(inverted_residual) = decompose;

}  // namespace mote
