// Shape operands for decompositions: i64 vectors whose elements are constants or extents of a value, known now or only
// when the model runs.
#pragma once

#include <vector>

#include "ir/builder.h"

namespace mote {

// `value`, or, with axis >= 0, extent `axis` of the tensor times `mul` divided by `div`.
struct Extent {
  std::int64_t value = 0;
  int axis = -1;
  std::int64_t mul = 1, div = 1;

  static Extent of(int axis, std::int64_t mul = 1, std::int64_t div = 1) { return {0, axis, mul, div}; }
};

// The vector of `extents` of x, whose rank is known: a constant where all of it is.
ValueId extents_of(Builder& b, ValueId x, const std::vector<Extent>& extents);

}  // namespace mote
