// einsum: sums of products over named axes.
#include <algorithm>
#include <map>

#include "ops/decompose.h"
#include "ops/element.h"
#include "ops/extents.h"
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/math/einsum.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/scalar.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"inputs", "one per term of the equation; one dtype", Arity::kVariadic}};
constexpr Slot kOutputs[] = {{"output", "axes as the equation says"}};
constexpr AttrSpec kAttrs[] = {{"equation", AttrKind::kString, "",
                                "terms as \"ij,jk->ik\": equal letters are one axis, those missing on the right are "
                                "summed over, \"...\" is any number of axes",
                                true}};

using Labels = std::vector<int>;

bool contains(const Labels& labels, int label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

Status infer(InferContext& ctx) {
  Result<Equation> parsed = parse_equation(ctx.attr_string("equation"));
  if (!parsed.ok()) return ctx.error(std::string(parsed.status().message()));
  const Equation& e = *parsed;
  if (static_cast<int>(e.inputs.size()) != ctx.inputs()) {
    return ctx.error("the equation has " + std::to_string(e.inputs.size()) + " terms for " +
                     std::to_string(ctx.inputs()) + " inputs");
  }
  std::map<int, Dim> extents;
  int dots = 0;
  bool known = true;
  for (int i = 0; i < ctx.inputs(); ++i) {
    MOTE_TRY(check_dtype(ctx, i, kNumbers));
    MOTE_TRY(check_same_dtype(ctx, 0, i));
    const Equation::Term& term = e.inputs[static_cast<std::size_t>(i)];
    if (!ctx.has_rank(i)) {
      known = known && !term.ellipsis;
      continue;
    }
    if (!term.fits(ctx.rank(i))) {
      return ctx.error("inputs[" + std::to_string(i) + "] of shape " + to_string(ctx.shape(i)) +
                       " does not fit its term");
    }
    Labels labels = term.labels(ctx.rank(i));
    if (term.ellipsis) {
      dots = std::max(dots, ctx.rank(i) - static_cast<int>(term.before.size() + term.after.size()));
    }
    for (std::size_t k = 0; k < labels.size(); ++k) {
      auto [it, added] = extents.emplace(labels[k], ctx.shape(i)[k]);
      if (added) continue;
      Result<Shape> both = broadcast({it->second}, {ctx.shape(i)[k]});
      if (!both.ok())
        return ctx.error("axis extents " + it->second.to_string() + " and " + ctx.shape(i)[k].to_string() + " differ");
      it->second = (*both)[0];
    }
  }
  if (!known && e.output.ellipsis) {
    output_maybe(ctx, 0, ctx.dtype(0), std::nullopt);
    return {};
  }
  int rank = static_cast<int>(e.output.before.size() + e.output.after.size()) + (e.output.ellipsis ? dots : 0);
  Shape out;
  for (int label : e.output.labels(rank)) out.push_back(extents.contains(label) ? extents[label] : ctx.fresh());
  ctx.output(0, ctx.dtype(0), std::move(out));
  return {};
}

// All labels of a run with their extents, output labels first, and each operand's stride along each of them.
struct Loops {
  std::vector<std::int64_t> extents;
  std::size_t outer = 0;  // how many belong to the output
  std::vector<std::vector<std::int64_t>> strides;
};

Loops loops_of(const ReferenceContext& ctx, const Equation& e, int out_rank) {
  Loops l;
  Labels order = e.output.labels(out_rank);
  l.outer = order.size();
  l.extents.assign(order.size(), 1);
  for (int i = 0; i < ctx.inputs(); ++i) {
    const TensorView& x = ctx.in(i);
    Labels labels = e.inputs[static_cast<std::size_t>(i)].labels(x.rank);
    l.strides.emplace_back(order.size(), 0);
    for (std::size_t k = 0; k < labels.size(); ++k) {
      std::size_t at = static_cast<std::size_t>(std::find(order.begin(), order.end(), labels[k]) - order.begin());
      if (at == order.size()) {
        order.push_back(labels[k]);
        l.extents.push_back(1);
      }
      l.strides.back().resize(order.size(), 0);
      if (x.dims[k] == 1) continue;
      l.extents[at] = x.dims[k];
      l.strides.back()[at] += x.strides[k];
    }
  }
  for (auto& s : l.strides) s.resize(order.size(), 0);
  return l;
}

// The next index of axes [begin, end), moving the offsets along; false after the last one.
bool advance(const Loops& l, std::size_t begin, std::size_t end, std::vector<std::int64_t>& at,
             std::vector<std::int64_t>& offsets) {
  for (std::size_t k = end; k-- > begin;) {
    bool wraps = ++at[k] == l.extents[k];
    if (wraps) at[k] = 0;
    for (std::size_t i = 0; i < offsets.size(); ++i) offsets[i] += l.strides[i][k] * (wraps ? 1 - l.extents[k] : 1);
    if (!wraps) return true;
  }
  return false;
}

Status run(ReferenceContext& ctx) {
  MOTE_ASSIGN(Equation e, parse_equation(ctx.attr_string("equation")));
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  Loops l = loops_of(ctx, e, y.rank);
  std::vector<std::int64_t> at(l.extents.size(), 0), offsets(l.strides.size(), 0);
  bool empty = std::find(l.extents.begin(), l.extents.end(), 0) != l.extents.end();
  if (empty) zero(ctx, y);
  if (empty) return {};
  with_element(y.dtype, [&](auto element) {
    using E = decltype(element);
    using V = typename E::Value;
    std::int64_t out = 0;
    do {
      V sum = 0;
      do {
        V product = 1;
        for (int i = 0; i < ctx.inputs(); ++i) {
          product = eval_binary(BinaryOp::mul, product, E::load(ctx.in(i), offsets[static_cast<std::size_t>(i)]));
        }
        sum = eval_binary(BinaryOp::add, sum, product);
      } while (ctx.spend(ctx.inputs()) && advance(l, l.outer, l.extents.size(), at, offsets));
      E::store(y, out++, sum);
    } while (ctx.spend(1) && advance(l, 0, l.outer, at, offsets));
  });
  return {};
}

// A value whose axes have labels, each once.
struct Named {
  ValueId value;
  Labels labels;
};

std::int64_t position(const Labels& labels, int label) {
  return std::find(labels.begin(), labels.end(), label) - labels.begin();
}

Named transposed(Builder& b, const Named& x, const Labels& order) {
  if (x.labels == order) return x;
  std::vector<std::int64_t> perm;
  for (int label : order) perm.push_back(position(x.labels, label));
  return {b.add("transpose", {x.value}, {{"perm", perm}}), order};
}

// x without the axes that `keep` does not have.
Named summed(Builder& b, const Named& x, const Labels& keep) {
  std::vector<std::int64_t> axes;
  Labels left;
  for (std::size_t i = 0; i < x.labels.size(); ++i) {
    if (contains(keep, x.labels[i])) {
      left.push_back(x.labels[i]);
    } else {
      axes.push_back(static_cast<std::int64_t>(i));
    }
  }
  if (axes.empty()) return x;
  return {b.add("reduce_sum", {x.value, b.ints(axes)}, {{"keepdims", std::int64_t{0}}}), left};
}

// Vector of the extents of x's axes with these labels.
ValueId extents_named(Builder& b, const Named& x, const Labels& labels) {
  std::vector<Extent> extents;
  for (int label : labels) extents.push_back(Extent::of(static_cast<int>(position(x.labels, label))));
  return extents_of(b, x.value, extents);
}

// x with axes [batch..., rows, columns]: each group transposed together and merged into one axis.
ValueId as_matrices(Builder& b, const Named& x, const Labels& batch, const Labels& rows, const Labels& columns) {
  Labels order = batch;
  order.insert(order.end(), rows.begin(), rows.end());
  order.insert(order.end(), columns.begin(), columns.end());
  Named t = transposed(b, x, order);
  if (rows.size() == 1 && columns.size() == 1) return t.value;
  auto merged = [&](const Labels& group) {
    ValueId all = b.add("reduce_prod", {extents_named(b, t, group)}, {{"keepdims", std::int64_t{1}}});
    return group.empty() ? b.ints({1}) : all;
  };
  ValueId shape =
      b.add("concat", {extents_named(b, t, batch), merged(rows), merged(columns)}, {{"axis", std::int64_t{0}}});
  return b.add("reshape", {t.value, shape}, {{"allowzero", std::int64_t{1}}});
}

// The product of two values; only axes that `keep` has stay.
Named multiplied(Builder& b, Named x, Named y, const Labels& keep) {
  Labels x_keep = y.labels, y_keep = x.labels;
  x_keep.insert(x_keep.end(), keep.begin(), keep.end());
  y_keep.insert(y_keep.end(), keep.begin(), keep.end());
  x = summed(b, x, x_keep);
  y = summed(b, y, y_keep);
  Labels batch, rows, columns, inner;
  for (int label : x.labels)
    (!contains(y.labels, label) ? rows : contains(keep, label) ? batch : inner).push_back(label);
  for (int label : y.labels) {
    if (!contains(x.labels, label)) columns.push_back(label);
  }
  ValueId product = b.add("matmul", {as_matrices(b, x, batch, rows, inner), as_matrices(b, y, batch, inner, columns)});
  Labels labels = batch;
  labels.insert(labels.end(), rows.begin(), rows.end());
  labels.insert(labels.end(), columns.begin(), columns.end());
  if (rows.size() == 1 && columns.size() == 1) return {product, labels};
  ValueId batches = extents_named(b, x, batch);
  if (b.has_rank(product)) {
    std::vector<Extent> front;
    for (std::size_t i = 0; i < batch.size(); ++i) front.push_back(Extent::of(static_cast<int>(i)));
    batches = extents_of(b, product, front);
  }
  ValueId shape =
      b.add("concat", {batches, extents_named(b, x, rows), extents_named(b, y, columns)}, {{"axis", std::int64_t{0}}});
  return {b.add("reshape", {product, shape}, {{"allowzero", std::int64_t{1}}}), labels};
}

// By pairs from the left, each a matrix product.
Result<std::vector<ValueId>> decompose(Builder& b, const Node& node) {
  MOTE_ASSIGN(Equation e, parse_equation(attr_string(*node.op, node.attrs, "equation")));
  std::vector<Named> values;
  int dots = 0;
  std::map<int, Dim> extents;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    ValueId v = node.inputs[i];
    if (!b.has_rank(v)) return unsupported("einsum of a tensor of unknown rank has no decomposition");
    Labels labels = e.inputs[i].labels(b.rank(v)), unique = labels;
    std::sort(unique.begin(), unique.end());
    if (std::adjacent_find(unique.begin(), unique.end()) != unique.end()) {
      return unsupported("einsum along a diagonal has no decomposition");
    }
    for (std::size_t k = 0; k < labels.size(); ++k) {
      auto [it, added] = extents.emplace(labels[k], b.shape(v)[k]);
      if (!added && !(it->second == b.shape(v)[k])) return unsupported("einsum that broadcasts has no decomposition");
    }
    values.push_back({v, std::move(labels)});
  }
  for (const auto& [label, extent] : extents) dots = std::max(dots, -label);
  Labels out = e.output.labels(static_cast<int>(e.output.before.size() + e.output.after.size()) +
                               (e.output.ellipsis ? dots : 0));
  Named sum = values[0];
  for (std::size_t i = 1; i < values.size(); ++i) {
    Labels keep = out;
    for (std::size_t k = i + 1; k < values.size(); ++k) {
      keep.insert(keep.end(), values[k].labels.begin(), values[k].labels.end());
    }
    sum = multiplied(b, sum, values[i], keep);
  }
  Named result = transposed(b, summed(b, sum, out), out);
  return std::vector{result.value == node.inputs[0] ? b.add("identity", {result.value}) : result.value};
}

}  // namespace

MOTE_DEFINE_OP(einsum) = {.name = "einsum",
                          .doc = "The sum of products that Einstein's notation describes.",
                          .inputs = kInputs,
                          .outputs = kOutputs,
                          .attrs = kAttrs,
                          .infer = infer};
MOTE_DEFINE_REFERENCE(einsum) = run;
MOTE_DEFINE_DECOMPOSITION(einsum) = decompose;

}  // namespace mote
