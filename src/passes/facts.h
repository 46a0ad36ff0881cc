// Small facts that several passes ask for.
#pragma once

#include <string_view>
#include <vector>

#include "passes/graph.h"

namespace mote::passes {

// reshape, squeeze, unsqueeze, flatten: the same elements in the same order.
bool is_reshape(const Graph& g, NodeId n);

// The permutation of a transpose of known rank; empty when it is not known.
std::vector<std::int64_t> perm_of(const Graph& g, NodeId transpose);

// Both are tensors of the same dtype and provably the same extents.
bool same_type(const Type& a, const Type& b);

// Whether v is a constant whose elements run along axis `axis` of a result of rank `rank`: all its other extents are 1,
// that one is `extent`, and its own rank is at most `rank`.
bool along_axis(const Graph& g, ValueId v, int rank, int axis, std::int64_t extent);

// Axes, non-negative and sorted; nothing when one is outside the rank.
std::optional<std::vector<std::int64_t>> sorted_axes(std::vector<std::int64_t> axes, int rank);

// The axes of a reduce op: its constant operand 1, or all where that is absent. Nothing when they are not known.
std::optional<std::vector<std::int64_t>> reduce_axes(const Graph& g, NodeId reduce);

}  // namespace mote::passes
