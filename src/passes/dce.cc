// dce: removes what nothing reads: nodes, optional outputs, values, constants, and functions that no signature reaches.
#include <algorithm>

#include "passes/list.h"

namespace mote::passes {
namespace {

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

int drop_nodes(Function& f) {
  std::vector<bool> read(f.values.size(), false);
  for (ValueId v : f.outputs) read[at(v)] = true;
  int dropped = 0;
  std::vector<Node> kept;
  for (std::size_t i = f.nodes.size(); i-- > 0;) {
    Node& n = f.nodes[i];
    auto is_read = [&](ValueId v) { return v != kNone && read[at(v)]; };
    if (!n.op->is(kState) && std::ranges::none_of(n.outputs, is_read)) {
      ++dropped;
      continue;
    }
    for (std::size_t o = 0; o < n.outputs.size() && o < n.op->outputs.size(); ++o) {
      if (n.op->outputs[o].arity != Arity::kOptional || n.outputs[o] == kNone || is_read(n.outputs[o])) continue;
      n.outputs[o] = kNone;
      ++dropped;
    }
    for (ValueId v : n.inputs) {
      if (v != kNone) read[at(v)] = true;
    }
    kept.push_back(std::move(n));
  }
  std::ranges::reverse(kept);
  f.nodes = std::move(kept);
  return dropped;
}

// Calls visit(id) for every reference to a value.
template <class Visit>
void each_value(Function& f, const Visit& visit) {
  auto all = [&](std::vector<ValueId>& values) {
    for (ValueId& v : values) {
      if (v != kNone) visit(v);
    }
  };
  all(f.inputs);
  all(f.outputs);
  for (Node& n : f.nodes) {
    all(n.inputs);
    all(n.outputs);
  }
}

// Leaves out the items that are not kept; the new index of each.
template <class T>
std::vector<std::int32_t> compact(std::vector<T>& items, const std::vector<bool>& keep) {
  std::vector<std::int32_t> index(items.size(), kNone);
  std::vector<T> kept;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!keep[i]) continue;
    index[i] = static_cast<std::int32_t>(kept.size());
    kept.push_back(std::move(items[i]));
  }
  items = std::move(kept);
  return index;
}

void drop_values(Function& f) {
  std::vector<bool> keep(f.values.size(), false);
  each_value(f, [&](ValueId& v) { keep[at(v)] = true; });
  std::vector<std::int32_t> index = compact(f.values, keep);
  each_value(f, [&](ValueId& v) { v = index[at(v)]; });
  f.reindex();
}

void reach(const Module& m, FunctionId f, std::vector<bool>& reached) {
  if (reached[at(f)]) return;
  reached[at(f)] = true;
  for (const Node& n : m.functions[at(f)].nodes) {
    for (FunctionId b : n.bodies) reach(m, b, reached);
  }
}

int drop_functions(Module& m) {
  std::vector<bool> keep(m.functions.size(), false);
  reach(m, 0, keep);
  for (const Signature& s : m.signatures) reach(m, s.function, keep);
  int dropped = static_cast<int>(std::ranges::count(keep, false));
  if (dropped == 0) return 0;
  std::vector<std::int32_t> index = compact(m.functions, keep);
  for (Signature& s : m.signatures) s.function = index[at(s.function)];
  for (Function& f : m.functions) {
    for (Node& n : f.nodes) {
      for (FunctionId& b : n.bodies) b = index[at(b)];
    }
  }
  return dropped;
}

int drop_constants(Module& m) {
  std::vector<bool> keep(m.constants.size(), false);
  for (const Function& f : m.functions) {
    for (const Value& v : f.values) {
      if (v.constant != kNone) keep[at(v.constant)] = true;
    }
  }
  int dropped = static_cast<int>(std::ranges::count(keep, false));
  if (dropped == 0) return 0;
  std::vector<std::int32_t> index = compact(m.constants, keep);
  for (Function& f : m.functions) {
    for (Value& v : f.values) {
      if (v.constant != kNone) v.constant = index[at(v.constant)];
    }
  }
  return dropped;
}

}  // namespace

int dce(Module& m, const OpLookup&) {
  if (m.functions.empty()) return 0;
  int dropped = 0;
  for (Function& f : m.functions) {
    dropped += drop_nodes(f);
    drop_values(f);
  }
  dropped += drop_functions(m);
  return dropped + drop_constants(m);
}

}  // namespace mote::passes
