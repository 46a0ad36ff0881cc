// The vector layer on AVX-512 F+BW+VL+DQ. Contract: vec.h, which includes this.
#pragma once

#include <immintrin.h>

namespace mote::simd::MOTE_SIMD_NS {

inline constexpr int kLanes = 16;
struct F32 {
  __m512 v;
};
struct I32 {
  __m512i v;
};
struct M32 {
  __mmask16 v;
};

MOTE_INLINE __mmask16 lane_mask(int n) { return static_cast<__mmask16>((1u << n) - 1u); }

MOTE_INLINE F32 set(float x) { return {_mm512_set1_ps(x)}; }
MOTE_INLINE F32 zero() { return {_mm512_setzero_ps()}; }
MOTE_INLINE I32 set_i32(std::int32_t x) { return {_mm512_set1_epi32(x)}; }
MOTE_INLINE I32 iota_i32() { return {_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)}; }
MOTE_INLINE M32 first_lanes(int n) { return {lane_mask(n)}; }

MOTE_INLINE F32 load(const float* p) { return {_mm512_loadu_ps(p)}; }
MOTE_INLINE F32 load_n(const float* p, int n) { return {_mm512_maskz_loadu_ps(lane_mask(n), p)}; }
MOTE_INLINE void store(float* p, F32 a) { _mm512_storeu_ps(p, a.v); }
MOTE_INLINE void store_n(float* p, F32 a, int n) { _mm512_mask_storeu_ps(p, lane_mask(n), a.v); }
MOTE_INLINE I32 load(const std::int32_t* p) { return {_mm512_loadu_si512(p)}; }
MOTE_INLINE I32 load_n(const std::int32_t* p, int n) { return {_mm512_maskz_loadu_epi32(lane_mask(n), p)}; }
MOTE_INLINE void store(std::int32_t* p, I32 a) { _mm512_storeu_si512(p, a.v); }
MOTE_INLINE void store_n(std::int32_t* p, I32 a, int n) { _mm512_mask_storeu_epi32(p, lane_mask(n), a.v); }
MOTE_INLINE F32 permute(F32 a, I32 i) { return {_mm512_permutexvar_ps(i.v, a.v)}; }  // lane l: a[i[l]]
MOTE_INLINE F32 gather(const float* p, I32 i) { return {_mm512_i32gather_ps(i.v, p, 4)}; }

// r[i][j] <-> r[j][i]
MOTE_INLINE void transpose(F32 (&r)[16]) {
  __m512 fours[16];  // [4g + c]: per 128 bits, column c of four of rows 4g to 4g + 3
  for (int g = 0; g < 16; g += 4) {
    const __m512d low = _mm512_castps_pd(_mm512_unpacklo_ps(r[g].v, r[g + 1].v));
    const __m512d high = _mm512_castps_pd(_mm512_unpackhi_ps(r[g].v, r[g + 1].v));
    const __m512d low2 = _mm512_castps_pd(_mm512_unpacklo_ps(r[g + 2].v, r[g + 3].v));
    const __m512d high2 = _mm512_castps_pd(_mm512_unpackhi_ps(r[g + 2].v, r[g + 3].v));
    fours[g] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, low2));
    fours[g + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, low2));
    fours[g + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(high, high2));
    fours[g + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(high, high2));
  }
  for (int c = 0; c < 4; ++c) {
    const __m512 even = _mm512_shuffle_f32x4(fours[c], fours[4 + c], 0x88);
    const __m512 odd = _mm512_shuffle_f32x4(fours[c], fours[4 + c], 0xdd);
    const __m512 even2 = _mm512_shuffle_f32x4(fours[8 + c], fours[12 + c], 0x88);
    const __m512 odd2 = _mm512_shuffle_f32x4(fours[8 + c], fours[12 + c], 0xdd);
    r[c].v = _mm512_shuffle_f32x4(even, even2, 0x88);
    r[4 + c].v = _mm512_shuffle_f32x4(odd, odd2, 0x88);
    r[8 + c].v = _mm512_shuffle_f32x4(even, even2, 0xdd);
    r[12 + c].v = _mm512_shuffle_f32x4(odd, odd2, 0xdd);
  }
}

