// Nodes of a graph: their order, the row or function each one goes through, and the emission of Mote's nodes.
#include <algorithm>
#include <queue>

#include "formats/onnx/importer.h"

namespace mote::onnx {
namespace {

std::string quoted(std::string_view s) { return "'" + std::string(s.substr(0, 200)) + "'"; }

std::string name_of_node(const NodeProto& node) {
  if (!node.name.empty()) return std::string(node.name);
  for (std::string_view o : node.outputs) {
    if (!o.empty()) return std::string(o);
  }
  return std::string(node.op_type);
}

using Producers = std::unordered_map<std::string_view, std::size_t>;

// Calls use(name) for every name that a node reads, those its subgraphs may read from here included.
template <class Use>
void each_read(const NodeProto& node, const Use& use) {
  for (std::string_view n : node.inputs) {
    if (!n.empty()) use(n);
  }
  for (const AttributeProto& a : node.attributes) {
    if (!a.g) continue;
    for (const NodeProto& inner : a.g->nodes) each_read(inner, use);
    for (const ValueInfoProto& o : a.g->outputs) use(o.name);
  }
}

Status cycle(const std::vector<NodeProto>& nodes, const std::vector<std::size_t>& waiting) {
  std::string names;
  std::size_t shown = 0;
  for (std::size_t i = 0; i < nodes.size() && shown < 5; ++i) {
    if (waiting[i] == 0) continue;
    names += (shown++ ? ", " : "") + quoted(name_of_node(nodes[i]));
  }
  return invalid("nodes depend on each other in a cycle: " + names);
}

}  // namespace

Result<std::vector<std::size_t>> Importer::order(const std::vector<NodeProto>& nodes, Scope& scope) {
  Producers producers;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (std::string_view o : nodes[i].outputs) {
      if (o.empty()) continue;
      if (scope.names.count(o) || !producers.emplace(o, i).second) {
        return invalid("value " + quoted(o) + " is given twice")
            .at("node " + quoted(name_of_node(nodes[i])))
            .at("byte " + std::to_string(nodes[i].offset));
      }
    }
  }
  std::vector<std::size_t> waiting(nodes.size(), 0), sorted;
  std::vector<std::vector<std::size_t>> readers(nodes.size());
  bool in_order = true;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    each_read(nodes[i], [&](std::string_view name) {
      auto it = producers.find(name);
      if (it == producers.end()) return;
      // A name of this graph that a subgraph makes itself is no dependency on a later node; assuming so is harmless
      // unless it closes a circle with the node itself.
      if (it->second == i && std::find(nodes[i].inputs.begin(), nodes[i].inputs.end(), name) == nodes[i].inputs.end()) {
        return;
      }
      if (it->second >= i) in_order = false;
      readers[it->second].push_back(i);
      ++waiting[i];
    });
  }
  sorted.resize(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) sorted[i] = i;
  if (in_order) return sorted;
  sorted.clear();
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (waiting[i] == 0) ready.push(i);
  }
  while (!ready.empty()) {
    std::size_t i = ready.top();
    ready.pop();
    sorted.push_back(i);
    for (std::size_t r : readers[i]) {
      if (--waiting[r] == 0) ready.push(r);
    }
  }
  if (sorted.size() != nodes.size()) return cycle(nodes, waiting);
  return sorted;
}

const FunctionProto* Importer::find_function(const NodeProto& node) const {
  auto it = functions_.find({node.domain, node.op_type, node.overload});
  return it == functions_.end() ? nullptr : it->second;
}

Status Importer::import_node(Scope& scope, const NodeProto& node) {
  std::string name = scope.prefix + name_of_node(node);
  auto place = [&](Status s) {
    if (s.ok()) return s;
    bool has_place = s.where().find(name) != std::string_view::npos;
    if (!has_place) s = std::move(s).at(std::string(node.op_type) + " " + quoted(name));
    return s;
  };
  if (node.op_type.empty()) return invalid("a node has no operator").at("byte " + std::to_string(node.offset));
  if (const FunctionProto* f = find_function(node)) return place(call(scope, node, *f, name));
  return place(convert(scope, node, name));
}

