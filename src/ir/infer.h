// What an op's `infer` sees and fills: the types of its inputs, the values of small integer inputs where they are
// known, its attributes; then the types (and known values) of its outputs. The same code runs at prepare, with symbolic
// extents, and at run time, with constant ones.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ir/module.h"

namespace mote {

// Known elements of a small integer tensor, row-major. At most kMaxKnown of them.
using KnownValue = std::vector<Dim>;
inline constexpr std::size_t kMaxKnown = 1024;

class InferContext {
 public:
  InferContext(const Op& op, const Attrs& attrs, std::string_view node_name)
      : op_(op), attrs_(attrs), node_name_(node_name) {}

  // Inputs.
  int inputs() const { return static_cast<int>(types_.size()); }
  bool has(int i) const { return i < inputs() && types_[static_cast<std::size_t>(i)] != nullptr; }
  // Requires has(i).
  const Type& type(int i) const { return *types_[static_cast<std::size_t>(i)]; }
  DType dtype(int i) const { return type(i).dtype; }
  bool has_rank(int i) const { return has(i) && type(i).has_rank(); }
  // Requires has_rank(i).
  const Shape& shape(int i) const { return *type(i).shape; }
  int rank(int i) const { return type(i).rank(); }
  // The elements of input i, when it is a small integer tensor whose elements are all known.
  const KnownValue* value(int i) const;
  // The same, when every element is an integer.
  std::optional<std::vector<std::int64_t>> const_value(int i) const;
  // The elements of float input i, when it is a small constant; at run time, of a shape operand.
  const std::vector<double>* float_value(int i) const;

  // Attributes, with the op's defaults.
  bool has_attr(std::string_view n) const { return attrs_.has(n); }
  std::int64_t attr_int(std::string_view n) const { return mote::attr_int(op_, attrs_, n); }
  double attr_float(std::string_view n) const { return mote::attr_float(op_, attrs_, n); }
  std::string attr_string(std::string_view n) const { return mote::attr_string(op_, attrs_, n); }
  std::vector<std::int64_t> attr_ints(std::string_view n) const { return mote::attr_ints(op_, attrs_, n); }
  std::vector<double> attr_floats(std::string_view n) const { return mote::attr_floats(op_, attrs_, n); }
  std::vector<std::string> attr_strings(std::string_view n) const { return mote::attr_strings(op_, attrs_, n); }
  DType attr_dtype(std::string_view n) const { return mote::attr_dtype(op_, attrs_, n); }
  // Attribute or operand `axis` made non-negative; fails when it is outside [-rank, rank).
  Result<int> axis(std::int64_t axis, int rank) const;

  // Outputs.
  int outputs() const { return output_count_; }
  // Whether somebody reads output i.
  bool wants(int i) const { return i < output_count_; }
  void output(int i, DType dtype, Shape shape) { output(i, Type::tensor(dtype, std::move(shape))); }
  void output(int i, Type type);
  void output_value(int i, KnownValue value);
  // An extent nobody knows before the run: a new symbol. At run time (constant shapes) the caller decides by `late()`.
  Dim fresh();
  // A shape of `rank` fresh extents.
  Shape fresh_shape(int rank);
  // True at run time: all shapes are constant, and values of shape operands are given.
  bool late() const { return late_; }

  // Error helpers: "inputs 0 and 1 ..." with the node as the place.
  Status error(std::string message) const;

  const Op& op() const { return op_; }
  const Attrs& attrs() const { return attrs_; }

  // For the caller that drives inference.
  std::vector<const Type*> types_;
  std::vector<std::optional<KnownValue>> values_;
  std::vector<std::optional<std::vector<double>>> floats_;
  int output_count_ = 0;
  bool late_ = false;
  std::function<std::string()> fresh_name_;
  std::vector<Type> out_types_;
  std::vector<std::optional<KnownValue>> out_values_;
  // Types of the bodies' outputs (control ops), already inferred.
  std::vector<std::vector<Type>> body_outputs_;

 private:
  const Op& op_;
  const Attrs& attrs_;
  std::string_view node_name_;
};

// Infers the types of every value of every function reachable from `module`'s signatures, in place. Types already
// stated for a node's outputs (by the file) refine what inference leaves open: a fresh extent becomes the stated one.
// Bodies of control ops are inferred from what their node passes. Fresh symbols are named $0, $1, ... and are not added
// to module.symbols.
class Inference {
 public:
  explicit Inference(Module& module) : module_(module) {}
  Status run();
  // Known values by function and value, after run().
  const std::optional<KnownValue>& known(FunctionId f, ValueId v) const {
    return known_[static_cast<std::size_t>(f)][static_cast<std::size_t>(v)];
  }

 private:
  Status function(FunctionId id, int depth);
  Status node(FunctionId f, NodeId n, int depth);
  Status control(FunctionId f, Node& node, InferContext& ctx, int depth);

  Module& module_;
  std::vector<std::vector<std::optional<KnownValue>>> known_;
  std::int64_t next_fresh_ = 0;
};

// The type that covers both: extents that differ become unknown (fresh), ranks that differ leave the rank open.
Type join(const Type& a, const Type& b, const std::function<std::string()>& fresh);

// True for the name of a fresh symbol.
bool is_fresh_symbol(std::string_view name);

}  // namespace mote
