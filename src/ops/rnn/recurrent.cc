#include "ops/rnn/recurrent.h"

#include <algorithm>

#include "ops/infer_util.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

struct NamedActivation {
  std::string_view name;  // lower case
  double (*f)(double x, double a, double b);
  bool alpha, beta;  // whether it takes them
  double a, b;       // their defaults
};
constexpr NamedActivation kActivations[] = {
    {"relu", [](double x, double, double) { return std::fmax(x, 0); }, false, false, 0, 0},
    {"tanh", [](double x, double, double) { return std::tanh(x); }, false, false, 0, 0},
    {"sigmoid", [](double x, double, double) { return sigmoid(x); }, false, false, 0, 0},
    {"affine", [](double x, double a, double b) { return a * x + b; }, true, true, 1, 0},
    {"leakyrelu", [](double x, double a, double) { return x < 0 ? a * x : x; }, true, false, 0.01, 0},
    {"thresholdedrelu", [](double x, double a, double) { return x > a ? x : 0; }, true, false, 1, 0},
    {"scaledtanh", [](double x, double a, double b) { return a * std::tanh(b * x); }, true, true, 1, 1},
    {"hardsigmoid", [](double x, double a, double b) { return std::fmin(std::fmax(a * x + b, 0), 1); }, true, true, 0.2,
     0.5},
    {"elu", [](double x, double a, double) { return x < 0 ? a * std::expm1(x) : x; }, true, false, 1, 0},
    {"softsign", [](double x, double, double) { return x / (1 + std::fabs(x)); }, false, false, 0, 0},
    {"softplus", [](double x, double, double) { return std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x))); }, false,
     false, 0, 0},
};

const NamedActivation* find_activation(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  for (const NamedActivation& a : kActivations) {
    if (a.name == lower) return &a;
  }
  return nullptr;
}

// Takes the value of the activation at `position`: by position where there is one value for each, else the next.
double take(const std::vector<double>& values, std::size_t count, std::size_t position, std::size_t& next,
            double fallback) {
  std::size_t i = values.size() == count ? position : next++;
  return i < values.size() ? values[i] : fallback;
}

std::int64_t directions_of(const Op& op, const Attrs& attrs) {
  return attr_string(op, attrs, "direction") == "bidirectional" ? 2 : 1;
}

// Fails unless input i, where its rank is known, has these extents (where both are constant).
Status check_shape(const InferContext& ctx, int i, const Shape& expected) {
  if (!ctx.has_rank(i)) return {};
  const Shape& got = ctx.shape(i);
  bool same = got.size() == expected.size();
  for (std::size_t a = 0; same && a < got.size(); ++a) {
    same = !got[a].is_const() || !expected[a].is_const() || got[a] == expected[a];
  }
  if (same) return {};
  return ctx.error(std::string(ctx.op().inputs[static_cast<std::size_t>(i)].name) + " has shape " + to_string(got) +
                   ", expected " + to_string(expected));
}

}  // namespace

Result<std::vector<Activation>> activations_of(const Op& op, const Attrs& attrs,
                                               std::span<const std::string_view> defaults) {
  std::vector<std::string> names = attr_strings(op, attrs, "activations");
  std::size_t count = defaults.size() * static_cast<std::size_t>(directions_of(op, attrs));
  if (names.empty()) {
    for (std::size_t i = 0; i < count; ++i) names.emplace_back(defaults[i % defaults.size()]);
  }
  if (names.size() != count) {
    return invalid("activations: expected " + std::to_string(count) + " names, got " + std::to_string(names.size()));
  }
  std::vector<double> alphas = attr_floats(op, attrs, "activation_alpha"),
                      betas = attr_floats(op, attrs, "activation_beta");
  std::size_t next_alpha = 0, next_beta = 0;
  double limit = attrs.has("clip") ? attr_float(op, attrs, "clip") : INFINITY;
  std::vector<Activation> out;
  for (std::size_t i = 0; i < count; ++i) {
    const NamedActivation* named = find_activation(names[i]);
    if (!named) return invalid("activations: '" + names[i] + "' is not known");
    double a = named->alpha ? take(alphas, count, i, next_alpha, named->a) : 0;
    double b = named->beta ? take(betas, count, i, next_beta, named->b) : 0;
    // The third activation of an LSTM takes the cell, which is not a sum of inputs.
    double clip = i % defaults.size() < 2 ? limit : INFINITY;
    out.emplace_back([f = named->f, a, b, clip](double x) { return f(x > clip ? clip : x < -clip ? -clip : x, a, b); });
  }
  return out;
}

