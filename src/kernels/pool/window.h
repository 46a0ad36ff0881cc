// Internal: where a pooling window meets its input, for params with the fields of pool.h's. One instance per ISA file.
#pragma once

#include "simd/vec.h"

namespace mote::kernels::pool::MOTE_SIMD_NS {
namespace {

// Taps [first, last) of one axis that lie inside of the input, where they start, and how many lie inside of the padding
// too.
struct Window {
  std::int64_t first, last, start, padded;
};

template <class Params>
MOTE_INLINE Window window(const Params& p, int axis, std::int64_t o) {
  std::int64_t start = o * p.stride[axis] - p.pad_begin[axis], d = p.dilation[axis];
  std::int64_t first = start < 0 ? (-start + d - 1) / d : 0;
  std::int64_t last = p.kernel[axis], limit = p.in[axis] - start, padded = p.in[axis] + p.pad_end[axis] - start;
  if ((last - 1) * d >= limit) last = limit <= 0 ? 0 : (limit + d - 1) / d;
  std::int64_t counted = p.kernel[axis];
  if ((counted - 1) * d >= padded) counted = padded <= 0 ? 0 : (padded + d - 1) / d;
  if (last < first) last = first;
  return {first, last, start, counted};
}

}  // namespace
}  // namespace mote::kernels::pool::MOTE_SIMD_NS
