// Regions: which nodes compute in integers once some layers do, and which values are quantized between them.
//
// A layer reads integers and gives integers. What only moves elements (reshape, max_pool, concat ...) moves integers
// and shares their scale; sums, products, means and functions of one value join where all they read is in integers
// already and a layer reads what they give. A value is quantized where such a node reads or makes it, but not between a
// node and the relu, clip or bias behind it, nor inside of a function: they become one step.
#pragma once

#include <vector>

#include "quant/layers.h"

namespace mote::quant {

class Regions {
 public:
  // `chosen`: the layers that compute in integers.
  Regions(const Module& m, const std::vector<const Layer*>& chosen);

  // Values that are quantized, and for each the value whose scale it shares (itself, mostly).
  const std::vector<ValueId>& quantized() const { return quantized_; }
  bool is_quantized(ValueId v) const { return v != kNone && flags_[at(v)]; }
  ValueId shared(ValueId v) const;
  // Whether a reader of a quantized value reads it dequantized: not where both it and the maker compute in f32.
  bool reads_quantized(NodeId reader, ValueId v) const;
  // The same for what the model gives out.
  bool gives_quantized(ValueId v) const;
  // Constants of f32 that an integer sum or product reads: they are quantized, too.
  bool is_integer(NodeId n) const { return integer_[at(n)]; }

  // Values that may be quantized if some layers are: what calibration has to see.
  static std::vector<ValueId> candidates(const Module& m);

 private:
  enum class Kind : std::uint8_t { kFloat, kLayer, kMoves, kConcat, kPool, kBinary, kFunction, kClamp, kBias };

  Kind kind_of(NodeId n) const;
  std::vector<ValueId> operands(NodeId n) const;
  void spread();
  void shrink();
  void settle();
  bool is_constant(ValueId v) const { return f_.values[at(v)].constant != kNone; }
  bool absorbed(ValueId v) const;
  void join(ValueId a, ValueId b);

  const Module& m_;
  const Function& f_;
  std::vector<Kind> kinds_;                   // by node
  std::vector<bool> integer_, matmul_;        // by node
  std::vector<bool> int_values_;              // by value: made by an integer node
  std::vector<ValueId> source_;               // by value: what it is a function of
  std::vector<std::vector<NodeId>> readers_;  // by value
  std::vector<bool> given_;                   // by value: an output of the function
  std::vector<bool> flags_;
  std::vector<ValueId> quantized_, shared_;
};

}  // namespace mote::quant
