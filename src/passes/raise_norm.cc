// raise_norm: what exporters write for normalisations becomes layer_normalization, rms_normalization,
// group_normalization or instance_normalization; constant factors and shifts behind a normalisation become its scale
// and bias. Means are taken in another order than by reduce_mean.
#include <algorithm>

#include "passes/facts.h"
#include "passes/list.h"
#include "passes/rules.h"
#include "passes/weights.h"

namespace mote::passes {
namespace {

#define MOTE_SQUARE(d) "{pow(" d ", 2) | mul(" d ", " d ")}"
#define MOTE_CENTRED "d=sub(x, m=reduce_mean(x, ?))"
#define MOTE_SPREAD "add(v=reduce_mean(" MOTE_SQUARE("d") ", ?), #e)"
#define MOTE_MEAN_SQUARE "add(v=reduce_mean(" MOTE_SQUARE("x") ", ?), #e)"

// The extents of the last axes that `v` averages over, when they are static, and the first of them.
struct Normalised {
  std::int64_t axis;
  std::vector<std::int64_t> extents;
};
std::optional<Normalised> normalised(const Graph& g, ValueId mean) {
  NodeId n = g.producer(mean, "reduce_mean");
  if (n == kNone || g.attr_int(n, "keepdims") != 1) return std::nullopt;
  std::optional<std::vector<std::int64_t>> axes = reduce_axes(g, n);
  if (!axes || axes->empty()) return std::nullopt;
  const Shape& shape = *g.type(g.input(n, 0)).shape;
  std::int64_t rank = static_cast<std::int64_t>(shape.size());
  Normalised out{(*axes)[0] - rank, {}};
  for (std::size_t i = 0; i < axes->size(); ++i) {
    std::int64_t a = (*axes)[0] + static_cast<std::int64_t>(i);
    if ((*axes)[i] != a || !shape[static_cast<std::size_t>(a)].is_const()) return std::nullopt;
    out.extents.push_back(shape[static_cast<std::size_t>(a)].value());
  }
  if (axes->back() != rank - 1) return std::nullopt;
  return out;
}

bool to_norm(Graph& g, NodeId n, const Match& m, const char* op) {
  std::optional<Normalised> over = normalised(g, m["v"]);
  std::optional<double> epsilon = g.scalar(m["e"]);
  DType dtype = g.type(m["x"]).dtype;
  if (!over || !epsilon || !g.has_rank(m["x"]) || bits_of(dtype) < 16) return false;
  if (m.has("m")) {
    std::optional<Normalised> mean = normalised(g, m["m"]);
    if (!mean || mean->axis != over->axis) return false;
  }
  if (!same_type(g.type(m["x"]), g.type(g.output(n)))) return false;
  Builder b = g.builder(n);
  ValueId ones = filled_constant(b, g.node(n).name + "/scale", dtype, over->extents, 1.0);
  return g.replace(n, b, {b.add(op, {m["x"], ones}, {{"axis", over->axis}, {"epsilon", *epsilon}})});
}

bool to_layer_norm(Graph& g, NodeId n, const Match& m) { return to_norm(g, n, m, "layer_normalization"); }
bool to_rms_norm(Graph& g, NodeId n, const Match& m) { return to_norm(g, n, m, "rms_normalization"); }

// reshape to [batch, groups, rest] -> instance_normalization -> reshape back.
bool to_group_norm(Graph& g, NodeId n, const Match& m) {
  ValueId x = m["x"], y = g.output(n);
  NodeId norm = g.producer(m["n"], "instance_normalization");
  const Type& inner = g.type(m["r"]);
  if (!same_type(g.type(x), g.type(y)) || g.type(x).rank() < 3 || !inner.has_rank() || inner.rank() != 3) return false;
  const Shape shape = *g.type(x).shape;
  if (!((*inner.shape)[0] == shape[0]) || !(*inner.shape)[1].is_const() || !shape[1].is_const()) return false;
  std::int64_t groups = (*inner.shape)[1].value(), channels = shape[1].value();
  if (groups < 1 || channels % groups != 0) return false;
  double epsilon = g.attr_float(norm, "epsilon");
  std::vector<double> scale, bias;
  for (auto [name, to] : {std::pair("w", &scale), std::pair("b", &bias)}) {
    std::optional<std::vector<double>> given = vector_of(g, m[name]);
    if (!given || static_cast<std::int64_t>(given->size()) != groups) return false;
    for (std::int64_t c = 0; c < channels; ++c) {
      to->push_back((*given)[static_cast<std::size_t>(c / (channels / groups))]);
    }
  }
  Builder b = g.builder(n);
  DType dtype = g.type(x).dtype;
  std::vector<ValueId> inputs = {x, vector_constant(b, g.value(m["w"]).name, dtype, scale),
                                 vector_constant(b, g.value(m["b"]).name, dtype, bias)};
  ValueId made = groups == channels
                     ? b.add("instance_normalization", inputs, {{"epsilon", epsilon}})
                     : b.add("group_normalization", inputs, {{"epsilon", epsilon}, {"num_groups", groups}});
  return g.replace(n, b, {made});
}

// The values of `c` as scale or bias of the norm that makes `y`; nothing when it broadcasts otherwise.
std::optional<std::vector<double>> parameter(const Graph& g, NodeId norm, ValueId c) {
  std::optional<std::vector<double>> values = vector_of(g, c);
  const Type& y = g.type(g.output(norm));
  if (!values || !y.has_rank() || g.type(c).rank() > y.rank()) return std::nullopt;
  const Type& scale = g.type(g.input(norm, 1));
  if (!scale.is_static()) return std::nullopt;
  std::vector<std::int64_t> wanted = *constant_extents(*scale.shape), given = *constant_extents(*g.type(c).shape);
  std::int64_t count = 1;
  for (std::int64_t d : wanted) count *= d;
  if (values->size() == 1) return std::vector<double>(static_cast<std::size_t>(count), (*values)[0]);
  if (g.is(norm, "group_normalization") || g.is(norm, "instance_normalization")) {
    if (!along_axis(g, c, y.rank(), 1, count)) return std::nullopt;
    return values;
  }
  while (given.size() > wanted.size() && given[0] == 1) given.erase(given.begin());
  if (given != wanted) return std::nullopt;
  return values;
}

bool into_norm(Graph& g, NodeId n, const Match& m, bool multiplies) {
  NodeId norm = g.producer(m["n"]);
  if (!same_type(g.type(g.output(n)), g.type(m["n"]))) return false;
  bool has_bias = g.input(norm, 2) != kNone;
  if (!multiplies && g.is(norm, "rms_normalization")) return false;
  if (g.node(norm).outputs.size() > 1) return false;
  std::optional<std::vector<double>> more = parameter(g, norm, m["c"]), scale = vector_of(g, g.input(norm, 1)), bias;
  if (has_bias) bias = vector_of(g, g.input(norm, 2));
  if (!more || !scale || (has_bias && !bias)) return false;
  if (scale->size() != more->size() || (has_bias && bias->size() != more->size())) return false;
  Builder b = g.builder(n);
  Node made = g.node(norm);
  const Type type = g.type(made.inputs[1]);
  std::vector<std::int64_t> extents = *constant_extents(*type.shape);
  auto put = [&](std::size_t slot, const std::vector<double>& values) {
    made.inputs.resize(std::max(made.inputs.size(), slot + 1), kNone);
    ValueId v = vector_constant(b, g.value(m["c"]).name, type.dtype, values);
    if (v != kNone && extents.size() != 1) {
      v = reshaped_constant(
          b,
          Constant(b.module().constants[static_cast<std::size_t>(b.fn().values[static_cast<std::size_t>(v)].constant)]),
          extents);
    }
    made.inputs[slot] = v;
  };
  if (multiplies) {
    for (std::size_t i = 0; i < more->size(); ++i) (*scale)[i] *= (*more)[i];
    put(1, *scale);
    for (std::size_t i = 0; has_bias && i < more->size(); ++i) (*bias)[i] *= (*more)[i];
    if (has_bias) put(2, *bias);
  } else {
    for (std::size_t i = 0; has_bias && i < more->size(); ++i) (*more)[i] += (*bias)[i];
    put(2, *more);
  }
  ValueId y = b.add(made.op->name, made.inputs, {made.attrs.items().begin(), made.attrs.items().end()});
  return g.replace(n, b, {y});
}

#define MOTE_NORMS                                                                                \
  "n={layer_normalization(?, ?, ...) | rms_normalization(?, ?) | group_normalization(?, ?, ?) | " \
  "instance_normalization(?, ?, ?)}"

}  // namespace

int raise_norm(Module& m, const OpLookup& ops) {
  auto scaled = [](Graph& g, NodeId n, const Match& match) { return into_norm(g, n, match, true); };
  auto shifted = [](Graph& g, NodeId n, const Match& match) { return into_norm(g, n, match, false); };
  return apply_rules(m, ops,
                     {
                         pattern_rule({"div(" MOTE_CENTRED ", sqrt(" MOTE_SPREAD "))"}, to_layer_norm),
                         pattern_rule({"mul(" MOTE_CENTRED ", {reciprocal(sqrt(" MOTE_SPREAD
                                       ")) | div(1, sqrt(" MOTE_SPREAD ")) | pow(" MOTE_SPREAD ", -0.5)})"},
                                      to_layer_norm),
                         pattern_rule({"div(x, sqrt(" MOTE_MEAN_SQUARE "))"}, to_rms_norm),
                         pattern_rule({"mul(x, {reciprocal(sqrt(" MOTE_MEAN_SQUARE ")) | div(1, sqrt(" MOTE_MEAN_SQUARE
                                       ")) | pow(" MOTE_MEAN_SQUARE ", -0.5)})"},
                                      to_rms_norm),
                         pattern_rule({"reshape(n=instance_normalization(r=reshape(x, ?), w, b), ?)"}, to_group_norm),
                         pattern_rule({"mul(" MOTE_NORMS ", #c)"}, scaled),
                         pattern_rule({"add(" MOTE_NORMS ", #c)"}, shifted),
                     });
}

}  // namespace mote::passes