MOTE_INLINE F32 operator+(F32 a, F32 b) { return {_mm512_add_ps(a.v, b.v)}; }
MOTE_INLINE F32 operator-(F32 a, F32 b) { return {_mm512_sub_ps(a.v, b.v)}; }
MOTE_INLINE F32 operator*(F32 a, F32 b) { return {_mm512_mul_ps(a.v, b.v)}; }
MOTE_INLINE F32 operator/(F32 a, F32 b) { return {_mm512_div_ps(a.v, b.v)}; }
MOTE_INLINE F32 sqrt(F32 a) { return {_mm512_sqrt_ps(a.v)}; }
MOTE_INLINE F32 min(F32 a, F32 b) { return {_mm512_min_ps(a.v, b.v)}; }
MOTE_INLINE F32 max(F32 a, F32 b) { return {_mm512_max_ps(a.v, b.v)}; }
MOTE_INLINE F32 fma(F32 a, F32 b, F32 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
MOTE_INLINE F32 fnma(F32 a, F32 b, F32 c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
MOTE_INLINE F32 round_even(F32 a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
MOTE_INLINE F32 floor(F32 a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)}; }
MOTE_INLINE F32 ceil(F32 a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)}; }
MOTE_INLINE F32 trunc(F32 a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)}; }

MOTE_INLINE M32 operator<(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
MOTE_INLINE M32 operator<=(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)}; }
MOTE_INLINE M32 operator==(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
MOTE_INLINE M32 operator!=(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_NEQ_UQ)}; }
MOTE_INLINE M32 operator>(I32 a, I32 b) { return {_mm512_cmpgt_epi32_mask(a.v, b.v)}; }
MOTE_INLINE M32 operator==(I32 a, I32 b) { return {_mm512_cmpeq_epi32_mask(a.v, b.v)}; }
MOTE_INLINE M32 operator&(M32 a, M32 b) { return {_kand_mask16(a.v, b.v)}; }
MOTE_INLINE M32 operator|(M32 a, M32 b) { return {_kor_mask16(a.v, b.v)}; }
MOTE_INLINE M32 operator!(M32 a) { return {_knot_mask16(a.v)}; }
MOTE_INLINE bool any(M32 a) { return a.v != 0; }
MOTE_INLINE bool all(M32 a) { return a.v == 0xffff; }
MOTE_INLINE F32 select(M32 m, F32 yes, F32 no) { return {_mm512_mask_blend_ps(m.v, no.v, yes.v)}; }
MOTE_INLINE I32 select(M32 m, I32 yes, I32 no) { return {_mm512_mask_blend_epi32(m.v, no.v, yes.v)}; }

MOTE_INLINE I32 operator+(I32 a, I32 b) { return {_mm512_add_epi32(a.v, b.v)}; }
MOTE_INLINE I32 operator-(I32 a, I32 b) { return {_mm512_sub_epi32(a.v, b.v)}; }
MOTE_INLINE I32 operator*(I32 a, I32 b) { return {_mm512_mullo_epi32(a.v, b.v)}; }
MOTE_INLINE I32 operator&(I32 a, I32 b) { return {_mm512_and_si512(a.v, b.v)}; }
MOTE_INLINE I32 operator|(I32 a, I32 b) { return {_mm512_or_si512(a.v, b.v)}; }
MOTE_INLINE I32 operator^(I32 a, I32 b) { return {_mm512_xor_si512(a.v, b.v)}; }
MOTE_INLINE I32 min(I32 a, I32 b) { return {_mm512_min_epi32(a.v, b.v)}; }
MOTE_INLINE I32 max(I32 a, I32 b) { return {_mm512_max_epi32(a.v, b.v)}; }
template <int K>
MOTE_INLINE I32 shl(I32 a) {
  return {_mm512_slli_epi32(a.v, K)};
}
template <int K>
MOTE_INLINE I32 shr(I32 a) {  // logical
  return {_mm512_srli_epi32(a.v, K)};
}
template <int K>
MOTE_INLINE I32 sar(I32 a) {  // arithmetic
  return {_mm512_srai_epi32(a.v, K)};
}

