// The products, for the ISA of the including file.
#include "kernels/idot/depthwise.h"
#include "simd/dot8.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

using namespace simd::MOTE_SIMD_NS;

// Rows and panels of a register tile.
#if defined(__AVX512VNNI__) && !defined(MOTE_SIMD_SCALAR)
inline constexpr int kRows = 6, kPanels = 4;
#elif defined(__AVX512BW__) && !defined(MOTE_SIMD_SCALAR)
inline constexpr int kRows = 6, kPanels = 2;
#elif defined(__AVXVNNI__) && !defined(MOTE_SIMD_SCALAR)
inline constexpr int kRows = 6, kPanels = 1;
#elif defined(__ARM_FEATURE_DOTPROD) && !defined(MOTE_SIMD_SCALAR)
inline constexpr int kRows = 6, kPanels = 1;
#else
inline constexpr int kRows = 2, kPanels = 1;
#endif

template <int N>
struct Count {
  static constexpr int value = N;
};

struct Block {
  const std::uint8_t* a;
  std::int64_t a_row, k, panel_bytes;
  const std::int8_t* b;
  std::uint32_t flip;  // what turns A's bytes into those of the kernel
};

MOTE_INLINE std::uint32_t quad(const std::uint8_t* p) {
  std::uint32_t v;
  __builtin_memcpy(&v, p, 4);
  return v;
}
MOTE_INLINE std::uint32_t part_of_quad(const std::uint8_t* p, std::int64_t n) {
  std::uint32_t v = 0;
  for (std::int64_t i = 0; i < n; ++i) v |= static_cast<std::uint32_t>(p[i]) << 8 * i;
  return v;
}

// Flip: A's bytes are not in the kernel's form.
// R rows of P panels. B is zero beyond k, so that what the flip makes of missing bytes does not count.
template <int R, int P, bool Flip>
MOTE_INLINE void products(const Block& t, Columns16 (&acc)[R][P]) {
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int q = 0; q < P; ++q) acc[r][q] = no_columns();
  }
  const std::int8_t* b = t.b;
  const std::uint8_t* a_rows = t.a;
  [[maybe_unused]] const std::uint32_t flip = t.flip;
  const std::int64_t whole = t.k & ~std::int64_t{3};
  std::int64_t a_row = t.a_row, left = whole;
  // The last one to three k, as rows of their own; the one loop below keeps the sums in registers.
  std::uint8_t tail[4 * R];
  if (whole != t.k) {
    for (int r = 0; r < R; ++r) {
      const std::uint32_t last = part_of_quad(t.a + r * t.a_row + whole, t.k - whole);
      __builtin_memcpy(tail + 4 * r, &last, 4);
    }
  }
  for (bool more = whole != t.k;; more = false) {
    for (; left > 0; left -= 4, a_rows += 4, b += 64) {
      Quads16 bq[P];
#pragma GCC unroll 16
      for (int q = 0; q < P; ++q) bq[q] = load_quads(b + q * t.panel_bytes);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        std::uint32_t a = quad(a_rows + r * a_row);
        if constexpr (Flip) a ^= flip;
#pragma GCC unroll 16
        for (int q = 0; q < P; ++q) accumulate(acc[r][q], a, bq[q]);
      }
    }
    if (!more) return;
    a_rows = tail;
    a_row = 4;
    left = 4;
  }
}

// sums[r * kPanels * 16 + column].
template <int R, int P, bool Flip>
MOTE_NOINLINE void multiply(const Block& t, std::int32_t* sums) {
  Columns16 acc[R][P];
  products<R, P, Flip>(t, acc);
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int q = 0; q < P; ++q) fold(acc[r][q], sums + (r * kPanels + q) * 16);
  }
}

struct Finish {
  const std::int32_t *add, *zero;
  const float *scale, *shift;
  bool zeros;
  std::int32_t y_zero, low, high;
};

// Rows of bytes: where they go, how many columns, and, where e.zeros, the sums of A's rows.
struct Bytes {
  std::uint8_t* c;
  std::int64_t c_row;
  int width;
  const std::int32_t* row_sums;
};

