// unpack_lists: elements of lists whose making is known. sequence_at of split_to_sequence becomes a slice, that of
// sequence_construct the element itself; concat_from_sequence of sequence_construct becomes concat; sequence_length of
// either a constant. Positions outside of the list stay, and fail when they run.
#include <algorithm>

#include "passes/list.h"
#include "passes/rules.h"

namespace mote::passes {
namespace {

std::int64_t normal(std::int64_t i, std::int64_t n) { return i < 0 ? i + n : i; }

// How split_to_sequence cuts: where the parts begin, and where the last ends.
struct Parts {
  std::int64_t axis;
  bool drop;  // the axis, of extent 1
  std::vector<std::int64_t> begin;
};

std::optional<Parts> parts_of(const Graph& g, NodeId split) {
  if (split == kNone || !g.has_rank(g.input(split, 0))) return std::nullopt;
  ValueId x = g.input(split, 0), sizes = g.input(split, 1);
  const Shape& shape = *g.type(x).shape;
  std::int64_t rank = g.type(x).rank(), axis = normal(g.attr_int(split, "axis"), rank);
  if (axis < 0 || axis >= rank) return std::nullopt;
  std::optional<std::int64_t> extent = shape[static_cast<std::size_t>(axis)].known();
  constexpr std::int64_t kMost = 1 << 16;
  if (!extent || *extent > kMost) return std::nullopt;
  Parts p{axis, sizes == kNone && g.attr_int(split, "keepdims") == 0, {0}};
  std::vector<std::int64_t> extents;
  if (sizes != kNone) {
    std::optional<std::vector<std::int64_t>> given = g.ints(sizes);
    if (!given || !g.has_rank(sizes)) return std::nullopt;
    extents = *given;
  }
  if (sizes == kNone || g.type(sizes).rank() == 0) {
    std::int64_t chunk = sizes == kNone ? 1 : extents[0];
    if (chunk < 1) return std::nullopt;
    extents.clear();
    for (std::int64_t at = 0; at < *extent; at += chunk) extents.push_back(std::min(chunk, *extent - at));
  }
  for (std::int64_t e : extents) {
    if (e < 0 || e > *extent - p.begin.back()) return std::nullopt;
    p.begin.push_back(p.begin.back() + e);
  }
  if (p.begin.back() != *extent) return std::nullopt;
  return p;
}

bool element(Graph& g, NodeId n) {
  ValueId list = g.input(n, 0);
  std::optional<std::vector<std::int64_t>> position = g.ints(g.input(n, 1));
  if (!position || position->size() != 1) return false;
  if (NodeId made = g.producer(list, "sequence_construct"); made != kNone) {
    std::int64_t count = static_cast<std::int64_t>(g.node(made).inputs.size()), i = normal((*position)[0], count);
    if (i < 0 || i >= count) return false;
    ValueId item = g.input(made, static_cast<std::size_t>(i));
    return g.type(item).dtype == g.type(g.output(n)).dtype && g.forward(g.output(n), item);
  }
  NodeId split = g.producer(list, "split_to_sequence");
  std::optional<Parts> p = parts_of(g, split);
  if (!p) return false;
  std::int64_t count = static_cast<std::int64_t>(p->begin.size()) - 1, i = normal((*position)[0], count);
  if (i < 0 || i >= count) return false;
  Builder b = g.builder(n);
  auto at = static_cast<std::size_t>(i);
  ValueId y =
      b.add("slice", {g.input(split, 0), b.ints({p->begin[at]}), b.ints({p->begin[at + 1]}), b.ints({p->axis})});
  if (p->drop) y = b.add("squeeze", {y, b.ints({p->axis})});
  return g.replace(n, b, {y});
}

bool join(Graph& g, NodeId n) {
  NodeId made = g.producer(g.input(n, 0), "sequence_construct");
  if (made == kNone || g.node(made).inputs.empty()) return false;
  std::vector<ValueId> items = g.node(made).inputs;
  if (!std::ranges::all_of(items, [&](ValueId v) { return g.has_rank(v); })) return false;
  bool stack = g.attr_int(n, "new_axis") != 0;
  std::int64_t rank = g.type(items[0]).rank() + (stack ? 1 : 0), axis = normal(g.attr_int(n, "axis"), rank);
  if (axis < 0 || axis >= rank) return false;
  Builder b = g.builder(n);
  if (stack) {
    for (ValueId& v : items) v = b.add("unsqueeze", {v, b.ints({axis})});
  }
  return g.replace(n, b, {b.add("concat", items, {{"axis", axis}})});
}

bool length(Graph& g, NodeId n) {
  ValueId list = g.input(n, 0);
  std::int64_t count = 0;
  if (NodeId made = g.producer(list, "sequence_construct"); made != kNone) {
    count = static_cast<std::int64_t>(g.node(made).inputs.size());
  } else if (std::optional<Parts> p = parts_of(g, g.producer(list, "split_to_sequence"))) {
    count = static_cast<std::int64_t>(p->begin.size()) - 1;
  } else {
    return false;
  }
  Builder b = g.builder(n);
  return g.replace(n, b, {b.add("identity", {b.scalar_int(count)})});
}

}  // namespace

int unpack_lists(Module& m, const OpLookup& ops) {
  return apply_rules(m, ops, {{"sequence_at", element}, {"concat_from_sequence", join}, {"sequence_length", length}});
}

}  // namespace mote::passes
