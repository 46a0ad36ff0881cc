// What a conversion sees of the operator it converts, and how it makes Mote's nodes. The first error sticks: later
// calls do nothing, and the importer reports it.
#pragma once

#include <utility>

#include "formats/tflite/importer.h"
#include "formats/tflite/rows.h"

namespace mote::tflite {

class NodeContext {
 public:
  NodeContext(Importer& importer, Scope& scope, const fbs::Operator& op, std::string name);

  const std::string& name() const { return name_; }
  // "CONV_2D", or a custom operator's own name.
  std::string_view op_name() const { return op_name_; }
  fbs::BuiltinOperator op() const { return op_code_; }
  int version() const { return version_; }
  const fbs::Operator& proto() const { return op_; }
  Importer& importer() { return importer_; }
  Scope& scope() { return scope_; }
  Frame& frame() { return *scope_.frame; }
  // Makes nodes go into another function, a loop's body; gives the one before.
  Frame* enter(Frame& frame) { return std::exchange(scope_.frame, &frame); }

  // Operands. in(i) is kNone where it is absent or a RESOURCE.
  Status resolve_inputs();
  int inputs() const { return static_cast<int>(inputs_.size()); }
  ValueId in(int i) const { return i < inputs() ? inputs_[static_cast<std::size_t>(i)] : kNone; }
  bool has(int i) const { return in(i) != kNone; }
  const std::vector<ValueId>& all_inputs() const { return inputs_; }
  Handle handle(int i) const;
  // The tensor of operand or result i, null where it is absent.
  std::int32_t input_index(int i) const;
  std::int32_t output_index(int i) const;
  const fbs::Tensor* input_tensor(int i) const { return tensor(input_index(i)); }
  const fbs::Tensor* output_tensor(int i) const { return tensor(output_index(i)); }
  const fbs::Tensor* tensor(std::int32_t index) const;
  // How operand or result i is quantized; empty where it is absent or not.
  Quantization quantization(int i) { return quantization_of_tensor(input_tensor(i)); }
  Quantization output_quantization(int i) { return quantization_of_tensor(output_tensor(i)); }
  // Whether operand i is a variable (is_variable), which the operator may change.
  bool is_variable(int i) const;
  // Makes `v` the value of the variable that operand i is, from here on.
  void update(int i, ValueId v);
  // The state of that name which the operator keeps without a tensor for it, and its new value.
  ValueId hidden_state(std::string_view state);
  void update_hidden(std::string_view state, ValueId v);

  // The options, of the union's member that T's operators have; null where the file has none of that type.
  template <class T>
  const T* options(fbs::BuiltinOptions type) const {
    return op_.builtin_options_type() == type ? static_cast<const T*>(op_.builtin_options()) : nullptr;
  }
  std::span<const std::byte> custom_options();

  // Facts about values.
  const Type& type(ValueId v) { return importer_.value(frame().function, v).type; }
  bool has_rank(ValueId v) { return v != kNone && type(v).has_rank(); }
  int rank(ValueId v) { return type(v).rank(); }
  // Requires has_rank.
  const Shape& shape(ValueId v) { return *type(v).shape; }
  DType dtype(ValueId v) { return v == kNone ? DType::none : type(v).dtype; }
  bool is_constant(ValueId v) { return v != kNone && importer_.value(frame().function, v).constant != kNone; }
  // Requires is_constant.
  const Constant& constant_of(ValueId v);
  // The elements of a small integer tensor, as far as inference knows them.
  std::optional<KnownValue> known(ValueId v) {
    return v == kNone ? std::nullopt : importer_.known(frame().function, v);
  }
  // The elements of a constant (or known) integer tensor, of a small constant float one.
  std::optional<std::vector<std::int64_t>> ints_of(ValueId v);
  std::optional<std::vector<double>> floats_of(ValueId v);
  // The same, or an error that names the operand.
  std::vector<std::int64_t> need_ints(int i, std::string_view what);
  // The rank, or an error that it is not known.
  int need_rank(ValueId v);
  // An axis made non-negative, or an error.
  std::int64_t axis(std::int64_t axis, int rank);

  // New nodes.
  ValueId emit(std::string_view op, std::vector<ValueId> inputs, std::vector<Attrs::Item> attrs = {});
  std::vector<ValueId> emit_multi(std::string_view op, std::vector<ValueId> inputs, int outputs,
                                  std::vector<Attrs::Item> attrs = {}, std::vector<FunctionId> bodies = {});
  ValueId ints(std::vector<std::int64_t> values);    // i64, rank 1
  ValueId scalar_int(std::int64_t value);            // i64, rank 0
  ValueId floats(const std::vector<float>& values);  // f32, rank 1
  ValueId scalar(double value, DType dtype);
  ValueId constant(Constant c);
  ValueId cast(ValueId v, DType dtype);  // itself where it has that type already; constants get a transform
  ValueId as_i64(ValueId v) { return cast(v, DType::i64); }
  ValueId transpose(ValueId v, std::vector<std::int64_t> perm);  // of constants: a transform
  ValueId reshape(ValueId v, std::vector<std::int64_t> extents);
  // Operand i, where it is quantized as real numbers: dequantize_linear with its scales. `v`: what stands for it here.
  ValueId dequantized(int i) { return dequantized(i, in(i)); }
  ValueId dequantized(int i, ValueId v);
  // x as a hybrid operator sees it, whose weights are integers: the axes from `axis` on rounded to 8 bits in a run.
  ValueId rounded_rows(ValueId x, std::int64_t axis, bool asymmetric);
  // Whether operand i holds integers that a hybrid operator takes as weights.
  bool is_hybrid(int i) { return has(i) && !is_float(dtype(in(i))); }
  // The fused activation.
  ValueId activate(ValueId v, fbs::Activation activation);

  // Results.
  int outputs() const { return static_cast<int>(size_of(op_.outputs())); }
  // Integers of another width are converted to the type that the file states (shapes and indices are i64 here).
  void output(int i, ValueId v);
  void output_handle(int i, Handle handle);
  // The op with the given operands, its results the operator's.
  void same(std::string_view op, std::vector<ValueId> inputs, std::vector<Attrs::Item> attrs = {});

  void fail(Status s) {
    if (status_.ok() && !s.ok()) status_ = std::move(s);
  }
  // Something that Mote does not do: collected with the missing operators.
  void unsupported(std::string what);
  bool failed() const { return !status_.ok() || missed_; }
  bool missed() const { return missed_; }
  const Status& status() const { return status_; }

 private:
  Quantization quantization_of_tensor(const fbs::Tensor* t);

  Importer& importer_;
  Scope& scope_;
  const fbs::Operator& op_;
  std::string name_;
  std::string op_name_;
  fbs::BuiltinOperator op_code_;
  int version_;
  std::vector<ValueId> inputs_;
  Status status_;
  bool missed_ = false;
  int emitted_ = 0;
};

// Whether there is a row or a function for the operator at all.
bool can_convert(NodeContext& n, const Row* row);
// Converts the operator by its row (null: it has none) or another table's.
Status convert(NodeContext& n, const Row* row);
// A node of a custom op: all operands, the attributes of its flexbuffer options under their own names.
Status import_custom_op(NodeContext& n, const Op& op);

}  // namespace mote::tflite
