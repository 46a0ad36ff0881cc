#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "quant/rewriter.h"
#include "quant/schemes.h"
#include "quant/weights.h"

namespace mote::quant {
namespace {

class StaticScheme {
 public:
  StaticScheme(Module& m, const Chosen& chosen, const Statistics& statistics, const QuantizeOptions& options)
      : statistics_(statistics), options_(options), regions_(m, chosen), rewrite_(m) {
    for (const Layer* l : chosen) layers_[l->node] = l;
  }

  Status run() {
    find_scales();
    Function& f = rewrite_.function();
    for (std::size_t i = 0; i < f.inputs.size(); ++i) pair_up(rewrite_.function().inputs[i]);
    for (NodeId i = 0; i < static_cast<NodeId>(rewrite_.old().size()); ++i) {
      Node n = rewrite_.old()[at(i)];
      const Layer* layer = layers_.contains(i) ? layers_[i] : nullptr;
      for (ValueId& v : n.inputs) {
        if (v == kNone) continue;
        if (regions_.reads_quantized(i, v)) {
          v = dequantized_.at(v);
        } else if (regions_.is_integer(i) && !layer && is_operand(n, v)) {
          v = constant_operand(v);
        }
      }
      if (layer) MOTE_TRY(weights_of(*layer, n));
      std::vector<ValueId> made = n.outputs;
      rewrite_.keep(std::move(n));
      for (ValueId v : made) pair_up(v);
    }
    for (ValueId& v : rewrite_.function().outputs) {
      if (!regions_.gives_quantized(v)) continue;
      ValueId y = dequantized_.at(v);
      rewrite_.rename(v, y);
      v = y;
    }
    return rewrite_.finish();
  }

 private:
  struct Parameters {
    Scale scale;
    ValueId scale_value = kNone, zero_value = kNone;
  };

  void find_scales() {
    std::map<ValueId, Histogram> joined;
    for (ValueId v : regions_.quantized()) {
      if (auto it = statistics_.histograms.find(v); it != statistics_.histograms.end())
        joined[regions_.shared(v)].merge(it->second);
    }
    const auto [least, most] = limits_of(options_.activations);
    for (ValueId v : regions_.quantized()) {
      ValueId of = regions_.shared(v);
      if (parameters_.contains(of)) continue;
      Range range = range_of(joined[of], options_.calibration, options_.percentile, std::min(most - least + 1, 256));
      bool symmetric = options_.symmetric || options_.activations == DType::i16;
      parameters_[of] = make(rewrite_.function().values[at(of)].name, scale_of(range, options_.activations, symmetric));
    }
  }

  Parameters make(std::string name, Scale s) {
    Parameters p{s, kNone, kNone};
    p.scale_value = rewrite_.constant(name + "_scale", DType::f32, {}, to_bytes(std::span<const float>(&s.scale, 1)));
    p.zero_value = rewrite_.constant(name + "_zero_point", options_.activations, {},
                                     integer_bytes(std::span(&s.zero, 1), options_.activations));
    return p;
  }

  const Parameters& parameters(ValueId v) const { return parameters_.at(regions_.shared(v)); }

  // quantize_linear and dequantize_linear behind a value.
  void pair_up(ValueId v) {
    if (v == kNone || !regions_.is_quantized(v)) return;
    const Parameters& p = parameters(v);
    std::string name = rewrite_.function().values[at(v)].name;
    ValueId q = rewrite_.add(name, "quantize_linear", {v, p.scale_value, p.zero_value});
    dequantized_[v] = rewrite_.add(name, "dequantize_linear", {q, p.scale_value, p.zero_value});
  }

  // Whether a sum or product reads the constant `v` as one of its terms. One number makes a function; a row behind a
  // product is its bias.
  bool is_operand(const Node& n, ValueId v) {
    if (n.op->name != "add" && n.op->name != "sub" && n.op->name != "mul") return false;
    const Function& f = rewrite_.function();
    ConstantId c = constant_of(f, v);
    if (c == kNone) return false;
    const Constant& k = rewrite_.module().constants[at(c)];
    if (k.type.dtype != DType::f32 || volume(*k.type.shape).is(1)) return false;
    return std::ranges::none_of(n.inputs, [&](ValueId other) {
      NodeId p = f.values[at(other)].producer;
      auto it = p == kNone ? layers_.end() : layers_.find(p);
      return it != layers_.end() && it->second->kind == Layer::Kind::kMatmul && !regions_.is_quantized(other);
    });
  }

