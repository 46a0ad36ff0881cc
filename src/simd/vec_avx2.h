// The vector layer on AVX2 + FMA + F16C. Contract: vec.h, which includes this.
#pragma once

#include <immintrin.h>

namespace mote::simd::MOTE_SIMD_NS {

inline constexpr int kLanes = 8;
struct F32 {
  __m256 v;
};
struct I32 {
  __m256i v;
};
struct M32 {
  __m256 v;  // all bits of a lane set or clear
};

MOTE_INLINE __m256i lane_mask(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

MOTE_INLINE F32 set(float x) { return {_mm256_set1_ps(x)}; }
MOTE_INLINE F32 zero() { return {_mm256_setzero_ps()}; }
MOTE_INLINE I32 set_i32(std::int32_t x) { return {_mm256_set1_epi32(x)}; }
MOTE_INLINE I32 iota_i32() { return {_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)}; }
MOTE_INLINE M32 first_lanes(int n) { return {_mm256_castsi256_ps(lane_mask(n))}; }

MOTE_INLINE F32 load(const float* p) { return {_mm256_loadu_ps(p)}; }
MOTE_INLINE F32 load_n(const float* p, int n) { return {_mm256_maskload_ps(p, lane_mask(n))}; }
MOTE_INLINE void store(float* p, F32 a) { _mm256_storeu_ps(p, a.v); }
// Masked stores are ten times as slow as whole ones on AMD's Zen 3.
MOTE_INLINE void store_n(float* p, F32 a, int n) {
  if (n == kLanes) return store(p, a);
  _mm256_maskstore_ps(p, lane_mask(n), a.v);
}
MOTE_INLINE I32 load(const std::int32_t* p) { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))}; }
MOTE_INLINE I32 load_n(const std::int32_t* p, int n) { return {_mm256_maskload_epi32(p, lane_mask(n))}; }
MOTE_INLINE void store(std::int32_t* p, I32 a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a.v); }
MOTE_INLINE void store_n(std::int32_t* p, I32 a, int n) {
  if (n == kLanes) return store(p, a);
  _mm256_maskstore_epi32(p, lane_mask(n), a.v);
}
MOTE_INLINE F32 permute(F32 a, I32 i) { return {_mm256_permutevar8x32_ps(a.v, i.v)}; }  // lane l: a[i[l]]
MOTE_INLINE F32 gather(const float* p, I32 i) { return {_mm256_i32gather_ps(p, i.v, 4)}; }

// r[i][j] <-> r[j][i]
MOTE_INLINE void transpose(F32 (&r)[8]) {
  __m256 fours[8];  // [4g + c]: per 128 bits, column c of four of rows 4g to 4g + 3
  for (int g = 0; g < 8; g += 4) {
    const __m256d low = _mm256_castps_pd(_mm256_unpacklo_ps(r[g].v, r[g + 1].v));
    const __m256d high = _mm256_castps_pd(_mm256_unpackhi_ps(r[g].v, r[g + 1].v));
    const __m256d low2 = _mm256_castps_pd(_mm256_unpacklo_ps(r[g + 2].v, r[g + 3].v));
    const __m256d high2 = _mm256_castps_pd(_mm256_unpackhi_ps(r[g + 2].v, r[g + 3].v));
    fours[g] = _mm256_castpd_ps(_mm256_unpacklo_pd(low, low2));
    fours[g + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(low, low2));
    fours[g + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(high, high2));
    fours[g + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(high, high2));
  }
  for (int c = 0; c < 4; ++c) {
    r[c].v = _mm256_permute2f128_ps(fours[c], fours[4 + c], 0x20);
    r[4 + c].v = _mm256_permute2f128_ps(fours[c], fours[4 + c], 0x31);
  }
}

