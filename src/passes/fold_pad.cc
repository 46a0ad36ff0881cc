// fold_pad: a pad with zeros of the spatial axes goes into the pads of the conv or average_pool (when that has none of
// its own, as counted padding) that alone reads it; one with minus infinity into max_pool; one with the zero point into
// convolutions of integers.
#include <algorithm>
#include <cmath>
#include <limits>

#include "passes/list.h"
#include "passes/rules.h"

namespace mote::passes {
namespace {

// Pads of the spatial axes, begins and then ends; nothing when another axis is padded or a pad is negative.
std::optional<std::vector<std::int64_t>> spatial_pads(const Graph& g, NodeId pad, bool channels_last) {
  ValueId x = g.input(pad, 0);
  std::optional<std::vector<std::int64_t>> given = g.ints(g.input(pad, 1));
  if (!given || !g.has_rank(x) || g.type(x).rank() < 3 || g.attr_string(pad, "mode") != "constant") return std::nullopt;
  std::size_t rank = static_cast<std::size_t>(g.type(x).rank());
  std::vector<std::int64_t> full(2 * rank, 0);
  if (g.input(pad, 3) != kNone) {
    std::optional<std::vector<std::int64_t>> axes = g.ints(g.input(pad, 3));
    if (!axes || given->size() != 2 * axes->size()) return std::nullopt;
    for (std::size_t i = 0; i < axes->size(); ++i) {
      std::int64_t a = (*axes)[i] < 0 ? (*axes)[i] + static_cast<std::int64_t>(rank) : (*axes)[i];
      if (a < 0 || a >= static_cast<std::int64_t>(rank)) return std::nullopt;
      full[static_cast<std::size_t>(a)] = (*given)[i];
      full[static_cast<std::size_t>(a) + rank] = (*given)[i + axes->size()];
    }
  } else if (given->size() == 2 * rank) {
    full = *given;
  } else {
    return std::nullopt;
  }
  if (std::ranges::any_of(full, [](std::int64_t p) { return p < 0; })) return std::nullopt;
  std::size_t channel = channels_last ? rank - 1 : 1, space = channels_last ? 1 : 2;
  if (full[0] || full[rank] || full[channel] || full[rank + channel]) return std::nullopt;
  std::vector<std::int64_t> out;
  for (std::size_t side = 0; side < 2; ++side) {
    for (std::size_t i = 0; i < rank - 2; ++i) out.push_back(full[side * rank + space + i]);
  }
  return out;
}

// What a node takes padding for, when that is known.
std::optional<double> padding_of(const Graph& g, NodeId n) {
  if (g.is(n, "max_pool")) return -std::numeric_limits<double>::infinity();
  if (!g.is(n, "qlinear_conv") && !g.is(n, "conv_integer")) return 0.0;
  return g.input(n, 2) == kNone ? std::optional(0.0) : g.scalar(g.input(n, 2));
}

bool fold(Graph& g, NodeId n) {
  NodeId pad = g.producer(g.input(n, 0), "pad");
  if (pad == kNone || !g.single(g.input(n, 0))) return false;
  bool layout = g.node(n).op->attr("data_layout") && g.attr_string(n, "data_layout") == "NXC";
  std::optional<std::vector<std::int64_t>> more = spatial_pads(g, pad, layout);
  std::string automatic = g.attr_string(n, "auto_pad");
  if (!more || (automatic != "NOTSET" && automatic != "VALID" && !automatic.empty())) return false;
  std::optional<double> value = g.input(pad, 2) == kNone ? std::optional(0.0) : g.scalar(g.input(pad, 2));
  if (!value || value != padding_of(g, n)) return false;
  std::vector<std::int64_t> pads = automatic == "VALID" ? std::vector<std::int64_t>() : g.attr_ints(n, "pads");
  bool none = std::ranges::all_of(pads, [](std::int64_t p) { return p == 0; });
  if ((g.is(n, "max_pool") || g.is(n, "average_pool")) && g.attr_int(n, "ceil_mode") != 0) return false;
  if (g.is(n, "max_pool") && g.output(n, 1) != kNone) return false;
  if (g.is(n, "average_pool")) {
    if (!none) return false;
    g.set_attr(n, "count_include_pad", AttrValue(std::int64_t{1}));
  }
  pads.resize(more->size(), 0);
  for (std::size_t i = 0; i < pads.size(); ++i) pads[i] += (*more)[i];
  g.set_attr(n, "auto_pad", AttrValue(std::string("NOTSET")));
  g.set_attr(n, "pads", AttrValue(std::move(pads)));
  g.set_input(n, 0, g.input(pad, 0));
  return true;
}

}  // namespace

int fold_pad(Module& m, const OpLookup& ops) {
  return apply_rules(
      m, ops,
      {{"conv", fold}, {"average_pool", fold}, {"max_pool", fold}, {"qlinear_conv", fold}, {"conv_integer", fold}});
}

}  // namespace mote::passes