Status Importer::convert(Scope& scope, const NodeProto& node, std::string node_name) {
  MOTE_ASSIGN(std::int64_t version, opset(scope, node.domain));
  const Row* row = find_row(node.domain, node.op_type, version);
  NodeImport n(*this, scope, node, row, version, node_name);
  MOTE_TRY(n.resolve_inputs());
  const Op* custom = !row && options_.custom_op ? options_.custom_op(node.domain, node.op_type) : nullptr;
  if (row && row->convert) {
    n.fail(row->convert(n));
  } else if (row) {
    n.same();
  } else if (custom) {
    n.custom(*custom);
  } else {
    std::string what(node.op_type);
    what += node.domain.empty() ? " of opset " + std::to_string(version) : " of domain " + quoted(node.domain);
    n.unsupported(std::move(what));
  }
  MOTE_TRY(n.status());
  for (int i = 0; i < n.outputs(); ++i) {
    std::string_view o = node.outputs[static_cast<std::size_t>(i)];
    if (o.empty() || scope.names.count(o)) continue;
    if (!n.missed()) return internal_error("output " + std::to_string(i) + " was not made");
    ValueId v = fn(scope.function).add_value(scope.prefix + std::string(o), stated_type(scope, o).value_or(Type()));
    scope.names.emplace(o, v);
  }
  return {};
}

Status Importer::call(Scope& scope, const NodeProto& node, const FunctionProto& f, const std::string& node_name) {
  if (std::find(calls_.begin(), calls_.end(), &f) != calls_.end()) {
    return invalid("function " + quoted(f.name) + " calls itself");
  }
  Scope inner;
  inner.function = scope.function;
  inner.depth = scope.depth + 1;
  if (inner.depth > options_.limits.max_depth) return invalid("functions are nested too deeply");
  inner.prefix = node_name + "/";
  inner.opsets = &f.opsets;
  if (node.inputs.size() > f.inputs.size()) {
    return invalid("passes " + std::to_string(node.inputs.size()) + " inputs to function " + quoted(f.name) +
                   ", which takes " + std::to_string(f.inputs.size()));
  }
  NodeImport n(*this, scope, node, nullptr, 0, node_name);
  MOTE_TRY(n.resolve_inputs());
  std::vector<ValueId> used = n.all_inputs();
  for (std::size_t i = 0; i < f.inputs.size(); ++i) {
    ValueId v = n.in(static_cast<int>(i));
    if (!inner.names.emplace(f.inputs[i], v).second) {
      return invalid("function " + quoted(f.name) + " has two inputs named " + quoted(f.inputs[i]));
    }
  }
  CallAttributes attributes;
  for (const AttributeProto& a : f.attribute_defaults) attributes[a.name] = &a;
  for (const AttributeProto& a : node.attributes) {
    if (const AttributeProto* resolved = n.attr(a.name)) attributes[a.name] = resolved;
  }
  inner.attributes = &attributes;
  calls_.push_back(&f);
  MOTE_ASSIGN(std::vector<std::size_t> sorted, order(f.nodes, inner));
  for (std::size_t i : sorted) MOTE_TRY(import_node(inner, f.nodes[i]));
  calls_.pop_back();
  if (node.outputs.size() > f.outputs.size())
    return invalid("wants more outputs than function " + quoted(f.name) + " has");
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i].empty()) continue;
    MOTE_ASSIGN(std::optional<ValueId> v, lookup(inner, f.outputs[i]));
    if (!v || *v == kNone)
      return invalid("function " + quoted(f.name) + " does not give its output " + quoted(f.outputs[i]));
    // The value takes the caller's name, unless the caller knows it already.
    bool is_new = value(scope.function, *v).producer != kNone && std::find(used.begin(), used.end(), *v) == used.end();
    if (is_new) value(scope.function, *v).name.clear();
    used.push_back(*v);
    MOTE_TRY(bind(scope, node.outputs[i], *v, node_name));
  }
  return {};
}

}  // namespace mote::onnx
