#include "quant/tighten.h"

#include <algorithm>
#include <cmath>

#include "quant/rewriter.h"
#include "quant/weights.h"

namespace mote::quant {
namespace {

constexpr int kRounds = 4;

std::vector<std::vector<NodeId>> readers_of(const Function& f) {
  std::vector<std::vector<NodeId>> out(f.values.size());
  for (NodeId i = 0; i < static_cast<NodeId>(f.nodes.size()); ++i) {
    for (ValueId v : f.nodes[at(i)].inputs) {
      if (v != kNone) out[at(v)].push_back(i);
    }
  }
  return out;
}

// The layer that alone reads another's result, through nodes that commute with positive factors.
const Layer* only_reader(const Function& f, const std::vector<std::vector<NodeId>>& readers,
                         const std::vector<Layer>& layers, const Layer& from) {
  ValueId v = f.nodes[at(from.node)].outputs[0];
  for (;;) {
    if (readers[at(v)].size() != 1 || std::ranges::find(f.outputs, v) != f.outputs.end()) return nullptr;
    NodeId n = readers[at(v)][0];
    for (const Layer& l : layers) {
      if (l.node == n) return l.x == v ? &l : nullptr;
    }
    std::string_view op = f.nodes[at(n)].op->name;
    bool scales = op == "relu" || op == "max_pool" || op == "average_pool" || op == "global_average_pool";
    if (!scales) return nullptr;
    v = f.nodes[at(n)].outputs[0];
  }
}

// Largest magnitudes by output channel, and by the input channel that a weight multiplies.
std::size_t input_channel(const Layer& l, const Floats& w, std::size_t i) {
  if (l.kind != Layer::Kind::kConv) return Channels(w.shape, 1 - l.axis)(i);
  std::size_t group = Channels(w.shape, 0)(i) / static_cast<std::size_t>(l.channels / l.group);
  return group * static_cast<std::size_t>(w.shape[1]) + Channels(w.shape, 1)(i);
}

std::size_t inputs_of(const Layer& l, const Floats& w) {
  if (l.kind == Layer::Kind::kConv) return static_cast<std::size_t>(w.shape[1] * l.group);
  return static_cast<std::size_t>(l.depth);
}

bool equalize_pair(const Layer& a, const Layer& b, std::map<ConstantId, Floats>& values) {
  Floats &wa = values.at(a.weights), &wb = values.at(b.weights);
  std::size_t channels = static_cast<std::size_t>(a.channels);
  if (inputs_of(b, wb) != channels) return false;
  std::vector<float> ra(channels, 0), rb(channels, 0);
  Channels out(wa.shape, a.axis);
  for (std::size_t i = 0; i < wa.data.size(); ++i) ra[out(i)] = std::max(ra[out(i)], std::abs(wa.data[i]));
  for (std::size_t i = 0; i < wb.data.size(); ++i) {
    float& r = rb[input_channel(b, wb, i)];
    r = std::max(r, std::abs(wb.data[i]));
  }
  std::vector<float> factor(channels, 1);
  for (std::size_t c = 0; c < channels; ++c) {
    if (ra[c] > 1e-12f && rb[c] > 1e-12f) factor[c] = std::clamp(std::sqrt(rb[c] / ra[c]), 1e-3f, 1e3f);
  }
  for (std::size_t i = 0; i < wa.data.size(); ++i) wa.data[i] *= factor[out(i)];
  if (a.bias != kNone) {
    Floats& bias = values.at(a.bias);
    if (bias.data.size() != channels) return false;
    for (std::size_t c = 0; c < channels; ++c) bias.data[c] *= factor[c];
  }
  for (std::size_t i = 0; i < wb.data.size(); ++i) wb.data[i] /= factor[input_channel(b, wb, i)];
  return true;
}

}  // namespace

int equalize(Module& m) {
  QuantizeOptions plain;
  Result<std::vector<Layer>> layers = find_layers(m, plain);
  if (!layers.ok()) return 0;
  std::vector<std::vector<NodeId>> readers = readers_of(main_function(m));
  std::map<ConstantId, int> users;
  for (const Layer& l : *layers) {
    for (ConstantId c : {l.weights, l.bias}) {
      if (c != kNone) ++users[c];
    }
  }
  std::map<ConstantId, Floats> values;
  std::vector<std::pair<const Layer*, const Layer*>> pairs;
  for (const Layer& a : *layers) {
    const Layer* b = a.can() ? only_reader(main_function(m), readers, *layers, a) : nullptr;
    if (!b || !b->can()) continue;
    bool mine = true;
    for (ConstantId c : {a.weights, a.bias, b->weights}) {
      if (c == kNone) continue;
      mine = mine && users[c] == 1;
      if (values.contains(c)) continue;
      Result<Floats> read = read_floats(m, c);
      mine = mine && read.ok();
      if (read.ok()) values[c] = *std::move(read);
    }
    bool sized = a.bias == kNone ||
                 (values.contains(a.bias) && static_cast<std::int64_t>(values[a.bias].data.size()) == a.channels);
    if (mine && sized) pairs.emplace_back(&a, b);
  }
  int made = 0;
  for (int round = 0; round < kRounds; ++round) {
    for (const auto& [a, b] : pairs) made += equalize_pair(*a, *b, values) && round == 0;
  }
  for (const auto& [c, v] : values) {
    std::string name = m.constants[at(c)].name;
    ConstantId made_id = add_floats(m, name, v);
    m.constants[at(c)] = m.constants[at(made_id)];
    m.constants.pop_back();
  }
  return made;
}

Status smooth(Module& m, const std::vector<Layer>& layers, const Statistics& seen, double alpha) {
  std::map<ValueId, std::vector<const Layer*>> by_input;
  for (const Layer& l : layers) {
    if (l.can() && l.kind != Layer::Kind::kConv) by_input[l.x].push_back(&l);
  }
  Rewriter rewrite(m);
  std::vector<Node>& nodes = rewrite.old();
  std::vector<int> uses(rewrite.function().values.size(), 0);
  for (const Node& n : nodes) {
    for (ValueId v : n.inputs) {
      if (v != kNone) ++uses[at(v)];
    }
  }
  for (ValueId v : rewrite.function().outputs) ++uses[at(v)];
  std::map<ValueId, std::vector<float>> divide;  // x -> 1 / s, for those that get a node
  std::map<NodeId, std::vector<float>> normal;   // normalizations that take it in
  for (const auto& [x, readers] : by_input) {
    auto it = seen.magnitudes.find(x);
    if (it == seen.magnitudes.end()) continue;
    std::vector<float> most(it->second.size(), 0);
    std::vector<Floats> weights;
    bool fits = true;
    for (const Layer* l : readers) {
      MOTE_ASSIGN(Floats w, read_floats(m, l->weights));
      Channels in(w.shape, 1 - l->axis);
      fits = fits && in.extent() == most.size();
      for (std::size_t i = 0; fits && i < w.data.size(); ++i) most[in(i)] = std::max(most[in(i)], std::abs(w.data[i]));
      weights.push_back(std::move(w));
    }
    if (!fits) continue;
    std::vector<float> s(most.size(), 1);
    for (std::size_t j = 0; j < s.size(); ++j) {
      double top = std::pow(std::max(static_cast<double>(it->second[j]), 1e-5), alpha);
      double bottom = std::pow(std::max(static_cast<double>(most[j]), 1e-5), 1 - alpha);
      s[j] = static_cast<float>(std::clamp(top / bottom, 1e-3, 1e3));
    }
    for (std::size_t r = 0; r < readers.size(); ++r) {
      Floats& w = weights[r];
      Channels in(w.shape, 1 - readers[r]->axis);
      for (std::size_t i = 0; i < w.data.size(); ++i) w.data[i] *= s[in(i)];
      ConstantId id = add_floats(m, m.constants[at(readers[r]->weights)].name, w);
      nodes[at(readers[r]->node)].inputs[1] = value_of(m, rewrite.function(), id);
    }
    std::vector<float> inverse;
    for (float f : s) inverse.push_back(1 / f);
    NodeId maker = rewrite.function().values[at(x)].producer;
    bool alone = maker != kNone && nodes[at(maker)].op->name == "layer_normalization" &&
                 uses[at(x)] == static_cast<int>(readers.size()) &&
                 constant_of(rewrite.function(), input_of(nodes[at(maker)], 1)) != kNone;
    if (alone) {
      normal[maker] = std::move(inverse);
    } else {
      divide[x] = std::move(inverse);
    }
  }
  auto vector = [&](const std::string& name, const std::vector<float>& v) {
    return rewrite.constant(name, DType::f32, {static_cast<std::int64_t>(v.size())},
                            to_bytes(std::span<const float>(v)));
  };
  for (const auto& [n, by] : normal) {
    for (std::size_t operand : {1u, 2u}) {
      ConstantId c = constant_of(rewrite.function(), input_of(nodes[at(n)], operand));
      if (c == kNone) continue;
      MOTE_ASSIGN(Floats values, read_floats(m, c));
      if (values.data.size() != by.size())
        return internal_error("a normalization of another size").at(nodes[at(n)].name);
      for (std::size_t j = 0; j < by.size(); ++j) values.data[j] *= by[j];
      ConstantId id = add_floats(m, m.constants[at(c)].name, values);
      nodes[at(n)].inputs[operand] = value_of(m, rewrite.function(), id);
    }
  }
  std::map<ValueId, ValueId> divided;
  for (NodeId i = 0; i < static_cast<NodeId>(nodes.size()); ++i) {
    Node n = nodes[at(i)];
    bool product =
        std::ranges::any_of(layers, [&](const Layer& l) { return l.node == i && l.kind != Layer::Kind::kConv; });
    if (product && divide.contains(n.inputs[0])) {
      ValueId x = n.inputs[0];
      if (!divided.contains(x)) {
        std::string name = rewrite.function().values[at(x)].name;
        divided[x] = rewrite.add(name, "mul", {x, vector(name + "_smooth", divide[x])});
      }
      n.inputs[0] = divided[x];
    }
    rewrite.keep(std::move(n));
  }
  return rewrite.finish();
}

}  // namespace mote::quant
