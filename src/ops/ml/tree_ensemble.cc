// tree_ensemble: the sum (or other aggregate) of decision trees' leaves.
#include <algorithm>
#include <cmath>

#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "float [n, features]"}};
constexpr Slot kOutputs[] = {{"y", "[n, n_targets], dtype of x"}};
constexpr AttrSpec kAttrs[] = {
    {"aggregate_function", AttrKind::kInt, "1", "of a target's leaves: 0 mean over the trees, 1 sum, 2 min, 3 max"},
    {"leaf_targetids", AttrKind::kInts, "", "the target of each leaf", true},
    {"leaf_weights", AttrKind::kFloats, "", "the weight of each leaf", true},
    {"membership_values", AttrKind::kFloats, "", "sets of the nodes of mode 6, in their order, each ended by NaN"},
    {"n_targets", AttrKind::kInt, "1", "how many targets"},
    {"nodes_falseleafs", AttrKind::kInts, "", "per node: 1 if the false branch is a leaf", true},
    {"nodes_falsenodeids", AttrKind::kInts, "", "per node: the false branch, a node or a leaf", true},
    {"nodes_featureids", AttrKind::kInts, "", "per node: the feature to compare", true},
    {"nodes_hitrates", AttrKind::kFloats, "", "per node: how often it is reached; not used"},
    {"nodes_missing_value_tracks_true", AttrKind::kInts, "", "per node: 1 if NaN takes the true branch; default 0"},
    {"nodes_modes", AttrKind::kInts, "",
     "per node: true if x is 0 <=, 1 <, 2 >=, 3 >, 4 ==, 5 != the split, 6 in the node's set", true},
    {"nodes_splits", AttrKind::kFloats, "", "per node: what to compare with", true},
    {"nodes_trueleafs", AttrKind::kInts, "", "per node: 1 if the true branch is a leaf", true},
    {"nodes_truenodeids", AttrKind::kInts, "", "per node: the true branch, a node or a leaf", true},
    {"post_transform", AttrKind::kInt, "0",
     "over a row's targets: 0 none, 1 softmax, 2 logistic, 3 softmax that keeps zeros, 4 probit"},
    {"tree_roots", AttrKind::kInts, "", "the root node of each tree", true},
};

using Ints = std::vector<std::int64_t>;

struct Forest {
  Ints features, modes, true_ids, false_ids, true_leafs, false_leafs, missing, targets, roots;
  std::vector<double> splits, weights;
  std::vector<std::vector<double>> members;  // per node of mode 6, in order
  Ints member_of;                            // per node
};

// Fails where lists differ in length or ids are out of range.
Result<Forest> forest_of(const Op& op, const Attrs& attrs) {
  auto ints = [&](std::string_view name) { return attr_ints(op, attrs, name); };
  Forest f{ints("nodes_featureids"),
           ints("nodes_modes"),
           ints("nodes_truenodeids"),
           ints("nodes_falsenodeids"),
           ints("nodes_trueleafs"),
           ints("nodes_falseleafs"),
           ints("nodes_missing_value_tracks_true"),
           ints("leaf_targetids"),
           ints("tree_roots"),
           attr_floats(op, attrs, "nodes_splits"),
           attr_floats(op, attrs, "leaf_weights"),
           {},
           {}};
  std::size_t nodes = f.modes.size();
  if (f.missing.empty()) f.missing.assign(nodes, 0);
  for (const Ints* list : {&f.features, &f.true_ids, &f.false_ids, &f.true_leafs, &f.false_leafs, &f.missing}) {
    if (list->size() != nodes) return invalid("the nodes_* lists differ in length");
  }
  if (f.splits.size() != nodes) return invalid("the nodes_* lists differ in length");
  if (f.targets.size() != f.weights.size()) return invalid("leaf_targetids and leaf_weights differ in length");
  auto outside = [](std::int64_t id, std::size_t count) { return id < 0 || id >= static_cast<std::int64_t>(count); };
  std::vector<double> members = attr_floats(op, attrs, "membership_values");
  auto next = members.begin();
  f.member_of.assign(nodes, -1);
  for (std::size_t i = 0; i < nodes; ++i) {
    if (outside(f.true_ids[i], f.true_leafs[i] ? f.weights.size() : nodes) ||
        outside(f.false_ids[i], f.false_leafs[i] ? f.weights.size() : nodes)) {
      return invalid("node " + std::to_string(i) + " has a branch that does not exist");
    }
    if (outside(f.modes[i], 7)) return invalid("node " + std::to_string(i) + " has an unknown mode");
    if (f.modes[i] != 6) continue;
    auto end = std::find_if(next, members.end(), [](double v) { return std::isnan(v); });
    if (end == members.end()) return invalid("membership_values has too few sets");
    f.member_of[i] = static_cast<std::int64_t>(f.members.size());
    f.members.emplace_back(next, end);
    next = end + 1;
  }
  for (std::int64_t r : f.roots) {
    if (outside(r, nodes)) return invalid("tree root " + std::to_string(r) + " does not exist");
  }
  for (std::int64_t t : f.targets) {
    if (outside(t, static_cast<std::size_t>(std::max<std::int64_t>(0, attr_int(op, attrs, "n_targets"))))) {
      return invalid("leaf target " + std::to_string(t) + " does not exist");
    }
  }
  return f;
}

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  MOTE_TRY(check_rank(ctx, 0, 2, 2));
  std::int64_t targets = ctx.attr_int("n_targets");
  if (targets < 1) return ctx.error("n_targets is " + std::to_string(targets));
  if (ctx.attr_int("post_transform") < 0 || ctx.attr_int("post_transform") > 4)
    return ctx.error("unknown post_transform");
  if (ctx.attr_int("aggregate_function") < 0 || ctx.attr_int("aggregate_function") > 3) {
    return ctx.error("unknown aggregate_function");
  }
  if (Result<Forest> f = forest_of(ctx.op(), ctx.attrs()); !f.ok()) return ctx.error(std::string(f.status().message()));
  ctx.output(0, ctx.dtype(0), {ctx.has_rank(0) ? ctx.shape(0)[0] : ctx.fresh(), Dim(targets)});
  return {};
}