MOTE_INLINE F32 operator+(F32 a, F32 b) { return {_mm256_add_ps(a.v, b.v)}; }
MOTE_INLINE F32 operator-(F32 a, F32 b) { return {_mm256_sub_ps(a.v, b.v)}; }
MOTE_INLINE F32 operator*(F32 a, F32 b) { return {_mm256_mul_ps(a.v, b.v)}; }
MOTE_INLINE F32 operator/(F32 a, F32 b) { return {_mm256_div_ps(a.v, b.v)}; }
MOTE_INLINE F32 sqrt(F32 a) { return {_mm256_sqrt_ps(a.v)}; }
MOTE_INLINE F32 min(F32 a, F32 b) { return {_mm256_min_ps(a.v, b.v)}; }
MOTE_INLINE F32 max(F32 a, F32 b) { return {_mm256_max_ps(a.v, b.v)}; }
MOTE_INLINE F32 fma(F32 a, F32 b, F32 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
MOTE_INLINE F32 fnma(F32 a, F32 b, F32 c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }
MOTE_INLINE F32 round_even(F32 a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
MOTE_INLINE F32 floor(F32 a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)}; }
MOTE_INLINE F32 ceil(F32 a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)}; }
MOTE_INLINE F32 trunc(F32 a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)}; }

MOTE_INLINE M32 operator<(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }
MOTE_INLINE M32 operator<=(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LE_OQ)}; }
MOTE_INLINE M32 operator==(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ)}; }
MOTE_INLINE M32 operator!=(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_NEQ_UQ)}; }
MOTE_INLINE M32 operator>(I32 a, I32 b) { return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(a.v, b.v))}; }
MOTE_INLINE M32 operator==(I32 a, I32 b) { return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(a.v, b.v))}; }
MOTE_INLINE M32 operator&(M32 a, M32 b) { return {_mm256_and_ps(a.v, b.v)}; }
MOTE_INLINE M32 operator|(M32 a, M32 b) { return {_mm256_or_ps(a.v, b.v)}; }
MOTE_INLINE M32 operator!(M32 a) { return {_mm256_xor_ps(a.v, _mm256_castsi256_ps(_mm256_set1_epi32(-1)))}; }
MOTE_INLINE bool any(M32 a) { return _mm256_movemask_ps(a.v) != 0; }
MOTE_INLINE bool all(M32 a) { return _mm256_movemask_ps(a.v) == 0xff; }
MOTE_INLINE F32 select(M32 m, F32 yes, F32 no) { return {_mm256_blendv_ps(no.v, yes.v, m.v)}; }
MOTE_INLINE I32 select(M32 m, I32 yes, I32 no) { return {_mm256_blendv_epi8(no.v, yes.v, _mm256_castps_si256(m.v))}; }

MOTE_INLINE I32 operator+(I32 a, I32 b) { return {_mm256_add_epi32(a.v, b.v)}; }
MOTE_INLINE I32 operator-(I32 a, I32 b) { return {_mm256_sub_epi32(a.v, b.v)}; }
MOTE_INLINE I32 operator*(I32 a, I32 b) { return {_mm256_mullo_epi32(a.v, b.v)}; }
MOTE_INLINE I32 operator&(I32 a, I32 b) { return {_mm256_and_si256(a.v, b.v)}; }
MOTE_INLINE I32 operator|(I32 a, I32 b) { return {_mm256_or_si256(a.v, b.v)}; }
MOTE_INLINE I32 operator^(I32 a, I32 b) { return {_mm256_xor_si256(a.v, b.v)}; }
MOTE_INLINE I32 min(I32 a, I32 b) { return {_mm256_min_epi32(a.v, b.v)}; }
MOTE_INLINE I32 max(I32 a, I32 b) { return {_mm256_max_epi32(a.v, b.v)}; }
template <int K>
MOTE_INLINE I32 shl(I32 a) {
  return {_mm256_slli_epi32(a.v, K)};
}
template <int K>
MOTE_INLINE I32 shr(I32 a) {  // logical
  return {_mm256_srli_epi32(a.v, K)};
}
template <int K>
MOTE_INLINE I32 sar(I32 a) {  // arithmetic
  return {_mm256_srai_epi32(a.v, K)};
}

MOTE_INLINE F32 as_f32(I32 a) { return {_mm256_castsi256_ps(a.v)}; }
MOTE_INLINE I32 as_i32(F32 a) { return {_mm256_castps_si256(a.v)}; }
MOTE_INLINE F32 to_f32(I32 a) { return {_mm256_cvtepi32_ps(a.v)}; }
MOTE_INLINE I32 to_i32(F32 a) { return {_mm256_cvtps_epi32(a.v)}; }  // nearest, ties to even
MOTE_INLINE I32 to_i32_trunc(F32 a) { return {_mm256_cvttps_epi32(a.v)}; }