// The same as `multiply`, requantized from the registers.
template <int R, int P, bool Flip>
MOTE_NOINLINE void requantize(const Block& t, const Finish& e, const Bytes& to) {
  Columns16 acc[R][P];
  products<R, P, Flip>(t, acc);
  const F32 low = set(static_cast<float>(e.low - e.y_zero)), high = set(static_cast<float>(e.high - e.y_zero));
  const I32 y_zero = set_i32(e.y_zero);
#pragma GCC unroll 16
  for (int q = 0; q < P; ++q) {
#pragma GCC unroll 4
    for (int part = 0; part < 16 / kLanes; ++part) {
      const int j = q * 16 + part * kLanes;
      const int n = to.width - j < kLanes ? to.width - j : kLanes;
      if (n <= 0) break;
      const I32 add = load(e.add + j), zero = load(e.zero + j);
      const F32 scale = load(e.scale + j);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        I32 v = lanes_of(acc[r][q], part) + add;
        if (e.zeros) v = v - zero * set_i32(to.row_sums[r]);
        // The conversion takes halves to the even one.
        store_low_bytes(to.c + r * to.c_row + j, to_i32(min(max(to_f32(v) * scale, low), high)) + y_zero, n);
      }
    }
  }
}

// Calls f with the number of rows as a constant.
template <class F>
MOTE_INLINE void with_rows(int rows, F f) {
  switch (rows) {
    case 1:
      return f(Count<1>());
    case 2:
      return f(Count<2>());
#if !(defined(MOTE_SIMD_SCALAR)) && (defined(__AVX512BW__) || defined(__AVXVNNI__) || defined(__ARM_FEATURE_DOTPROD))
    case 3:
      return f(Count<3>());
    case 4:
      return f(Count<4>());
    case 5:
      return f(Count<5>());
    case 6:
      return f(Count<6>());
#endif
    default:
      return;
  }
}

template <int P>
MOTE_INLINE void multiply_rows(const Block& t, int rows, std::int32_t* sums) {
  with_rows(rows, [&](auto r) {
    t.flip ? multiply<decltype(r)::value, P, true>(t, sums) : multiply<decltype(r)::value, P, false>(t, sums);
  });
}
template <int P>
MOTE_INLINE void requantize_rows(const Block& t, int rows, const Finish& e, const Bytes& to) {
  with_rows(rows, [&](auto r) {
    t.flip ? requantize<decltype(r)::value, P, true>(t, e, to) : requantize<decltype(r)::value, P, false>(t, e, to);
  });
}

template <class T>
constexpr bool kFloating = static_cast<T>(0.5f) != static_cast<T>(0);
template <class T>
constexpr bool kBytes = sizeof(T) == 1;

template <class T>
MOTE_INLINE void store_out(T* to, I32 v, int n) {
  if constexpr (!kBytes<T>) {
    n == kLanes ? store(to, v) : store_n(to, v, n);
  } else if constexpr (static_cast<T>(-1) < static_cast<T>(0)) {
    n == kLanes ? store_i8(to, v) : store_i8_n(to, v, n);
  } else {
    n == kLanes ? store_u8(to, v) : store_u8_n(to, v, n);
  }
}

// `n` columns of one row from their sums; `row_sum` is that of A's unsigned bytes.
template <class T>
MOTE_INLINE void finish(const Finish& e, const std::int32_t* sums, std::int32_t row_sum, T* to, std::int64_t n) {
  for (std::int64_t j = 0; j < n; j += kLanes) {
    int m = static_cast<int>(n - j < kLanes ? n - j : kLanes);
    I32 v = load(sums + j) + load(e.add + j);
    if (e.zeros) v = v - load(e.zero + j) * set_i32(row_sum);
    if constexpr (kFloating<T>) {
      F32 y = to_f32(v) * load(e.scale + j) + load(e.shift + j);
      m == kLanes ? store(to + j, y) : store_n(to + j, y, m);
    } else if constexpr (!kBytes<T>) {
      store_out(to + j, v, m);
    } else {
      // The conversion takes halves to the even one.
      F32 low = set(static_cast<float>(e.low - e.y_zero)), high = set(static_cast<float>(e.high - e.y_zero));
      F32 q = min(max(to_f32(v) * load(e.scale + j), low), high);
      store_out(to + j, to_i32(q) + set_i32(e.y_zero), m);
    }
  }
}

// The program over `rows` finished rows of `n` columns.
template <class T>
MOTE_INLINE void apply(const Params& p, T* to, std::int64_t rows, std::int64_t n, std::int64_t row, std::int64_t col) {
  if constexpr (kFloating<T>) {
    if (p.epilogue.count > 0)
      kernels::MOTE_SIMD_BASE_NS::apply_epilogue(p.epilogue, {to, p.c_row, rows, n, row, 1, col});
  }
}

