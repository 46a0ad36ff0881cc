// Walking several dense tensors together over one shape, for references.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "tensor/view.h"

namespace mote {

using Strides = std::array<std::int64_t, kMaxRank>;

// Strides with which a dense `v` is read as if broadcast (numpy) to a shape of `rank` axes: 0 where its extent is 1.
inline Strides broadcast_strides(const TensorView& v, int rank) {
  Strides s{};
  for (int i = 0; i < v.rank; ++i) {
    s[static_cast<std::size_t>(rank - v.rank + i)] = v.dims[i] == 1 ? 0 : v.strides[i];
  }
  return s;
}

// Row-major strides of a dense tensor.
inline Strides dense_strides(std::span<const std::int64_t> shape) {
  Strides s{};
  std::int64_t step = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    s[i] = step;
    step *= shape[i];
  }
  return s;
}

inline std::int64_t count_of(std::span<const std::int64_t> shape) {
  std::int64_t n = 1;
  for (std::int64_t d : shape) n *= d;
  return n;
}

// Calls f(offsets) for every position of `shape` in row-major order; offsets[k] is the position's dot product with
// strides[k].
template <std::size_t K, class F>
void walk(std::span<const std::int64_t> shape, const std::array<Strides, K>& strides, F&& f) {
  std::int64_t n = count_of(shape);
  std::array<std::int64_t, kMaxRank> at{};
  std::array<std::int64_t, K> offset{};
  for (std::int64_t i = 0; i < n; ++i) {
    f(offset);
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      for (std::size_t k = 0; k < K; ++k) offset[k] += strides[k][axis];
      if (++at[axis] < shape[axis]) break;
      for (std::size_t k = 0; k < K; ++k) offset[k] -= strides[k][axis] * shape[axis];
      at[axis] = 0;
    }
  }
}

// A dense tensor seen as outer x n x inner around one axis.
struct AxisView {
  std::int64_t outer = 1, n = 1, inner = 1;
};
inline AxisView around(std::span<const std::int64_t> shape, int axis) {
  AxisView a;
  for (int i = 0; i < static_cast<int>(shape.size()); ++i) {
    std::int64_t d = shape[static_cast<std::size_t>(i)];
    (i < axis ? a.outer : i == axis ? a.n : a.inner) *= d;
  }
  return a;
}

inline int normal_axis(std::int64_t axis, int rank) { return static_cast<int>(axis < 0 ? axis + rank : axis); }

}  // namespace mote
