// lower_qdq: float ops between dequantize_linear and quantize_linear become integer ones. conv and matmul become
// qlinear_conv and qlinear_matmul (of activations of 8 or 16 bits), which take relu and clip behind them in as the
// range of their result; without a quantize_linear they give f32. Sums and products of two tensors become
// qlinear_binary, means over windows qlinear_average_pool, and whatever depends on one 8-bit tensor alone a lookup in a
// table, folded when the plan is prepared. Products of dynamically quantized tensors take the scaling and bias behind
// them in.
#include <algorithm>
#include <cmath>

#include "kernels/conv/conv.h"
#include "passes/facts.h"
#include "passes/list.h"
#include "passes/quantization.h"
#include "passes/rules.h"
#include "passes/weights.h"

namespace mote::passes {
namespace {

// Where the result goes: quantized, or nowhere.
struct Target {
  std::optional<Quantized> to;
  QuantizedRange range{0, 0};
};

std::vector<Attrs::Item> attrs_without(const Node& n, std::initializer_list<std::string_view> drop) {
  std::vector<Attrs::Item> out;
  for (const Attrs::Item& item : n.attrs.items()) {
    if (std::ranges::find(drop, item.first) == drop.end()) out.push_back(item);
  }
  return out;
}

void add_range(const Target& t, std::vector<Attrs::Item>& attrs) {
  QuantizedRange whole = whole_range(t.to->dtype);
  if (t.range.low == whole.low && t.range.high == whole.high) return;
  attrs.emplace_back("y_range", std::vector<std::int64_t>{t.range.low, t.range.high});
}

// The scale and zero point of the result as operands 6 and 7.
void add_target(Builder& b, const Target& t, std::vector<ValueId>& inputs, std::vector<Attrs::Item>& attrs) {
  inputs.push_back(t.to ? t.to->scale : kNone);
  inputs.push_back(t.to ? zero_point(b, *t.to) : kNone);
  if (t.to) add_range(t, attrs);
}

void drop_absent_tail(std::vector<ValueId>& inputs) {
  while (!inputs.empty() && inputs.back() == kNone) inputs.pop_back();
}

// The bias in units of x's scale times w's.
std::optional<ValueId> integer_bias(const Graph& g, Builder& b, ValueId bias, const Quantized& x, const Quantized& w) {
  std::optional<std::vector<double>> values = bias_values(g, bias), ws = vector_of(g, w.scale);
  std::optional<double> xs = g.scalar(x.scale);
  if (!values || !ws || !xs || (ws->size() != 1 && ws->size() != values->size())) return std::nullopt;
  std::vector<std::int32_t> out;
  for (std::size_t i = 0; i < values->size(); ++i) {
    double q = std::nearbyint((*values)[i] / (*xs * (*ws)[ws->size() == 1 ? 0 : i]));
    if (!(std::abs(q) <= 2147483647.0)) return std::nullopt;
    out.push_back(static_cast<std::int32_t>(q));
  }
  return b.constant("bias", DType::i32, {static_cast<std::int64_t>(out.size())},
                    to_bytes(std::span<const std::int32_t>(out)));
}

// Whether f32 makes fewer products: Winograd's forms, as accurate as 16 bits, but not for integers.
bool is_winograd(const Graph& g, NodeId conv) {
  namespace kc = kernels::conv;
  const Type &w = g.type(g.input(conv, 1)), &y = g.type(g.output(conv));
  if (!w.has_rank() || !y.has_rank() || w.rank() != 4 || y.rank() != 4 || g.attr_int(conv, "group") != 1) return false;
  for (const char* steps : {"strides", "dilations"}) {
    if (std::ranges::any_of(g.attr_ints(conv, steps), [](std::int64_t i) { return i != 1; })) return false;
  }
  const std::optional<std::vector<std::int64_t>> extents = constant_extents(*w.shape);
  if (!extents || !(*y.shape)[2].is_const() || !(*y.shape)[3].is_const()) return false;
  kc::Shape s;
  s.channels = (*extents)[1];
  s.out_channels = (*extents)[0];
  // The same result without pads.
  for (std::size_t d : {1u, 2u}) {
    s.kernel[d] = (*extents)[d + 1];
    s.in[d] = (*y.shape)[d + 1].value() + s.kernel[d] - 1;
  }
  const kc::Algorithm best = kc::choose(s);
  return best == kc::Algorithm::kWinograd43 || best == kc::Algorithm::kWinograd23;
}

bool lower_conv(Graph& g, NodeId n, NodeId conv, const Target& t) {
  std::optional<Quantized> x = dequantized(g, g.input(conv, 0)), w = dequantized(g, g.input(conv, 1));
  if (!x || !w || !is_integer_product(*x, *w, t.to ? &*t.to : nullptr) || !is_fixed(g, *x) || w->axis > 0) return false;
  if (x->sixteen_bits() && is_winograd(g, conv)) return false;
  if (!g.constant(w->value) || g.node(conv).attrs.has("epilogue") || g.attr_string(conv, "weight_layout") != "OIX" ||
      g.attr_string(conv, "data_layout") != "NCX")
    return false;
  Builder b = g.builder(n);
  ValueId bias = g.input(conv, 2);
  if (bias != kNone) {
    std::optional<ValueId> made = integer_bias(g, b, bias, *x, *w);
    if (!made) return false;
    bias = *made;
  }
  std::vector<ValueId> inputs = {x->value, x->scale, zero_point(b, *x), w->value, w->scale, zero_point(b, *w)};
  std::vector<Attrs::Item> attrs = attrs_without(g.node(conv), {"epilogue"});
  add_target(b, t, inputs, attrs);
  inputs.push_back(bias);
  drop_absent_tail(inputs);
  return g.replace(n, b, {b.add("qlinear_conv", inputs, attrs)});
}

ValueId swapped(Builder& b, ValueId v) {
  std::vector<std::int64_t> perm;
  for (int i = 0; i < b.rank(v); ++i) perm.push_back(i);
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return b.add("transpose", {v}, {{"perm", perm}});
}

bool lower_matmul(Graph& g, NodeId n, NodeId mm, const Target& t) {
  std::optional<Quantized> x = dequantized(g, g.input(mm, 0)), w = dequantized(g, g.input(mm, 1));
  if (!x || !w || !is_integer_product(*x, *w, t.to ? &*t.to : nullptr) || !is_fixed(g, *x) ||
      g.node(mm).attrs.has("epilogue"))
    return false;
  int x_rank = g.type(x->value).rank(), w_rank = g.type(w->value).rank();
  bool trans_a = g.attr_int(mm, "trans_a") != 0, trans_b = g.attr_int(mm, "trans_b") != 0;
  if (x_rank < 2 || w_rank < 2 || g.constant(x->value) || (!g.constant(w->value) && !is_fixed(g, *w))) return false;
  if (w->axis >= 0 && (w_rank != 2 || w->axis != (trans_b ? 0 : 1))) return false;
  Builder b = g.builder(n);
  ValueId bias = g.input(mm, 2);
  if (bias != kNone) {
    std::optional<ValueId> made = integer_bias(g, b, bias, *x, *w);
    if (!made) return false;
    bias = *made;
  }
  std::vector<ValueId> inputs = {trans_a ? swapped(b, x->value) : x->value, x->scale, zero_point(b, *x),
                                 trans_b ? swapped(b, w->value) : w->value, w->scale, zero_point(b, *w)};
  std::vector<Attrs::Item> attrs;
  add_target(b, t, inputs, attrs);
  inputs.push_back(bias);
  drop_absent_tail(inputs);
  return g.replace(n, b, {b.add("qlinear_matmul", inputs, attrs)});
}

// The tensor with axes of extent 1 in front, so that it has `rank` axes.
ValueId raised(Builder& b, ValueId v, int rank) {
  int more = rank - b.rank(v);
  if (more <= 0) return v;
  std::vector<std::int64_t> axes;
  for (int i = 0; i < more; ++i) axes.push_back(i);
  return b.add("unsqueeze", {v, b.ints(axes)});
}

// Of 8 bits, or sums of 16.
bool lower_binary(Graph& g, NodeId n, NodeId op, const Target& t) {
  std::optional<Quantized> x = dequantized(g, g.input(op, 0)), y = dequantized(g, g.input(op, 1));
  if (!x || !y || !is_fixed(g, *x) || !is_fixed(g, *y)) return false;
  const bool words = x->sixteen_bits() && y->sixteen_bits() && t.to->sixteen_bits() && !g.is(op, "mul");
  if (!words && !(x->eight_bits() && y->eight_bits() && t.to->eight_bits())) return false;
  Builder b = g.builder(n);
  int rank = std::max(g.type(x->value).rank(), g.type(y->value).rank());
  std::vector<ValueId> inputs = {raised(b, x->value, rank), x->scale, zero_point(b, *x),
                                 raised(b, y->value, rank), y->scale, zero_point(b, *y)};
  std::vector<Attrs::Item> attrs = {{"function", std::string(g.node(op).op->name)}};
  add_target(b, t, inputs, attrs);
  return g.replace(n, b, {b.add("qlinear_binary", inputs, attrs)});
}

bool lower_pool(Graph& g, NodeId n, NodeId pool, const Target& t) {
  std::optional<Quantized> x = dequantized(g, g.input(pool, 0));
  if (!x || !x->eight_bits() || !is_fixed(g, *x) || x->dtype != t.to->dtype) return false;
  Builder b = g.builder(n);
  std::vector<Attrs::Item> attrs = attrs_without(g.node(pool), {});
  add_range(t, attrs);
  ValueId y = b.add("qlinear_" + std::string(g.node(pool).op->name),
                    {x->value, x->scale, zero_point(b, *x), t.to->scale, zero_point(b, *t.to)}, attrs);
  return g.replace(n, b, {y});
}

bool lower_function(Graph& g, NodeId n, const Quantized& to) {
  Builder b = g.builder(n);
  std::optional<ByteFunction> f = byte_function(g, b, g.input(n, 0));
  if (!f || !same_type(Type::tensor(to.dtype, g.type(f->source).shape), g.type(g.output(n)))) return false;
  ValueId table = b.add("quantize_linear", {f->values, to.scale, to.zero}, attrs_without(g.node(n), {"axis"}));
  return g.replace(n, b, {b.add("lookup", {f->source, table})});
}

// Bounds of a node that clips by constants.
std::optional<std::pair<double, double>> bounds_of(const Graph& g, NodeId n) {
  if (g.is(n, "relu")) return std::pair(0.0, HUGE_VAL);
  if (!g.is(n, "clip")) return std::nullopt;
  auto bound = [&](std::size_t i, double open) {
    return g.input(n, i) == kNone ? std::optional(open) : g.scalar(g.input(n, i));
  };
  std::optional<double> low = bound(1, -HUGE_VAL), high = bound(2, HUGE_VAL);
  if (!low || !high || !(*low <= *high)) return std::nullopt;
  return std::pair(*low, *high);
}

bool lower_quantize(Graph& g, NodeId n) {
  Target t;
  t.to = quantized(g, n);
  if (!t.to || (!t.to->eight_bits() && !t.to->sixteen_bits())) return false;
  const bool bytes = t.to->eight_bits();
  if (bytes && lower_function(g, n, *t.to)) return true;
  t.range = whole_range(t.to->dtype);
  ValueId v = g.input(n, 0);
  NodeId p = g.producer(v);
  // The last clip counts first: the others lie within its bounds.
  for (; p != kNone && g.single(v); p = g.producer(v)) {
    std::optional<std::pair<double, double>> bounds = bounds_of(g, p);
    if (!bounds) break;
    t.range = clipped(g, *t.to, t.range, bounds->first, bounds->second);
    v = g.input(p, 0);
  }
  if (p == kNone || !g.single(v) || t.range.low > t.range.high) return false;
  if (g.is(p, "conv")) return lower_conv(g, n, p, t);
  if (g.is(p, "matmul")) return lower_matmul(g, n, p, t);
  if (g.is(p, "add") || g.is(p, "sub") || g.is(p, "mul")) return lower_binary(g, n, p, t);
  if (!bytes) return false;
  if (g.is(p, "average_pool") || g.is(p, "global_average_pool")) return lower_pool(g, n, p, t);
  return false;
}

bool is_float_product(const Graph& g, NodeId n) {
  return (g.is(n, "qlinear_matmul") || g.is(n, "qlinear_conv")) && g.type(g.output(n)).dtype == DType::f32;
}

// cast(matmul_integer(a, b)) * (a_scale * b_scale), of a tensor that is quantized in the run.
bool lower_scaled(Graph& g, NodeId n) {
  for (std::size_t side : {0u, 1u}) {
    ValueId wide = g.input(n, side);
    NodeId cast = g.producer(wide, "cast"), scale = g.producer(g.input(n, 1 - side), "mul");
    if (cast == kNone || scale == kNone || !g.single(wide) || !g.single(g.input(cast, 0)) ||
        g.type(wide).dtype != DType::f32)
      continue;
    NodeId product = g.producer(g.input(cast, 0));
    bool conv = g.is(product, "conv_integer");
    if (!conv && !g.is(product, "matmul_integer")) continue;
    ValueId a = g.input(scale, 0), b_scale = g.input(scale, 1);
    auto is_single = [&](ValueId v) {
      return g.has_rank(v) && g.type(v).rank() <= 1 && volume(*g.type(v).shape).is(1) && g.type(v).dtype == DType::f32;
    };
    if (!is_single(a)) std::swap(a, b_scale);
    bool vector = !conv && g.has_rank(b_scale) && g.type(b_scale).rank() == 1;
    if (!is_single(a) || !(is_single(b_scale) || vector) || g.type(b_scale).dtype != DType::f32) continue;
    auto zero = [&](Builder& b, std::size_t operand, std::size_t of) {
      ValueId v = g.input(product, operand);
      return v != kNone ? v : b.scalar(0, g.type(g.input(product, of)).dtype);
    };
    Builder b = g.builder(n);
    std::vector<ValueId> inputs = {g.input(product, 0), a, zero(b, 2, 0), g.input(product, 1), b_scale, zero(b, 3, 1)};
    ValueId y = b.add(conv ? "qlinear_conv" : "qlinear_matmul", inputs, attrs_without(g.node(product), {}));
    return g.replace(n, b, {y});
  }
  return false;
}

// A constant added to each column or channel.
bool add_bias(Graph& g, NodeId n) {
  for (std::size_t side : {0u, 1u}) {
    ValueId v = g.input(n, side), bias = g.input(n, 1 - side);
    NodeId product = g.producer(v);
    if (!is_float_product(g, product) || !g.single(v) || !g.has_rank(v) || g.node(product).inputs.size() > 6 ||
        g.node(product).attrs.has("epilogue") || !same_type(g.type(v), g.type(g.output(n))))
      continue;
    int axis = g.is(product, "qlinear_conv") ? 1 : g.type(v).rank() - 1;
    const Dim& extent = (*g.type(v).shape)[static_cast<std::size_t>(axis)];
    const Constant* c = g.constant(bias);
    if (!c || c->type.dtype != DType::f32 || !extent.is_const() ||
        !along_axis(g, bias, g.type(v).rank(), axis, extent.value()))
      continue;
    const Node node = g.node(product);
    Builder b = g.builder(n);
    std::vector<ValueId> inputs = node.inputs;
    inputs.resize(8, kNone);
    inputs.push_back(g.type(bias).rank() == 1 ? bias : reshaped_constant(b, Constant(*c), {extent.value()}));
    return g.replace(n, b, {b.add(node.op->name, inputs, attrs_without(node, {}))});
  }
  return false;
}

}  // namespace

int lower_qdq(Module& m, const OpLookup& ops) {
  int made = apply_rules(m, ops, {{"quantize_linear", lower_quantize}});
  auto conv = [](Graph& g, NodeId n) { return lower_conv(g, n, n, {}); };
  auto matmul = [](Graph& g, NodeId n) { return lower_matmul(g, n, n, {}); };
  return made + apply_rules(m, ops, {{"conv", conv}, {"matmul", matmul}, {"mul", lower_scaled}, {"add", add_bias}});
}

}  // namespace mote::passes
