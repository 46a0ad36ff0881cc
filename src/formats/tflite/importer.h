// The importer's inside: one Importer per file, one Frame per function being made, one Scope per subgraph being read
// into a frame, one NodeContext (node.h) per operator being converted.
#pragma once

#include <map>
#include <set>

#include "formats/emitter.h"
#include "formats/tflite/file.h"
#include "formats/tflite/quantization.h"

namespace mote::tflite {

// Something that outlives a run: a resource variable ("container/name"), an is_variable tensor, or the mark that a
// CALL_ONCE has run.
struct Variable {
  std::string name;
  Type type;
  std::int8_t start = 0;  // of all elements: is_variable tensors of i8 begin as their zero point
};
using VariableId = std::int32_t;
// What a RESOURCE tensor stands for: decided while importing, never a value.
struct Handle {
  enum class Kind : std::uint8_t { kNone, kVariable, kTable } kind = Kind::kNone;
  std::int32_t id = kNone;
  friend bool operator==(const Handle&, const Handle&) = default;
};
// HASHTABLE: what HASHTABLE_IMPORT put into it.
struct Table {
  DType key = DType::none, value = DType::none;
  ConstantId keys = kNone, values = kNone;
};

// A function under construction.
struct Frame {
  FunctionId function = kNone;
  std::map<VariableId, ValueId> variables;  // their values as of now
};

// What a subgraph is called with: a value, or a handle.
struct Argument {
  ValueId value = kNone;
  Handle handle;
};

struct Scope {
  Frame* frame = nullptr;
  const fbs::SubGraph* graph = nullptr;
  std::int32_t index = 0;  // of the subgraph
  std::string prefix;      // of names made here
  std::vector<ValueId> values;
  std::vector<Handle> handles;
};

class Importer final : public Emitter {
 public:
  Importer(File file, const ImportOptions& options)
      : Emitter(*options.ops, file.source(), options.limits.max_nodes, options.max_constants),
        tflite_(std::move(file)),
        options_(options) {}
  // `only`: the one signature that is read; "": all.
  Result<Module> run(std::string_view only = {});

  // Reads a subgraph's operators into `frame`; gives the values and handles of its outputs.
  Result<std::vector<Argument>> inline_subgraph(Frame& frame, std::int32_t index, std::vector<Argument> arguments,
                                                std::string prefix);
  // The variables that a subgraph reads or writes, those of the subgraphs it calls included.
  Result<std::set<VariableId>> variables_of(std::int32_t index, const std::vector<Handle>& arguments);
  // A subgraph index as operators state it.
  Result<std::int32_t> subgraph_index(std::int64_t index) const;

  // The value of a tensor; kNone for RESOURCE tensors. Constants are made on first use.
  Result<ValueId> lookup(Scope& scope, std::int32_t tensor);
  // Makes the tensor stand for `v`; the value takes the name where it can, an identity node is added where it cannot.
  Status bind(Scope& scope, std::int32_t tensor, ValueId v);
  // The type that the file states; extents it leaves open are fresh symbols.
  Type stated_type(const fbs::Tensor& tensor);
  // `v` fit to be an output of the frame's function: made by a node, and not in `taken`.
  Result<ValueId> as_output(Frame& frame, ValueId v, const std::vector<ValueId>& taken, std::string_view name);

  Result<VariableId> variable(std::string_view name, const Type& type);
  const Variable& variable(VariableId id) const { return variables_[static_cast<std::size_t>(id)]; }
  void start_at(VariableId id, std::int8_t value) { variables_[static_cast<std::size_t>(id)].start = value; }
  Result<ValueId> read_variable(Frame& frame, VariableId id);
  std::map<std::int32_t, Table>& tables() { return tables_; }

  File& file() { return tflite_; }
  const ImportOptions& options() const { return options_; }

 private:
  friend class NodeContext;
  // An entry point of the file.
  struct Entry {
    std::string name;
    std::int32_t subgraph = 0;
    const fbs::SignatureDef* def = nullptr;  // null: the first subgraph as it is
  };
  std::vector<Entry> entries() const;
  Status signature(const std::string& name, std::int32_t subgraph, const fbs::SignatureDef* def);
  Result<Type> input_type(const fbs::Tensor& tensor, std::string_view name);
  Result<std::vector<std::size_t>> order(const Scope& scope) const;
  // States begin as zeros: a variable's state is its value, less the bits of what it starts as. Its own inverse.
  Result<ValueId> less_start(Frame& frame, VariableId id, ValueId v);
  Status import_operator(Scope& scope, const fbs::Operator& op);
  Status note_quantization(const fbs::Tensor& tensor, std::string_view port);
  void read_metadata();

  File tflite_;
  const ImportOptions& options_;
  std::vector<Variable> variables_;
  std::map<std::string, VariableId, std::less<>> variable_ids_;
  std::map<std::int32_t, Table> tables_;
  std::map<std::pair<const fbs::Tensor*, int>, ConstantId> constants_;
  std::vector<std::int32_t> active_;  // subgraphs being read, outermost first
};

// What a custom operator keeps from run to run without a tensor for it: a name within the operator, and a type.
std::vector<std::pair<std::string_view, Type>> hidden_states(const fbs::SubGraph& graph, const fbs::Operator& op,
                                                             std::string_view custom_name,
                                                             std::span<const std::byte> custom_options);
// The same of builtin operators that draw random numbers.
std::vector<std::pair<std::string_view, Type>> random_states(const fbs::Operator& op);
// The variable that such a state is.
std::string hidden_name(const fbs::SubGraph& graph, std::int32_t subgraph, const fbs::Operator& op,
                        std::string_view state);

// The constant that a tensor with data is: a range of the file, packed types packed. Strings are decoded.
Result<Constant> constant_of(const fbs::SubGraph& graph, std::int32_t tensor, File& file, std::size_t max_bytes);

}  // namespace mote::tflite