template <class T>
MOTE_INLINE std::int32_t least(const Params& p) {
  constexpr std::int32_t kLow = static_cast<T>(-1) < static_cast<T>(0) ? -128 : 0;
  return p.low > kLow ? p.low : kLow;
}
template <class T>
MOTE_INLINE std::int32_t greatest(const Params& p) {
  constexpr std::int32_t kHigh = static_cast<T>(-1) < static_cast<T>(0) ? 127 : 255;
  return p.high < kHigh ? p.high : kHigh;
}

MOTE_INLINE std::int32_t sum_bytes(const std::uint8_t* a, std::int64_t k, std::uint8_t flip) {
  std::int32_t s = 0;
  for (std::int64_t i = 0; i < k; ++i) s += a[i] ^ flip;
  return s;
}

// Few bytes without a call.
MOTE_INLINE void copy_bytes(std::uint8_t* to, const std::uint8_t* from, std::int64_t n) {
  if (n > 64) {
    __builtin_memcpy(to, from, static_cast<std::size_t>(n));
    return;
  }
  for (; n >= 8; n -= 8, to += 8, from += 8) __builtin_memcpy(to, from, 8);
  if (n & 4) {
    __builtin_memcpy(to, from, 4);
    to += 4;
    from += 4;
  }
  for (std::int64_t i = 0; i < (n & 3); ++i) to[i] = from[i];
}

// Copies the taps of pixels [first, first + count) of the result to rows of k bytes.
MOTE_INLINE void gather_pixels(const Params& p, std::int64_t first, std::int64_t count, std::int64_t channel,
                               std::uint8_t* to) {
  const Window& w = p.window;
  const int fill = p.a_zero ? static_cast<int>(*p.a_zero) : 0;
  const std::int64_t image = w.in[0] * w.in[1] * w.in[2];
  // Neighbouring taps of a row are neighbours in memory.
  const bool joined = w.dilation[2] == 1 && p.a_row == w.channels;
  for (std::int64_t q = first; q < first + count; ++q) {
    std::int64_t o2 = q % w.out[2], o1 = q / w.out[2] % w.out[1], o0 = q / w.out[2] / w.out[1] % w.out[0],
                 n = q / w.out[2] / w.out[1] / w.out[0];
    const std::int64_t left = o2 * w.stride[2] - w.pad[2];
    for (std::int64_t i = 0; i < w.kernel[0]; ++i) {
      std::int64_t d = o0 * w.stride[0] - w.pad[0] + i * w.dilation[0];
      for (std::int64_t j = 0; j < w.kernel[1]; ++j) {
        std::int64_t h = o1 * w.stride[1] - w.pad[1] + j * w.dilation[1];
        bool row_inside = d >= 0 && d < w.in[0] && h >= 0 && h < w.in[1];
        if (row_inside && joined && left >= 0 && left + w.kernel[2] <= w.in[2]) {
          const std::uint8_t* from = p.a + (n * image + (d * w.in[1] + h) * w.in[2] + left) * p.a_row + channel;
          copy_bytes(to, from, w.kernel[2] * w.channels);
          to += w.kernel[2] * w.channels;
          continue;
        }
        for (std::int64_t l = 0; l < w.kernel[2]; ++l) {
          std::int64_t x = o2 * w.stride[2] - w.pad[2] + l * w.dilation[2];
          if (row_inside && x >= 0 && x < w.in[2]) {
            const std::uint8_t* from = p.a + (n * image + (d * w.in[1] + h) * w.in[2] + x) * p.a_row + channel;
            copy_bytes(to, from, w.channels);
          } else {
            __builtin_memset(to, fill, static_cast<std::size_t>(w.channels));
          }
          to += w.channels;
        }
      }
    }
  }
}

