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

template <class T>
bool below(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a)) return false;
    if (std::isnan(b)) return true;
  }
  return a < b;
}

template <class T>
void top_sequence(const TopParams& p, std::int64_t o, std::int64_t i, std::byte* scratch) {
  struct Entry {
    T value;
    std::int32_t at;
  };
  Entry* e = reinterpret_cast<Entry*>(scratch);
  const T* x = reinterpret_cast<const T*>(p.x) + o * p.n * p.inner + i;
  for (std::int64_t j = 0; j < p.n; ++j) e[j] = {x[j * p.inner], static_cast<std::int32_t>(j)};
  auto before = [&](const Entry& a, const Entry& b) {
    if (p.largest ? below(b.value, a.value) : below(a.value, b.value)) return true;
    if (p.largest ? below(a.value, b.value) : below(b.value, a.value)) return false;
    return a.at < b.at;
  };
  // A heap of k where they are few; else select, then sort.
  if (p.k * 16 < p.n) {
    std::partial_sort(e, e + p.k, e + p.n, before);
  } else {
    if (p.k < p.n) std::nth_element(e, e + p.k, e + p.n, before);
    std::sort(e, e + p.k, before);
  }
  for (std::int64_t j = 0; j < p.k; ++j) {
    std::int64_t to = (o * p.k + j) * p.inner + i;
    if (p.values) reinterpret_cast<T*>(p.values)[to] = e[j].value;
    if (p.indices) p.indices[to] = e[j].at;
  }
}

template <class F>
bool with_number(DType t, F f) {
  switch (t) {
    case DType::f32:
      return f(float()), true;
    case DType::f64:
      return f(double()), true;
    case DType::i8:
      return f(std::int8_t()), true;
    case DType::i16:
      return f(std::int16_t()), true;
    case DType::i32:
      return f(std::int32_t()), true;
    case DType::i64:
      return f(std::int64_t()), true;
    case DType::u8:
      return f(std::uint8_t()), true;
    case DType::u16:
      return f(std::uint16_t()), true;
    case DType::u32:
      return f(std::uint32_t()), true;
    case DType::u64:
      return f(std::uint64_t()), true;
    default:
      return false;
  }
}

}  // namespace

void gather_tuples(const TupleParams& p, TileRange range) noexcept {
  std::int64_t end = std::min(p.tuples, range.end * kTupleTile);
  for (std::int64_t t = range.begin * kTupleTile; t < end; ++t) {
    std::int64_t from = offset_of(p, t);
    std::byte* to = p.y + t * p.slice;
    if (from >= 0) {
      std::memcpy(to, p.x + from, static_cast<std::size_t>(p.slice));
    } else {
      std::memset(to, 0, static_cast<std::size_t>(p.slice));
    }
  }
}

void scatter_tuples(const TupleParams& p, TileRange range) noexcept {
  std::int64_t end = std::min(p.tuples, range.end * kTupleTile);
  for (std::int64_t t = range.begin * kTupleTile; t < end; ++t) {
    std::int64_t to = offset_of(p, t);
    if (to >= 0) std::memcpy(p.y + to, p.x + t * p.slice, static_cast<std::size_t>(p.slice));
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

bool can_top(DType t) {
  return with_number(t, [](auto) {});
}

std::size_t top_scratch(const TopParams& p) { return scratch_size(p.n * 16); }

void top(const TopParams& p, TileRange range) noexcept {
  for (std::int64_t s = range.begin; s < range.end; ++s) {
    with_number(p.dtype, [&](auto t) { top_sequence<decltype(t)>(p, s / p.inner, s % p.inner, range.scratch); });
  }
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
      std::memcpy(y + left, x + left, all - left);
    } else {
      std::memcpy(y, x, left);
      std::memset(y + left, 0, all - left);
    }
  }
}

}  // namespace mote::kernels::index
