#include "passes/graph.h"

#include <algorithm>

namespace mote::passes {

Graph::Graph(Module& module, FunctionId function, const OpLookup& ops)
    : module_(module), function_(function), ops_(ops) {
  Function& f = mutable_fn();
  f.reindex();
  nodes_ = std::move(f.nodes);
  f.nodes.clear();
  links_.resize(nodes_.size());
  uses_.resize(f.values.size());
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    NodeId n = static_cast<NodeId>(i);
    links_[i] = {n - 1, i + 1 < nodes_.size() ? n + 1 : kNone, n, true};
    for (ValueId v : nodes_[i].inputs) add_reader(v, n);
  }
  first_ = nodes_.empty() ? kNone : 0;
  for (ValueId v : f.outputs) ++uses_[at(v)].outputs;
}

void Graph::finish() {
  Function& f = mutable_fn();
  f.nodes.clear();
  for (NodeId n = first(); n != kNone; n = next(n)) f.nodes.push_back(std::move(nodes_[at(n)]));
  f.reindex();
}

ValueId Graph::input(NodeId n, std::size_t i) const { return i < node(n).inputs.size() ? node(n).inputs[i] : kNone; }
ValueId Graph::output(NodeId n, std::size_t i) const { return i < node(n).outputs.size() ? node(n).outputs[i] : kNone; }

std::int64_t Graph::attr_int(NodeId n, std::string_view name) const {
  return mote::attr_int(*node(n).op, node(n).attrs, name);
}
double Graph::attr_float(NodeId n, std::string_view name) const {
  return mote::attr_float(*node(n).op, node(n).attrs, name);
}
std::string Graph::attr_string(NodeId n, std::string_view name) const {
  return mote::attr_string(*node(n).op, node(n).attrs, name);
}
std::vector<std::int64_t> Graph::attr_ints(NodeId n, std::string_view name) const {
  return mote::attr_ints(*node(n).op, node(n).attrs, name);
}

NodeId Graph::producer(ValueId v, std::string_view op) const {
  NodeId n = producer(v);
  return is(n, op) && output(n) == v ? n : kNone;
}

const Constant* Graph::constant(ValueId v) const {
  if (v == kNone || value(v).constant == kNone) return nullptr;
  return &module_.constants[at(value(v).constant)];
}

std::optional<double> Graph::scalar(ValueId v) const {
  const Constant* c = constant(v);
  if (!c) return std::nullopt;
  if (std::optional<std::vector<double>> f = small_floats(*c, 1); f && f->size() == 1) return (*f)[0];
  if (std::optional<std::vector<std::int64_t>> i = small_ints(*c, 1); i && i->size() == 1) {
    return static_cast<double>((*i)[0]);
  }
  return std::nullopt;
}

std::optional<std::vector<std::int64_t>> Graph::ints(ValueId v) const {
  const Constant* c = constant(v);
  return c ? small_ints(*c) : std::nullopt;
}

std::optional<std::vector<double>> Graph::floats(ValueId v) const {
  const Constant* c = constant(v);
  return c ? small_floats(*c) : std::nullopt;
}

void Graph::drop_reader(ValueId v, NodeId n) {
  if (v == kNone) return;
  std::vector<NodeId>& readers = uses_[at(v)].readers;
  readers.erase(std::find(readers.begin(), readers.end(), n));
}

void Graph::move_uses(ValueId from, ValueId to) {
  std::vector<NodeId> readers = std::move(uses_[at(from)].readers);
  uses_[at(from)].readers.clear();
  for (NodeId n : readers) {
    std::ranges::replace(nodes_[at(n)].inputs, from, to);
    add_reader(to, n);
  }
  if (uses_[at(from)].outputs > 0) std::ranges::replace(mutable_fn().outputs, from, to);
  uses_[at(to)].outputs += uses_[at(from)].outputs;
  uses_[at(from)].outputs = 0;
}

void Graph::insert_before(NodeId n, Node node) {
  NodeId id = static_cast<NodeId>(nodes_.size());
  for (ValueId v : node.inputs) add_reader(v, id);
  for (ValueId v : node.outputs) {
    if (v != kNone) mutable_fn().values[at(v)].producer = id;
  }
  nodes_.push_back(std::move(node));
  links_.push_back({links_[at(n)].prev, n, links_[at(n)].order, true});
  NodeId prev = links_[at(n)].prev;
  (prev == kNone ? first_ : links_[at(prev)].next) = id;
  links_[at(n)].prev = id;
}

