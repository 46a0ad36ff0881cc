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
// R rows of P panels: sums[r * kPanels * 16 + column].
template <int R, int P, bool Flip>
MOTE_NOINLINE void multiply(const Block& t, std::int32_t* sums) {
  Columns16 acc[R][P];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int q = 0; q < P; ++q) acc[r][q] = no_columns();
  }
  const std::int8_t* b = t.b;
  [[maybe_unused]] const std::uint32_t flip = t.flip;
  const std::int64_t whole = t.k & ~std::int64_t{3};
  for (std::int64_t k = 0; k < whole; k += 4, b += 64) {
    Quads16 bq[P];
#pragma GCC unroll 16
    for (int q = 0; q < P; ++q) bq[q] = load_quads(b + q * t.panel_bytes);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      std::uint32_t a = quad(t.a + r * t.a_row + k);
      if constexpr (Flip) a ^= flip;
#pragma GCC unroll 16
      for (int q = 0; q < P; ++q) accumulate(acc[r][q], a, bq[q]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int q = 0; q < P; ++q) fold(acc[r][q], sums + (r * kPanels + q) * 16);
  }
  if (whole == t.k) return;
  // The last one to three k. B is zero beyond, so that what the flip makes of the missing bytes does not count.
  for (int r = 0; r < R; ++r) {
    std::uint32_t a = part_of_quad(t.a + r * t.a_row + whole, t.k - whole);
    if constexpr (Flip) a ^= flip;
    for (int q = 0; q < P; ++q) {
      Columns16 last = no_columns();
      accumulate(last, a, load_quads(b + q * t.panel_bytes));
      std::int32_t more[16];
      fold(last, more);
      for (int c = 0; c < 16; ++c) sums[(r * kPanels + q) * 16 + c] += more[c];
    }
  }
}

template <int P, bool Flip>
MOTE_INLINE void multiply_rows(const Block& t, int rows, std::int32_t* sums) {
  switch (rows) {
    case 1:
      return multiply<1, P, Flip>(t, sums);
    case 2:
      return multiply<2, P, Flip>(t, sums);
#if !(defined(MOTE_SIMD_SCALAR)) && (defined(__AVX512BW__) || defined(__AVXVNNI__) || defined(__ARM_FEATURE_DOTPROD))
    case 3:
      return multiply<3, P, Flip>(t, sums);
    case 4:
      return multiply<4, P, Flip>(t, sums);
    case 5:
      return multiply<5, P, Flip>(t, sums);
    case 6:
      return multiply<6, P, Flip>(t, sums);
#endif
    default:
      return;
  }
}

template <class T>
constexpr bool kFloating = static_cast<T>(0.5f) != static_cast<T>(0);
template <class T>
constexpr bool kBytes = sizeof(T) == 1;

struct Finish {
  const std::int32_t *add, *zero;
  const float *scale, *shift;
  bool zeros;
  std::int32_t y_zero, low, high;
};

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

// Copies the taps of pixels [first, first + count) of the result to rows of k bytes.
MOTE_INLINE void gather_pixels(const Params& p, std::int64_t first, std::int64_t count, std::int64_t channel,
                               std::uint8_t* to) {
  const Window& w = p.window;
  const int fill = p.a_zero ? static_cast<int>(*p.a_zero) : 0;
  const std::int64_t image = w.in[0] * w.in[1] * w.in[2];
  for (std::int64_t q = first; q < first + count; ++q) {
    std::int64_t o2 = q % w.out[2], o1 = q / w.out[2] % w.out[1], o0 = q / w.out[2] / w.out[1] % w.out[0],
                 n = q / w.out[2] / w.out[1] / w.out[0];
    for (std::int64_t i = 0; i < w.kernel[0]; ++i) {
      std::int64_t d = o0 * w.stride[0] - w.pad[0] + i * w.dilation[0];
      for (std::int64_t j = 0; j < w.kernel[1]; ++j) {
        std::int64_t h = o1 * w.stride[1] - w.pad[1] + j * w.dilation[1];
        bool row_inside = d >= 0 && d < w.in[0] && h >= 0 && h < w.in[1];
        for (std::int64_t l = 0; l < w.kernel[2]; ++l) {
          std::int64_t x = o2 * w.stride[2] - w.pad[2] + l * w.dilation[2];
          if (row_inside && x >= 0 && x < w.in[2]) {
            const std::uint8_t* from = p.a + (n * image + (d * w.in[1] + h) * w.in[2] + x) * p.a_row + channel;
            __builtin_memcpy(to, from, static_cast<std::size_t>(w.channels));
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
  alignas(64) std::int32_t sums[kRows * kPanels * 16];
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
      if (panels == kPanels) {
        t.flip ? multiply_rows<kPanels, true>(t, height, sums) : multiply_rows<kPanels, false>(t, height, sums);
      } else {
        for (int q = 0; q < panels; ++q) {
          Block one = t;
          one.b = t.b + q * t.panel_bytes;
          t.flip ? multiply_rows<1, true>(one, height, sums + q * 16)
                 : multiply_rows<1, false>(one, height, sums + q * 16);
        }
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

}  // namespace

// NOLINTNEXTLINE(misc-definitions-in-headers): one namespace per including file
void depthwise(const Params& p, TileRange range) noexcept {
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
