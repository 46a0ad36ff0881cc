#include "kernels/copy/copy.h"

#include <algorithm>
#include <cstring>

#include "kernels/sort.h"
#include "kernels/table.h"

namespace mote::kernels {

#define MOTE_COPY_KERNEL(ns, isa)                                                                                     \
  namespace copy::ns {                                                                                                \
  void transpose32(const std::byte* from, std::byte* to, std::int64_t rows, std::int64_t n, std::int64_t from_stride, \
                   std::int64_t to_row) noexcept;                                                                     \
  }
#include "kernels/copy/kernels.inc"
#undef MOTE_COPY_KERNEL

namespace {

TransposeBlock best_transpose(const CpuFeatures& cpu) {
#define MOTE_COPY_KERNEL(ns, isa)                                             \
  if (MOTE_IF_##ns(&copy::MOTE_SHARED(ns)::transpose32) && cpu.has(Isa::isa)) \
    return MOTE_IF_##ns(&copy::MOTE_SHARED(ns)::transpose32);
#include "kernels/copy/kernels.inc"
#undef MOTE_COPY_KERNEL
  return nullptr;
}

struct Wide {
  std::uint64_t a, b;
};

template <class T>
void copy_row(const std::byte* from, std::byte* to, std::int64_t n, std::int64_t from_stride, std::int64_t to_stride) {
  if (from_stride == 1 && to_stride == 1) {
    std::memmove(to, from, static_cast<std::size_t>(n) * sizeof(T));  // of a file, they may overlap
    return;
  }
  const std::int64_t fs = from_stride * static_cast<std::int64_t>(sizeof(T)),
                     ts = to_stride * static_cast<std::int64_t>(sizeof(T));
  for (std::int64_t i = 0; i < n; ++i) std::memmove(to + i * ts, from + i * fs, sizeof(T));
}

// A block of `rows` x `n`: the source is contiguous down the rows, the destination along them.
template <class T>
void transpose_block(const std::byte* from, std::byte* to, std::int64_t rows, std::int64_t n, std::int64_t from_stride,
                     std::int64_t to_row_stride) {
  constexpr std::int64_t kBlock = 16;
  const T* f = reinterpret_cast<const T*>(from);
  T* t = reinterpret_cast<T*>(to);
  for (std::int64_t i0 = 0; i0 < n; i0 += kBlock) {
    std::int64_t i1 = std::min(n, i0 + kBlock);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t i = i0; i < i1; ++i) t[r * to_row_stride + i] = f[i * from_stride + r];
    }
  }
}

template <class T>
void run(const CopyParams& p, TileRange range) {
  const int last = p.rank - 1;
  std::int64_t begin = range.begin * p.rows_per_tile, end = std::min(p.rows, range.end * p.rows_per_tile);
  std::int64_t index[kMaxRank] = {}, rest = begin;
  for (int k = last - 1; k >= 0; --k) {
    index[k] = rest % p.dims[k];
    rest /= p.dims[k];
  }
  const std::int64_t block_rows = p.dims[last] <= 8 ? 256 : 16;  // of a block
  for (std::int64_t row = begin; row < end;) {
    std::int64_t from = 0, to = 0;
    for (int k = 0; k < last; ++k) {
      from += index[k] * p.from_strides[k];
      to += index[k] * p.to_strides[k];
    }
    const std::byte* f = p.from + from * p.width;
    std::byte* t = p.to + to * p.width;
    std::int64_t step = 1;
    // Only the axis just outside the last one can be walked in blocks without leaving the row order.
    if (p.transpose_axis >= 0 && p.transpose_axis == last - 1 && p.to_strides[last] == 1) {
      step = std::min({block_rows, p.dims[last - 1] - index[last - 1], end - row});
      if (p.transpose) {
        p.transpose(f, t, step, p.dims[last], p.from_strides[last], p.to_strides[last - 1]);
      } else {
        transpose_block<T>(f, t, step, p.dims[last], p.from_strides[last], p.to_strides[last - 1]);
      }
    } else {
      // The rows of the axis outside of it, which may be short.
      if (last > 0) step = std::min(p.dims[last - 1] - index[last - 1], end - row);
      const std::int64_t next_from = last > 0 ? p.from_strides[last - 1] * p.width : 0,
                         next_to = last > 0 ? p.to_strides[last - 1] * p.width : 0;
      for (std::int64_t i = 0; i < step; ++i, f += next_from, t += next_to)
        copy_row<T>(f, t, p.dims[last], p.from_strides[last], p.to_strides[last]);
    }
    row += step;
    for (int k = last - 1; k >= 0; --k) {
      index[k] += k == last - 1 ? step : 1;
      if (index[k] < p.dims[k]) break;
      index[k] = 0;
    }
  }
}

}  // namespace

std::int64_t make_copy(const TensorView& from, const TensorView& to, CopyParams& p) {
  struct Axis {
    std::int64_t dim, from, to;
  };
  Axis axes[kMaxRank];
  int rank = 0;
  for (int i = 0; i < to.rank; ++i) {
    if (to.dims[i] != 1) axes[rank++] = {to.dims[i], from.strides[i], to.strides[i]};
  }
  sort_few(axes, axes + rank, [](const Axis& a, const Axis& b) { return a.to > b.to; });
  int n = 0;
  for (int i = 0; i < rank; ++i) {
    Axis& before = axes[n > 0 ? n - 1 : 0];
    if (n > 0 && before.from == axes[i].from * axes[i].dim && before.to == axes[i].to * axes[i].dim) {
      before = {before.dim * axes[i].dim, axes[i].from, axes[i].to};
    } else {
      axes[n++] = axes[i];
    }
  }
  if (n == 0) axes[n++] = {1, 1, 1};
  p.from = from.data;
  p.to = to.data;
  p.width = bits_of(to.dtype) / 8;
  p.rank = n;
  p.rows = 1;
  p.transpose_axis = -1;
  for (int i = 0; i < n; ++i) {
    p.dims[i] = axes[i].dim;
    p.from_strides[i] = axes[i].from;
    p.to_strides[i] = axes[i].to;
    if (i < n - 1) {
      p.rows *= axes[i].dim;
      if (axes[i].from == 1) p.transpose_axis = i;
    }
  }
  p.transpose = p.width == 4 ? best_transpose(active_cpu()) : nullptr;
  std::int64_t length = p.dims[n - 1];
  if (p.rows == 0 || length == 0) return 0;
  // About 64 KiB a tile; a multiple of 16 rows where rows are moved in blocks.
  std::int64_t bytes = length * p.width;
  p.rows_per_tile = std::max<std::int64_t>(1, (64 << 10) / std::max<std::int64_t>(bytes, 1));
  if (p.transpose_axis >= 0 && p.transpose_axis == n - 2) p.rows_per_tile = (p.rows_per_tile + 15) / 16 * 16;
  return (p.rows + p.rows_per_tile - 1) / p.rows_per_tile;
}

void copy_elements(const CopyParams& p, TileRange range) noexcept {
  switch (p.width) {
    case 1:
      return run<std::uint8_t>(p, range);
    case 2:
      return run<std::uint16_t>(p, range);
    case 4:
      return run<std::uint32_t>(p, range);
    case 8:
      return run<std::uint64_t>(p, range);
    default:
      return run<Wide>(p, range);
  }
}

}  // namespace mote::kernels
