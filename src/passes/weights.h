// Arithmetic on constants, in f64, for passes that fold factors and shifts into weights.
#pragma once

#include "passes/graph.h"

namespace mote::passes {

// The elements of a constant of a few values (a bias, a scale), whatever reshapes stand on it.
std::optional<std::vector<double>> vector_of(const Graph& g, ValueId v);

// A constant vector of f32, f64, f16 or bf16.
ValueId vector_constant(Builder& b, std::string name, DType dtype, const std::vector<double>& values);

// The constant `w` with element (.., i, ..) along `axis` times factors[i]: a transform, so that it is computed when it
// is packed and no copy is kept.
ValueId scaled_constant(Builder& b, const Constant& w, int axis, const std::vector<double>& factors);

// The constant `c` in another static shape of as many elements.
ValueId reshaped_constant(Builder& b, const Constant& c, std::vector<std::int64_t> extents);

// A constant of one element repeated.
ValueId filled_constant(Builder& b, std::string name, DType dtype, std::vector<std::int64_t> extents, double value);

// A node that computes x -> w x + b: conv, conv_transpose or matmul with constant weights, without an epilogue.
struct Affine {
  NodeId node = kNone;
  int weight_axis = 0;        // of the output channels, in the weights
  int channel_axis = 0;       // in the result
  int rank = 0;               // of the result
  std::int64_t channels = 0;  // output channels
};

// The node behind `v`, when nothing else reads v.
std::optional<Affine> affine_behind(const Graph& g, ValueId v);

// Values per output channel from a constant that broadcasts along the channel axis alone, or from a single element.
std::optional<std::vector<double>> per_channel(const Graph& g, ValueId v, const Affine& a);

// Puts result * factor + shift into the weights and bias of `a`, in place of node `consumer`. Empty: 1, and 0. A
// transpose by `perm`, when it is not empty, stands behind the new node.
bool fold_affine(Graph& g, NodeId consumer, const Affine& a, const std::vector<double>& factor,
                 const std::vector<double>& shift, const std::vector<std::int64_t>& perm = {});

}  // namespace mote::passes