Status infer_recurrent(InferContext& ctx, int gates, bool cell, std::span<const std::string_view> defaults) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  for (int i = 1; i < ctx.inputs(); ++i) {
    if (i != 4) MOTE_TRY(check_same_dtype(ctx, 0, i));
  }
  MOTE_TRY(check_dtype(ctx, 4, kInts));
  for (int i : {0, 1, 2}) MOTE_TRY(check_rank(ctx, i, 3, 3));
  std::string direction = ctx.attr_string("direction");
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional") {
    return ctx.error("direction: '" + direction + "' is not forward, reverse or bidirectional");
  }
  if (auto a = activations_of(ctx.op(), ctx.attrs(), defaults); !a.ok()) {
    return ctx.error(std::string(a.status().message()));
  }
  bool batch_first = ctx.attr_int("layout") != 0;
  Shape x = ctx.has_rank(0) ? ctx.shape(0) : ctx.fresh_shape(3);
  const Dim &steps = x[batch_first ? 1 : 0], &batch = x[batch_first ? 0 : 1];
  Dim directions = directions_of(ctx.op(), ctx.attrs());
  Dim hidden = ctx.has_rank(2)               ? ctx.shape(2)[2]
               : ctx.has_attr("hidden_size") ? Dim(ctx.attr_int("hidden_size"))
                                             : ctx.fresh();
  Shape state = batch_first ? Shape{batch, directions, hidden} : Shape{directions, batch, hidden};
  MOTE_TRY(check_shape(ctx, 1, {directions, hidden * gates, x[2]}));
  MOTE_TRY(check_shape(ctx, 2, {directions, hidden * gates, hidden}));
  MOTE_TRY(check_shape(ctx, 3, {directions, hidden * gates * 2}));
  MOTE_TRY(check_shape(ctx, 4, {batch}));
  MOTE_TRY(check_shape(ctx, 5, state));
  if (cell) {
    MOTE_TRY(check_shape(ctx, 6, state));
    MOTE_TRY(check_shape(ctx, 7, {directions, hidden * 3}));
  }
  Shape y = batch_first ? Shape{batch, steps, directions, hidden} : Shape{steps, directions, batch, hidden};
  if (ctx.wants(0)) ctx.output(0, ctx.dtype(0), y);
  for (int o = 1; o < (cell ? 3 : 2); ++o) {
    if (ctx.wants(o)) ctx.output(o, ctx.dtype(0), state);
  }
  return {};
}

double Recurrent::input_sum(ReferenceContext& ctx, std::int64_t d, std::int64_t row, const double* xt) const {
  std::int64_t rows = gates * hidden;
  double sum = b.empty() ? 0 : b[static_cast<std::size_t>(d * 2 * rows + row)];
  const double* weights = w.data() + (d * rows + row) * features;
  for (std::int64_t i : ctx.range(features)) sum += weights[i] * xt[i];
  return sum;
}

double Recurrent::hidden_sum(ReferenceContext& ctx, std::int64_t d, std::int64_t row, const double* h) const {
  std::int64_t rows = gates * hidden;
  double sum = b.empty() ? 0 : b[static_cast<std::size_t>((d * 2 + 1) * rows + row)];
  const double* weights = r.data() + (d * rows + row) * hidden;
  for (std::int64_t i : ctx.range(hidden)) sum += weights[i] * h[i];
  return sum;
}

Status run_recurrent(ReferenceContext& ctx, int gates, bool cell, std::span<const std::string_view> defaults,
                     const Cell& step) {
  const TensorView& x = ctx.in(0);
  bool batch_first = ctx.attr_int("layout") != 0;
  MOTE_ASSIGN(std::vector<TensorView> outs, infer_outs(ctx));
  outs.resize(3);
  Recurrent r{x.dims[batch_first ? 1 : 0],
              x.dims[batch_first ? 0 : 1],
              x.dims[2],
              ctx.in(2).dims[2],
              directions_of(ctx.op(), ctx.attrs()),
              gates,
              {},
              {},
              {},
              {},
              {}};
  MOTE_ASSIGN(r.x, widen(ctx, x));
  MOTE_ASSIGN(r.w, widen(ctx, ctx.in(1)));
  MOTE_ASSIGN(r.r, widen(ctx, ctx.in(2)));
  if (ctx.has(3)) {
    MOTE_ASSIGN(r.b, widen(ctx, ctx.in(3)));
  }
  MOTE_ASSIGN(r.activations, activations_of(ctx.op(), ctx.attrs(), defaults));
  if (outs[0].data) zero(ctx, outs[0]);
  std::vector<double> h(static_cast<std::size_t>(r.hidden)), c(h.size());
  for (std::int64_t d : ctx.range(r.directions)) {
    bool backward = d == 1 || ctx.attr_string("direction") == "reverse";
    for (std::int64_t b : ctx.range(r.batch)) {
      std::int64_t length = ctx.has(4) ? load_i64(ctx.in(4), b) : r.steps;
      if (length < 0 || length > r.steps) return out_of_range("sequence_lens", b, length, 0, r.steps);
      std::int64_t state = (batch_first ? b * r.directions + d : d * r.batch + b) * r.hidden;
      for (std::int64_t i : ctx.range(r.hidden)) {
        h[static_cast<std::size_t>(i)] = ctx.has(5) ? load_f64(ctx.in(5), state + i) : 0;
        c[static_cast<std::size_t>(i)] = cell && ctx.has(6) ? load_f64(ctx.in(6), state + i) : 0;
      }
      for (std::int64_t s : ctx.range(length)) {
        std::int64_t t = backward ? length - 1 - s : s;
        step(r, d, r.x.data() + (batch_first ? b * r.steps + t : t * r.batch + b) * r.features, h, c);
        std::int64_t row = batch_first ? (b * r.steps + t) * r.directions + d : (t * r.directions + d) * r.batch + b;
        for (std::int64_t i : ctx.range(outs[0].data ? r.hidden : 0)) {
          store_f64(outs[0], row * r.hidden + i, h[static_cast<std::size_t>(i)]);
        }
      }
      for (std::int64_t i : ctx.range(r.hidden)) {
        if (outs[1].data) store_f64(outs[1], state + i, h[static_cast<std::size_t>(i)]);
        if (outs[2].data) store_f64(outs[2], state + i, c[static_cast<std::size_t>(i)]);
      }
    }
  }
  return {};
}

}  // namespace mote
