// Builder: appends nodes to a function and infers their types at once. For decompositions, passes, importers and tests.
//
// Nodes go into `nodes()`, a list the caller splices into the function (or the builder appends them with `append()`).
// The first error sticks: later calls do nothing and return kNone, so that callers check once at the end.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "ir/infer.h"
#include "ir/module.h"

namespace mote {

class Builder {
 public:
  // `prefix` starts the names of new nodes. The module outlives the builder.
  Builder(Module& module, FunctionId function, const OpLookup& ops, std::string prefix = {})
      : module_(&module), function_(function), ops_(&ops), prefix_(std::move(prefix)) {}

  // Adds a node and returns its first output (all of them with add_multi). Unknown op names and failing inference set
  // status().
  ValueId add(std::string_view op, std::vector<ValueId> inputs, std::vector<Attrs::Item> attrs = {});
  std::vector<ValueId> add_multi(std::string_view op, std::vector<ValueId> inputs, int outputs,
                                 std::vector<Attrs::Item> attrs = {});

  // Constants of the module, as values of the function.
  ValueId ints(std::vector<std::int64_t> values);  // i64, rank 1
  ValueId scalar_int(std::int64_t value);          // i64, rank 0
  ValueId scalar(double value, DType dtype);       // any float or integer dtype, rank 0
  ValueId constant(std::string name, DType dtype, std::vector<std::int64_t> shape, std::vector<std::byte> bytes);

  // Facts about a value.
  // Of kNone: a tensor of unknown dtype and rank.
  const Type& type(ValueId v) const {
    static const Type unknown;
    return v == kNone ? unknown : fn().values[static_cast<std::size_t>(v)].type;
  }
  bool has_rank(ValueId v) const { return v != kNone && type(v).has_rank(); }
  int rank(ValueId v) const { return has_rank(v) ? type(v).rank() : 0; }
  const Shape& shape(ValueId v) const { return *type(v).shape; }
  DType dtype(ValueId v) const { return type(v).dtype; }

  const Status& status() const { return status_; }
  void fail(Status s) {
    if (status_.ok()) status_ = std::move(s);
  }

  Module& module() { return *module_; }
  Function& fn() { return module_->functions[static_cast<std::size_t>(function_)]; }
  const Function& fn() const { return module_->functions[static_cast<std::size_t>(function_)]; }
  const OpLookup& ops() const { return *ops_; }
  // The new nodes, in order; taken by the caller.
  std::vector<Node>& nodes() { return nodes_; }
  // Moves the new nodes to the end of the function.
  void append();

 private:
  Module* module_;
  FunctionId function_;
  const OpLookup* ops_;
  std::string prefix_;
  std::vector<Node> nodes_;
  std::vector<std::pair<ValueId, KnownValue>> known_;
  Status status_;
  int next_fresh_ = 0;
};

}  // namespace mote
