#include "quant/regions.h"

#include <algorithm>

#include "passes/graph.h"

namespace mote::quant {
namespace {

constexpr std::string_view kMovers[] = {"reshape",   "squeeze",        "unsqueeze",      "flatten",
                                        "transpose", "max_pool",       "slice",          "gather",
                                        "split",     "depth_to_space", "space_to_depth", "identity"};

}  // namespace

std::vector<ValueId> Regions::operands(NodeId n) const {
  std::vector<ValueId> out;
  for (ValueId v : f_.nodes[at(n)].inputs) {
    if (v != kNone && f_.values[at(v)].type.is_tensor() && f_.values[at(v)].type.dtype == DType::f32) out.push_back(v);
  }
  return out;
}

namespace {

bool is_single(const Module& m, const Function& f, ValueId v) {
  ConstantId c = constant_of(f, v);
  return c != kNone && m.constants[at(c)].type.has_rank() && volume(*m.constants[at(c)].type.shape).is(1);
}

// Whether `v` is a constant with one value for each of the last axis of `like`.
bool is_row(const Module& m, const Function& f, ValueId v, ValueId like) {
  ConstantId c = constant_of(f, v);
  const Type& t = f.values[at(like)].type;
  if (c == kNone || !t.has_rank() || t.rank() < 1) return false;
  const Shape& s = *m.constants[at(c)].type.shape;
  return !s.empty() && s.back() == t.shape->back() && volume(s) == s.back();
}

}  // namespace

Regions::Kind Regions::kind_of(NodeId i) const {
  const Node& n = f_.nodes[at(i)];
  std::string_view op = n.op->name;
  if (!n.bodies.empty() || n.outputs.empty() || n.outputs[0] == kNone) return Kind::kFloat;
  const Type& y = f_.values[at(n.outputs[0])].type;
  if (!y.is_tensor() || y.dtype != DType::f32 || !y.has_rank()) return Kind::kFloat;
  std::vector<ValueId> all = operands(i);
  if (all.empty() || is_constant(all[0])) {
    bool binary = op == "add" || op == "mul" || op == "sub";
    if (all.empty() || !binary) return Kind::kFloat;
  }
  if (contains(kMovers, op)) {
    if (op == "max_pool" && n.outputs.size() > 1 && n.outputs[1] != kNone) return Kind::kFloat;
    return Kind::kMoves;
  }
  if (op == "resize" && attr_string(*n.op, n.attrs, "mode") == "nearest") return Kind::kMoves;
  if (op == "pad" && attr_string(*n.op, n.attrs, "mode") == "constant" && all.size() == 1) return Kind::kMoves;
  if (op == "concat") return Kind::kConcat;
  if (op == "average_pool" || op == "global_average_pool") return Kind::kPool;
  if (op == "relu" || op == "clip") {
    bool fixed = std::all_of(all.begin() + 1, all.end(), [&](ValueId v) { return is_single(m_, f_, v); });
    return fixed ? Kind::kClamp : Kind::kFloat;
  }
  std::vector<ValueId> varies;
  for (ValueId v : all) {
    if (!is_constant(v) && std::ranges::find(varies, v) == varies.end()) varies.push_back(v);
  }
  bool numbers = std::ranges::all_of(all, [&](ValueId v) { return !is_constant(v) || is_single(m_, f_, v); });
  if (n.op->is(kElementwise) && n.outputs.size() == 1 && varies.size() == 1 && numbers) return Kind::kFunction;
  if ((op == "add" || op == "sub" || op == "mul") && !varies.empty()) {
    NodeId maker = varies.size() == 1 ? f_.values[at(varies[0])].producer : kNone;
    ValueId other = all[0] == varies[0] ? all[1] : all[0];
    if (op == "add" && maker != kNone && matmul_[at(maker)] && readers_[at(varies[0])].size() == 1 &&
        !given_[at(varies[0])] && is_row(m_, f_, other, varies[0]))
      return Kind::kBias;
    return Kind::kBinary;
  }
  return Kind::kFloat;
}

// Forward: what reads integers alone gives integers.
void Regions::spread() {
  for (NodeId i = 0; i < static_cast<NodeId>(f_.nodes.size()); ++i) {
    const Node& n = f_.nodes[at(i)];
    Kind& kind = kinds_[at(i)];
    if (kind != Kind::kLayer) kind = kind_of(i);
    bool is_int = kind == Kind::kLayer;
    if (kind != Kind::kLayer && kind != Kind::kFloat) {
      std::vector<ValueId> in = operands(i);
      auto fine = [&](ValueId v) { return int_values_[at(v)] || is_constant(v); };
      if (kind == Kind::kConcat) {
        is_int = std::ranges::any_of(in, [&](ValueId v) { return int_values_[at(v)]; }) &&
                 std::ranges::none_of(in, [&](ValueId v) { return is_constant(v); });
      } else {
        is_int = std::ranges::all_of(in, fine);
      }
      if (kind == Kind::kBias) is_int = is_int && integer_[at(f_.values[at(in[is_constant(in[0]) ? 1 : 0])].producer)];
    }
    integer_[at(i)] = is_int;
    for (ValueId v : n.outputs) {
      if (v == kNone) continue;
      int_values_[at(v)] = is_int;
      source_[at(v)] = v;
    }
    if (!is_int) continue;
    // A function of one value, of however many nodes.
    bool in_function = kind == Kind::kClamp && [&] {
      NodeId p = f_.values[at(operands(i)[0])].producer;
      return p != kNone && kinds_[at(p)] == Kind::kFunction;
    }();
    if (kind == Kind::kBinary || kind == Kind::kFunction || in_function) {
      ValueId source = kNone;
      bool one = true;
      for (ValueId v : operands(i)) {
        if (is_constant(v)) {
          one = one && is_single(m_, f_, v);
          continue;
        }
        one = one && (source == kNone || source == source_[at(v)]);
        source = source_[at(v)];
      }
      if (one && source != kNone) {
        kind = Kind::kFunction;
        source_[at(n.outputs[0])] = source;
      } else {
        kind = Kind::kBinary;
      }
    }
  }
}

// Backward: what no layer reads in the end stays in f32.
void Regions::shrink() {
  for (NodeId i = static_cast<NodeId>(f_.nodes.size()) - 1; i >= 0; --i) {
    Kind kind = kinds_[at(i)];
    if (!integer_[at(i)] || kind == Kind::kLayer) continue;
    bool wanted = false;
    for (ValueId v : f_.nodes[at(i)].outputs) {
      if (v == kNone) continue;
      wanted = wanted || std::ranges::any_of(readers_[at(v)], [&](NodeId r) { return integer_[at(r)]; });
    }
    // A clamp behind a convolution, or a chain of them, is part of it.
    if (!wanted && kind == Kind::kClamp) {
      ValueId x = operands(i)[0];
      for (;;) {
        NodeId p = f_.values[at(x)].producer;
        if (p == kNone || !integer_[at(p)] || readers_[at(x)].size() != 1 || given_[at(x)]) break;
        if (kinds_[at(p)] == Kind::kLayer) wanted = !matmul_[at(p)];
        if (kinds_[at(p)] != Kind::kClamp) break;
        x = operands(p)[0];
      }
    }
    integer_[at(i)] = wanted;
    for (ValueId v : f_.nodes[at(i)].outputs) {
      if (v != kNone) int_values_[at(v)] = wanted;
    }
  }
}

bool Regions::absorbed(ValueId v) const {
  NodeId p = f_.values[at(v)].producer;
  if (p == kNone || !integer_[at(p)] || given_[at(v)] || readers_[at(v)].empty()) return false;
  const std::vector<NodeId>& readers = readers_[at(v)];
  auto is = [&](NodeId r, Kind k) { return integer_[at(r)] && kinds_[at(r)] == k; };
  Kind made = kinds_[at(p)];
  if (readers.size() == 1 && is(readers[0], Kind::kBias)) return true;
  bool takes_clamp = made == Kind::kLayer || made == Kind::kBinary || made == Kind::kPool || made == Kind::kBias ||
                     (made == Kind::kClamp && absorbed(operands(p)[0]));
  if (readers.size() == 1 && takes_clamp && is(readers[0], Kind::kClamp)) return true;
  return made == Kind::kFunction && std::ranges::all_of(readers, [&](NodeId r) {
           return is(r, Kind::kFunction) && source_[at(f_.nodes[at(r)].outputs[0])] == source_[at(v)];
         });
}

void Regions::join(ValueId a, ValueId b) {
  a = shared(a);
  b = shared(b);
  if (a != b) shared_[at(std::max(a, b))] = std::min(a, b);
}

ValueId Regions::shared(ValueId v) const {
  while (shared_[at(v)] != v) v = shared_[at(v)];
  return v;
}

void Regions::settle() {
  auto mark = [&](ValueId v) {
    if (v == kNone || is_constant(v) || flags_[at(v)] || absorbed(v)) return;
    flags_[at(v)] = true;
    quantized_.push_back(v);
  };
  for (NodeId i = 0; i < static_cast<NodeId>(f_.nodes.size()); ++i) {
    if (!integer_[at(i)]) continue;
    const Node& n = f_.nodes[at(i)];
    Kind kind = kinds_[at(i)];
    std::vector<ValueId> in = operands(i);
    if (kind == Kind::kLayer || kind == Kind::kMoves || kind == Kind::kClamp) in.resize(1);
    for (ValueId v : in) mark(v);
    bool is_product = matmul_[at(i)] || kind == Kind::kBias;
    for (ValueId v : n.outputs) {
      if (v == kNone) continue;
      // A product whose result nobody wants in integers gives f32.
      bool read = std::ranges::any_of(readers_[at(v)], [&](NodeId r) { return integer_[at(r)]; });
      if (!is_product || read) mark(v);
    }
  }
  for (NodeId i = 0; i < static_cast<NodeId>(f_.nodes.size()); ++i) {
    if (!integer_[at(i)]) continue;
    const Node& n = f_.nodes[at(i)];
    if (kinds_[at(i)] == Kind::kMoves) {
      ValueId x = operands(i)[0];
      for (ValueId y : n.outputs) {
        if (y != kNone && is_quantized(x) && is_quantized(y)) join(x, y);
      }
    }
    if (kinds_[at(i)] == Kind::kConcat) {
      for (ValueId x : operands(i)) {
        if (is_quantized(x) && readers_[at(x)].size() == 1 && !given_[at(x)]) join(x, n.outputs[0]);
      }
    }
  }
  std::ranges::sort(quantized_);
}

Regions::Regions(const Module& m, const std::vector<const Layer*>& chosen) : m_(m), f_(main_function(m)) {
  std::size_t nodes = f_.nodes.size(), values = f_.values.size();
  kinds_.assign(nodes, Kind::kFloat);
  integer_.assign(nodes, false);
  matmul_.assign(nodes, false);
  int_values_.assign(values, false);
  given_.assign(values, false);
  flags_.assign(values, false);
  readers_.resize(values);
  for (ValueId v = 0; v < static_cast<ValueId>(values); ++v) {
    source_.push_back(v);
    shared_.push_back(v);
  }
  for (NodeId i = 0; i < static_cast<NodeId>(nodes); ++i) {
    for (ValueId v : f_.nodes[at(i)].inputs) {
      if (v != kNone) readers_[at(v)].push_back(i);
    }
  }
  for (ValueId v : f_.outputs) given_[at(v)] = true;
  for (const Layer* l : chosen) {
    kinds_[at(l->node)] = Kind::kLayer;
    matmul_[at(l->node)] = l->kind != Layer::Kind::kConv;
  }
  spread();
  shrink();
  settle();
}

bool Regions::gives_quantized(ValueId v) const {
  NodeId p = f_.values[at(v)].producer;
  return is_quantized(v) && p != kNone && integer_[at(p)];
}

bool Regions::reads_quantized(NodeId reader, ValueId v) const {
  return is_quantized(v) && (integer_[at(reader)] || gives_quantized(v));
}

std::vector<ValueId> Regions::candidates(const Module& m) {
  Regions all(m, {});
  std::vector<bool> seen(all.f_.values.size(), false);
  auto add = [&](ValueId v) {
    const Type& t = all.f_.values[at(v)].type;
    if (!all.is_constant(v) && t.is_tensor() && t.dtype == DType::f32) seen[at(v)] = true;
  };
  for (NodeId i = 0; i < static_cast<NodeId>(all.f_.nodes.size()); ++i) {
    const Node& n = all.f_.nodes[at(i)];
    std::string_view op = n.op->name;
    bool layer = op == "conv" || op == "matmul" || op == "gemm";
    if (!layer && all.kinds_[at(i)] == Kind::kFloat) continue;
    for (ValueId v : all.operands(i)) add(v);
    for (ValueId v : n.outputs) {
      if (v != kNone) add(v);
    }
  }
  std::vector<ValueId> out;
  for (ValueId v = 0; v < static_cast<ValueId>(seen.size()); ++v) {
    if (seen[at(v)]) out.push_back(v);
  }
  return out;
}

}  // namespace mote::quant
