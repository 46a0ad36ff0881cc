#include "kernels/pad/pad.h"

#include <algorithm>
#include <cstring>

namespace mote::kernels::pad {
namespace {

struct Wide {
  std::uint64_t half[2];
};

template <class E>
void fill(E* to, const E* value, std::int64_t n) {
  const E v = value ? *value : E{};
  for (std::int64_t i = 0; i < n; ++i) to[i] = v;
}

template <class E>
void copy(E* to, const E* from, std::int64_t n) {
  if (n > 0) std::memmove(to, from, static_cast<std::size_t>(n) * sizeof(E));
}

// Positions [begin, end) of the last axis, which lie outside of the input.
template <class E>
void outside(const Params& p, const E* x, E* y, std::int64_t begin, std::int64_t end) {
  if (p.mode == Mode::kConstant) {
    fill(y + begin * p.inner, reinterpret_cast<const E*>(p.value), (end - begin) * p.inner);
    return;
  }
  for (std::int64_t o = begin; o < end; ++o)
    copy(y + o * p.inner, x + source(o - p.last.before, p.last.in, p.mode) * p.last.x_stride, p.inner);
}

template <class E>
void run_rows(const Params& p, std::int64_t begin, std::int64_t end) {
  const Axis& l = p.last;
  const E* value = reinterpret_cast<const E*>(p.value);
  // Where the input itself lies in a row.
  const std::int64_t first = std::clamp<std::int64_t>(l.before, 0, l.out),
                     last = std::clamp<std::int64_t>(l.before + l.in, first, l.out);
  for (std::int64_t row = begin; row < end; ++row) {
    std::int64_t rest = row, from = 0;
    for (int a = p.row_axes - 1; a >= 0 && from >= 0; --a) {
      std::int64_t at = source(rest % p.row[a].out - p.row[a].before, p.row[a].in, p.mode);
      from = at < 0 ? -1 : from + at * p.row[a].x_stride;
      rest /= p.row[a].out;
    }
    E* y = reinterpret_cast<E*>(p.y) + row * l.out * p.inner;
    if (from < 0) {
      fill(y, value, l.out * p.inner);
      continue;
    }
    const E* x = reinterpret_cast<const E*>(p.x) + from;
    outside(p, x, y, 0, first);
    if (first == last) {
      // What lies there is nowhere in the input.
    } else if (l.x_stride == p.inner) {
      copy(y + first * p.inner, x + (first - l.before) * p.inner, (last - first) * p.inner);
    } else {
      for (std::int64_t o = first; o < last; ++o) copy(y + o * p.inner, x + (o - l.before) * l.x_stride, p.inner);
    }
    outside(p, x, y, last, l.out);
  }
}

}  // namespace

std::int64_t source(std::int64_t i, std::int64_t n, Mode mode) {
  if (i >= 0 && i < n) return i;
  switch (mode) {
    case Mode::kConstant:
      return -1;
    case Mode::kEdge:
      return i < 0 ? 0 : n - 1;
    case Mode::kWrap:
      return (i % n + n) % n;
    case Mode::kReflect: {
      if (n == 1) return 0;
      std::int64_t period = 2 * (n - 1), at = (i % period + period) % period;
      return at < n ? at : period - at;
    }
  }
  return -1;
}

std::int64_t setup(Params* p) {
  p->rows = 1;
  for (int a = 0; a < p->row_axes; ++a) p->rows *= p->row[a].out;
  std::int64_t bytes = p->last.out * p->inner * p->width;
  if (p->rows == 0 || bytes == 0) return 0;
  p->rows_per_tile = std::clamp<std::int64_t>((64 << 10) / bytes, 1, p->rows);
  return (p->rows + p->rows_per_tile - 1) / p->rows_per_tile;
}

void run(const Params& p, TileRange range) noexcept {
  std::int64_t begin = range.begin * p.rows_per_tile, end = std::min(p.rows, range.end * p.rows_per_tile);
  switch (p.width) {
    case 1:
      return run_rows<std::uint8_t>(p, begin, end);
    case 2:
      return run_rows<std::uint16_t>(p, begin, end);
    case 4:
      return run_rows<std::uint32_t>(p, begin, end);
    case 8:
      return run_rows<std::uint64_t>(p, begin, end);
    default:
      return run_rows<Wide>(p, begin, end);
  }
}

}  // namespace mote::kernels::pad