void Graph::collect(NodeId n) {
  std::vector<NodeId> todo = {n};
  while (!todo.empty()) {
    n = todo.back();
    todo.pop_back();
    if (n == kNone || !alive(n) || node(n).op->is(kState)) continue;
    bool read = std::ranges::any_of(
        node(n).outputs, [&](ValueId v) { return v != kNone && (!uses_[at(v)].readers.empty() || is_output(v)); });
    if (read) continue;
    Link& link = links_[at(n)];
    link.alive = false;
    (link.prev == kNone ? first_ : links_[at(link.prev)].next) = link.next;
    if (link.next != kNone) links_[at(link.next)].prev = link.prev;
    for (ValueId v : node(n).outputs) {
      if (v != kNone) mutable_fn().values[at(v)].producer = kNone;
    }
    for (ValueId v : node(n).inputs) {
      drop_reader(v, n);
      if (v != kNone) todo.push_back(producer(v));
    }
  }
}

bool compatible(const Type& known, const Type& made) {
  if (known.kind != made.kind) return false;
  if (!known.is_tensor()) return known == made;
  if (known.dtype != made.dtype) return false;
  if (!known.has_rank()) return true;
  if (!made.has_rank() || known.rank() != made.rank()) return false;
  for (std::size_t i = 0; i < known.shape->size(); ++i) {
    const Dim &a = (*known.shape)[i], &b = (*made.shape)[i];
    if (a.is_const() && b.is_const() && !(a == b)) return false;
  }
  return true;
}

void Graph::insert(NodeId n, Builder& b) {
  grown(kNone);
  for (Node& node : b.nodes()) insert_before(n, std::move(node));
  b.nodes().clear();
}

bool Graph::replace(NodeId n, Builder& b, const std::vector<ValueId>& with) {
  if (!b.status().ok()) return false;
  grown(kNone);
  for (std::size_t i = 0; i < node(n).outputs.size(); ++i) {
    ValueId old = output(n, i), now = i < with.size() ? with[i] : kNone;
    if (old == kNone) continue;
    bool read = !uses_[at(old)].readers.empty() || is_output(old);
    if (now == kNone ? read : !compatible(type(old), type(now))) return false;
  }
  std::size_t made = nodes_.size();
  insert(n, b);
  if (NodeId p = with.empty() ? kNone : producer(with[0]); p != kNone) nodes_[at(p)].name = node(n).name;
  for (std::size_t i = 0; i < node(n).outputs.size() && i < with.size(); ++i) {
    ValueId old = output(n, i), now = with[i];
    if (old == kNone || now == kNone) continue;
    Value& value = mutable_fn().values[at(now)];
    value.name = fn().values[at(old)].name;
    if (type(old).has_rank()) value.type = type(old);
    move_uses(old, now);
  }
  collect(n);
  for (std::size_t i = nodes_.size(); i-- > made;) collect(static_cast<NodeId>(i));
  return true;
}

bool Graph::forward(ValueId from, ValueId to) {
  if (from == to) return false;
  if (is_output(from)) {
    // The value behind `to` takes over the name, unless it has one that others know.
    if (producer(to) == kNone || is_output(to)) return false;
    mutable_fn().values[at(to)].name = value(from).name;
  }
  if (!type(to).has_rank() && type(from).has_rank()) mutable_fn().values[at(to)].type = type(from);
  NodeId n = producer(from);
  move_uses(from, to);
  collect(n);
  return true;
}

void Graph::set_input(NodeId n, std::size_t i, ValueId v) {
  ValueId old = input(n, i);
  if (old == v) return;
  std::vector<ValueId>& inputs = nodes_[at(n)].inputs;
  if (inputs.size() <= i) inputs.resize(i + 1, kNone);
  inputs[i] = v;
  grown(kNone);
  add_reader(v, n);
  drop_reader(old, n);
  if (old != kNone) collect(producer(old));
}

}  // namespace mote::passes