bool takes_true(const Forest& f, std::size_t node, double x) {
  double split = f.splits[node];
  if (std::isnan(x) && f.missing[node]) return true;
  switch (f.modes[node]) {
    case 0:
      return x <= split;
    case 1:
      return x < split;
    case 2:
      return x >= split;
    case 3:
      return x > split;
    case 4:
      return x == split;
    case 5:
      return x != split;
    default: {
      const std::vector<double>& set = f.members[static_cast<std::size_t>(f.member_of[node])];
      return std::find(set.begin(), set.end(), x) != set.end();
    }
  }
}

// Over the targets of one row.
void transform(std::span<double> row, std::int64_t kind) {
  if (kind == 2) {
    for (double& v : row) v = 1 / (1 + std::exp(-v));
  } else if (kind == 4) {
    // The inverse of the normal distribution, by Winitzki's approximation of the inverse error function.
    for (double& v : row) {
      double x = 2 * v - 1, log = std::log((1 - x) * (1 + x)), a = 0.147, b = 2 / (3.14159 * a) + 0.5 * log;
      v = std::sqrt(2.0) * std::copysign(std::sqrt(std::sqrt(b * b - log / a) - b), x);
    }
  } else if (kind == 1 || kind == 3) {
    double top = *std::max_element(row.begin(), row.end()), sum = 0;
    auto counts = [&](double v) { return kind == 1 || std::fabs(v) > 1e-7; };
    for (double v : row) sum += counts(v) ? std::exp(v - top) : 0;
    for (double& v : row) v = counts(v) ? std::exp(v - top) / sum : 0;
  }
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(Forest f, forest_of(ctx.op(), ctx.attrs()));
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  std::int64_t aggregate = ctx.attr_int("aggregate_function"), features = x.dims[1];
  MOTE_ASSIGN(std::span<double> row, wide_scratch(ctx, y.dims[1]));
  for (std::int64_t n : ctx.range(x.dims[0])) {
    std::fill(row.begin(), row.end(), aggregate == 2 ? INFINITY : aggregate == 3 ? -INFINITY : 0);
    for (std::size_t tree : ctx.range(f.roots.size())) {
      std::size_t node = static_cast<std::size_t>(f.roots[tree]), steps = 0;
      bool leaf = false;
      while (!leaf && ctx.spend(1)) {
        std::int64_t feature = f.features[node];
        if (feature < 0 || feature >= features)
          return out_of_range("nodes_featureids", static_cast<std::int64_t>(node), feature, 0, features - 1);
        if (++steps > f.modes.size()) return invalid("tree_ensemble: a tree has a cycle");
        bool yes = takes_true(f, node, load_f64(x, n * features + feature));
        leaf = (yes ? f.true_leafs : f.false_leafs)[node] != 0;
        node = static_cast<std::size_t>((yes ? f.true_ids : f.false_ids)[node]);
      }
      if (!leaf) break;
      double& sum = row[static_cast<std::size_t>(f.targets[node])];
      double w = f.weights[node];
      sum = aggregate == 2   ? std::fmin(sum, w)
            : aggregate == 3 ? std::fmax(sum, w)
                             : sum + w / (aggregate == 0 ? static_cast<double>(f.roots.size()) : 1.0);
    }
    transform(row, ctx.attr_int("post_transform"));
    for (std::size_t t : ctx.range(row.size())) store_f64(y, n * y.dims[1] + static_cast<std::int64_t>(t), row[t]);
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(tree_ensemble) = {.name = "tree_ensemble",
                                 .doc =
                                     "The leaves that x reaches in a set of decision trees, aggregated per "
                                     "target.",
                                 .inputs = kInputs,
                                 .outputs = kOutputs,
                                 .attrs = kAttrs,
                                 .infer = infer};
MOTE_DEFINE_REFERENCE(tree_ensemble) = run;

}  // namespace mote
