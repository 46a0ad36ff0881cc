// raise_split: a list of parts of which only parts at constant positions are read becomes split, with a squeeze where
// the list drops the axis.
#include <algorithm>

#include "passes/facts.h"
#include "passes/list.h"
#include "passes/rules.h"

namespace mote::passes {
namespace {

// The lengths of the parts; nothing when they are not known.
std::optional<std::vector<std::int64_t>> lengths(const Graph& g, NodeId n, std::int64_t axis) {
  std::optional<std::int64_t> extent = (*g.type(g.input(n, 0)).shape)[static_cast<std::size_t>(axis)].known();
  if (!extent || *extent > 1000) return std::nullopt;
  std::int64_t each = 1;
  if (ValueId split = g.input(n, 1); split != kNone) {
    std::optional<std::vector<std::int64_t>> given = g.ints(split);
    if (!given || given->empty()) return std::nullopt;
    if (g.type(split).rank() != 0) return given;
    each = (*given)[0];
  }
  if (each < 1) return std::nullopt;
  std::vector<std::int64_t> out;
  for (std::int64_t at = 0; at < *extent; at += each) out.push_back(std::min(each, *extent - at));
  return out;
}

bool rewrite(Graph& g, NodeId n) {
  ValueId list = g.output(n);
  if (!g.has_rank(g.input(n, 0)) || g.is_output(list)) return false;
  std::int64_t rank = g.type(g.input(n, 0)).rank(), axis = g.attr_int(n, "axis");
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) return false;
  std::optional<std::vector<std::int64_t>> parts = lengths(g, n, axis);
  if (!parts) return false;
  std::int64_t count = static_cast<std::int64_t>(parts->size());
  bool drops = g.input(n, 1) == kNone && g.attr_int(n, "keepdims") == 0;
  std::vector<NodeId> readers(g.readers(list).begin(), g.readers(list).end());
  std::vector<std::int64_t> positions;
  for (NodeId r : readers) {
    std::optional<double> at = g.is(r, "sequence_at") ? g.scalar(g.input(r, 1)) : std::nullopt;
    if (!at) return false;
    std::int64_t p = static_cast<std::int64_t>(*at);
    if (p < 0) p += count;
    if (p < 0 || p >= count) return false;
    positions.push_back(p);
  }
  if (readers.empty()) return false;
  Builder split = g.builder(n);
  std::vector<ValueId> made =
      split.add_multi("split", {g.input(n, 0), split.ints(*parts)}, static_cast<int>(count), {{"axis", axis}});
  for (std::size_t i = 0; drops && i < made.size(); ++i) made[i] = split.add("squeeze", {made[i], split.ints({axis})});
  if (!split.status().ok()) return false;
  g.insert(n, split);
  for (std::size_t i = 0; i < readers.size(); ++i) {
    ValueId part = made[static_cast<std::size_t>(positions[i])];
    if (g.forward(g.output(readers[i]), part)) continue;
    Builder b = g.builder(readers[i]);
    g.replace(readers[i], b, {b.add("identity", {part})});
  }
  for (ValueId v : made) g.collect(g.producer(v));
  return true;
}

}  // namespace

int raise_split(Module& m, const OpLookup& ops) { return apply_rules(m, ops, {{"split_to_sequence", rewrite}}); }

}  // namespace mote::passes
