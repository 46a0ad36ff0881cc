// Graph: one function while a pass rewrites it. Nodes are kept in a linked list, so that replacing one costs what it
// changes; readers of every value are known; nodes that nobody reads any more disappear at once, with what only they
// needed. While a Graph lives, it holds the function's nodes; finish() gives them back.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "ir/builder.h"

namespace mote::passes {

class Graph {
 public:
  // All of them outlive the graph.
  Graph(Module& module, FunctionId function, const OpLookup& ops);
  // Puts the nodes back into the function, in order, and sets producers.
  void finish();

  // Nodes in topological order; kNone at the end. next() of a node that has been removed is still right.
  NodeId first() const { return skip_dead(first_); }
  NodeId next(NodeId n) const { return skip_dead(links_[at(n)].next); }
  const Node& node(NodeId n) const { return nodes_[at(n)]; }
  bool alive(NodeId n) const { return links_[at(n)].alive; }
  // Whether a stands before b. Nodes made in place of one another stand at its place.
  bool before(NodeId a, NodeId b) const { return links_[at(a)].order < links_[at(b)].order; }

  bool is(NodeId n, std::string_view op) const { return n != kNone && node(n).op->name == op; }
  // Operand or output i, kNone where it is absent.
  ValueId input(NodeId n, std::size_t i) const;
  ValueId output(NodeId n, std::size_t i = 0) const;
  std::int64_t attr_int(NodeId n, std::string_view name) const;
  double attr_float(NodeId n, std::string_view name) const;
  std::string attr_string(NodeId n, std::string_view name) const;
  std::vector<std::int64_t> attr_ints(NodeId n, std::string_view name) const;

  const Value& value(ValueId v) const { return fn().values[at(v)]; }
  const Type& type(ValueId v) const { return value(v).type; }
  bool has_rank(ValueId v) const { return v != kNone && type(v).has_rank(); }
  // The node that makes v, kNone for inputs and constants.
  NodeId producer(ValueId v) const { return v == kNone ? kNone : value(v).producer; }
  // The producer when it is an `op` and v is its output 0; else kNone.
  NodeId producer(ValueId v, std::string_view op) const;
  // A node stands once for every operand that is v.
  std::span<const NodeId> readers(ValueId v) const { return uses_[at(v)].readers; }
  bool is_output(ValueId v) const { return uses_[at(v)].outputs > 0; }
  // Whether exactly one operand reads v, and no output of the function.
  bool single(ValueId v) const { return uses_[at(v)].readers.size() == 1 && !is_output(v); }

  const Constant* constant(ValueId v) const;
  // The one element of a constant with one element, float or integer.
  std::optional<double> scalar(ValueId v) const;
  // The elements of a small integer constant; of a small float constant.
  std::optional<std::vector<std::int64_t>> ints(ValueId v) const;
  std::optional<std::vector<double>> floats(ValueId v) const;

  Module& module() { return module_; }
  const Module& module() const { return module_; }
  FunctionId function() const { return function_; }
  const OpLookup& ops() const { return ops_; }

  // Makes nodes that are to stand at n's place.
  Builder builder(NodeId n) { return Builder(module_, function_, ops_, node(n).name + "/"); }
  // Puts the builder's nodes before n and makes every reader of n's outputs read `with`, values that these nodes make
  // (kNone for outputs that nobody reads). The new values take over the names and the better-known types of the old
  // ones. False, and nothing changes, when the builder failed or a type would change.
  bool replace(NodeId n, Builder& b, const std::vector<ValueId>& with);
  // Makes every reader of `from` read `to`, which exists already, has the same type and does not come later. An output
  // of the function keeps its name: false, and nothing changes, when that cannot be.
  bool forward(ValueId from, ValueId to);
  // Puts the builder's nodes before n.
  void insert(NodeId n, Builder& b);
  // Removes the node when nobody reads it, then what it alone read.
  void collect(NodeId n);
  // Changes to a node as it stands; outputs keep their types.
  void set_attr(NodeId n, std::string_view name, AttrValue value) { nodes_[at(n)].attrs.set(name, std::move(value)); }
  void set_input(NodeId n, std::size_t i, ValueId v);
  void drop_output(NodeId n, std::size_t i) { nodes_[at(n)].outputs[i] = kNone; }
  // A value for the constant `c` of the module.
  ValueId constant_value(ConstantId c) { return grown(mutable_fn().constant_value(c, module_.constants[at(c)])); }

 private:
  struct Link {
    NodeId prev = kNone, next = kNone, order = kNone;
    bool alive = true;
  };
  struct Uses {
    std::vector<NodeId> readers;
    int outputs = 0;
  };

  static std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }
  const Function& fn() const { return module_.functions[at(function_)]; }
  Function& mutable_fn() { return module_.functions[at(function_)]; }
  NodeId skip_dead(NodeId n) const {
    while (n != kNone && !links_[at(n)].alive) n = links_[at(n)].next;
    return n;
  }
  ValueId grown(ValueId v) {
    uses_.resize(fn().values.size());
    return v;
  }
  void add_reader(ValueId v, NodeId n) {
    if (v != kNone) uses_[at(v)].readers.push_back(n);
  }
  void drop_reader(ValueId v, NodeId n);
  void move_uses(ValueId from, ValueId to);
  void insert_before(NodeId n, Node node);

  Module& module_;
  FunctionId function_;
  const OpLookup& ops_;
  std::vector<Node> nodes_;
  std::vector<Link> links_;
  std::vector<Uses> uses_;
  NodeId first_ = kNone;
};

// Whether a value of type `made` may stand for one of type `known`: the same dtype, rank and constant extents, as far
// as either is known; a rank that is known may not be lost.
bool compatible(const Type& known, const Type& made);

}  // namespace mote::passes
