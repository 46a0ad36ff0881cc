#include "passes/weights.h"

#include <algorithm>
#include <cstring>

#include "base/half.h"
#include "passes/facts.h"

namespace mote::passes {
namespace {

constexpr std::size_t kMaxVector = 1 << 20;

bool is_plain_float(DType t) { return t == DType::f32 || t == DType::f64 || t == DType::f16 || t == DType::bf16; }

}  // namespace

std::optional<std::vector<double>> vector_of(const Graph& g, ValueId v) {
  const Constant* c = g.constant(v);
  if (!c || !is_plain_float(c->type.dtype)) return std::nullopt;
  Constant bare = *c;
  std::erase_if(bare.transforms, [](const Transform& t) { return t.kind == Transform::Kind::kReshape; });
  return small_floats(bare, kMaxVector);
}

ValueId vector_constant(Builder& b, std::string name, DType dtype, const std::vector<double>& values) {
  std::size_t width = static_cast<std::size_t>(bits_of(dtype)) / 8;
  std::vector<std::byte> bytes(values.size() * width);
  for (std::size_t i = 0; i < values.size(); ++i) {
    auto put = [&](auto x) { std::memcpy(bytes.data() + i * width, &x, sizeof x); };
    switch (dtype) {
      case DType::f32:
        put(static_cast<float>(values[i]));
        break;
      case DType::f64:
        put(values[i]);
        break;
      case DType::f16:
        put(f32_to_f16(static_cast<float>(values[i])));
        break;
      case DType::bf16:
        put(f32_to_bf16(static_cast<float>(values[i])));
        break;
      default:
        b.fail(internal_error("a vector of no float type"));
        return kNone;
    }
  }
  return b.constant(std::move(name), dtype, {static_cast<std::int64_t>(values.size())}, std::move(bytes));
}

ValueId scaled_constant(Builder& b, const Constant& w, int axis, const std::vector<double>& factors) {
  Constant c = w;
  if (!c.transforms.empty() && c.transforms.back().kind == Transform::Kind::kScale &&
      c.transforms.back().ints[0] == axis) {
    for (std::size_t i = 0; i < factors.size(); ++i) c.transforms.back().scale[i] *= factors[i];
  } else {
    c.transforms.push_back({Transform::Kind::kScale, {axis}, DType::none, factors});
  }
  ConstantId id = b.module().add_constant(std::move(c));
  return b.fn().constant_value(id, b.module().constants.back());
}

ValueId reshaped_constant(Builder& b, const Constant& old, std::vector<std::int64_t> extents) {
  Constant c = old;
  c.type = Type::tensor(c.type.dtype, Shape(extents.begin(), extents.end()));
  c.transforms.push_back({Transform::Kind::kReshape, std::move(extents)});
  ConstantId id = b.module().add_constant(std::move(c));
  return b.fn().constant_value(id, b.module().constants.back());
}

ValueId filled_constant(Builder& b, std::string name, DType dtype, std::vector<std::int64_t> extents, double value) {
  ValueId one = vector_constant(b, std::move(name), dtype, {value});
  if (one == kNone) return kNone;
  Value& v = b.fn().values[static_cast<std::size_t>(one)];
  Constant& c = b.module().constants[static_cast<std::size_t>(v.constant)];
  c.encoding = Encoding::kFill;
  c.type = v.type = Type::tensor(dtype, Shape(extents.begin(), extents.end()));
  c.stored_shape = std::move(extents);
  return one;
}

std::optional<Affine> affine_behind(const Graph& g, ValueId v) {
  NodeId n = g.producer(v);
  if (n == kNone || !g.single(v) || !g.has_rank(v) || g.node(n).attrs.has("epilogue")) return std::nullopt;
  const Constant* w = g.constant(g.input(n, 1));
  if (!w || !w->type.is_static() || !is_plain_float(w->type.dtype)) return std::nullopt;
  Affine a{n, 0, 1, g.type(v).rank(), 0};
  if (g.is(n, "conv") || g.is(n, "conv_transpose")) {
    if (g.attr_string(n, "data_layout") == "NXC") a.channel_axis = a.rank - 1;
    if (g.is(n, "conv_transpose")) {
      if (g.attr_int(n, "group") != 1 || g.attr_string(n, "weight_layout") != "IOX") return std::nullopt;
      a.weight_axis = 1;
    }
  } else if (g.is(n, "matmul")) {
    if (w->type.rank() != 2) return std::nullopt;
    a.weight_axis = g.attr_int(n, "trans_b") != 0 ? 0 : 1;
    a.channel_axis = a.rank - 1;
  } else {
    return std::nullopt;
  }
  if (w->type.rank() <= a.weight_axis || a.channel_axis < 0 || a.channel_axis >= a.rank) return std::nullopt;
  a.channels = (*w->type.shape)[static_cast<std::size_t>(a.weight_axis)].value();
  if (g.input(n, 2) != kNone && !vector_of(g, g.input(n, 2))) return std::nullopt;
  return a;
}

std::optional<std::vector<double>> per_channel(const Graph& g, ValueId v, const Affine& a) {
  std::optional<std::vector<double>> values = vector_of(g, v);
  if (!values || values->empty() || g.type(v).rank() > a.rank) return std::nullopt;
  std::size_t channels = static_cast<std::size_t>(a.channels);
  if (values->size() == 1) return std::vector<double>(channels, (*values)[0]);
  if (!along_axis(g, v, a.rank, a.channel_axis, a.channels)) return std::nullopt;
  return values;
}

bool fold_affine(Graph& g, NodeId consumer, const Affine& a, const std::vector<double>& factor,
                 const std::vector<double>& shift, const std::vector<std::int64_t>& perm) {
  Node node = g.node(a.node);
  DType dtype = g.type(node.inputs[1]).dtype;
  std::string name = g.value(node.inputs[1]).name;
  std::vector<double> bias(static_cast<std::size_t>(a.channels), 0.0);
  bool had_bias = node.inputs.size() > 2 && node.inputs[2] != kNone;
  if (had_bias) {
    std::vector<double> old = *vector_of(g, node.inputs[2]);
    if (old.size() != bias.size() && old.size() != 1) return false;
    for (std::size_t i = 0; i < bias.size(); ++i) bias[i] = old[old.size() == 1 ? 0 : i];
  }
  for (std::size_t i = 0; i < bias.size(); ++i) {
    if (!factor.empty()) bias[i] *= factor[i];
    if (!shift.empty()) bias[i] += shift[i];
  }
  Builder b = g.builder(consumer);
  if (!factor.empty()) {
    Constant w = *g.constant(node.inputs[1]);
    node.inputs[1] = scaled_constant(b, w, a.weight_axis, factor);
  }
  if (had_bias || !shift.empty()) {
    node.inputs.resize(std::max<std::size_t>(node.inputs.size(), 3), kNone);
    node.inputs[2] = vector_constant(b, name + "/bias", dtype, bias);
  }
  ValueId y = b.add(node.op->name, node.inputs, {node.attrs.items().begin(), node.attrs.items().end()});
  if (!perm.empty()) y = b.add("transpose", {y}, {{"perm", perm}});
  return g.replace(consumer, b, {y});
}

}  // namespace mote::passes
