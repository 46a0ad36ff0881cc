// Walking several dense tensors together over one shape, for references.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "ops/reference.h"
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
void walk(ReferenceContext& ctx, std::span<const std::int64_t> shape, const std::array<Strides, K>& strides, F&& f) {
  std::array<std::int64_t, kMaxRank> at{};
  std::array<std::int64_t, K> offset{};
  for ([[maybe_unused]] std::int64_t i : ctx.range(count_of(shape))) {
    f(offset);
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      for (std::size_t k = 0; k < K; ++k) offset[k] += strides[k][axis];
      if (++at[axis] < shape[axis]) break;
      for (std::size_t k = 0; k < K; ++k) offset[k] -= strides[k][axis] * shape[axis];
      at[axis] = 0;
    }
  }
}

// Sorts, equal elements in the order they stand in. `less` may spend: whatever it answers, no other memory is touched.
template <class T, class Less>
void sort_stable(ReferenceContext& ctx, std::span<T> v, const Less& less) {
  const std::size_t n = v.size();
  std::vector<T> other(v.begin(), v.end());
  T *from = v.data(), *to = other.data();
  for (std::size_t width = 1; width < n; width *= 2, std::swap(from, to)) {
    std::size_t left = 0, middle = 0, right = 0, end = 0;
    for (std::size_t k : ctx.range(n)) {
      if (k == end) {
        left = end;
        right = middle = std::min(left + width, n);
        end = std::min(middle + width, n);
      }
      to[k] = left < middle && (right == end || !less(from[right], from[left])) ? from[left++] : from[right++];
    }
  }
  if (from == v.data()) return;
  for (std::size_t k : ctx.range(n)) v[k] = from[k];
}

// Makes the first k elements the k least ones, in order, by an order in which no two are equal. `less` as above.
template <class T, class Less>
void sort_first(ReferenceContext& ctx, std::span<T> v, std::size_t k, const Less& less) {
  constexpr std::int64_t kWork = 32;  // of one step in a heap
  T* heap = v.data();
  for (std::size_t i : ctx.range(k, kWork)) std::push_heap(heap, heap + i + 1, less);
  for (std::size_t i : ctx.range_from(k, k > 0 ? v.size() : k)) {
    if (!less(v[i], heap[0])) continue;
    if (!ctx.spend(kWork)) return;
    std::pop_heap(heap, heap + k, less);
    std::swap(v[i], heap[k - 1]);
    std::push_heap(heap, heap + k, less);
  }
  for (std::size_t i : ctx.range(k, kWork)) std::pop_heap(heap, heap + (k - i), less);
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
