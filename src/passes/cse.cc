// cse: merges equal small constants, and nodes of the same op, operands and attributes. Random draws, states and
// control flow stay as they are.
#include <map>
#include <unordered_map>

#include "ir/elements.h"
#include "passes/graph.h"
#include "passes/list.h"

namespace mote::passes {
namespace {

constexpr std::size_t kSmallConstant = 4096;  // bytes

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

int merge_constants(Module& m) {
  std::unordered_map<std::string, ConstantId> first;
  std::vector<ConstantId> to(m.constants.size());
  for (std::size_t i = 0; i < m.constants.size(); ++i) {
    const Constant& c = m.constants[i];
    to[i] = static_cast<ConstantId>(i);
    if (c.size > kSmallConstant || !c.transforms.empty()) continue;
    std::span<const std::byte> bytes = c.stored();
    std::string key = c.type.to_string() + static_cast<char>('0' + static_cast<int>(c.encoding));
    key.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    to[i] = first.emplace(std::move(key), to[i]).first->second;
  }
  int merged = 0;
  for (Function& f : m.functions) {
    std::unordered_map<ConstantId, ValueId> value_of;
    std::vector<ValueId> same(f.values.size());
    bool changed = false;
    for (std::size_t v = 0; v < f.values.size(); ++v) {
      same[v] = static_cast<ValueId>(v);
      if (f.values[v].constant == kNone) continue;
      same[v] = value_of.emplace(to[at(f.values[v].constant)], same[v]).first->second;
      changed = changed || same[v] != static_cast<ValueId>(v);
    }
    if (!changed) continue;
    for (Node& n : f.nodes) {
      for (ValueId& v : n.inputs) {
        if (v == kNone || same[at(v)] == v) continue;
        v = same[at(v)];
        ++merged;
      }
    }
  }
  return merged;
}

std::string key_of(const Node& n) {
  std::string key(n.op->name);
  for (ValueId v : n.inputs) key += "," + std::to_string(v);
  for (const auto& [name, value] : n.attrs.items()) key += ";" + name + "=" + to_string(value);
  return key + ";" + std::to_string(n.outputs.size());
}

bool merge(Graph& g, NodeId n, NodeId into) {
  bool changed = false;
  std::size_t outputs = g.node(n).outputs.size();
  for (std::size_t i = 0; i < outputs && g.alive(n); ++i) {
    ValueId from = g.output(n, i), to = g.output(into, i);
    if (from == kNone || to == kNone) continue;
    if (g.readers(from).empty() && !g.is_output(from)) continue;
    changed = g.forward(from, to) || changed;
  }
  return changed;
}

}  // namespace

int cse(Module& m, const OpLookup& ops) {
  int merged = merge_constants(m);
  for (std::size_t f = 0; f < m.functions.size(); ++f) {
    Graph g(m, static_cast<FunctionId>(f), ops);
    std::unordered_map<std::string, NodeId> seen;
    for (NodeId n = g.first(); n != kNone; n = g.next(n)) {
      const Op& op = *g.node(n).op;
      if (op.is(kRandom) || op.is(kState) || op.is(kControl)) continue;
      auto [it, added] = seen.emplace(key_of(g.node(n)), n);
      if (!added && merge(g, n, it->second)) ++merged;
    }
    g.finish();
  }
  return merged;
}

}  // namespace mote::passes
