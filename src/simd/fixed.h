// Fixed-point scaling of I32 lanes, the vectors of base/fixed_point.h.
//   high_mul(a, b): the upper half of 2ab, rounded, halves up (no lane has both INT32_MIN)
//   shl_by(a, n), sar_by(a, n): lanes shifted by lanes of 0 to 31
//   scale_fixed8(a, f): on AVX2 and above, scale_fixed of 8 lanes, whatever the width of I32
//   half_away(v, scale): round_half_away(f64(v) * scale[lane]), saturated
#pragma once

#include "simd/vec.h"

namespace mote::simd::MOTE_SIMD_NS {

#if defined(__AVX2__) && !defined(MOTE_SIMD_SCALAR)
MOTE_INLINE __m256i high_mul8(__m256i a, __m256i b) {
  const __m256i half = _mm256_set1_epi64x(std::int64_t{1} << 30);
  const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(a, b), half);
  const __m256i odd = _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32)), half);
  return _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xaa);
}
struct Fixed8 {
  __m256i multiplier, left, right, half, low_bit;  // as Fixed below
};
MOTE_ONCE Fixed8 fixed8_of(__m256i multiplier, __m256i shift) {
  const __m256i none = _mm256_setzero_si256();
  Fixed8 f;
  f.multiplier = multiplier;
  f.left = _mm256_max_epi32(shift, none);
  f.right = _mm256_max_epi32(_mm256_sub_epi32(none, shift), none);
  f.low_bit = _mm256_cmpgt_epi32(f.right, none);
  f.half = _mm256_srli_epi32(_mm256_sllv_epi32(_mm256_sub_epi32(none, f.low_bit), f.right), 1);
  return f;
}
MOTE_ONCE __m256i scale_fixed8(__m256i x, const Fixed8& f) {
  const __m256i y = high_mul8(_mm256_sllv_epi32(x, f.left), f.multiplier);
  const __m256i sign = _mm256_and_si256(_mm256_srai_epi32(y, 31), f.low_bit);
  return _mm256_srav_epi32(_mm256_add_epi32(_mm256_add_epi32(y, f.half), sign), f.right);
}
#endif

#if defined(MOTE_SIMD_SCALAR)
MOTE_INLINE I32 high_mul(I32 a, I32 b) {
  I32 r;
  for (int i = 0; i < kLanes; ++i) {
    const std::int64_t p = std::int64_t{a.v[i]} * b.v[i] + (std::int64_t{1} << 30);
    r.v[i] = static_cast<std::int32_t>(static_cast<std::uint64_t>(p) >> 31);
  }
  return r;
}
MOTE_INLINE I32 shl_by(I32 a, I32 n) {
  I32 r;
  for (int i = 0; i < kLanes; ++i)
    r.v[i] = static_cast<std::int32_t>(static_cast<std::uint32_t>(a.v[i]) << (n.v[i] & 31));
  return r;
}
MOTE_INLINE I32 sar_by(I32 a, I32 n) {
  I32 r;
  for (int i = 0; i < kLanes; ++i) r.v[i] = a.v[i] >> (n.v[i] & 31);
  return r;
}
#elif defined(__AVX512F__)
MOTE_INLINE I32 high_mul(I32 a, I32 b) {
  const __m512i half = _mm512_set1_epi64(std::int64_t{1} << 30);
  const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(a.v, b.v), half);
  const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(a.v, 32), _mm512_srli_epi64(b.v, 32)), half);
  return {_mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1))};
}
MOTE_INLINE I32 shl_by(I32 a, I32 n) { return {_mm512_sllv_epi32(a.v, n.v)}; }
MOTE_INLINE I32 sar_by(I32 a, I32 n) { return {_mm512_srav_epi32(a.v, n.v)}; }
#elif defined(__AVX2__)
MOTE_INLINE I32 high_mul(I32 a, I32 b) { return {high_mul8(a.v, b.v)}; }
MOTE_INLINE I32 shl_by(I32 a, I32 n) { return {_mm256_sllv_epi32(a.v, n.v)}; }
MOTE_INLINE I32 sar_by(I32 a, I32 n) { return {_mm256_srav_epi32(a.v, n.v)}; }
#elif defined(__ARM_NEON)
MOTE_INLINE I32 high_mul(I32 a, I32 b) { return {vqrdmulhq_s32(a.v, b.v)}; }
MOTE_INLINE I32 shl_by(I32 a, I32 n) { return {vshlq_s32(a.v, n.v)}; }
MOTE_INLINE I32 sar_by(I32 a, I32 n) { return {vshlq_s32(a.v, vnegq_s32(n.v))}; }
#endif

