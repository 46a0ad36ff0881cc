#include "kernels/index/index.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/scratch.h"

namespace mote::kernels::index {
namespace {

struct Wide {
  std::uint64_t half[2];
};

template <class F>
void with_width(std::int32_t width, F f) {
  switch (width) {
    case 1:
      return f(std::uint8_t());
    case 2:
      return f(std::uint16_t());
    case 4:
      return f(std::uint32_t());
    case 8:
      return f(std::uint64_t());
    default:
      return f(Wide());
  }
}

// Byte offset of tuple t in the data, or -1.
std::int64_t offset_of(const TupleParams& p, std::int64_t t) {
  std::int64_t offset = t / p.per_batch * p.batch_bytes;
  for (std::int64_t j = 0; j < p.k; ++j) {
    std::int64_t at = p.index.at(t * p.k + j, p.extent[j]);
    if (at < 0) {
      p.index.report(t * p.k + j);
      return -1;
    }
    offset += at * p.stride[j];
  }
  return offset;
}

// Calls f(position in the index tensor, element offset in the data without the axis) for [begin, end).
template <class F>
void each_position(const ElementParams& p, std::int64_t begin, std::int64_t end, F f) {
  std::int64_t at[kMaxRank] = {}, offset = 0, rest = begin;
  auto stride = [&](int d) { return d == p.axis ? 0 : p.strides[d]; };
  for (int d = p.rank - 1; d >= 0; --d) {
    at[d] = rest % p.dims[d];
    rest /= p.dims[d];
    offset += at[d] * stride(d);
  }
  for (std::int64_t i = begin; i < end; ++i) {
    f(i, offset);
    for (int d = p.rank - 1; d >= 0; --d) {
      offset += stride(d);
      if (++at[d] < p.dims[d]) break;
      offset -= p.dims[d] * stride(d);
      at[d] = 0;
    }
  }
}

}  // namespace

void gather_tuples(const TupleParams& p, TileRange range) noexcept {
  std::int64_t end = std::min(p.tuples, range.end * kTupleTile);
  for (std::int64_t t = range.begin * kTupleTile; t < end; ++t) {
    std::int64_t from = offset_of(p, t);
    std::byte* to = p.y + t * p.slice;
    if (from >= 0) {
      std::memmove(to, p.x + from, static_cast<std::size_t>(p.slice));
    } else {
      std::memset(to, 0, static_cast<std::size_t>(p.slice));
    }
  }
}

void scatter_tuples(const TupleParams& p, TileRange range) noexcept {
  std::int64_t end = std::min(p.tuples, range.end * kTupleTile);
  for (std::int64_t t = range.begin * kTupleTile; t < end; ++t) {
    std::int64_t to = offset_of(p, t);
    if (to >= 0) std::memmove(p.y + to, p.x + t * p.slice, static_cast<std::size_t>(p.slice));
  }
}

void gather_positions(const ElementParams& p, TileRange range) noexcept {
  std::int64_t begin = range.begin * kTupleTile, end = std::min(p.count, range.end * kTupleTile);
  with_width(p.width, [&](auto e) {
    using E = decltype(e);
    const E* x = reinterpret_cast<const E*>(p.x);
    E* y = reinterpret_cast<E*>(p.y);
    each_position(p, begin, end, [&](std::int64_t i, std::int64_t offset) {
      std::int64_t at = p.index.at(i, p.extent);
      if (at < 0) p.index.report(i);
      y[i] = at < 0 ? E{} : x[offset + at * p.strides[p.axis]];
    });
  });
}

void scatter_positions(const ElementParams& p, TileRange range) noexcept {
  std::int64_t begin = range.begin * kTupleTile, end = std::min(p.count, range.end * kTupleTile);
  with_width(p.width, [&](auto e) {
    using E = decltype(e);
    const E* x = reinterpret_cast<const E*>(p.x);
    E* y = reinterpret_cast<E*>(p.y);
    each_position(p, begin, end, [&](std::int64_t i, std::int64_t offset) {
      std::int64_t at = p.index.at(i, p.extent);
      if (at < 0) return p.index.report(i);
      y[offset + at * p.strides[p.axis]] = x[i];
    });
  });
}

std::int64_t setup_one_hot(OneHotParams* p) {
  std::int64_t each = p->n * p->inner;
  if (p->outer == 0 || each == 0) return 0;
  p->outer_per_tile = std::clamp<std::int64_t>((1 << 15) / each, 1, p->outer);
  return (p->outer + p->outer_per_tile - 1) / p->outer_per_tile;
}

void one_hot(const OneHotParams& p, TileRange range) noexcept {
  std::int64_t begin = range.begin * p.outer_per_tile, end = std::min(p.outer, range.end * p.outer_per_tile);
  with_width(p.width, [&](auto e) {
    using E = decltype(e);
    E off, on;
    std::memcpy(&off, p.values, sizeof(E));
    std::memcpy(&on, p.values + sizeof(E), sizeof(E));
    E* y = reinterpret_cast<E*>(p.y);
    std::fill(y + begin * p.n * p.inner, y + end * p.n * p.inner, off);
    for (std::int64_t at = begin * p.inner; at < end * p.inner; ++at) {
      double index = p.index_type == DType::f32
                         ? std::trunc(static_cast<double>(static_cast<const float*>(p.index)[at]))
                     : p.index_type == DType::i32 ? static_cast<double>(static_cast<const std::int32_t*>(p.index)[at])
                                                  : static_cast<double>(static_cast<const std::int64_t*>(p.index)[at]);
      if (index < 0) index += static_cast<double>(p.n);
      if (!(index >= 0 && index < static_cast<double>(p.n))) continue;
      y[(at / p.inner * p.n + static_cast<std::int64_t>(index)) * p.inner + at % p.inner] = on;
    }
  });
}

std::int64_t setup_triangle(TriangleParams* p) {
  std::int64_t rows = p->matrices * p->rows;
  if (rows == 0 || p->columns == 0) return 0;
  p->rows_per_tile = std::clamp<std::int64_t>((1 << 15) / p->columns, 1, rows);
  return (rows + p->rows_per_tile - 1) / p->rows_per_tile;
}

void triangle(const TriangleParams& p, TileRange range) noexcept {
  std::int64_t begin = range.begin * p.rows_per_tile, end = std::min(p.matrices * p.rows, range.end * p.rows_per_tile);
  const std::int64_t most = p.rows + p.columns, shift = p.shift ? std::clamp(*p.shift, -most, most) : 0;
  for (std::int64_t row = begin; row < end; ++row) {
    // Columns below `cut` lie left of the diagonal, for `upper`; at or left of it, else.
    std::int64_t cut = std::clamp<std::int64_t>(row % p.rows + shift + (p.upper ? 0 : 1), 0, p.columns);
    std::size_t left = static_cast<std::size_t>(cut * p.width), all = static_cast<std::size_t>(p.columns * p.width);
    const std::byte* x = p.x + row * p.columns * p.width;
    std::byte* y = p.y + row * p.columns * p.width;
    if (p.upper) {
      std::memset(y, 0, left);
      std::memmove(y + left, x + left, all - left);
    } else {
      std::memmove(y, x, left);
      std::memset(y + left, 0, all - left);
    }
  }
}

}  // namespace mote::kernels::index
