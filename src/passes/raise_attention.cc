// raise_attention: softmax(q k^T * scale + mask) v becomes attention. The scale may stand on q, on k, on both or on the
// scores, as factors or divisors; masks are added, or put in by where(keep, scores, very small), which is added as
// where(keep, 0, very small); k may come transposed by any permutation. Operands are [batch, heads, length, head], or
// [batch and heads, length, head], which become the heads of one batch. Scores are scaled, and sums taken, in another
// order.
#include "passes/facts.h"
#include "passes/list.h"
#include "passes/rules.h"

namespace mote::passes {
namespace {

constexpr double kVerySmall = -1e9;  // and below: what `where` puts in for "do not attend"

struct Mask {
  ValueId added = kNone;                // or
  ValueId keep = kNone, other = kNone;  // where(keep, scores, other)
};

struct Attention {
  ValueId q = kNone, k = kNone, v = kNone;
  std::vector<std::int64_t> k_perm;  // to bring k to [.., length, head]; empty: as it is
  double scale = 1;
  std::vector<Mask> masks;  // outermost first
};

// One factor of v: v = rest * factor. Nothing when v is no product with a number.
std::optional<std::pair<ValueId, double>> factor_of(const Graph& g, ValueId v) {
  NodeId n = g.producer(v);
  bool divides = g.is(n, "div");
  if (!divides && !g.is(n, "mul")) return std::nullopt;
  for (std::size_t side : {1u, 0u}) {
    std::optional<double> c = g.scalar(g.input(n, side));
    ValueId rest = g.input(n, 1 - side);
    if (!c || !same_type(g.type(v), g.type(rest)) || (divides && side == 0)) continue;
    return std::pair(rest, divides ? 1 / *c : *c);
  }
  return std::nullopt;
}

void strip_factors(const Graph& g, ValueId& v, double& scale) {
  while (auto f = factor_of(g, v)) {
    v = f->first;
    scale *= f->second;
  }
}

// The operands of the scores' matmul, without their factors and k's transposes.
bool operands(const Graph& g, NodeId n, Attention& a) {
  if (g.attr_int(n, "trans_a") != 0 || g.node(n).attrs.has("epilogue") || g.input(n, 2) != kNone) return false;
  a.q = g.input(n, 0);
  a.k = g.input(n, 1);
  if (!g.has_rank(a.q) || !g.has_rank(a.k)) return false;
  int rank = g.type(a.q).rank();
  if (rank != g.type(a.k).rank() || (rank != 3 && rank != 4)) return false;
  strip_factors(g, a.q, a.scale);
  // As a permutation of what k comes from; k^T is [.., head, length].
  std::vector<std::int64_t> perm;
  for (int i = 0; i < rank; ++i) perm.push_back(i);
  if (g.attr_int(n, "trans_b") == 0) std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  for (;;) {
    strip_factors(g, a.k, a.scale);
    NodeId t = g.producer(a.k, "transpose");
    if (t == kNone) break;
    std::vector<std::int64_t> inner = perm_of(g, t);
    if (static_cast<int>(inner.size()) != rank) return false;
    for (std::int64_t& p : perm) p = inner[static_cast<std::size_t>(p)];
    a.k = g.input(t, 0);
  }
  bool stays = true;
  for (std::size_t i = 0; i < perm.size(); ++i) stays = stays && perm[i] == static_cast<std::int64_t>(i);
  if (!stays) a.k_perm = perm;
  return true;
}

// Walks from the softmax's operand down to the matmul. Factors above a mask would scale it.
bool scores(const Graph& g, ValueId v, Attention& a, int depth) {
  if (depth > 8 || !g.single(v)) return false;
  NodeId n = g.producer(v);
  if (n == kNone || g.output(n) != v) return false;
  if (g.is(n, "matmul")) return operands(g, n, a);
  if (auto f = factor_of(g, v)) {
    if (!scores(g, f->first, a, depth + 1) || !a.masks.empty()) return false;
    a.scale *= f->second;
    return true;
  }
  if (g.is(n, "add")) {
    for (std::size_t side : {0u, 1u}) {
      ValueId rest = g.input(n, side);
      Attention found;
      if (!same_type(g.type(v), g.type(rest)) || !scores(g, rest, found, depth + 1)) continue;
      found.v = a.v;
      a = std::move(found);
      a.masks.push_back({g.input(n, 1 - side)});
      return true;
    }
    return false;
  }
  if (g.is(n, "where")) {
    std::optional<double> other = g.scalar(g.input(n, 2));
    ValueId rest = g.input(n, 1);
    if (!other || *other > kVerySmall || !same_type(g.type(v), g.type(rest)) || !scores(g, rest, a, depth + 1)) {
      return false;
    }
    a.masks.push_back({kNone, g.input(n, 0), g.input(n, 2)});
    return true;
  }
  return false;
}

// One mask out of all, to be added.
ValueId join_masks(Builder& b, const Attention& a, DType dtype) {
  ValueId mask = kNone;
  for (const Mask& m : a.masks) {
    if (m.added != kNone) {
      mask = mask == kNone ? m.added : b.add("add", {mask, m.added});
    } else {
      mask = b.add("where", {m.keep, mask == kNone ? b.scalar(0, dtype) : mask, m.other});
    }
  }
  return mask;
}

// A mask broadcasts to the scores, but over its last axis, which attention takes for a number of keys.
bool fits(const Type& mask, const Type& scores) {
  return mask.has_rank() && mask.rank() >= 1 && mask.rank() <= scores.rank() && mask.dtype == scores.dtype &&
         mask.shape->back() == scores.shape->back();
}

// softmax's own output, through a guard against rows without keys: where(is_nan(p), 0, p).
ValueId behind_guard(const Graph& g, ValueId v) {
  NodeId n = g.producer(v, "where");
  if (n == kNone || g.scalar(g.input(n, 1)) != 0.0) return v;
  ValueId p = g.input(n, 2);
  NodeId nan = g.producer(g.input(n, 0), "is_nan");
  if (nan == kNone || g.input(nan, 0) != p || g.readers(p).size() != 2 || !g.single(v)) return v;
  return p;
}

bool rewrite(Graph& g, NodeId n) {
  if (g.attr_int(n, "trans_a") != 0 || g.attr_int(n, "trans_b") != 0) return false;
  if (g.input(n, 2) != kNone || g.node(n).attrs.has("epilogue")) return false;
  Attention a;
  a.v = g.input(n, 1);
  ValueId p = behind_guard(g, g.input(n, 0));
  NodeId softmax = g.producer(p, "softmax");
  if (softmax == kNone || !g.has_rank(p) || !g.has_rank(a.v) || g.type(a.v).rank() != g.type(p).rank()) return false;
  if (p == g.input(n, 0) ? !g.single(p) : g.is_output(p)) return false;
  std::int64_t axis = g.attr_int(softmax, "axis"), rank = g.type(p).rank();
  if (axis != -1 && axis != rank - 1) return false;
  if (!scores(g, g.input(softmax, 0), a, 0)) return false;
  // Heads and batches agree, none is broadcast.
  auto extent = [&](ValueId v, std::size_t i, const std::vector<std::int64_t>& perm) {
    return (*g.type(v).shape)[perm.empty() ? i : static_cast<std::size_t>(perm[i])];
  };
  for (std::size_t i = 0; i + 2 < static_cast<std::size_t>(rank); ++i) {
    Dim d = extent(a.q, i, {});
    if (!(d == extent(a.k, i, a.k_perm)) || !(d == extent(a.v, i, {}))) return false;
  }
  const Type score_type = g.type(g.input(softmax, 0)), out_type = g.type(g.output(n));
  DType dtype = score_type.dtype;
  if (g.type(a.q).dtype != dtype || g.type(a.v).dtype != dtype || out_type.rank() != rank) return false;
  Builder b = g.builder(n);
  ValueId k = a.k_perm.empty() ? a.k : b.add("transpose", {a.k}, {{"perm", a.k_perm}}), q = a.q, v = a.v;
  ValueId mask = join_masks(b, a, dtype);
  if (!b.status().ok() || (mask != kNone && !fits(b.type(mask), score_type))) return false;
  if (rank == 3) {
    for (ValueId* x : {&q, &k, &v}) *x = b.add("unsqueeze", {*x, b.ints({0})});
  }
  std::vector<ValueId> inputs = {q, k, v};
  if (mask != kNone) inputs.push_back(mask);
  ValueId y = b.add("attention", inputs, {{"scale", a.scale}});
  if (rank == 3) y = b.add("squeeze", {y, b.ints({0})});
  return g.replace(n, b, {y});
}

}  // namespace

int raise_attention(Module& m, const OpLookup& ops) { return apply_rules(m, ops, {{"matmul", rewrite}}); }

}  // namespace mote::passes
