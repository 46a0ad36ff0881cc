// Dynamic quantization, and weights that are only stored in fewer bits.
#include <algorithm>
#include <cmath>

#include "base/half.h"
#include "base/text.h"
#include "quant/rewriter.h"
#include "quant/schemes.h"
#include "quant/weights.h"

namespace mote::quant {
namespace {

const Layer* find(const Chosen& chosen, NodeId n) {
  for (const Layer* l : chosen) {
    if (l->node == n) return l;
  }
  return nullptr;
}

}  // namespace

Result<Floats> product_weights(const Module& m, const Layer& l, const Node& n) {
  MOTE_ASSIGN(Floats w, read_floats(m, l.weights));
  double alpha = l.kind == Layer::Kind::kGemm ? attr_float(*n.op, n.attrs, "alpha") : 1;
  std::size_t rows = static_cast<std::size_t>(l.depth), columns = static_cast<std::size_t>(l.channels);
  Floats out{{l.depth, l.channels}, std::vector<float>(w.data.size())};
  for (std::size_t k = 0; k < rows; ++k) {
    for (std::size_t c = 0; c < columns; ++c) {
      float x = w.data[l.axis == 0 ? c * rows + k : k * columns + c];
      out.data[k * columns + c] = static_cast<float>(static_cast<double>(x) * alpha);
    }
  }
  return out;
}

Result<ValueId> product_bias(Rewriter& rewrite, const Layer& l, const Node& n) {
  ValueId bias = l.kind == Layer::Kind::kGemm ? input_of(n, 2) : kNone;
  double beta = l.kind == Layer::Kind::kGemm ? attr_float(*n.op, n.attrs, "beta") : 1;
  if (bias == kNone || beta == 1) return bias;
  MOTE_ASSIGN(Floats b, read_floats(rewrite.module(), l.bias));
  for (float& x : b.data) x = static_cast<float>(static_cast<double>(x) * beta);
  ConstantId id = add_floats(rewrite.module(), l.name + "_bias", b);
  return value_of(rewrite.module(), rewrite.function(), id);
}

Status make_dynamic(Module& m, const Chosen& chosen, const QuantizeOptions& options) {
  Rewriter rewrite(m);
  std::map<ValueId, std::vector<ValueId>> quantized;  // x -> integers, scale, zero point
  for (NodeId i = 0; i < static_cast<NodeId>(rewrite.old().size()); ++i) {
    Node n = rewrite.old()[at(i)];
    const Layer* l = find(chosen, i);
    if (!l) {
      rewrite.keep(std::move(n));
      continue;
    }
    MOTE_ASSIGN(Floats w, product_weights(m, *l, n));
    Rounded r = round_weights(w, options.per_channel ? 1 : -1, options.weight_bits);
    std::string name = rewrite.function().values[at(n.inputs[1])].name;
    std::vector<std::int64_t> extents;
    if (r.axis >= 0) extents.push_back(static_cast<std::int64_t>(r.scales.size()));
    ValueId q = rewrite.constant(name + "_quantized", DType::i8, r.shape, integer_bytes(r.data, DType::i8));
    ValueId scale = rewrite.constant(name + "_scale", DType::f32, extents, to_bytes(std::span<const float>(r.scales)));
    auto& x = quantized[n.inputs[0]];
    if (x.empty())
      x = rewrite.add_multi(rewrite.function().values[at(n.inputs[0])].name, "dynamic_quantize_linear", {n.inputs[0]},
                            3);
    ValueId y = rewrite.add(n.name, "matmul_integer", {x[0], q, x[2]});
    y = rewrite.add(n.name, "cast", {y}, {{"to", DType::f32}});
    ValueId unit = rewrite.add(n.name + "/scale", "mul", {x[1], scale});
    MOTE_ASSIGN(ValueId bias, product_bias(rewrite, *l, n));
    if (bias == kNone) {
      rewrite.put(n, "mul", {y, unit});
    } else {
      y = rewrite.add(n.name, "mul", {y, unit});
      rewrite.put(n, "add", {y, bias});
    }
  }
  return rewrite.finish();
}

Status make_weight_only_8(Module& m, const Chosen& chosen, const QuantizeOptions& options) {
  Rewriter rewrite(m);
  std::map<std::pair<ConstantId, int>, ValueId> made;
  for (NodeId i = 0; i < static_cast<NodeId>(rewrite.old().size()); ++i) {
    Node n = rewrite.old()[at(i)];
    const Layer* l = find(chosen, i);
    for (std::size_t input : l ? l->weight_inputs : std::vector<std::size_t>()) {
      ConstantId c = constant_of(rewrite.function(), input_of(n, input));
      if (c == kNone || m.constants[at(c)].type.dtype != DType::f32) continue;
      ValueId& with = made.emplace(std::pair(c, l->axis), kNone).first->second;
      if (with == kNone) {
        MOTE_ASSIGN(Floats w, read_floats(m, c));
        Rounded r = round_weights(w, options.per_channel ? l->axis : -1, options.weight_bits);
        std::string name = m.constants[at(c)].name;
        std::vector<std::int64_t> extents;
        std::vector<Attrs::Item> attrs;
        if (r.axis >= 0) {
          extents.push_back(static_cast<std::int64_t>(r.scales.size()));
          attrs.emplace_back("axis", std::int64_t{r.axis});
        }
        ValueId q = rewrite.constant(name + "_quantized", DType::i8, r.shape, integer_bytes(r.data, DType::i8));
        ValueId s = rewrite.constant(name + "_scale", DType::f32, extents, to_bytes(std::span<const float>(r.scales)));
        ValueId zero = rewrite.constant(name + "_zero_point", DType::i8, extents,
                                        std::vector<std::byte>(r.scales.size(), std::byte{0}));
        with = rewrite.add(name, "dequantize_linear", {q, s, zero}, attrs);
      }
      n.inputs[input] = with;
    }
    rewrite.keep(std::move(n));
  }
  return rewrite.finish();
}

Status make_f16(Module& m, const Chosen& chosen) {
  Rewriter rewrite(m);
  std::map<ConstantId, ValueId> made;
  for (NodeId i = 0; i < static_cast<NodeId>(rewrite.old().size()); ++i) {
    Node n = rewrite.old()[at(i)];
    const Layer* l = find(chosen, i);
    for (std::size_t input : l ? l->weight_inputs : std::vector<std::size_t>()) {
      ConstantId c = constant_of(rewrite.function(), input_of(n, input));
      if (c == kNone || m.constants[at(c)].type.dtype != DType::f32) continue;
      ValueId& with = made.emplace(c, kNone).first->second;
      if (with == kNone) {
        MOTE_ASSIGN(Floats w, read_floats(m, c));
        std::vector<std::uint16_t> half;
        for (float x : w.data) half.push_back(f32_to_f16(std::clamp(x, -65504.0f, 65504.0f)));
        std::string name = m.constants[at(c)].name;
        ValueId q =
            rewrite.constant(name + "_f16", DType::f16, w.shape, to_bytes(std::span<const std::uint16_t>(half)));
        with = rewrite.add(name, "cast", {q}, {{"to", DType::f32}});
      }
      n.inputs[input] = with;
    }
    rewrite.keep(std::move(n));
  }
  return rewrite.finish();
}

}  // namespace mote::quant
