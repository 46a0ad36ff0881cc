// split_conv_transpose: a transposed convolution between dequantize_linear and quantize_linear becomes a convolution
// that computes all phases of the result as channels, depth_to_space that lays them side by side, and a slice where
// there are pads. With stride s and kernel k, phase i of the result at s * q + i is the sum over t of x[q - t] times
// w[s * t + i]: a convolution of ceil(k / s) taps. All of it is integer then: the quantization stands behind the
// convolution, since what follows only moves elements.
#include <algorithm>

#include "passes/facts.h"
#include "passes/list.h"
#include "passes/quantization.h"
#include "passes/rules.h"
#include "passes/weights.h"

namespace mote::passes {
namespace {

constexpr std::int64_t kMostWeights = std::int64_t{1} << 28;

struct Shape2 {
  std::int64_t in, out;             // channels
  std::int64_t kernel[2], taps[2];  // of the transposed convolution, of the convolution
  std::int64_t stride;
  std::int64_t phases() const { return stride * stride; }
};

// Weights [in, out, kh, kw] as [phase * out, in, th, tw], taps in reverse; where a phase has no tap, the zero point.
std::vector<std::byte> split_weights(const Shape2& s, std::span<const std::byte> w, std::span<const std::byte> zeros) {
  std::vector<std::byte> made;
  made.reserve(static_cast<std::size_t>(s.phases() * s.out * s.in * s.taps[0] * s.taps[1]));
  for (std::int64_t phase = 0; phase < s.phases(); ++phase) {
    for (std::int64_t o = 0; o < s.out; ++o) {
      const std::byte zero = zeros.empty() ? std::byte{0} : zeros[zeros.size() == 1 ? 0 : static_cast<std::size_t>(o)];
      for (std::int64_t c = 0; c < s.in; ++c) {
        for (std::int64_t u = 0; u < s.taps[0] * s.taps[1]; ++u) {
          const std::int64_t i = (s.taps[0] - 1 - u / s.taps[1]) * s.stride + phase / s.stride,
                             j = (s.taps[1] - 1 - u % s.taps[1]) * s.stride + phase % s.stride;
          const bool inside = i < s.kernel[0] && j < s.kernel[1];
          const std::int64_t at = ((c * s.out + o) * s.kernel[0] + i) * s.kernel[1] + j;
          made.push_back(inside ? w[static_cast<std::size_t>(at)] : zero);
        }
      }
    }
  }
  return made;
}

// The elements of a constant of 8 bits that is stored as it is.
std::optional<std::vector<std::byte>> bytes_of(const Constant& c) {
  if (!c.transforms.empty() || bits_of(c.type.dtype) != 8 || c.stored().empty()) return std::nullopt;
  const std::span<const std::byte> stored = c.stored();
  if (c.encoding == Encoding::kPlain) return std::vector<std::byte>(stored.begin(), stored.end());
  const Dim count = volume(*c.type.shape);
  if (c.encoding != Encoding::kFill || !count.is_const() || count.value() > kMostWeights) return std::nullopt;
  return std::vector<std::byte>(static_cast<std::size_t>(count.value()), stored[0]);
}

template <class T>
std::vector<T> repeated(const std::vector<T>& v, std::int64_t times) {
  std::vector<T> out;
  for (std::int64_t i = 0; i < times; ++i) out.insert(out.end(), v.begin(), v.end());
  return out;
}

// What of `conv` can be split: two dimensions, one stride, no groups or dilation, extents that are known.
std::optional<Shape2> shape_of(const Graph& g, NodeId conv, const Quantized& w) {
  const Constant* c = g.constant(w.value);
  const Type& y = g.type(g.output(conv));
  if (!c || !w.eight_bits() || c->type.rank() != 4 || !y.has_rank() || y.rank() != 4 ||
      g.attr_int(conv, "group") != 1 || g.attr_string(conv, "data_layout") != "NCX" ||
      g.attr_string(conv, "weight_layout") != "IOX" || g.attr_string(conv, "auto_pad") != "NOTSET" ||
      !g.attr_ints(conv, "output_shape").empty() || !(*y.shape)[2].is_const() || !(*y.shape)[3].is_const() ||
      g.node(conv).attrs.has("epilogue"))
    return std::nullopt;
  std::vector<std::int64_t> strides = g.attr_ints(conv, "strides"), dilations = g.attr_ints(conv, "dilations");
  if (strides.size() != 2 || strides[0] != strides[1] || strides[0] < 2 ||
      std::ranges::any_of(dilations, [](std::int64_t d) { return d != 1; }))
    return std::nullopt;
  std::optional<std::vector<std::int64_t>> extents = constant_extents(*c->type.shape);
  if (!extents) return std::nullopt;
  Shape2 s{(*extents)[0], (*extents)[1], {(*extents)[2], (*extents)[3]}, {}, strides[0]};
  if (s.stride > 16) return std::nullopt;
  std::int64_t count = s.in * s.out * s.phases();
  for (int d = 0; d < 2; ++d) {
    s.taps[d] = (s.kernel[d] + s.stride - 1) / s.stride;
    if (s.taps[d] < 1 || count > kMostWeights / s.taps[d]) return std::nullopt;
    count *= s.taps[d];
  }
  if (w.axis >= 0 && w.axis != 1) return std::nullopt;
  return s;
}

// The weights of the convolution, dequantized.
ValueId split(const Graph& g, Builder& b, const Shape2& s, const Quantized& w, std::span<const std::byte> bytes) {
  std::vector<std::byte> zeros;
  if (w.zero != kNone) {
    const Constant* c = g.constant(w.zero);
    std::optional<std::vector<std::byte>> read = c ? bytes_of(*c) : std::nullopt;
    if (!read) return kNone;
    zeros = *std::move(read);
  }
  std::vector<ValueId> operands = {
      b.constant("weights", w.dtype, {s.phases() * s.out, s.in, s.taps[0], s.taps[1]}, split_weights(s, bytes, zeros)),
      w.scale};
  if (w.axis < 0) {
    if (w.zero != kNone) operands.push_back(w.zero);
    return b.add("dequantize_linear", operands);
  }
  std::optional<std::vector<double>> scales = vector_of(g, w.scale);
  if (!scales) return kNone;
  operands[1] = vector_constant(b, "scale", DType::f32, repeated(*scales, s.phases()));
  if (w.zero != kNone) {
    std::vector<std::byte> all = repeated(zeros, zeros.size() == 1 ? s.phases() * s.out : s.phases());
    operands.push_back(b.constant("zero_point", w.dtype, {s.phases() * s.out}, std::move(all)));
  }
  return b.add("dequantize_linear", operands, {{"axis", std::int64_t{0}}});
}

bool rewrite(Graph& g, NodeId n) {
  std::optional<Quantized> to = quantized(g, n);
  if (!to) return false;
  // relu and clip stay between the convolution and the quantization.
  std::vector<NodeId> between;
  ValueId v = g.input(n, 0);
  NodeId conv = g.producer(v);
  for (; g.single(v) && (g.is(conv, "relu") || g.is(conv, "clip")); conv = g.producer(v)) {
    between.push_back(conv);
    v = g.input(conv, 0);
    for (std::size_t i = 1; i < g.node(conv).inputs.size(); ++i) {
      if (g.input(conv, i) != kNone && !g.scalar(g.input(conv, i))) return false;
    }
  }
  if (!g.is(conv, "conv_transpose") || !g.single(v)) return false;
  std::optional<Quantized> x = dequantized(g, g.input(conv, 0)), w = dequantized(g, g.input(conv, 1));
  if (!x || !w || !is_integer_product(*x, *w, &*to) || !is_fixed(g, *x)) return false;
  std::optional<Shape2> s = shape_of(g, conv, *w);
  std::vector<std::int64_t> pads = g.attr_ints(conv, "pads");
  pads.resize(4, 0);
  if (!s || std::ranges::any_of(pads, [](std::int64_t p) { return p < 0; })) return false;
  std::optional<std::vector<std::byte>> bytes = bytes_of(*g.constant(w->value));
  if (!bytes) return false;
  Builder b = g.builder(n);
  std::vector<ValueId> inputs = {g.input(conv, 0), split(g, b, *s, *w, *bytes)};
  if (inputs[1] == kNone) return false;
  if (g.input(conv, 2) != kNone) {
    std::optional<std::vector<double>> bias = bias_values(g, g.input(conv, 2));
    if (!bias) return false;
    inputs.push_back(vector_constant(b, "bias", DType::f32, repeated(*bias, s->phases())));
  }
  const std::vector<std::int64_t> around = {s->taps[0] - 1, s->taps[1] - 1, s->taps[0] - 1, s->taps[1] - 1};
  ValueId y = b.add("conv", inputs, {{"pads", around}});
  for (auto it = between.rbegin(); it != between.rend(); ++it) {
    const Node& node = g.node(*it);
    std::vector<ValueId> operands = node.inputs;
    operands[0] = y;
    y = b.add(node.op->name, operands, {node.attrs.items().begin(), node.attrs.items().end()});
  }
  std::vector<ValueId> operands = g.node(n).inputs;
  operands[0] = y;
  y = b.add("quantize_linear", operands, {g.node(n).attrs.items().begin(), g.node(n).attrs.items().end()});
  y = b.add("depth_to_space", {y}, {{"blocksize", s->stride}, {"mode", std::string("DCR")}});
  const Shape& shape = *g.type(g.output(conv)).shape;
  const std::vector<std::int64_t> end = {pads[0] + shape[2].value(), pads[1] + shape[3].value()};
  const bool whole = b.rank(y) == 4 && b.shape(y)[2].is(end[0]) && b.shape(y)[3].is(end[1]);
  if (!whole || pads[0] != 0 || pads[1] != 0)
    y = b.add("slice", {y, b.ints({pads[0], pads[1]}), b.ints(end), b.ints({2, 3})});
  return g.replace(n, b, {y});
}

}  // namespace

int split_conv_transpose(Module& m, const OpLookup& ops) { return apply_rules(m, ops, {{"quantize_linear", rewrite}}); }

}  // namespace mote::passes