template <class T>
void run_tile(const Params& p, std::int64_t tile, std::byte* scratch) {
  const Shared s = shared_of(p);
  const std::int64_t padded = panels_of(p.n) * kPanel;
  std::int64_t col = tile % p.col_tiles * p.col_step;
  tile /= p.col_tiles;
  std::int64_t row = tile % p.row_tiles * p.row_step;
  tile /= p.row_tiles;
  const std::int64_t group = tile % p.groups, batch = tile / p.groups;
  const std::int64_t rows = p.m - row < p.row_step ? p.m - row : p.row_step;
  const std::int64_t col_end = col + p.col_step < padded ? col + p.col_step : padded;
  const std::uint8_t flip = p.a_signed ? 0x80 : 0;
  auto* row_sums = reinterpret_cast<std::int32_t*>(scratch);
  auto* gathered = reinterpret_cast<std::uint8_t*>(scratch + (p.row_step * 4 + 63) / 64 * 64);

  Block t;
  t.k = p.k;
  t.panel_bytes = quads_of(p.k) * 64;
  t.flip = p.a_signed != kSignedA ? 0x80808080u : 0u;
  t.a = p.a + batch * p.a_batch + row * p.a_row;
  t.a_row = p.a_row;
  if (p.gather) {
    gather_pixels(p, row, rows, group * p.window.channels, gathered);
    t.a = gathered;
    t.a_row = p.k;
  }
  Finish e;
  e.zeros = s.flags[0] != 0;
  e.y_zero = s.flags[1];
  e.low = least<T>(p);
  e.high = greatest<T>(p);
  if (e.zeros) {
    for (std::int64_t r = 0; r < rows; ++r) row_sums[r] = sum_bytes(t.a + r * t.a_row, p.k, flip);
  }
  const std::uint8_t* a = t.a;
  const auto* b = reinterpret_cast<const std::int8_t*>(p.b + batch * p.b_batch + group * packed_size(p.k, p.n));
  const std::int64_t columns = (p.b_batch != 0 ? batch * p.groups : 0) * padded + group * padded;
  T* c = reinterpret_cast<T*>(p.c) + batch * p.c_batch + group * p.n;
  [[maybe_unused]] alignas(64) std::int32_t sums[kRows * kPanels * 16];
  for (std::int64_t j = col; j < col_end; j += kPanels * 16) {
    const int panels = static_cast<int>((col_end - j + 15) / 16 < kPanels ? (col_end - j + 15) / 16 : kPanels);
    const std::int64_t width = p.n - j < panels * 16 ? p.n - j : panels * 16;
    t.b = b + j / kPanel * t.panel_bytes;
    e.add = s.add + columns + j;
    e.zero = s.zero + group * padded + j;
    e.scale = s.scale + group * padded + j;
    e.shift = s.shift + group * padded + j;
    for (std::int64_t r = 0; r < rows; r += kRows) {
      const int height = static_cast<int>(rows - r < kRows ? rows - r : kRows);
      t.a = a + r * t.a_row;
      if constexpr (kBytes<T>) {
        Bytes to{reinterpret_cast<std::uint8_t*>(c) + (row + r) * p.c_row + j, p.c_row, static_cast<int>(width),
                 row_sums + r};
        if (panels == kPanels) {
          requantize_rows<kPanels>(t, height, e, to);
          continue;
        }
        Block some = t;
        Finish columns = e;
        for (int q = 0, two = 0; q < panels; q += 1 + two) {
          two = kPanels > 2 && panels - q >= 2;
          if (two) {
            requantize_rows<(kPanels > 2 ? 2 : 1)>(some, height, columns, to);
          } else {
            requantize_rows<1>(some, height, columns, to);
          }
          const int step = 16 * (1 + two);
          some.b += (1 + two) * t.panel_bytes;
          columns.add += step;
          columns.zero += step;
          columns.scale += step;
          to.c += step;
          to.width -= step;
        }
        continue;
      }
      if (panels == kPanels) {
        multiply_rows<kPanels>(t, height, sums);
      } else {
        Block one = t;
        for (int q = 0; q < panels; ++q, one.b += t.panel_bytes) multiply_rows<1>(one, height, sums + q * 16);
      }
      for (int i = 0; i < height; ++i) {
        finish(e, sums + i * kPanels * 16, e.zeros ? row_sums[r + i] : 0, c + (row + r + i) * p.c_row + j, width);
      }
      apply(p, c + (row + r) * p.c_row + j, height, width, batch * p.m + row + r, group * p.n + j);
    }
  }
}

MOTE_INLINE I32 load_a(const std::uint8_t* p, bool is_signed, int n) {
  if (is_signed) {
    auto q = reinterpret_cast<const std::int8_t*>(p);
    return n == kLanes ? load_i8(q) : load_i8_n(q, n);
  }
  return n == kLanes ? load_u8(p) : load_u8_n(p, n);
}

