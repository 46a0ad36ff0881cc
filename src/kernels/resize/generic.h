// The resize kernel, for the ISA of the including file.
#include "kernels/compact.h"
#include "kernels/resize/resize.h"
#include "simd/vec.h"

namespace mote::kernels::resize::MOTE_SIMD_NS {
namespace {

using namespace simd::MOTE_SIMD_NS;

MOTE_INLINE F32 fetch(const float* p, int n) { return n == kLanes ? load(p) : load_n(p, n); }
MOTE_INLINE F32 fetch(const std::uint8_t* p, int n) { return to_f32(n == kLanes ? load_u8(p) : load_u8_n(p, n)); }
MOTE_INLINE F32 fetch(const std::int8_t* p, int n) { return to_f32(n == kLanes ? load_i8(p) : load_i8_n(p, n)); }
MOTE_INLINE void put(float* p, F32 v, int n) { n == kLanes ? store(p, v) : store_n(p, v, n); }
MOTE_INLINE void put(std::uint8_t* p, F32 v, int n) {
  I32 i = to_i32(min(max(v, set(0.0f)), set(255.0f)));
  n == kLanes ? store_u8(p, i) : store_u8_n(p, i, n);
}
MOTE_INLINE void put(std::int8_t* p, F32 v, int n) {
  I32 i = to_i32(min(max(v, set(-128.0f)), set(127.0f)));
  n == kLanes ? store_i8(p, i) : store_i8_n(p, i, n);
}
MOTE_INLINE void put_one(float* p, float v) { *p = v; }
MOTE_INLINE void put_one(std::uint8_t* p, float v) { put(p, set(v), 1); }
MOTE_INLINE void put_one(std::int8_t* p, float v) { put(p, set(v), 1); }

// The input rows of one row of the result: element offsets and weights.
struct Sources {
  std::int64_t offset[kMostRowTaps];
  float weight[kMostRowTaps];
  std::int64_t count;
  bool outside;
};

MOTE_INLINE void sources_of(const Params& p, const std::int64_t* at, Sources& s) {
  s.count = 1;
  s.offset[0] = 0;
  s.weight[0] = 1;
  s.outside = false;
  for (int a = 0; a < p.row_axes; ++a) {
    const Axis& axis = p.row[a];
    if (!axis.index) {
      for (std::int64_t i = 0; i < s.count; ++i) s.offset[i] += at[a] * axis.x_stride;
      continue;
    }
    if (axis.outside && axis.outside[at[a]]) s.outside = true;
    // Ascending taps: the new ones behind each of those there are, from the back so that none is overwritten.
    const std::int32_t* index = axis.index + at[a] * axis.taps;
    const float* weight = axis.weight + at[a] * axis.taps;
    for (std::int64_t i = s.count - 1; i >= 0; --i) {
      const std::int64_t base = s.offset[i];
      const float w = s.weight[i];
      for (std::int64_t t = axis.taps - 1; t >= 0; --t) {
        s.offset[i * axis.taps + t] = base + index[t] * axis.x_stride;
        s.weight[i * axis.taps + t] = w * weight[t];
      }
    }
    s.count *= axis.taps;
  }
}

// to[0, n) = sum over the sources of weight * x[offset ...].
template <class E>
MOTE_ONCE void combine(const E* x, const Sources& s, float* to, std::int64_t n) {
  if (s.count == 2 && !kCompact) {
    const E *a = x + s.offset[0], *b = x + s.offset[1];
    const F32 u = set(s.weight[0]), v = set(s.weight[1]);
    for (std::int64_t i = 0; i < n; i += kLanes) {
      int m = static_cast<int>(n - i < kLanes ? n - i : kLanes);
      put(to + i, fma(v, fetch(b + i, m), u * fetch(a + i, m)), m);
    }
    return;
  }
  for (std::int64_t i = 0; i < n; i += kLanes) {
    int m = static_cast<int>(n - i < kLanes ? n - i : kLanes);
    F32 acc = set(s.weight[0]) * fetch(x + s.offset[0] + i, m);
    for (std::int64_t t = 1; t < s.count; ++t) acc = fma(set(s.weight[t]), fetch(x + s.offset[t] + i, m), acc);
    put(to + i, acc, m);
  }
}

// Pixels of `n` elements: from[index] with pitch `pitch` combined along the last axis.
template <class From, class E>
MOTE_ONCE void along_pixels(const Params& p, const From* from, std::int64_t pitch, E* y, std::int64_t n) {
  const Axis& l = p.last;
  const E* fill = reinterpret_cast<const E*>(p.fill);
  for (std::int64_t o = 0; o < l.out; ++o) {
    E* to = y + o * l.y_stride;
    if (l.outside && l.outside[o]) {
      for (std::int64_t i = 0; i < n; ++i) to[i] = *fill;
      continue;
    }
    const std::int32_t* index = l.index ? l.index + o * l.taps : nullptr;
    const float* weight = l.index ? l.weight + o * l.taps : nullptr;
    if (index && l.taps == 2 && !kCompact) {
      const From *a = from + index[0] * pitch, *b = from + index[1] * pitch;
      const F32 u = set(weight[0]), v = set(weight[1]);
      for (std::int64_t i = 0; i < n; i += kLanes) {
        int m = static_cast<int>(n - i < kLanes ? n - i : kLanes);
        put(to + i, fma(v, fetch(b + i, m), u * fetch(a + i, m)), m);
      }
      continue;
    }
    for (std::int64_t i = 0; i < n; i += kLanes) {
      int m = static_cast<int>(n - i < kLanes ? n - i : kLanes);
      if (!index) {
        put(to + i, fetch(from + o * pitch + i, m), m);
        continue;
      }
      F32 acc = set(weight[0]) * fetch(from + index[0] * pitch + i, m);
      for (std::int64_t t = 1; t < l.taps; ++t) acc = fma(set(weight[t]), fetch(from + index[t] * pitch + i, m), acc);
      put(to + i, acc, m);
    }
  }
}

// Pixels of one element: a gather along the row. Tables are [taps, out].
template <class E>
MOTE_INLINE void along_row(const Params& p, const float* from, E* y) {
  const Axis& l = p.last;
  for (std::int64_t o = 0; o < l.out; o += kLanes) {
    int m = static_cast<int>(l.out - o < kLanes ? l.out - o : kLanes);
    F32 acc;
    if (l.index) {
      acc = load_n(l.weight + o, m) * gather(from, load_n(l.index + o, m));
      for (std::int64_t t = 1; t < l.taps; ++t)
        acc = fma(load_n(l.weight + t * l.out + o, m), gather(from, load_n(l.index + t * l.out + o, m)), acc);
    } else {
      acc = load_n(from + o, m);
    }
    if (l.y_stride == 1) {
      put(y + o, acc, m);
    } else {
      float lane[kLanes];
      store(lane, acc);
      for (int i = 0; i < m; ++i) put_one(y + (o + i) * l.y_stride, lane[i]);
    }
  }
  if (!l.outside) return;
  for (std::int64_t o = 0; o < l.out; ++o) {
    if (l.outside[o]) y[o * l.y_stride] = *reinterpret_cast<const E*>(p.fill);
  }
}

template <class E>
void resize_row(const Params& p, const Sources& s, E* y, float* scratch) {
  const Axis& l = p.last;
  const E* x = reinterpret_cast<const E*>(p.x);
  if (s.outside) {
    for (std::int64_t o = 0; o < l.out; ++o) {
      for (std::int64_t i = 0; i < p.inner; ++i) y[o * l.y_stride + i] = *reinterpret_cast<const E*>(p.fill);
    }
    return;
  }
  if (p.inner > 1 && s.count == 1 && s.weight[0] == 1) {
    along_pixels(p, x + s.offset[0], l.x_stride, y, p.inner);
    return;
  }
  for (std::int64_t c = 0; c < p.inner; c += p.chunk) {
    std::int64_t n = p.inner - c < p.chunk ? p.inner - c : p.chunk;
    if (n == l.x_stride) {
      combine(x + c, s, scratch, n * l.in);
    } else {
      for (std::int64_t i = 0; i < l.in; ++i) combine(x + i * l.x_stride + c, s, scratch + i * n, n);
    }
    if (p.inner == 1) {
      along_row(p, scratch, y);
    } else {
      along_pixels(p, static_cast<const float*>(scratch), n, y + c, n);
    }
  }
}

template <class E>
void move_row(const Params& p, const Sources& s, E* y) {
  const Axis& l = p.last;
  const E* x = reinterpret_cast<const E*>(p.x) + s.offset[0];
  const E fill = *reinterpret_cast<const E*>(p.fill);
  for (std::int64_t o = 0; o < l.out; ++o) {
    E* to = y + o * l.y_stride;
    const E* from = x + (l.index ? l.index[o] : o) * l.x_stride;
    if (s.outside || (l.outside && l.outside[o])) {
      for (std::int64_t i = 0; i < p.inner; ++i) to[i] = fill;
    } else if (p.inner == 1) {
      *to = *from;
    } else {
      __builtin_memcpy(to, from, static_cast<std::size_t>(p.inner) * sizeof(E));
    }
  }
}

struct Wide {
  std::uint64_t half[2];
};

MOTE_INLINE void any_row(const Params& p, const Sources& s, std::int64_t y, float* scratch) {
  std::byte* to = p.y + y * p.width;
  if (p.move) {
    if (p.width == 1) return move_row(p, s, reinterpret_cast<std::uint8_t*>(to));
    if (p.width == 2) return move_row(p, s, reinterpret_cast<std::uint16_t*>(to));
    if (p.width == 4) return move_row(p, s, reinterpret_cast<std::uint32_t*>(to));
    if (p.width == 8) return move_row(p, s, reinterpret_cast<std::uint64_t*>(to));
    return move_row(p, s, reinterpret_cast<Wide*>(to));
  }
  if (p.dtype == DType::u8) return resize_row(p, s, reinterpret_cast<std::uint8_t*>(to), scratch);
  if (p.dtype == DType::i8) return resize_row(p, s, reinterpret_cast<std::int8_t*>(to), scratch);
  resize_row(p, s, reinterpret_cast<float*>(to), scratch);
}

}  // namespace

// NOLINTNEXTLINE(misc-definitions-in-headers): one namespace per including file
void run(const Params& p, TileRange range) noexcept {
  std::int64_t row = range.begin * p.rows_per_tile, end = range.end * p.rows_per_tile, at[kMaxRowAxes] = {};
  if (end > p.rows) end = p.rows;
  std::int64_t rest = row;
  for (int a = p.row_axes - 1; a >= 0; --a) {
    at[a] = rest % p.row[a].out;
    rest /= p.row[a].out;
  }
  Sources s;
  for (; row < end; ++row) {
    sources_of(p, at, s);
    std::int64_t y = 0;
    for (int a = 0; a < p.row_axes; ++a) y += at[a] * p.row[a].y_stride;
    any_row(p, s, y, reinterpret_cast<float*>(range.scratch));
    for (int a = p.row_axes - 1; a >= 0; --a) {
      if (++at[a] < p.row[a].out) break;
      at[a] = 0;
    }
  }
}

}  // namespace mote::kernels::resize::MOTE_SIMD_NS
