#include "passes/facts.h"

#include <algorithm>

namespace mote::passes {

bool is_reshape(const Graph& g, NodeId n) {
  return g.is(n, "reshape") || g.is(n, "squeeze") || g.is(n, "unsqueeze") || g.is(n, "flatten");
}

std::vector<std::int64_t> perm_of(const Graph& g, NodeId n) {
  std::vector<std::int64_t> perm = g.attr_ints(n, "perm");
  if (perm.empty() && g.has_rank(g.input(n, 0))) {
    for (int i = g.type(g.input(n, 0)).rank(); i-- > 0;) perm.push_back(i);
  }
  return perm;
}

bool same_type(const Type& a, const Type& b) { return a.has_rank() && b.has_rank() && a == b; }

bool along_axis(const Graph& g, ValueId v, int rank, int axis, std::int64_t extent) {
  const Constant* c = g.constant(v);
  if (!c || !c->type.is_static() || c->type.rank() > rank) return false;
  std::vector<std::int64_t> dims = *constant_extents(*c->type.shape);
  int lead = rank - c->type.rank();
  if (axis < lead) return false;
  for (int i = lead; i < rank; ++i) {
    if (dims[static_cast<std::size_t>(i - lead)] != (i == axis ? extent : 1)) return false;
  }
  return true;
}

std::optional<std::vector<std::int64_t>> sorted_axes(std::vector<std::int64_t> axes, int rank) {
  for (std::int64_t& a : axes) {
    if (a < 0) a += rank;
    if (a < 0 || a >= rank) return std::nullopt;
  }
  std::ranges::sort(axes);
  return axes;
}

std::optional<std::vector<std::int64_t>> reduce_axes(const Graph& g, NodeId n) {
  if (!g.has_rank(g.input(n, 0))) return std::nullopt;
  int rank = g.type(g.input(n, 0)).rank();
  std::vector<std::int64_t> axes;
  if (ValueId v = g.input(n, 1); v != kNone) {
    std::optional<std::vector<std::int64_t>> given = g.ints(v);
    if (!given) return std::nullopt;
    axes = *given;
  }
  if (axes.empty()) {
    if (g.attr_int(n, "noop_with_empty_axes") != 0) return std::nullopt;
    for (int i = 0; i < rank; ++i) axes.push_back(i);
  }
  return sorted_axes(std::move(axes), rank);
}

}  // namespace mote::passes