// Channels [c, c + V * kLanes) of one pixel, or the first m of them where V is 1. Taps that lie in padding add nothing.
template <int V, class T>
MOTE_INLINE void depthwise_channels(const Params& p, const Filters& f, const std::int64_t* start,
                                    const std::uint8_t* image, std::int64_t c, int m, T* to) {
  const Window& w = p.window;
  const I32 zero = set_i32(f.flags[0]);
  I32 acc[V];
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) acc[v] = set_i32(0);
  const std::int32_t* weights = f.weights + c;
  for (std::int64_t i = 0; i < w.kernel[0]; ++i) {
    const std::int64_t d = start[0] + i * w.dilation[0];
    for (std::int64_t j = 0; j < w.kernel[1]; ++j) {
      const std::int64_t h = start[1] + j * w.dilation[1];
      const bool inside = d >= 0 && d < w.in[0] && h >= 0 && h < w.in[1];
      for (std::int64_t l = 0; l < w.kernel[2]; ++l, weights += f.pitch) {
        const std::int64_t x = start[2] + l * w.dilation[2];
        if (!inside || x < 0 || x >= w.in[2]) continue;
        const std::uint8_t* a = image + ((d * w.in[1] + h) * w.in[2] + x) * p.a_row + c;
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) {
          I32 value = load_a(a + v * kLanes, p.a_signed, V > 1 ? kLanes : m) - zero;
          acc[v] = acc[v] + value * load(weights + v * kLanes);
        }
      }
    }
  }
  std::int32_t sums[V * kLanes];
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) store(sums + v * kLanes, acc[v]);
  Finish e{f.add + c, nullptr, f.scale + c, f.shift + c, false, f.flags[1], least<T>(p), greatest<T>(p)};
  finish(e, sums, 0, to + c, V > 1 ? V * kLanes : m);
}

template <class T>
MOTE_INLINE void depthwise_pixel(const Params& p, const Filters& f, std::int64_t q, T* to) {
  const Window& w = p.window;
  const std::int64_t start[3] = {q / w.out[2] / w.out[1] % w.out[0] * w.stride[0] - w.pad[0],
                                 q / w.out[2] % w.out[1] * w.stride[1] - w.pad[1],
                                 q % w.out[2] * w.stride[2] - w.pad[2]};
  const std::uint8_t* image = p.a + q / w.out[2] / w.out[1] / w.out[0] * w.in[0] * w.in[1] * w.in[2] * p.a_row;
  std::int64_t c = 0;
  for (; c + 4 * kLanes <= p.groups; c += 4 * kLanes) depthwise_channels<4>(p, f, start, image, c, kLanes, to);
  for (; c < p.groups; c += kLanes)
    depthwise_channels<1>(p, f, start, image, c, static_cast<int>(p.groups - c < kLanes ? p.groups - c : kLanes), to);
}

template <class T>
void depthwise_as(const Params& p, TileRange range) {
  const Filters f = filters_of(p);
  const std::int64_t end = range.end * p.row_step < p.m ? range.end * p.row_step : p.m;
  for (std::int64_t q = range.begin * p.row_step; q < end; ++q) {
    T* to = reinterpret_cast<T*>(p.c) + q * p.c_row;
    depthwise_pixel(p, f, q, to);
    apply(p, to, 1, p.groups, q, 0);
  }
}

