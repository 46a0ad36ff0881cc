// Small pieces that conversions compose operators from. Extents that are known become constants, others `shape` nodes.
#pragma once

#include "formats/tflite/node.h"

namespace mote::tflite {

using Ints = std::vector<std::int64_t>;

// The extents of axes first to last - 1 as an i64 vector.
ValueId extents(NodeContext& n, ValueId v, int first, int last);
// The same as an i64 vector of one element.
inline ValueId extent(NodeContext& n, ValueId v, int axis) { return extents(n, v, axis, axis + 1); }
// Vectors one after the other; absent ones are left out.
ValueId joined(NodeContext& n, std::vector<ValueId> vectors, int axis = 0);
// The same as one constant where all elements of all of them are known.
ValueId joined_known(NodeContext& n, std::vector<ValueId> vectors);
// One element of a vector, as a vector; `known`: its elements, where they are.
ValueId element(NodeContext& n, const std::optional<Ints>& known, ValueId v, std::size_t i);
// As reshape, with extents as a value: 0 means 0.
ValueId reshaped(NodeContext& n, ValueId v, ValueId shape);
// An axis of extent 1 more, or less.
ValueId unsqueezed(NodeContext& n, ValueId v, Ints axes);
ValueId squeezed(NodeContext& n, ValueId v, Ints axes);
// v[..., start:end:step, ...]; INT64_MAX and INT64_MIN reach the ends.
ValueId sliced(NodeContext& n, ValueId v, Ints starts, Ints ends, Ints axes, Ints steps = {});
// 0, 1, ... count - 1, for a vector of one element.
ValueId iota(NodeContext& n, ValueId count);
// The shape's elements, all of them `fill` (one element).
ValueId filled(NodeContext& n, ValueId fill, ValueId shape);
// The scalar in an operand of one element.
ValueId scalar_of(NodeContext& n, ValueId v);
// The operand as an i64 vector, whatever its rank.
ValueId vector_of(NodeContext& n, ValueId v);

// The real (0) or imaginary (1) parts of complex numbers.
ValueId complex_part(NodeContext& n, ValueId v, int part);
// Complex numbers of those.
ValueId complex_of(NodeContext& n, ValueId real, ValueId imaginary);

// The channels that a DEPTHWISE_CONV_2D takes: those of its image, or where a run decides these, what the weights make
// of the multiplier that the file states.
std::int64_t depthwise_channels(NodeContext& n, const Dim& image, const Dim& weights, std::int64_t multiplier);

// Operand i as the weights of a hybrid operator, as real numbers: unsigned ones are read as signed, without a zero
// point, as TensorFlow Lite's kernels do.
ValueId hybrid_weights(NodeContext& n, int i);
ValueId hybrid_weights(NodeContext& n, int i, ValueId v);

// A transposed convolution of an image (NXC) with weights OXI to the extents [batch, space..., channels] of `target`,
// which a run decides.
struct OpenSpread {
  Ints kernel, strides, dilations;
  bool same;  // padding SAME, not VALID
};
ValueId spread_to(NodeContext& n, ValueId x, ValueId w, ValueId bias, ValueId target, const OpenSpread& s);

template <class T>
fbs::Activation activation_of(const T* options) {
  return options ? options->activation() : fbs::Activation::NONE;
}

}  // namespace mote::tflite
