// Emitter: how an importer makes a module. It adds functions, constants and nodes, infers types and known values at
// once, collects what Mote lacks, and gives everything a name of its own at the end.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ir/infer.h"
#include "ir/module.h"
#include "tensor/element_bytes.h"

namespace mote {

// What the file needs and Mote does not have.
struct Missing {
  std::string what;
  std::vector<std::string> nodes;
};

class Emitter {
 public:
  Result<FunctionId> add_function(std::string name);
  ValueId add_input(FunctionId f, std::string name, Type type) {
    return fn(f).add_input(std::move(name), std::move(type));
  }
  Function& fn(FunctionId f) { return module_.functions[static_cast<std::size_t>(f)]; }
  Value& value(FunctionId f, ValueId v) { return fn(f).values[static_cast<std::size_t>(v)]; }
  std::optional<KnownValue>& known(FunctionId f, ValueId v);

  // Fails beyond the limit on bytes of constants that are held in memory.
  Result<ConstantId> add_constant(Constant c);
  Result<ValueId> constant_value(FunctionId f, ConstantId c);

  // Appends a node, infers its outputs; outputs whose bit in `wanted` is 0 are absent. A null op makes outputs of
  // unknown type (the import fails at its end).
  Result<std::vector<ValueId>> emit(FunctionId f, const Op* op, std::string name, std::vector<ValueId> inputs,
                                    Attrs attrs, int outputs, std::vector<FunctionId> bodies = {},
                                    std::uint64_t wanted = ~std::uint64_t{0});
  // Forgets the functions from `first` on, which nothing refers to.
  void drop_functions(FunctionId first);
  const Op* find_op(std::string_view name) const { return ops_->find(name); }

  void miss(std::string what, std::string_view node_name);
  bool has_missing() const { return !missing_.empty(); }
  std::string fresh_name() { return "$" + std::to_string(next_fresh_++); }
  Module& module() { return module_; }

 protected:
  Emitter(const OpLookup& ops, std::shared_ptr<const Source> file, std::size_t max_nodes, std::size_t max_constants)
      : file_(std::move(file)), ops_(&ops), max_nodes_(max_nodes), max_constants_(max_constants) {}
  ~Emitter() = default;

  // "operator ('node', ...)" for everything missed.
  std::vector<std::string> missing_texts() const;
  Status missing_status() const;
  // Every value, node, constant and function gets a name, and one of its own. Inputs and outputs keep theirs.
  void unique_names();

  std::shared_ptr<const Source> file_;
  Module module_;

 private:
  Status fill_bodies(const Node& node, FunctionId f, InferContext& ctx);

  const OpLookup* ops_;
  std::size_t max_nodes_, max_constants_;
  std::vector<std::vector<std::optional<KnownValue>>> known_;
  std::vector<std::unordered_map<ConstantId, ValueId>> constant_values_;
  std::vector<Missing> missing_;
  std::size_t node_count_ = 0;
  std::size_t constant_bytes_ = 0;
  std::int64_t next_fresh_ = 0;
};

// A constant of the values in `bytes`, held in memory.
Constant plain_constant(std::string name, DType dtype, std::vector<std::int64_t> shape, std::vector<std::byte> bytes);

// Ok when `location`, of data outside of a model's file, is a relative path that stays inside the folder of the model.
Status check_location(std::string_view location);

}  // namespace mote