MOTE_INLINE F32 as_f32(I32 a) { return {_mm512_castsi512_ps(a.v)}; }
MOTE_INLINE I32 as_i32(F32 a) { return {_mm512_castps_si512(a.v)}; }
MOTE_INLINE F32 to_f32(I32 a) { return {_mm512_cvtepi32_ps(a.v)}; }
MOTE_INLINE I32 to_i32(F32 a) { return {_mm512_cvtps_epi32(a.v)}; }  // nearest, ties to even
MOTE_INLINE I32 to_i32_trunc(F32 a) { return {_mm512_cvttps_epi32(a.v)}; }

// Widening loads and narrowing, saturating stores.
MOTE_INLINE I32 load_i8(const std::int8_t* p) {
  return {_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
MOTE_INLINE I32 load_u8(const std::uint8_t* p) {
  return {_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
MOTE_INLINE I32 load_i8_n(const std::int8_t* p, int n) {
  return {_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(lane_mask(n), p))};
}
MOTE_INLINE I32 load_u8_n(const std::uint8_t* p, int n) {
  return {_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(lane_mask(n), p))};
}
MOTE_INLINE void store_i8_n(std::int8_t* p, I32 a, int n) { _mm512_mask_cvtsepi32_storeu_epi8(p, lane_mask(n), a.v); }
MOTE_INLINE void store_u8_n(std::uint8_t* p, I32 a, int n) {
  _mm512_mask_cvtusepi32_storeu_epi8(p, lane_mask(n), _mm512_max_epi32(a.v, _mm512_setzero_si512()));
}
MOTE_INLINE void store_i8(std::int8_t* p, I32 a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(a.v));
}
MOTE_INLINE void store_u8(std::uint8_t* p, I32 a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm512_cvtusepi32_epi8(_mm512_max_epi32(a.v, _mm512_setzero_si512())));
}

MOTE_INLINE F32 load_f16(const std::uint16_t* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
MOTE_INLINE F32 load_f16_n(const std::uint16_t* p, int n) {
  return {_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(lane_mask(n), p))};
}
MOTE_INLINE __m256i narrow_f16(F32 a) { return _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
MOTE_INLINE void store_f16(std::uint16_t* p, F32 a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrow_f16(a));
}
MOTE_INLINE void store_f16_n(std::uint16_t* p, F32 a, int n) {
  _mm256_mask_storeu_epi16(p, lane_mask(n), narrow_f16(a));
}
MOTE_INLINE F32 widen_bf16(__m256i h) { return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16))}; }
MOTE_INLINE F32 load_bf16(const std::uint16_t* p) {
  return widen_bf16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
MOTE_INLINE F32 load_bf16_n(const std::uint16_t* p, int n) {
  return widen_bf16(_mm256_maskz_loadu_epi16(lane_mask(n), p));
}
MOTE_INLINE __m256i narrow_bf16(F32 a) {
  __m512i u = _mm512_castps_si512(a.v);
  __m512i odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
  __m512i r = _mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  __mmask16 nan = _mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q);
  r = _mm512_mask_or_epi32(r, nan, u, _mm512_set1_epi32(0x400000));
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(r, 16));
}
MOTE_INLINE void store_bf16(std::uint16_t* p, F32 a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrow_bf16(a));
}
MOTE_INLINE void store_bf16_n(std::uint16_t* p, F32 a, int n) {
  _mm256_mask_storeu_epi16(p, lane_mask(n), narrow_bf16(a));
}

// Lane i gets lane i+K; the lanes without a source are unspecified.
template <int K>
MOTE_INLINE F32 down(F32 a) {
  if constexpr (K == 8) return {_mm512_shuffle_f32x4(a.v, a.v, 0x4e)};
  if constexpr (K == 4) return {_mm512_shuffle_f32x4(a.v, a.v, 0xb1)};
  if constexpr (K == 2) return {_mm512_permute_ps(a.v, 0x4e)};
  return {_mm512_permute_ps(a.v, 0xb1)};
}
MOTE_INLINE float first(F32 a) { return _mm512_cvtss_f32(a.v); }

MOTE_INLINE void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

}  // namespace mote::simd::MOTE_SIMD_NS