// A scale as what its lanes do to a sum.
struct Fixed {
  I32 multiplier, left, right, half, low_bit;  // low_bit: all ones where right > 0
};
MOTE_ONCE Fixed fixed_of(I32 multiplier, I32 shift) {
  const I32 none = set_i32(0);
  Fixed f;
  f.multiplier = multiplier;
  f.left = max(shift, none);
  f.right = max(none - shift, none);
  f.low_bit = select(f.right > none, set_i32(-1), none);
  f.half = shl_by(set_i32(1), f.right - (set_i32(0) - f.low_bit)) & f.low_bit;
  return f;
}
// x * multiplier * 2^(shift - 31), rounded twice.
MOTE_ONCE I32 scale_fixed(I32 x, const Fixed& f) {
  const I32 y = high_mul(shl_by(x, f.left), f.multiplier);
  return sar_by(y + f.half + (sar<31>(y) & f.low_bit), f.right);
}

#if defined(__AVX2__) && !defined(MOTE_SIMD_SCALAR)
MOTE_INLINE __m128i half_away_4(__m128i v, const double* scale) {
  const __m256d sign = _mm256_set1_pd(-0.0);
  __m256d x = _mm256_mul_pd(_mm256_cvtepi32_pd(v), _mm256_loadu_pd(scale));
  x = _mm256_add_pd(x, _mm256_or_pd(_mm256_and_pd(x, sign), _mm256_set1_pd(0x1.fffffffffffffp-2)));
  x = _mm256_min_pd(_mm256_max_pd(x, _mm256_set1_pd(-0x1p31)), _mm256_set1_pd(0x1p31 - 1));
  return _mm256_cvttpd_epi32(x);
}
#endif
MOTE_ONCE I32 half_away(I32 v, const double* scale) {
#if defined(__AVX512F__) && !defined(MOTE_SIMD_SCALAR)
  const __m256i low = _mm512_castsi512_si256(v.v), high = _mm512_extracti64x4_epi64(v.v, 1);
  const __m256i a = _mm256_set_m128i(half_away_4(_mm256_extracti128_si256(low, 1), scale + 4),
                                     half_away_4(_mm256_castsi256_si128(low), scale)),
                b = _mm256_set_m128i(half_away_4(_mm256_extracti128_si256(high, 1), scale + 12),
                                     half_away_4(_mm256_castsi256_si128(high), scale + 8));
  return {_mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1)};
#elif defined(__AVX2__) && !defined(MOTE_SIMD_SCALAR)
  return {_mm256_set_m128i(half_away_4(_mm256_extracti128_si256(v.v, 1), scale + 4),
                           half_away_4(_mm256_castsi256_si128(v.v), scale))};
#else
  std::int32_t lanes[kLanes];
  store(lanes, v);
  for (int i = 0; i < kLanes; ++i) {
    double x = static_cast<double>(lanes[i]) * scale[i];
    x += x < 0 ? -0x1.fffffffffffffp-2 : 0x1.fffffffffffffp-2;
    x = x > -0x1p31 ? x : -0x1p31;  // NaN becomes the lower one
    x = x < 0x1p31 - 1 ? x : 0x1p31 - 1;
    lanes[i] = static_cast<std::int32_t>(x);
  }
  return load(lanes);
#endif
}

}  // namespace mote::simd::MOTE_SIMD_NS