  ValueId constant_operand(ValueId v) {
    if (auto it = dequantized_.find(v); it != dequantized_.end()) return it->second;
    Module& m = rewrite_.module();
    ConstantId c = constant_of(rewrite_.function(), v);
    Result<Floats> values = read_floats(m, c);
    if (!values.ok()) return v;
    Histogram h;
    h.add(values->data.data(), static_cast<std::int64_t>(values->data.size()), 1);
    const auto [least, most] = limits_of(options_.activations);
    Scale s = scale_of(h.min_max(), options_.activations, options_.symmetric || options_.activations == DType::i16);
    std::vector<std::int32_t> q;
    for (float x : values->data) {
      float r = std::nearbyint(x / s.scale) + static_cast<float>(s.zero);
      q.push_back(static_cast<std::int32_t>(std::clamp(r, static_cast<float>(least), static_cast<float>(most))));
    }
    std::string name = rewrite_.function().values[at(v)].name;
    Parameters p = make(name, s);
    ValueId stored = rewrite_.constant(name + "_quantized", options_.activations, values->shape,
                                       integer_bytes(q, options_.activations));
    return dequantized_[v] = rewrite_.add(name, "dequantize_linear", {stored, p.scale_value, p.zero_value});
  }

  // Operands 1 and 2 of a layer.
  Status weights_of(const Layer& l, Node& n) {
    Module& m = rewrite_.module();
    MOTE_ASSIGN(Floats w, read_floats(m, l.weights));
    double alpha = l.kind == Layer::Kind::kGemm ? attr_float(*n.op, n.attrs, "alpha") : 1;
    if (alpha != 1) {
      for (float& x : w.data) x = static_cast<float>(static_cast<double>(x) * alpha);
      n.attrs.erase("alpha");
    }
    double x_scale = static_cast<double>(parameters(l.x).scale.scale);
    std::vector<float> bias;
    MOTE_TRY(bias_of(l, n, bias));
    // A bias has to fit in 31 bits of x's scale times the weights'.
    int axis = options_.per_channel ? l.axis : -1;
    std::vector<float> least(axis < 0 ? 1 : at(static_cast<std::int32_t>(l.channels)), 0.0f);
    for (std::size_t i = 0; i < bias.size(); ++i) {
      float need = static_cast<float>(static_cast<double>(std::abs(bias[i])) / (x_scale * 2147483000.0));
      float& of = least[axis < 0 ? 0 : i];
      of = std::max(of, need);
    }
    Rounded r = round_weights(w, axis, options_.weight_bits, least);
    if (options_.bias_correction) correct(l, w, r, bias);
    put_weights(l, n, r);
    if (!bias.empty()) put_bias(l, n, r, bias, x_scale);
    return {};
  }

  // One value per channel; empty without a bias.
  Status bias_of(const Layer& l, Node& n, std::vector<float>& bias) {
    std::size_t channels = static_cast<std::size_t>(l.channels);
    if (l.bias != kNone) {
      MOTE_ASSIGN(Floats b, read_floats(rewrite_.module(), l.bias));
      if (b.data.size() != channels && b.data.size() != 1)
        return unsupported("a bias with a value for every row").at("node '" + l.name + "'");
      double beta = l.kind == Layer::Kind::kGemm ? attr_float(*n.op, n.attrs, "beta") : 1;
      n.attrs.erase("beta");
      for (std::size_t i = 0; i < channels; ++i)
        bias.push_back(static_cast<float>(static_cast<double>(b.data[b.data.size() == 1 ? 0 : i]) * beta));
    } else if (options_.bias_correction && l.kind != Layer::Kind::kMatmul) {
      bias.assign(channels, 0.0f);
    }
    return {};
  }

