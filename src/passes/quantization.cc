#include "passes/quantization.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/checked.h"
#include "passes/weights.h"

namespace mote::passes {
namespace {

constexpr int kMaxFunctionNodes = 24;
constexpr std::size_t kMaxBias = 1 << 20;

std::optional<Quantized> read(const Graph& g, NodeId n, ValueId value) {
  Quantized q;
  q.node = n;
  q.value = value;
  q.scale = g.input(n, 1);
  q.zero = g.input(n, 2);
  q.dtype = g.type(value).dtype;
  if (!g.has_rank(q.scale) || !g.has_rank(value) || g.attr_int(n, "block_size") != 0 ||
      g.type(q.scale).dtype != DType::f32 || (q.zero != kNone && g.type(q.zero).dtype != q.dtype))
    return std::nullopt;
  if (volume(*g.type(q.scale).shape).is(1)) return q;
  if (g.type(q.scale).rank() != 1) return std::nullopt;
  std::int64_t axis = g.attr_int(n, "axis");
  q.axis = static_cast<int>(axis < 0 ? axis + g.type(value).rank() : axis);
  return q;
}

bool is_single(const Graph& g, ValueId v) { return g.has_rank(v) && volume(*g.type(v).shape).is(1); }

// Copies the nodes between an 8-bit tensor and a value, over all 256 bytes.
class Table {
 public:
  Table(const Graph& g, Builder& b) : g_(g), b_(b) {}
  ValueId source() const { return source_; }

  // Whether v is a function of one 8-bit tensor; finds that tensor.
  bool depends_on_one(ValueId v) {
    if (is_number(v)) return true;
    NodeId n = g_.producer(v);
    if (n == kNone || g_.type(v).dtype != DType::f32 || ++visited_ > kMaxFunctionNodes) return false;
    if (g_.is(n, "dequantize_linear")) {
      std::optional<Quantized> q = dequantized(g_, v);
      return q && q->eight_bits() && is_fixed(g_, *q) && is_source(q->value);
    }
    const Node& node = g_.node(n);
    if (!node.op->is(kElementwise) || node.outputs.size() != 1 || !node.bodies.empty()) return false;
    return std::ranges::all_of(node.inputs, [&](ValueId i) { return i == kNone || depends_on_one(i); });
  }

  // Requires depends_on_one(v).
  ValueId values(ValueId v) {
    if (auto it = made_.find(v); it != made_.end()) return it->second;
    if (is_number(v)) return v;
    const Node node = g_.node(g_.producer(v));
    std::vector<ValueId> inputs;
    if (node.op->name == "dequantize_linear") {
      inputs = node.inputs;
      inputs[0] = bytes(inputs[0]);
    } else {
      for (ValueId i : node.inputs) inputs.push_back(i == kNone ? kNone : values(i));
    }
    return made_[v] = b_.add(node.op->name, inputs, {node.attrs.items().begin(), node.attrs.items().end()});
  }

 private:
  // A constant of one element that broadcasts to a vector.
  bool is_number(ValueId v) const {
    if (!is_single(g_, v) || g_.type(v).rank() > 1) return false;
    if (g_.constant(v)) return true;
    std::optional<Quantized> q = dequantized(g_, v);
    return q && g_.constant(q->value) && is_fixed(g_, *q);
  }
  bool is_source(ValueId x) {
    NodeId n = g_.producer(x, "lookup");
    if (n != kNone) return is_source(g_.input(n, 0));
    if (source_ == kNone) source_ = x;
    return source_ == x && !g_.constant(x);
  }
  ValueId bytes(ValueId x) {
    if (auto it = made_.find(x); it != made_.end()) return it->second;
    if (x != source_) {
      NodeId n = g_.producer(x, "lookup");
      return made_[x] = b_.add("lookup", {bytes(g_.input(n, 0)), g_.input(n, 1)});
    }
    std::vector<std::byte> all(256);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::byte>(i);
    return made_[x] = b_.constant("bytes", g_.type(x).dtype, {256}, std::move(all));
  }

