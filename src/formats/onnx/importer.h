// The importer's inside: one Importer per file, one Scope per graph, one NodeImport per node being converted.
#pragma once

#include <map>
#include <set>
#include <unordered_map>

#include "formats/emitter.h"
#include "formats/onnx/onnx.h"
#include "formats/onnx/rows.h"
#include "formats/onnx/types.h"
#include "ir/infer.h"

namespace mote::onnx {

// Attributes of a call of a model-local function, for the nodes of its body that refer to them.
using CallAttributes = std::map<std::string_view, const AttributeProto*>;

// The names of one graph, or of one inlined function body.
struct Scope {
  FunctionId function = 0;
  Scope* outer = nullptr;  // the graph around a body, whose values it may capture
  int depth = 0;
  std::string prefix;  // of names made here
  std::unordered_map<std::string_view, ValueId> names;
  std::vector<std::pair<ValueId, ValueId>> captures;  // outer value, input of `function`
  const std::vector<OpsetProto>* opsets = nullptr;
  const CallAttributes* attributes = nullptr;
  std::unordered_map<std::string_view, const TypeProto*> stated;  // value_info and outputs
};

class Importer final : public Emitter {
 public:
  Importer(std::shared_ptr<const Source> file, const ImportOptions& options)
      : Emitter(*options.ops, std::move(file), options.limits.max_nodes, options.max_constants), options_(options) {}
  Result<Module> run();

  // Names.
  Result<std::optional<ValueId>> lookup(Scope& scope, std::string_view name);
  Result<ValueId> capture(Scope& scope, ValueId outer);
  // Makes `name` stand for `v`; the value takes the name where it can, an identity node is added where it cannot.
  Status bind(Scope& scope, std::string_view name, ValueId v, std::string_view node_name);

  // Graphs.
  // A new function for a body; its scope captures from `outer`.
  Result<Scope> begin_body(Scope& outer, std::string_view name);
  // Initializers and nodes of a graph whose inputs are bound already.
  Status import_nodes(Scope& scope, const GraphProto& graph);
  // The values of the graph's outputs, fit to be outputs of the function.
  Result<std::vector<ValueId>> graph_outputs(Scope& scope, const GraphProto& graph);
  // The type that the file states for a value, with unknown extents as fresh symbols.
  std::optional<Type> stated_type(Scope& scope, std::string_view name);
  std::optional<Type> stated_type(const TypeProto& type);

  // Values.
  Result<Constant> tensor(const TensorProto& t);
  Result<Constant> sparse_tensor(const SparseTensorProto& t);

  const ImportOptions& options() const { return options_; }

 private:
  friend class NodeImport;
  Status read_opsets();
  Status read_metadata();
  Status main_graph();
  void read_states(const GraphProto& graph);
  Status initializers(Scope& scope, const GraphProto& graph);
  Result<Dim> input_dim(const DimProto& dim, std::string_view input, std::size_t axis);
  Result<std::vector<std::size_t>> order(const std::vector<NodeProto>& nodes, Scope& scope);
  Status import_node(Scope& scope, const NodeProto& node);
  Status convert(Scope& scope, const NodeProto& node, std::string node_name);
  Status call(Scope& scope, const NodeProto& node, const FunctionProto& function, const std::string& node_name);
  const FunctionProto* find_function(const NodeProto& node) const;
  Result<std::int64_t> opset(const Scope& scope, std::string_view domain) const;

  const ImportOptions& options_;
  ModelProto model_;
  std::map<std::string, std::shared_ptr<const Source>, std::less<>> external_;
  std::map<std::string_view, std::string> symbols_;  // dim_param -> symbol
  std::map<std::tuple<std::string_view, std::string_view, std::string_view>, const FunctionProto*> functions_;
  std::vector<const FunctionProto*> calls_;  // active, outermost first
};

// What a conversion function sees of the node it converts, and how it makes Mote's nodes. The first error sticks: later
// calls do nothing, and the importer reports it.
class NodeImport {
 public:
  NodeImport(Importer& importer, Scope& scope, const NodeProto& proto, const Row* row, std::int64_t version,
             std::string name)
      : importer_(importer), scope_(scope), proto_(proto), row_(row), version_(version), name_(std::move(name)) {}

