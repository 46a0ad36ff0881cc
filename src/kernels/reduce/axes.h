// Walking over Axes. Inlined into ISA files.
#pragma once

#include "base/inline.h"
#include "kernels/reduce/reduce.h"

namespace mote::kernels::reduce {

// Offset of element `index` (row-major over the axes) by the given strides.
MOTE_INLINE std::int64_t offset_of(const Axes& a, const std::int64_t* stride, std::int64_t index) {
  std::int64_t at = 0;
  for (int d = a.rank - 1; d > 0; --d) {
    at += index % a.dim[d] * stride[d];
    index /= a.dim[d];
  }
  return at + (a.rank > 0 ? index * stride[0] : 0);
}

// The addresses of elements along the axes: asked for in order, mostly one addition apart.
struct Addresses {
  const Axes& axes;
  const std::int64_t* stride;
  const float* x;
  std::int64_t previous = -2, at = 0;
  MOTE_INLINE const float* operator()(std::int64_t i) {
    at = axes.rank == 1 && i == previous + 1 ? at + stride[0] : offset_of(axes, stride, i);
    previous = i;
    return x + at;
  }
};

// Calls fn(offset, first, count) for the runs along the innermost axis that make up elements [begin, begin + n).
template <class Fn>
MOTE_INLINE void each_run(const Axes& a, std::int64_t begin, std::int64_t n, Fn fn) {
  const int last = a.rank - 1;
  if (last < 0) return fn(std::int64_t{0}, std::int64_t{0}, n);
  for (std::int64_t done = 0; done < n;) {
    std::int64_t at = begin + done, col = at % a.dim[last];
    std::int64_t part = a.dim[last] - col < n - done ? a.dim[last] - col : n - done;
    fn(offset_of(a, a.in, at), done, part);
    done += part;
  }
}

}  // namespace mote::kernels::reduce
