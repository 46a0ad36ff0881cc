// Tables and pools of bytes, sums of bytes and of words, for the ISA of the including file.
#include <cstring>

#include "kernels/compact.h"
#include "kernels/pool/window.h"
#include "kernels/qmap/qmap.h"
#include "simd/fixed.h"
#include "simd/vec.h"
#include "simd/words.h"

namespace mote::kernels::qmap::MOTE_SIMD_NS {
namespace {

using namespace simd::MOTE_SIMD_NS;

template <bool Signed>
MOTE_INLINE I32 load_byte(const std::uint8_t* p, int n) {
  if constexpr (Signed) {
    auto q = reinterpret_cast<const std::int8_t*>(p);
    return n == kLanes ? load_i8(q) : load_i8_n(q, n);
  } else {
    return n == kLanes ? load_u8(p) : load_u8_n(p, n);
  }
}
MOTE_INLINE I32 load_any(const std::uint8_t* p, bool is_signed, int n) {
  return is_signed ? load_byte<true>(p, n) : load_byte<false>(p, n);
}
MOTE_INLINE void store_any(std::uint8_t* p, bool is_signed, I32 v, int n) {
  if (is_signed) {
    auto q = reinterpret_cast<std::int8_t*>(p);
    n == kLanes ? store_i8(q, v) : store_i8_n(q, v, n);
  } else {
    n == kLanes ? store_u8(p, v) : store_u8_n(p, v, n);
  }
}

// Elements of operands and results.
struct Bytes {
  static constexpr std::int64_t kBytes = 1;
  static MOTE_INLINE I32 load(const std::uint8_t* p, bool is_signed, int n) { return load_any(p, is_signed, n); }
  static MOTE_INLINE void store(std::uint8_t* p, bool is_signed, I32 v, int n) { store_any(p, is_signed, v, n); }
};
struct Words {
  static constexpr std::int64_t kBytes = 2;
  static MOTE_INLINE I32 load(const std::uint8_t* p, bool is_signed, int n) {
    std::uint16_t room[kLanes] = {};
    if (n < kLanes) p = static_cast<const std::uint8_t*>(std::memcpy(room, p, 2 * static_cast<std::size_t>(n)));
    return is_signed ? load_i16(reinterpret_cast<const std::int16_t*>(p))
                     : load_u16(reinterpret_cast<const std::uint16_t*>(p));
  }
  static MOTE_INLINE void store(std::uint8_t* p, bool, I32 v, int n) {
    if (n == kLanes) return store_16(p, v);
    std::uint16_t room[kLanes];
    store_16(room, v);
    std::memcpy(p, room, 2 * static_cast<std::size_t>(n));
  }
};
// One element in all lanes.
template <class V>
MOTE_INLINE I32 load_one(const std::uint8_t* p, bool is_signed) {
  std::int32_t lanes[kLanes];
  store(lanes, V::load(p, is_signed, 1));
  return set_i32(lanes[0]);
}

// Rounds within the range; the conversion takes halves to the even one.
struct Rounding {
  F32 low, high;
  I32 zero;
  MOTE_INLINE explicit Rounding(const Result& r)
      : low(set(static_cast<float>(r.low - r.zero))),
        high(set(static_cast<float>(r.high - r.zero))),
        zero(set_i32(r.zero)) {}
  MOTE_INLINE I32 operator()(F32 x) const { return to_i32(min(max(x, low), high)) + zero; }
};

// Fixed-point results within the range.
struct Clamping {
  I32 low, high, zero;
  MOTE_INLINE explicit Clamping(const Result& r)
      : low(set_i32(r.low - r.zero)), high(set_i32(r.high - r.zero)), zero(set_i32(r.zero)) {}
  MOTE_INLINE I32 operator()(I32 x) const { return min(max(x, low), high) + zero; }
};
MOTE_INLINE Fixed fixed_of(FixedScale s) {
  return simd::MOTE_SIMD_NS::fixed_of(set_i32(s.multiplier), set_i32(s.shift));
}

// sum / n, halves away from zero. f32 is exact below 2^24: what is no integer is further from one than it rounds.
MOTE_INLINE I32 rounded_mean(I32 sum, std::int32_t n) {
  const I32 half = set_i32(n / 2), none = set_i32(0);
  return to_i32_trunc(to_f32(sum + select(sum > none, half, none - half)) / set(static_cast<float>(n)));
}

using pool::MOTE_SIMD_NS::Window;
using pool::MOTE_SIMD_NS::window;

struct Pixel {
  const std::uint8_t* x;  // of the image
  std::uint8_t* y;
  Window a, b, c;
  float factor;
  std::int32_t zeros;  // what the zero points of the taps sum up to
  std::int32_t taps;
};

// V registers of channels from `ch` on; the last of `n` where V is 1.
template <bool Average, bool Signed, int V>
MOTE_INLINE void pool_channels(const PoolParams& p, const Pixel& q, const Rounding& rounded, std::int64_t ch, int n) {
  const bool is_signed = kCompact ? p.x_type.is_signed : Signed;
  I32 acc[V];
  for (int v = 0; v < V; ++v) acc[v] = set_i32(Average ? -q.zeros : is_signed ? -128 : 0);
  for (std::int64_t i = q.a.first; i < q.a.last; ++i) {
    for (std::int64_t j = q.b.first; j < q.b.last; ++j) {
      std::int64_t row =
          ((q.a.start + i * p.dilation[0]) * p.in[1] + q.b.start + j * p.dilation[1]) * p.in[2] + q.c.start;
      for (std::int64_t k = q.c.first; k < q.c.last; ++k) {
        const std::uint8_t* x = q.x + (row + k * p.dilation[2]) * p.x_pixel + ch;
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) {
          I32 value = load_any(x + v * kLanes, is_signed, V > 1 ? kLanes : n);
          acc[v] = Average ? acc[v] + value : max(acc[v], value);
        }
      }
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) {
    I32 out = acc[v];
    if constexpr (Average) {
      out = p.integer ? min(max(rounded_mean(out, q.taps), set_i32(p.y_type.low)), set_i32(p.y_type.high))
                      : rounded(to_f32(out) * set(q.factor));
    }
    store_any(q.y + ch + v * kLanes, is_signed, out, V > 1 ? kLanes : n);
  }
}

template <bool Average, bool Signed>
MOTE_INLINE void pool_pixels(const PoolParams& p, std::int64_t begin, std::int64_t end) {
  const std::int64_t image = p.in[0] * p.in[1] * p.in[2] * p.x_pixel;
  const Rounding rounded(p.y_type);
  for (std::int64_t o = begin; o < end; ++o) {
    Pixel q;
    q.a = window(p, 0, o / p.out[2] / p.out[1] % p.out[0]);
    q.b = window(p, 1, o / p.out[2] % p.out[1]);
    q.c = window(p, 2, o % p.out[2]);
    q.x = p.x + o / p.out[2] / p.out[1] / p.out[0] * image;
    q.y = p.y + o * p.y_pixel;
    std::int64_t inside = (q.a.last - q.a.first) * (q.b.last - q.b.first) * (q.c.last - q.c.first);
    std::int64_t taps = p.count_pad ? q.a.padded * q.b.padded * q.c.padded : inside;
    q.taps = static_cast<std::int32_t>(taps > 0 ? taps : 1);
    q.factor = p.scale / static_cast<float>(taps > 0 ? taps : 1);
    q.zeros = p.integer ? 0 : static_cast<std::int32_t>(static_cast<std::uint64_t>(inside * p.x_type.zero));
    std::int64_t ch = 0;
    if constexpr (!kCompact) {
      for (; ch + 4 * kLanes <= p.channels; ch += 4 * kLanes)
        pool_channels<Average, Signed, 4>(p, q, rounded, ch, kLanes);
    }
    for (; ch < p.channels; ch += kLanes) {
      int n = static_cast<int>(p.channels - ch < kLanes ? p.channels - ch : kLanes);
      pool_channels<Average, Signed, 1>(p, q, rounded, ch, n);
    }
  }
}

// One row of a sum; operands of step 0 are one value.
struct Line {
  const std::uint8_t *a, *b;
  std::uint8_t* y;
  std::int64_t a_step, b_step, n;
};

template <bool Product, class V>
MOTE_ONCE void binary_row(const BinaryParams& p, const Line& l, const Rounding& rounded) {
  const I32 a_zero = set_i32(p.a_type.zero), b_zero = set_i32(p.b_type.zero);
  const F32 a_scale = set(p.a_scale), b_scale = set(p.b_scale);
  I32 a = load_one<V>(l.a, p.a_type.is_signed), b = load_one<V>(l.b, p.b_type.is_signed);
  for (std::int64_t i = 0; i < l.n; i += kLanes) {
    int m = static_cast<int>(l.n - i < kLanes ? l.n - i : kLanes);
    if (l.a_step) a = V::load(l.a + i * V::kBytes, p.a_type.is_signed, m);
    if (l.b_step) b = V::load(l.b + i * V::kBytes, p.b_type.is_signed, m);
    F32 x = Product ? to_f32((a - a_zero) * (b - b_zero)) * a_scale
                    : to_f32(a - a_zero) * a_scale + to_f32(b - b_zero) * b_scale;
    V::store(l.y + i * V::kBytes, p.y_type.is_signed, rounded(x), m);
  }
}

template <bool Product, class V>
MOTE_ONCE void fixed_row(const BinaryParams& p, const Line& l) {
  const Fixed a_scale = fixed_of(p.a_fixed), b_scale = fixed_of(p.b_fixed), y_scale = fixed_of(p.y_fixed);
  const I32 a_zero = set_i32(p.a_type.zero), b_zero = set_i32(p.b_type.zero), left = set_i32(p.left);
  const Clamping clamped(p.y_type);
  auto scaled = [&](I32 x, I32 zero, const Fixed& f) {
    return Product ? x - zero : scale_fixed(shl_by(x - zero, left), f);
  };
  I32 a = scaled(load_one<V>(l.a, p.a_type.is_signed), a_zero, a_scale),
      b = scaled(load_one<V>(l.b, p.b_type.is_signed), b_zero, b_scale);
  for (std::int64_t i = 0; i < l.n; i += kLanes) {
    int m = static_cast<int>(l.n - i < kLanes ? l.n - i : kLanes);
    if (l.a_step) a = scaled(V::load(l.a + i * V::kBytes, p.a_type.is_signed, m), a_zero, a_scale);
    if (l.b_step) b = scaled(V::load(l.b + i * V::kBytes, p.b_type.is_signed, m), b_zero, b_scale);
    const I32 x = Product ? a * b : p.negative ? a - b : a + b;
    V::store(l.y + i * V::kBytes, p.y_type.is_signed, clamped(scale_fixed(x, y_scale)), m);
  }
}

template <class V>
MOTE_INLINE void line(const BinaryParams& p, const Line& l, const Rounding& rounded) {
  if (p.fixed) {
    p.product ? fixed_row<true, V>(p, l) : fixed_row<false, V>(p, l);
  } else if (V::kBytes == 1 && p.product) {
    binary_row<true, V>(p, l, rounded);
  } else {
    binary_row<false, V>(p, l, rounded);
  }
}

#if defined(__AVX512BW__) && !defined(MOTE_SIMD_SCALAR)
// Sixteen tables of 16: the upper half of a byte picks one, the lower half an element.
MOTE_INLINE __m512i lookup_64(__m512i x, const __m512i* tables) {
  const __m512i low = _mm512_and_si512(x, _mm512_set1_epi8(15)),
                high = _mm512_and_si512(_mm512_srli_epi16(x, 4), _mm512_set1_epi8(15));
  __m512i y = _mm512_shuffle_epi8(tables[0], low);
#pragma GCC unroll 16
  for (int t = 1; t < 16; ++t) {
    __mmask64 here = _mm512_cmpeq_epi8_mask(high, _mm512_set1_epi8(static_cast<char>(t)));
    y = _mm512_mask_shuffle_epi8(y, here, tables[t], low);
  }
  return y;
}

MOTE_INLINE void lookup_bytes(const std::uint8_t* x, const std::uint8_t* table, std::uint8_t* y, std::int64_t n) {
  __m512i tables[16];
#pragma GCC unroll 16
  for (int t = 0; t < 16; ++t)
    tables[t] = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table + 16 * t)));
  std::int64_t i = 0;
  for (; i + 64 <= n; i += 64) _mm512_storeu_si512(y + i, lookup_64(_mm512_loadu_si512(x + i), tables));
  if (i == n) return;
  const __mmask64 left = ~std::uint64_t{0} >> (64 - (n - i));
  _mm512_mask_storeu_epi8(y + i, left, lookup_64(_mm512_maskz_loadu_epi8(left, x + i), tables));
}
#elif defined(__ARM_NEON) && defined(__aarch64__) && !defined(MOTE_SIMD_SCALAR)
MOTE_INLINE void lookup_bytes(const std::uint8_t* x, const std::uint8_t* table, std::uint8_t* y, std::int64_t n) {
  uint8x16x4_t tables[4];
  for (int t = 0; t < 4; ++t) tables[t] = vld1q_u8_x4(table + 64 * t);
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    uint8x16_t v = vld1q_u8(x + i), r = vqtbl4q_u8(tables[0], v);
    r = vqtbx4q_u8(r, tables[1], vsubq_u8(v, vdupq_n_u8(64)));
    r = vqtbx4q_u8(r, tables[2], vsubq_u8(v, vdupq_n_u8(128)));
    vst1q_u8(y + i, vqtbx4q_u8(r, tables[3], vsubq_u8(v, vdupq_n_u8(192))));
  }
  for (; i < n; ++i) y[i] = table[x[i]];
}
#else
MOTE_INLINE void lookup_bytes(const std::uint8_t* x, const std::uint8_t* table, std::uint8_t* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = table[x[i]];
}
#endif

}  // namespace

