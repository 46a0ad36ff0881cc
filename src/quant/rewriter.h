// Rewriter: goes through the nodes of a module's main function once, in order, and makes a new list of them.
#pragma once

#include <string>
#include <vector>

#include "ir/builder.h"
#include "ops/ops.h"
#include "quant/layers.h"
#include "quant/weights.h"

namespace mote::quant {

class Rewriter {
 public:
  explicit Rewriter(Module& m) : m_(m), id_(main_id(m)), old_(std::move(main_function(m).nodes)) {}

  std::vector<Node>& old() { return old_; }
  Module& module() { return m_; }
  Function& function() { return m_.functions[at(id_)]; }

  // A node behind those that are there; its first output.
  ValueId add(std::string prefix, std::string_view op, std::vector<ValueId> inputs,
              std::vector<Attrs::Item> attrs = {}) {
    Builder b(m_, id_, builtin_ops(), prefix + "/");
    ValueId y = b.add(op, std::move(inputs), std::move(attrs));
    if (!b.status().ok() && status_.ok()) status_ = Status(b.status()).at("node '" + prefix + "'");
    for (Node& n : b.nodes()) now_.push_back(std::move(n));
    return y;
  }
  std::vector<ValueId> add_multi(std::string prefix, std::string_view op, std::vector<ValueId> inputs, int outputs) {
    Builder b(m_, id_, builtin_ops(), prefix + "/");
    std::vector<ValueId> y = b.add_multi(op, std::move(inputs), outputs);
    if (!b.status().ok() && status_.ok()) status_ = Status(b.status()).at("node '" + prefix + "'");
    for (Node& n : b.nodes()) now_.push_back(std::move(n));
    return y;
  }
  // The last node of what stands for `n`: it gives n's first output under n's name.
  void put(const Node& n, std::string_view op, std::vector<ValueId> inputs, std::vector<Attrs::Item> attrs = {}) {
    Node made;
    made.op = find_op(op);
    made.name = n.name;
    made.inputs = std::move(inputs);
    made.outputs = {n.outputs[0]};
    for (auto& [name, value] : attrs) made.attrs.set(name, std::move(value));
    now_.push_back(std::move(made));
  }
  void keep(Node n) { now_.push_back(std::move(n)); }
  ValueId constant(std::string name, DType dtype, std::vector<std::int64_t> shape, std::vector<std::byte> bytes) {
    ConstantId c = m_.add_constant(std::move(name), dtype, std::move(shape), std::move(bytes));
    return function().constant_value(c, m_.constants.back());
  }
  // `to` takes the place and the name of `from`, which nodes that follow and the function's outputs read no more.
  void rename(ValueId from, ValueId to) { std::swap(function().values[at(from)].name, function().values[at(to)].name); }
  bool failed() const { return !status_.ok(); }

  // Puts the new nodes into the function.
  Status finish() {
    Function& f = function();
    f.nodes = std::move(now_);
    f.reindex();
    return status_;
  }

 private:
  Module& m_;
  FunctionId id_;
  std::vector<Node> old_, now_;
  Status status_;
};

// The weights of a product as [depth, columns], times alpha.
Result<Floats> product_weights(const Module& m, const Layer& l, const Node& n);
// gemm's third operand times beta; kNone where there is none.
Result<ValueId> product_bias(Rewriter& rewrite, const Layer& l, const Node& n);

}  // namespace mote::quant
