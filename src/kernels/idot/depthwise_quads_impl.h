// Depthwise convolutions, four taps per instruction. For the ISA of the including file.
#pragma once

#include "kernels/idot/depthwise_taps_impl.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

#if defined(__AVX512VNNI__) && !defined(MOTE_SIMD_SCALAR) && !defined(MOTE_COMPACT)
#define MOTE_QUADS 1
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
  walk_taps(p, f, quads_of(p.k) * 4, range, [&](const std::uint8_t* const* at, std::uint8_t* to) {
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
  });
}
#endif

}  // namespace
}  // namespace mote::kernels::idot::MOTE_SIMD_NS
