// TensorView: a typed, strided window on memory that somebody else owns. Extents and strides count elements; the first
// axis is outermost. Types below 8 bits are dense only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "mote/dtype.h"

namespace mote {

inline constexpr int kMaxRank = 8;

struct TensorView {
  std::byte* data = nullptr;
  DType dtype = DType::none;
  std::int32_t rank = 0;
  std::int64_t dims[kMaxRank] = {};
  std::int64_t strides[kMaxRank] = {};

  std::span<const std::int64_t> shape() const { return {dims, static_cast<std::size_t>(rank)}; }
  std::int64_t count() const {
    std::int64_t n = 1;
    for (int i = 0; i < rank; ++i) n *= dims[i];
    return n;
  }
  std::int64_t bytes() const { return bytes_of(dtype, count()); }
  // Row-major without gaps.
  bool dense() const {
    std::int64_t expect = 1;
    for (int i = rank - 1; i >= 0; --i) {
      if (dims[i] != 1 && strides[i] != expect) return false;
      expect *= dims[i];
    }
    return true;
  }
  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data);
  }

  // A dense row-major view. Requires shape.size() <= kMaxRank.
  static TensorView of(std::byte* data, DType dtype, std::span<const std::int64_t> shape) {
    TensorView v;
    v.data = data;
    v.dtype = dtype;
    v.rank = static_cast<std::int32_t>(shape.size());
    std::int64_t stride = 1;
    for (int i = v.rank - 1; i >= 0; --i) {
      v.dims[i] = shape[static_cast<std::size_t>(i)];
      v.strides[i] = stride;
      stride *= v.dims[i];
    }
    return v;
  }
};

}  // namespace mote
