// cse: merges equal small constants, and nodes of the same op, operands and attributes. Random draws, states and
// control flow stay as they are.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "ir/elements.h"
#include "passes/graph.h"
#include "passes/list.h"

namespace mote::passes {
namespace {

constexpr std::size_t kSmallConstant = 4096;  // bytes

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

std::string_view text_of(const Constant& c) {
  std::span<const std::byte> bytes = c.stored();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool equal(const Constant& a, const Constant& b, std::string_view bytes_of_b) {
  return a.encoding == b.encoding && a.type == b.type && text_of(a) == bytes_of_b;
}

int merge_constants(Module& m) {
  std::unordered_multimap<std::size_t, ConstantId> seen;
  seen.reserve(m.constants.size());
  std::vector<ConstantId> to(m.constants.size());
  for (std::size_t i = 0; i < m.constants.size(); ++i) {
    const Constant& c = m.constants[i];
    to[i] = static_cast<ConstantId>(i);
    if (c.size > kSmallConstant || !c.transforms.empty()) continue;
    const std::string_view bytes = text_of(c);
    const std::size_t hash = std::hash<std::string_view>()(bytes);
    auto [it, end] = seen.equal_range(hash);
    it = std::find_if(it, end, [&](const auto& other) { return equal(m.constants[at(other.second)], c, bytes); });
    if (it == end) {
      seen.emplace(hash, to[i]);
    } else {
      to[i] = it->second;
    }
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

bool mergeable(const Node& n) { return !n.op->is(kRandom) && !n.op->is(kState) && !n.op->is(kControl); }

// Whether two nodes may be equal: they are of the same op and have the same operands.
bool any_alike(const Function& f) {
  std::unordered_set<std::size_t> seen;
  seen.reserve(f.nodes.size());
  for (const Node& n : f.nodes) {
    if (!mergeable(n)) continue;
    std::size_t hash = std::hash<const Op*>()(n.op);
    for (ValueId v : n.inputs) hash = hash * 31 + static_cast<std::size_t>(v + 1);
    if (!seen.insert(hash).second) return true;
  }
  return false;
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
    if (!any_alike(m.functions[f])) continue;
    Graph g(m, static_cast<FunctionId>(f), ops);
    std::unordered_map<std::string, NodeId> seen;
    for (NodeId n = g.first(); n != kNone; n = g.next(n)) {
      if (!mergeable(g.node(n))) continue;
      auto [it, added] = seen.emplace(key_of(g.node(n)), n);
      if (!added && merge(g, n, it->second)) ++merged;
    }
    g.finish();
  }
  return merged;
}

}  // namespace mote::passes