// NOLINTBEGIN(misc-definitions-in-headers): one namespace per including file
void lookup(const LookupParams& p, TileRange range) noexcept {
  if (p.rows == 1) {
    const std::int64_t i = range.begin * kTile, end = range.end * kTile < p.dims[3] ? range.end * kTile : p.dims[3];
    return lookup_bytes(p.x + i, p.table, p.y + i, end - i);
  }
  const std::int64_t end = range.end * p.step < p.rows ? range.end * p.step : p.rows;
  for (std::int64_t r = range.begin * p.step; r < end; ++r) {
    const std::int64_t at[3] = {r / p.dims[2] / p.dims[1], r / p.dims[2] % p.dims[1], r % p.dims[2]};
    std::int64_t from = 0, to = 0;
    for (int d = 0; d < 3; ++d) {
      from += at[d] * p.x_stride[d];
      to += at[d] * p.y_stride[d];
    }
    lookup_bytes(p.x + from, p.table, p.y + to, p.dims[3]);
  }
}

void binary(const BinaryParams& p, TileRange range) noexcept {
  const std::int64_t bytes = p.words ? 2 : 1;
  const Rounding rounded(p.y_type);
  if (p.rows == 1) {
    const std::int64_t i = range.begin * kSumTile,
                       end = range.end * kSumTile < p.dims[3] ? range.end * kSumTile : p.dims[3];
    const Line l{p.a + i * p.a_stride[3] * bytes,
                 p.b + i * p.b_stride[3] * bytes,
                 p.y + i * bytes,
                 p.a_stride[3],
                 p.b_stride[3],
                 end - i};
    return p.words ? line<Words>(p, l, rounded) : line<Bytes>(p, l, rounded);
  }
  const std::int64_t end = range.end * p.step < p.rows ? range.end * p.step : p.rows;
  for (std::int64_t r = range.begin * p.step; r < end; ++r) {
    const std::int64_t at[3] = {r / p.dims[2] / p.dims[1], r / p.dims[2] % p.dims[1], r % p.dims[2]};
    Line l{p.a, p.b, p.y, p.a_stride[3], p.b_stride[3], p.dims[3]};
    for (int d = 0; d < 3; ++d) {
      l.a += at[d] * p.a_stride[d] * bytes;
      l.b += at[d] * p.b_stride[d] * bytes;
      l.y += at[d] * p.y_stride[d] * bytes;
    }
    p.words ? line<Words>(p, l, rounded) : line<Bytes>(p, l, rounded);
  }
}

void pool(const PoolParams& p, TileRange range) noexcept {
  const std::int64_t pixels = p.batch * p.out[0] * p.out[1] * p.out[2], begin = range.begin * p.step,
                     end = range.end * p.step < pixels ? range.end * p.step : pixels;
  if constexpr (kCompact) {  // signed or not at run time
    p.average ? pool_pixels<true, false>(p, begin, end) : pool_pixels<false, false>(p, begin, end);
  } else if (p.average) {
    p.x_type.is_signed ? pool_pixels<true, true>(p, begin, end) : pool_pixels<true, false>(p, begin, end);
  } else {
    p.x_type.is_signed ? pool_pixels<false, true>(p, begin, end) : pool_pixels<false, false>(p, begin, end);
  }
}
// NOLINTEND(misc-definitions-in-headers)

}  // namespace mote::kernels::qmap::MOTE_SIMD_NS