// Widening loads and narrowing, saturating stores.
MOTE_INLINE I32 load_i8(const std::int8_t* p) {
  return {_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)))};
}
MOTE_INLINE I32 load_u8(const std::uint8_t* p) {
  return {_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)))};
}
MOTE_INLINE I32 load_i8_n(const std::int8_t* p, int n) {
  std::int8_t t[8] = {};
  for (int i = 0; i < n; ++i) t[i] = p[i];
  return load_i8(t);
}
MOTE_INLINE I32 load_u8_n(const std::uint8_t* p, int n) {
  std::uint8_t t[8] = {};
  for (int i = 0; i < n; ++i) t[i] = p[i];
  return load_u8(t);
}
MOTE_INLINE __m128i narrow_i16(__m256i a) {
  return _mm_packs_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
}
MOTE_INLINE void store_i8(std::int8_t* p, I32 a) {
  __m128i h = narrow_i16(a.v);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(h, h));
}
MOTE_INLINE void store_u8(std::uint8_t* p, I32 a) {
  __m128i h = narrow_i16(a.v);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(h, h));
}
MOTE_INLINE void store_i8_n(std::int8_t* p, I32 a, int n) {
  std::int8_t t[8];
  store_i8(t, a);
  for (int i = 0; i < n; ++i) p[i] = t[i];
}
MOTE_INLINE void store_u8_n(std::uint8_t* p, I32 a, int n) {
  std::uint8_t t[8];
  store_u8(t, a);
  for (int i = 0; i < n; ++i) p[i] = t[i];
}

MOTE_INLINE F32 load_f16(const std::uint16_t* p) {
  return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
MOTE_INLINE void store_f16(std::uint16_t* p, F32 a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
MOTE_INLINE F32 load_bf16(const std::uint16_t* p) {
  __m256i h = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(h, 16))};
}
MOTE_INLINE void store_bf16(std::uint16_t* p, F32 a) {
  __m256i u = _mm256_castps_si256(a.v);
  __m256i odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
  __m256i r = _mm256_add_epi32(u, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  __m256i quiet = _mm256_or_si256(u, _mm256_set1_epi32(0x400000));
  r = _mm256_blendv_epi8(r, quiet, _mm256_castps_si256(_mm256_cmp_ps(a.v, a.v, _CMP_UNORD_Q)));
  r = _mm256_srli_epi32(r, 16);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm_packus_epi32(_mm256_castsi256_si128(r), _mm256_extracti128_si256(r, 1)));
}
MOTE_INLINE F32 load_f16_n(const std::uint16_t* p, int n) {
  std::uint16_t t[8] = {};
  for (int i = 0; i < n; ++i) t[i] = p[i];
  return load_f16(t);
}
MOTE_INLINE F32 load_bf16_n(const std::uint16_t* p, int n) {
  std::uint16_t t[8] = {};
  for (int i = 0; i < n; ++i) t[i] = p[i];
  return load_bf16(t);
}
MOTE_INLINE void store_f16_n(std::uint16_t* p, F32 a, int n) {
  std::uint16_t t[8];
  store_f16(t, a);
  for (int i = 0; i < n; ++i) p[i] = t[i];
}
MOTE_INLINE void store_bf16_n(std::uint16_t* p, F32 a, int n) {
  std::uint16_t t[8];
  store_bf16(t, a);
  for (int i = 0; i < n; ++i) p[i] = t[i];
}

// Lane i gets lane i+K; the lanes without a source are unspecified.
template <int K>
MOTE_INLINE F32 down(F32 a) {
  if constexpr (K == 4) return {_mm256_permute2f128_ps(a.v, a.v, 1)};
  if constexpr (K == 2) return {_mm256_permute_ps(a.v, 0x4e)};
  return {_mm256_permute_ps(a.v, 0xb1)};
}
MOTE_INLINE float first(F32 a) { return _mm256_cvtss_f32(a.v); }

MOTE_INLINE void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

}  // namespace mote::simd::MOTE_SIMD_NS