  const Graph& g_;
  Builder& b_;
  ValueId source_ = kNone;
  int visited_ = 0;
  std::map<ValueId, ValueId> made_;
};

}  // namespace

std::optional<Quantized> dequantized(const Graph& g, ValueId v) {
  NodeId n = g.producer(v, "dequantize_linear");
  if (n == kNone || g.type(v).dtype != DType::f32) return std::nullopt;
  return read(g, n, g.input(n, 0));
}

std::optional<Quantized> quantized(const Graph& g, NodeId n) {
  if (!g.is(n, "quantize_linear") || g.type(g.input(n, 0)).dtype != DType::f32) return std::nullopt;
  const Node& node = g.node(n);
  if (node.attrs.has("precision") && attr_dtype(*node.op, node.attrs, "precision") != DType::f32) return std::nullopt;
  std::optional<Quantized> q = read(g, n, g.output(n));
  return q && is_fixed(g, *q) ? q : std::nullopt;
}

bool is_fixed(const Graph& g, const Quantized& q) {
  if (q.axis >= 0 || (q.zero != kNone && !g.scalar(q.zero))) return false;
  std::optional<double> scale = g.scalar(q.scale);
  return scale && *scale > 0 && std::isfinite(*scale);
}

bool same_scale(const Graph& g, const Quantized& a, const Quantized& b) {
  if (a.dtype != b.dtype || !is_fixed(g, a) || !is_fixed(g, b)) return false;
  double az = a.zero == kNone ? 0 : *g.scalar(a.zero), bz = b.zero == kNone ? 0 : *g.scalar(b.zero);
  return *g.scalar(a.scale) == *g.scalar(b.scale) && az == bz;
}

std::optional<std::vector<double>> bias_values(const Graph& g, ValueId v) {
  std::optional<Quantized> q = dequantized(g, v);
  if (!q) return vector_of(g, v);
  const Constant* c = g.constant(q->value);
  std::optional<std::vector<std::int64_t>> ints = c ? small_ints(*c, kMaxBias) : std::nullopt;
  std::optional<std::vector<double>> scales = vector_of(g, q->scale);
  if (!ints || !scales || (scales->size() != 1 && scales->size() != ints->size())) return std::nullopt;
  if (q->zero != kNone) {
    const Constant* zero = g.constant(q->zero);
    std::optional<std::vector<std::int64_t>> zeros = zero ? small_ints(*zero, kMaxBias) : std::nullopt;
    if (!zeros || std::ranges::any_of(*zeros, [](std::int64_t z) { return z != 0; })) return std::nullopt;
  }
  std::vector<double> out;
  for (std::size_t i = 0; i < ints->size(); ++i)
    out.push_back(static_cast<double>((*ints)[i]) * (*scales)[scales->size() == 1 ? 0 : i]);
  return out;
}

ValueId zero_point(Builder& b, const Quantized& q) { return q.zero != kNone ? q.zero : b.scalar(0, q.dtype); }

bool is_integer_product(const Quantized& x, const Quantized& w, const Quantized* y) {
  if (!w.eight_bits() || (y && !y->eight_bits() && !y->sixteen_bits())) return false;
  return x.sixteen_bits() || (x.eight_bits() && (!y || y->eight_bits()));
}

QuantizedRange whole_range(DType dtype) {
  int bits = bits_of(dtype);
  if (is_signed_int(dtype)) return {-(std::int64_t{1} << (bits - 1)), (std::int64_t{1} << (bits - 1)) - 1};
  return {0, (std::int64_t{1} << bits) - 1};
}

QuantizedRange clipped(const Graph& g, const Quantized& to, QuantizedRange range, double low, double high) {
  const float scale = static_cast<float>(*g.scalar(to.scale));
  const double zero = to.zero == kNone ? 0 : *g.scalar(to.zero);
  auto bound = [&](double x) {
    double q = static_cast<double>(std::nearbyint(static_cast<float>(x) / scale)) + zero;
    return clamp_to_int(q, static_cast<double>(range.low), static_cast<double>(range.high));
  };
  return {bound(low), bound(high)};
}

std::optional<ByteFunction> byte_function(const Graph& g, Builder& b, ValueId v) {
  Table table(g, b);
  if (!table.depends_on_one(v) || table.source() == kNone) return std::nullopt;
  return ByteFunction{table.source(), table.values(v)};
}

}  // namespace mote::passes
