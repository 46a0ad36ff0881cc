// Layers: the nodes of the main function that have constant weights, and what can be done with each.
#pragma once

#include <string>
#include <vector>

#include "ir/module.h"
#include "mote/quantize.h"

namespace mote::quant {

struct Layer {
  enum class Kind : std::uint8_t { kConv, kMatmul, kGemm, kOther };
  Kind kind = Kind::kOther;
  NodeId node = kNone;
  std::string name;  // the node's, or its output's where it has none
  ValueId x = kNone;
  std::vector<std::size_t> weight_inputs = {1};  // the first is `weights`
  ConstantId weights = kNone;
  ConstantId bias = kNone;  // conv and gemm
  int axis = 0;             // of the output channels, in the weights
  std::int64_t channels = 0, depth = 0, group = 1;
  std::int64_t macs = 0;  // of one run, symbols counted as 1
  std::string stays;      // why it cannot be quantized; empty: it can

  bool can() const { return stays.empty(); }
};

// Makes the graph plain: batch normalization and constant factors go into weights, dead and double nodes go, means over
// an image become pools, matmul with a bias becomes gemm or an addition. The answers stay the same but for rounding.
// All constants of f32 that a transform computes are computed.
Status simplify_graph(Module& m);

// In the order they run. `scheme` decides which kinds count. Fails on names in the options that nothing has.
Result<std::vector<Layer>> find_layers(const Module& m, const QuantizeOptions& options);

// A refusal naming what is quantized already.
Status check_not_quantized(const Module& m);

std::size_t at(std::int32_t i);
const Function& main_function(const Module& m);
Function& main_function(Module& m);
FunctionId main_id(const Module& m);
bool contains(std::span<const std::string_view> list, std::string_view s);
// The constant a value stands for, or kNone.
ConstantId constant_of(const Function& f, ValueId v);
// Operand i of a node, kNone where it is absent.
ValueId input_of(const Node& n, std::size_t i);

}  // namespace mote::quant
