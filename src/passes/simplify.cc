// simplify: removes nodes that give back what they take (identity, casts to the same type, transposes and reshapes that
// change nothing or undo each other, pads of nothing, slices of everything, expands to the same extents, concats of
// one, pieces of one tensor joined again, dropout at inference, + 0, - 0, * 1, / 1, ^ 1), joins transposes and reshapes
// in a row, takes transposes of the last two axes into matmul, and gives reshapes whose result inference knows a
// constant shape. x + 0 is taken for x where x is -0.
#include <algorithm>
#include <optional>

#include "passes/facts.h"
#include "passes/list.h"
#include "passes/rules.h"

namespace mote::passes {
namespace {

bool forward_input(Graph& g, NodeId n, std::size_t i = 0) {
  return same_type(g.type(g.output(n)), g.type(g.input(n, i))) && g.forward(g.output(n), g.input(n, i));
}

bool identity(Graph& g, NodeId n) { return g.forward(g.output(n), g.input(n, 0)); }

bool dropout(Graph& g, NodeId n) {
  ValueId mask = g.output(n, 1), mode = g.input(n, 2);
  if (mask != kNone && (g.is_output(mask) || !g.readers(mask).empty())) return false;
  if (mode != kNone && g.scalar(mode) != 0.0) return false;
  return g.forward(g.output(n), g.input(n, 0));
}

bool holds(DType wide, DType narrow) {
  if (wide == DType::f64) return narrow == DType::f32 || narrow == DType::f16 || narrow == DType::bf16;
  if (wide == DType::f32) return narrow == DType::f16 || narrow == DType::bf16;
  if (is_signed_int(wide)) {
    return (is_signed_int(narrow) && bits_of(narrow) < bits_of(wide)) ||
           (is_unsigned_int(narrow) && bits_of(narrow) < bits_of(wide));
  }
  return is_unsigned_int(wide) && is_unsigned_int(narrow) && bits_of(narrow) < bits_of(wide);
}

bool cast(Graph& g, NodeId n) {
  const Type &to = g.type(g.output(n)), &from = g.type(g.input(n, 0));
  if (to.dtype == from.dtype && to.dtype != DType::none) return g.forward(g.output(n), g.input(n, 0));
  // There and back through a type that holds every value.
  NodeId inner = g.producer(g.input(n, 0), "cast");
  if (inner == kNone || g.type(g.input(inner, 0)).dtype != to.dtype || !holds(from.dtype, to.dtype)) return false;
  return g.forward(g.output(n), g.input(inner, 0));
}

bool cast_like(Graph& g, NodeId n) {
  DType to = g.type(g.input(n, 1)).dtype;
  if (to == DType::none) return false;
  if (to == g.type(g.input(n, 0)).dtype && g.forward(g.output(n), g.input(n, 0))) return true;
  Builder b = g.builder(n);
  Attrs attrs = g.node(n).attrs;
  attrs.set("to", AttrValue(to));
  return g.replace(n, b, {b.add("cast", {g.input(n, 0)}, {attrs.items().begin(), attrs.items().end()})});
}

bool transpose(Graph& g, NodeId n) {
  std::vector<std::int64_t> perm = perm_of(g, n);
  if (perm.empty()) return false;
  bool stays = true;
  for (std::size_t i = 0; i < perm.size(); ++i) stays = stays && perm[i] == static_cast<std::int64_t>(i);
  if (stays) return g.forward(g.output(n), g.input(n, 0));
  NodeId inner = g.producer(g.input(n, 0), "transpose");
  if (inner == kNone) return false;
  std::vector<std::int64_t> first = perm_of(g, inner);
  if (first.size() != perm.size()) return false;
  for (std::int64_t& p : perm) p = first[static_cast<std::size_t>(p)];
  g.set_attr(n, "perm", AttrValue(std::move(perm)));
  g.set_input(n, 0, g.input(inner, 0));
  return true;
}

// Whether the shape operand of a reshape means the same whatever the shape of its data.
bool stands_alone(const Graph& g, NodeId n) {
  if (!g.is(n, "reshape")) return false;
  std::optional<std::vector<std::int64_t>> shape = g.ints(g.input(n, 1));
  return shape && (g.attr_int(n, "allowzero") != 0 || std::ranges::count(*shape, 0) == 0);
}

// The extents that inference found, as a constant: 0 where the data has the same, -1 for one other that is not known.
bool reshape_by_type(Graph& g, NodeId n) {
  ValueId x = g.input(n, 0);
  const Type& to = g.type(g.output(n));
  if (g.constant(g.input(n, 1)) || !to.has_rank() || !g.has_rank(x)) return false;
  const Shape& from = *g.type(x).shape;
  std::vector<std::int64_t> extents;
  for (std::size_t i = 0; i < to.shape->size(); ++i) {
    const Dim& d = (*to.shape)[i];
    if (d.is(0)) return false;
    bool same = i < from.size() && from[i] == d;
    extents.push_back(d.is_const() ? d.value() : same ? 0 : -1);
  }
  std::ptrdiff_t open = std::ranges::count(extents, -1);
  if (open > 1 || (open == 1 && std::ranges::count(extents, 0) > 0)) return false;
  Builder b = g.builder(n);
  ValueId y = b.add("reshape", {x, b.ints(extents)});
  return g.replace(n, b, {y});
}

bool reshape(Graph& g, NodeId n) {
  if (forward_input(g, n)) return true;
  if (g.is(n, "reshape") && reshape_by_type(g, n)) return true;
  NodeId inner = g.producer(g.input(n, 0));
  if (inner == kNone || !is_reshape(g, inner)) return false;
  ValueId x = g.input(inner, 0);
  if (same_type(g.type(g.output(n)), g.type(x)) && g.forward(g.output(n), x)) return true;
  if (stands_alone(g, n)) {
    g.set_input(n, 0, x);
    return true;
  }
  // The result's extents where all but one are known.
  const Type& to = g.type(g.output(n));
  if (!to.has_rank()) return false;
  std::vector<std::int64_t> extents;
  for (const Dim& d : *to.shape) extents.push_back(d.known().value_or(-1));
  if (std::ranges::count(extents, -1) > 1 || std::ranges::count(extents, 0) > 0) return false;
  Builder b = g.builder(n);
  ValueId y = b.add("reshape", {x, b.ints(extents)});
  return g.replace(n, b, {y});
}

bool pad(Graph& g, NodeId n) {
  std::optional<std::vector<std::int64_t>> pads = g.ints(g.input(n, 1));
  if (!pads || std::ranges::any_of(*pads, [](std::int64_t p) { return p != 0; })) return false;
  return g.forward(g.output(n), g.input(n, 0));
}

bool slice(Graph& g, NodeId n) {
  if (g.input(n, 4) != kNone) {
    std::optional<std::vector<std::int64_t>> steps = g.ints(g.input(n, 4));
    if (!steps || std::ranges::any_of(*steps, [](std::int64_t s) { return s < 1; })) return false;
  }
  return forward_input(g, n);
}

// Elements [begin, end) of `whole` along an axis.
struct Piece {
  ValueId whole = kNone;
  std::int64_t begin = 0, end = 0;
};

std::optional<std::int64_t> extent_along(const Graph& g, ValueId v, std::size_t axis) {
  if (!g.has_rank(v) || axis >= g.type(v).shape->size()) return std::nullopt;
  return (*g.type(v).shape)[axis].known();
}

// What v is a piece of, where a slice or split along `axis` makes it and the extents are known.
std::optional<Piece> piece_along(const Graph& g, ValueId v, std::size_t axis) {
  NodeId n = g.producer(v);
  std::optional<std::int64_t> extent = extent_along(g, v, axis);
  if (n == kNone || !extent || !g.has_rank(g.input(n, 0))) return std::nullopt;
  std::int64_t rank = g.type(g.input(n, 0)).rank(), begin = 0,
               whole = extent_along(g, g.input(n, 0), axis).value_or(-1);
  auto is_axis = [&](std::int64_t a) { return (a < 0 ? a + rank : a) == static_cast<std::int64_t>(axis); };
  if (g.is(n, "split")) {
    if (!is_axis(g.attr_int(n, "axis"))) return std::nullopt;
    for (std::size_t o = 0; g.output(n, o) != v; ++o) {
      std::optional<std::int64_t> before =
          g.output(n, o) == kNone ? std::nullopt : extent_along(g, g.output(n, o), axis);
      if (!before) return std::nullopt;
      begin += *before;
    }
  } else if (g.is(n, "slice")) {
    auto starts = g.ints(g.input(n, 1)), axes = g.ints(g.input(n, 3)), steps = g.ints(g.input(n, 4));
    bool plain = starts && axes && starts->size() == 1 && axes->size() == 1 && is_axis(axes->front()) && whole >= 0 &&
                 (g.input(n, 4) == kNone || (steps && *steps == std::vector<std::int64_t>{1}));
    if (!plain) return std::nullopt;
    begin = std::clamp<std::int64_t>(starts->front() < 0 ? starts->front() + whole : starts->front(), 0, whole);
  } else {
    return std::nullopt;
  }
  return Piece{g.input(n, 0), begin, begin + *extent};
}

// Neighbours that are all the pieces of one tensor, in order, are that tensor.
bool concat_of_pieces(Graph& g, NodeId n) {
  const std::vector<ValueId> inputs = g.node(n).inputs;
  if (!g.has_rank(g.output(n))) return false;
  std::int64_t along = g.attr_int(n, "axis");
  auto axis = static_cast<std::size_t>(along < 0 ? along + g.type(g.output(n)).rank() : along);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    std::optional<Piece> first = piece_along(g, inputs[i], axis);
    std::optional<std::int64_t> whole = first ? extent_along(g, first->whole, axis) : std::nullopt;
    if (!whole || first->begin != 0) continue;
    std::size_t last = i;
    std::int64_t reached = first->end;
    while (reached < *whole && last + 1 < inputs.size()) {
      std::optional<Piece> next = piece_along(g, inputs[last + 1], axis);
      if (!next || next->whole != first->whole || next->begin != reached) break;
      reached = next->end;
      ++last;
    }
    if (reached != *whole) continue;
    std::vector<ValueId> parts(inputs.begin(), inputs.begin() + static_cast<std::ptrdiff_t>(i));
    parts.push_back(first->whole);
    parts.insert(parts.end(), inputs.begin() + static_cast<std::ptrdiff_t>(last) + 1, inputs.end());
    Builder b = g.builder(n);
    ValueId y = b.add("concat", parts, {{"axis", along}});
    return g.replace(n, b, {y});
  }
  return false;
}

bool concat(Graph& g, NodeId n) {
  if (g.node(n).inputs.size() == 1) return g.forward(g.output(n), g.input(n, 0));
  return concat_of_pieces(g, n);
}

// x op c, or c op x where the op commutes, that gives x.
Rewrite neutral(double c, bool commutes) {
  return [=](Graph& g, NodeId n) {
    if (g.scalar(g.input(n, 1)) == c && forward_input(g, n)) return true;
    return commutes && g.scalar(g.input(n, 0)) == c && forward_input(g, n, 1);
  };
}

bool swaps_last_two(const std::vector<std::int64_t>& perm) {
  std::int64_t r = static_cast<std::int64_t>(perm.size());
  if (r < 2) return false;
  for (std::int64_t i = 0; i < r - 2; ++i) {
    if (perm[static_cast<std::size_t>(i)] != i) return false;
  }
  return perm[static_cast<std::size_t>(r - 1)] == r - 2;
}

bool matmul(Graph& g, NodeId n) {
  constexpr std::string_view flags[] = {"trans_a", "trans_b"};
  for (std::size_t i = 0; i < 2; ++i) {
    NodeId t = g.producer(g.input(n, i), "transpose");
    if (t == kNone || !swaps_last_two(perm_of(g, t))) continue;
    g.set_attr(n, flags[i], AttrValue(std::int64_t{g.attr_int(n, flags[i]) == 0}));
    g.set_input(n, i, g.input(t, 0));
    return true;
  }
  return false;
}

}  // namespace

int simplify(Module& m, const OpLookup& ops) {
  return apply_rules(m, ops,
                     {
                         {"identity", identity},
                         {"dropout", dropout},
                         {"cast", cast},
                         {"cast_like", cast_like},
                         {"transpose", transpose},
                         {"reshape", reshape},
                         {"squeeze", reshape},
                         {"unsqueeze", reshape},
                         {"flatten", reshape},
                         {"pad", pad},
                         {"slice", slice},
                         {"concat", concat},
                         {"expand", [](Graph& g, NodeId n) { return forward_input(g, n); }},
                         {"tile", [](Graph& g, NodeId n) { return forward_input(g, n); }},
                         {"add", neutral(0, true)},
                         {"sub", neutral(0, false)},
                         {"mul", neutral(1, true)},
                         {"div", neutral(1, false)},
                         {"pow", neutral(1, false)},
                         {"matmul", matmul},
                     });
}

}  // namespace mote::passes