#if defined(__AVX512VNNI__) && !defined(MOTE_SIMD_SCALAR)
// Registers of W bytes.
template <int W>
struct Wide;
#define MOTE_WIDE(W, Type, Floats, prefix, si)                                                               \
  template <>                                                                                                \
  struct Wide<W> {                                                                                           \
    using V = Type;                                                                                          \
    using F = Floats;                                                                                        \
    static V load(const void* p) { return prefix##_loadu_epi8(p); }                                          \
    static V set8(int x) { return prefix##_set1_epi8(static_cast<char>(x)); }                                \
    static V set32(int x) { return prefix##_set1_epi32(x); }                                                 \
    static F setf(float x) { return prefix##_set1_ps(x); }                                                   \
    static F loadf(const float* p) { return prefix##_loadu_ps(p); }                                          \
    static V flip(V a, V b) { return prefix##_xor_##si(a, b); }                                              \
    static V low8(V a, V b) { return prefix##_unpacklo_epi8(a, b); }                                         \
    static V high8(V a, V b) { return prefix##_unpackhi_epi8(a, b); }                                        \
    static V low16(V a, V b) { return prefix##_unpacklo_epi16(a, b); }                                       \
    static V high16(V a, V b) { return prefix##_unpackhi_epi16(a, b); }                                      \
    static V dot(V acc, V a, V b) { return prefix##_dpbusd_epi32(acc, a, b); }                               \
    static V rounded(V acc, F scale, F low, F high, V zero) {                                                \
      F x = prefix##_mul_ps(prefix##_cvtepi32_ps(acc), scale);                                               \
      return prefix##_add_epi32(prefix##_cvtps_epi32(prefix##_min_ps(prefix##_max_ps(x, low), high)), zero); \
    }                                                                                                        \
    static V packed(const V (&v)[4], bool is_signed) {                                                       \
      V a = prefix##_packs_epi32(v[0], v[1]), b = prefix##_packs_epi32(v[2], v[3]);                          \
      return is_signed ? prefix##_packs_epi16(a, b) : prefix##_packus_epi16(a, b);                           \
    }                                                                                                        \
    static void store(void* p, V v) { prefix##_storeu_epi8(p, v); }                                          \
  }
MOTE_WIDE(64, __m512i, __m512, _mm512, si512);
MOTE_WIDE(32, __m256i, __m256, _mm256, si256);
MOTE_WIDE(16, __m128i, __m128, _mm, si128);
#undef MOTE_WIDE

// Channels [c, c + W) of one pixel, or the first n of them, from the pixels under its taps.
template <int W>
MOTE_INLINE void quad_channels(const Params& p, const Filters& f, const std::uint8_t* const* taps, std::int64_t c,
                               std::int64_t n, std::uint8_t* to) {
  using R = Wide<W>;
  using V = typename R::V;
  const std::int64_t quads = quads_of(p.k);
  V acc[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) acc[i] = R::load(f.quad_add + c + i * (W / 4));
  const std::int8_t* weights = f.quads + c * quads * 4;
  const V flip = R::set8(p.a_signed ? -128 : 0);
  for (std::int64_t q = 0; q < quads; ++q, weights += 4 * W) {
    V v[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const std::uint8_t* x = taps[4 * q + i] + c;
      if constexpr (W == 16) {
        v[i] = n == W ? R::load(x) : _mm_maskz_loadu_epi8(static_cast<__mmask16>((1u << n) - 1), x);
      } else {
        v[i] = R::load(x);
      }
      v[i] = R::flip(v[i], flip);
    }
    const V a = R::low8(v[0], v[1]), b = R::high8(v[0], v[1]), d = R::low8(v[2], v[3]), e = R::high8(v[2], v[3]);
    acc[0] = R::dot(acc[0], R::low16(a, d), R::load(weights));
    acc[1] = R::dot(acc[1], R::high16(a, d), R::load(weights + W));
    acc[2] = R::dot(acc[2], R::low16(b, e), R::load(weights + 2 * W));
    acc[3] = R::dot(acc[3], R::high16(b, e), R::load(weights + 3 * W));
  }
  const bool is_signed = p.out == DType::i8;
  const std::int32_t y_zero = f.flags[1], least_y = is_signed ? least<std::int8_t>(p) : least<std::uint8_t>(p),
                     greatest_y = is_signed ? greatest<std::int8_t>(p) : greatest<std::uint8_t>(p);
  const auto low = R::setf(static_cast<float>(least_y - y_zero)),
             high = R::setf(static_cast<float>(greatest_y - y_zero));
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i)
    acc[i] = R::rounded(acc[i], R::loadf(f.quad_scale + c + i * (W / 4)), low, high, R::set32(y_zero));
  const V bytes = R::packed(acc, is_signed);
  if constexpr (W == 16) {
    if (n < W) return _mm_mask_storeu_epi8(to + c, static_cast<__mmask16>((1u << n) - 1), bytes);
  }
  R::store(to + c, bytes);
}

void depthwise_quads(const Params& p, const Filters& f, TileRange range) {
  const Window& w = p.window;
  const std::int64_t taps = p.k, padded = quads_of(taps) * 4;
  const std::int64_t row = w.in[2] * p.a_row, plane = w.in[1] * row, image = w.in[0] * plane;
  std::int64_t offset[kMostQuadTaps];
  bool fits = true;
  for (int d = 0; d < 3; ++d) fits = fits && (w.kernel[d] - 1) * w.dilation[d] < w.in[d];
  for (std::int64_t t = 0; fits && t < taps; ++t) {
    offset[t] = t / w.kernel[2] / w.kernel[1] * w.dilation[0] * plane +
                t / w.kernel[2] % w.kernel[1] * w.dilation[1] * row + t % w.kernel[2] * w.dilation[2] * p.a_row;
  }
  const std::int64_t begin = range.begin * p.row_step,
                     end = range.end * p.row_step < p.m ? range.end * p.row_step : p.m;
  std::int64_t o[3] = {begin / w.out[2] / w.out[1] % w.out[0], begin / w.out[2] % w.out[1], begin % w.out[2]};
  const std::uint8_t* x = p.a + begin / w.out[2] / w.out[1] / w.out[0] * image;
  const std::uint8_t* at[kMostQuadTaps];
  bool follows = false;  // whether `at` is that of the pixel before, inside of the image
  for (std::int64_t q = begin; q < end; ++q) {
    std::int64_t start[3];
    bool inside = fits;
    for (int d = 0; d < 3; ++d) {
      start[d] = o[d] * w.stride[d] - w.pad[d];
      inside = inside && start[d] >= 0 && start[d] + (w.kernel[d] - 1) * w.dilation[d] < w.in[d];
    }
    if (inside && follows) {
      for (std::int64_t t = 0; t < taps; ++t) at[t] += w.stride[2] * p.a_row;
    } else if (inside) {
      const std::uint8_t* first = x + (start[0] * plane + start[1] * row + start[2] * p.a_row);
      for (std::int64_t t = 0; t < taps; ++t) at[t] = first + offset[t];
    } else {
      for (std::int64_t t = 0; t < taps; ++t) {
        const std::int64_t d = start[0] + t / w.kernel[2] / w.kernel[1] * w.dilation[0],
                           h = start[1] + t / w.kernel[2] % w.kernel[1] * w.dilation[1],
                           l = start[2] + t % w.kernel[2] * w.dilation[2];
        const bool in = d >= 0 && d < w.in[0] && h >= 0 && h < w.in[1] && l >= 0 && l < w.in[2];
        at[t] = in ? x + d * plane + h * row + l * p.a_row : f.fill;
      }
    }
    follows = inside;
    // The next pixel.
    if (++o[2] == w.out[2]) {
      o[2] = 0;
      follows = false;
      if (++o[1] == w.out[1]) {
        o[1] = 0;
        if (++o[0] == w.out[0]) {
          o[0] = 0;
          x += image;
        }
      }
    }
    for (std::int64_t t = taps; t < padded; ++t) at[t] = f.fill;
    auto* to = reinterpret_cast<std::uint8_t*>(p.c) + q * p.c_row;
    for (std::int64_t c = 0, width = 0; c < p.groups; c += width) {
      const std::int64_t left = p.groups - c;
      width = block_of(left);
      if (width == 64) {
        quad_channels<64>(p, f, at, c, 64, to);
      } else if (width == 32) {
        quad_channels<32>(p, f, at, c, 32, to);
      } else {
        quad_channels<16>(p, f, at, c, left < 16 ? left : 16, to);
      }
    }
  }
}
#endif

}  // namespace

// NOLINTNEXTLINE(misc-definitions-in-headers): one namespace per including file
void depthwise(const Params& p, TileRange range) noexcept {
#if defined(__AVX512VNNI__) && !defined(MOTE_SIMD_SCALAR)
  if (const Filters f = filters_of(p); f.flags[2] != 0) return depthwise_quads(p, f, range);
#endif
  if (p.out == DType::i32) return depthwise_as<std::int32_t>(p, range);
  if (p.out == DType::f32) return depthwise_as<float>(p, range);
  if (p.out == DType::u8) return depthwise_as<std::uint8_t>(p, range);
  depthwise_as<std::int8_t>(p, range);
}

// NOLINTNEXTLINE(misc-definitions-in-headers): one namespace per including file
void run(const Params& p, TileRange range) noexcept {
  for (std::int64_t t = range.begin; t < range.end; ++t) {
    if (p.out == DType::i32) {
      run_tile<std::int32_t>(p, t, range.scratch);
    } else if (p.out == DType::f32) {
      run_tile<float>(p, t, range.scratch);
    } else if (p.out == DType::u8) {
      run_tile<std::uint8_t>(p, t, range.scratch);
    } else {
      run_tile<std::int8_t>(p, t, range.scratch);
    }
  }
}

}  // namespace mote::kernels::idot::MOTE_SIMD_NS