  // Takes the mean of what rounding the weights adds to each channel out of the bias.
  void correct(const Layer& l, const Floats& w, const Rounded& r, std::vector<float>& bias) {
    auto it = statistics_.means.find(l.x);
    if (it == statistics_.means.end() || bias.empty()) return;
    const std::vector<double>& mean = it->second;
    Channels out(w.shape, l.axis), scale(w.shape, r.axis);
    std::vector<double> shift(bias.size(), 0);
    for (std::size_t i = 0; i < w.data.size(); ++i) {
      std::size_t in = input_channel(l, w.shape, i, out(i));
      if (in >= mean.size()) return;
      shift[out(i)] += (static_cast<double>(r.back(i, scale(i))) - static_cast<double>(w.data[i])) * mean[in];
    }
    for (std::size_t c = 0; c < bias.size(); ++c) bias[c] = static_cast<float>(static_cast<double>(bias[c]) - shift[c]);
  }

  // The channel of x that weight `i` multiplies.
  static std::size_t input_channel(const Layer& l, const std::vector<std::int64_t>& shape, std::size_t i,
                                   std::size_t out) {
    if (l.kind != Layer::Kind::kConv) return Channels(shape, 1 - l.axis)(i);
    std::size_t per_group = static_cast<std::size_t>(l.channels / l.group);
    return out / per_group * static_cast<std::size_t>(shape[1]) + Channels(shape, 1)(i);
  }

  void put_weights(const Layer& l, Node& n, const Rounded& r) {
    std::string name = rewrite_.function().values[at(n.inputs[1])].name;
    bool one = r.axis < 0;
    ValueId q = rewrite_.constant(name + "_quantized", DType::i8, r.shape, integer_bytes(r.data, DType::i8));
    std::vector<std::int64_t> extents;
    if (!one) extents.push_back(static_cast<std::int64_t>(r.scales.size()));
    ValueId scale = rewrite_.constant(name + "_scale", DType::f32, extents, to_bytes(std::span<const float>(r.scales)));
    std::vector<std::byte> zeros(r.scales.size(), std::byte{0});
    ValueId zero = rewrite_.constant(name + "_zero_point", DType::i8, extents, std::move(zeros));
    std::vector<Attrs::Item> attrs;
    if (!one) attrs.emplace_back("axis", std::int64_t{l.axis});
    n.inputs[1] = rewrite_.add(name, "dequantize_linear", {q, scale, zero}, attrs);
  }

  void put_bias(const Layer& l, Node& n, const Rounded& r, const std::vector<float>& bias, double x_scale) {
    std::string name = input_of(n, 2) != kNone ? rewrite_.function().values[at(n.inputs[2])].name : l.name + "_bias";
    std::vector<float> scales;
    std::vector<std::int32_t> q;
    for (std::size_t i = 0; i < bias.size(); ++i) {
      float s = static_cast<float>(x_scale) * r.scales[r.axis < 0 ? 0 : i];
      if (r.axis >= 0 || scales.empty()) scales.push_back(s);
      double v = std::nearbyint(static_cast<double>(bias[i]) / static_cast<double>(s));
      q.push_back(static_cast<std::int32_t>(std::clamp(v, -2147483647.0, 2147483647.0)));
    }
    std::int64_t channels = static_cast<std::int64_t>(bias.size());
    ValueId stored =
        rewrite_.constant(name + "_quantized", DType::i32, {channels}, to_bytes(std::span<const std::int32_t>(q)));
    std::vector<std::int64_t> extents;
    if (r.axis >= 0) extents.push_back(channels);
    ValueId scale = rewrite_.constant(name + "_scale", DType::f32, extents, to_bytes(std::span<const float>(scales)));
    std::vector<Attrs::Item> attrs;
    if (r.axis >= 0) attrs.emplace_back("axis", std::int64_t{0});
    n.inputs.resize(3, kNone);
    n.inputs[2] = rewrite_.add(name, "dequantize_linear", {stored, scale}, attrs);
  }

  const Statistics& statistics_;
  const QuantizeOptions& options_;
  Regions regions_;
  Rewriter rewrite_;
  std::map<NodeId, const Layer*> layers_;
  std::map<ValueId, Parameters> parameters_;
  std::map<ValueId, ValueId> dequantized_;
};

}  // namespace

Status make_static(Module& m, const Chosen& chosen, const Statistics& statistics, const QuantizeOptions& options) {
  return StaticScheme(m, chosen, statistics, options).run();
}

}  // namespace mote::quant