  std::int64_t version() const { return version_; }
  std::string_view op() const { return row_->op; }
  const std::string& name() const { return name_; }
  const NodeProto& proto() const { return proto_; }
  Importer& importer() { return importer_; }
  Scope& scope() { return scope_; }

  // Operands: kNone when absent.
  Status resolve_inputs();
  int inputs() const { return static_cast<int>(inputs_.size()); }
  ValueId in(int i) const { return i < inputs() ? inputs_[static_cast<std::size_t>(i)] : kNone; }
  bool has(int i) const { return in(i) != kNone; }
  const std::vector<ValueId>& all_inputs() const { return inputs_; }

  // Attributes, those of an enclosing function call resolved.
  const AttributeProto* attr(std::string_view name) const;
  bool has_attr(std::string_view name) const { return attr(name) != nullptr; }
  std::int64_t attr_int(std::string_view name, std::int64_t otherwise);
  double attr_float(std::string_view name, double otherwise);
  std::string attr_string(std::string_view name, std::string_view otherwise);
  std::vector<std::int64_t> attr_ints(std::string_view name);
  // All attributes that `op` has, in the kinds it wants; the others are refused, except those named in `used`.
  Attrs attributes_for(std::string_view op, std::initializer_list<std::string_view> used = {});

  // Facts about values.
  const Type& type(ValueId v) { return importer_.value(scope_.function, v).type; }
  bool has_rank(ValueId v) { return v != kNone && type(v).has_rank(); }
  int rank(ValueId v) { return type(v).rank(); }
  DType dtype(ValueId v) { return v == kNone ? DType::none : type(v).dtype; }
  // The elements of a constant (or known) integer tensor.
  std::optional<std::vector<std::int64_t>> ints_of(ValueId v);
  std::optional<std::vector<double>> floats_of(ValueId v);

  // New nodes.
  ValueId emit(std::string_view op, std::vector<ValueId> inputs, std::vector<Attrs::Item> attrs = {});
  std::vector<ValueId> emit_multi(std::string_view op, std::vector<ValueId> inputs, int outputs,
                                  std::vector<Attrs::Item> attrs = {}, std::vector<FunctionId> bodies = {});
  std::vector<ValueId> emit_with(std::string_view op, std::vector<ValueId> inputs, int outputs, Attrs attrs);
  ValueId ints(std::vector<std::int64_t> values);  // i64, rank 1
  ValueId scalar_int(std::int64_t value);          // i64, rank 0
  // A scalar of the type of `like`; through cast_like where that is not known.
  ValueId scalar_like(double value, ValueId like);
  ValueId scalar(double value, DType dtype);
  ValueId constant(Constant c);

  // Results. Rows without a function use same(): the op of the row with the node's operands and attributes.
  int outputs() const { return static_cast<int>(proto_.outputs.size()); }
  bool wants(int i) const { return i < outputs() && !proto_.outputs[static_cast<std::size_t>(i)].empty(); }
  void output(int i, ValueId v);
  void same(std::string_view op, std::vector<ValueId> inputs, Attrs attrs);
  void same();
  // A node of a custom op: all operands, all attributes under their own names.
  void custom(const Op& op);

  void fail(Status s) {
    if (status_.ok() && !s.ok()) status_ = std::move(s);
  }
  // Something that Mote does not do: collected with the missing operators.
  void unsupported(std::string what);
  // Takes over the failure of a body's conversion.
  void take_failure(const NodeImport& body) {
    fail(body.status_);
    missed_ = missed_ || body.missed_;
  }
  bool failed() const { return !status_.ok() || missed_; }
  bool missed() const { return missed_; }
  const Status& status() const { return status_; }

 private:
  Importer& importer_;
  Scope& scope_;
  const NodeProto& proto_;
  const Row* row_;
  std::int64_t version_;
  std::string name_;
  std::vector<ValueId> inputs_;
  Status status_;
  bool missed_ = false;
  int emitted_ = 0;
  std::uint64_t wanted_ = ~std::uint64_t{0};
};

}  // namespace mote::onnx
