// What recurrent operators share: steps over the time axis, and products with weights that may be quantized.
#pragma once

#include <functional>

#include "formats/tflite/node.h"

namespace mote::tflite {

// Operand i as a value of the function that nodes go into now: constants are at home everywhere, what else a loop reads
// is carried into it.
class Operands {
 public:
  explicit Operands(NodeContext& n) : n_(n), outer_(&n.frame()) {}
  ValueId get(int i);
  bool has(int i) const { return n_.has(i); }
  // Inside of a loop's body: the body's inputs that stand for operands that are no constants.
  std::map<int, ValueId> carried;

 private:
  NodeContext& n_;
  Frame* outer_;
};

// x [..., k] times the transpose of the weights [units, k] that operand i is. Where they are integers, x is first
// rounded as the operator rounds it in a run: row by row, to 8 bits, symmetrically or not.
class Products {
 public:
  Products(NodeContext& n, Operands& operands, bool asymmetric) : n_(n), operands_(operands), asymmetric_(asymmetric) {}
  ValueId operator()(ValueId x, int weights);

 private:
  NodeContext& n_;
  Operands& operands_;
  bool asymmetric_;
  std::map<std::pair<FunctionId, ValueId>, ValueId> rounded_;
};

struct Stepped {
  std::vector<ValueId> states;
  ValueId y = kNone;
};
using StepFn = std::function<Stepped(const std::vector<ValueId>& x, const std::vector<ValueId>& states)>;

// Runs `step` for every index of `time_axis` of all of `x` (kNone: absent), from the last to the first where
// `backwards`. Gives the last states, and what the steps gave along that axis.
Stepped over_time(NodeContext& n, Operands& operands, const std::vector<ValueId>& x, std::int64_t time_axis,
                  bool backwards, const std::vector<ValueId>& states, const StepFn& step);

}  // namespace mote::tflite
