// Products of 8-bit integers, for the ISA of the including file: 16 columns of B at once, four k of each in one step.
//   Columns16  accumulators of 16 columns     Quads16  B's bytes, [16 columns][4 k]
//   accumulate(acc, a, b): acc[c] += sum of a[i] * b[c][i] for the four bytes of `a`, exactly, no saturation
//   fold(acc, out): 16 i32; lanes_of(acc, part): the kLanes of them from part * kLanes on
// kSignedA: `a` holds signed bytes (Arm), else unsigned ones (x86). B is signed.
#pragma once

#include "simd/vec.h"

namespace mote::simd::MOTE_SIMD_NS {

#if defined(MOTE_SIMD_SCALAR)
inline constexpr bool kSignedA = false;
struct Columns16 {
  std::int32_t v[16];
};
struct Quads16 {
  const std::int8_t* p;
};
MOTE_INLINE Columns16 no_columns() { return {}; }
MOTE_INLINE Quads16 load_quads(const std::int8_t* p) { return {p}; }
MOTE_INLINE void accumulate(Columns16& acc, std::uint32_t a, Quads16 b) {
  for (int c = 0; c < 16; ++c) {
    for (int i = 0; i < 4; ++i) acc.v[c] += static_cast<std::int32_t>(a >> 8 * i & 255u) * b.p[4 * c + i];
  }
}
MOTE_INLINE void fold(const Columns16& acc, std::int32_t* out) {
  for (int c = 0; c < 16; ++c) out[c] = acc.v[c];
}
MOTE_INLINE I32 lanes_of(const Columns16& acc, int part) { return load(acc.v + part * kLanes); }

#elif defined(__AVX512VNNI__)
inline constexpr bool kSignedA = false;
struct Columns16 {
  __m512i v;
};
struct Quads16 {
  __m512i v;
};
MOTE_INLINE Columns16 no_columns() { return {_mm512_setzero_si512()}; }
MOTE_INLINE Quads16 load_quads(const std::int8_t* p) { return {_mm512_loadu_si512(p)}; }
MOTE_INLINE void accumulate(Columns16& acc, std::uint32_t a, Quads16 b) {
  acc.v = _mm512_dpbusd_epi32(acc.v, _mm512_set1_epi32(static_cast<int>(a)), b.v);
}
MOTE_INLINE void fold(const Columns16& acc, std::int32_t* out) { _mm512_storeu_si512(out, acc.v); }
MOTE_INLINE I32 lanes_of(const Columns16& acc, int) { return {acc.v}; }

#elif defined(__AVX512BW__)
// Bytes widened to 16 bits: pairs of products, added later.
inline constexpr bool kSignedA = false;
struct Columns16 {
  __m512i v[2];
};
struct Quads16 {
  __m512i v[2];
};
MOTE_INLINE Columns16 no_columns() { return {{_mm512_setzero_si512(), _mm512_setzero_si512()}}; }
MOTE_INLINE Quads16 load_quads(const std::int8_t* p) {
  return {{_mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))),
           _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32)))}};
}
MOTE_INLINE void accumulate(Columns16& acc, std::uint32_t a, Quads16 b) {
  __m512i x = _mm512_cvtepu8_epi16(_mm256_set1_epi32(static_cast<int>(a)));
  acc.v[0] = _mm512_add_epi32(acc.v[0], _mm512_madd_epi16(x, b.v[0]));
  acc.v[1] = _mm512_add_epi32(acc.v[1], _mm512_madd_epi16(x, b.v[1]));
}
// Neighbours are the two halves of a column.
MOTE_INLINE I32 lanes_of(const Columns16& acc, int) {
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
  return {_mm512_add_epi32(_mm512_permutex2var_epi32(acc.v[0], even, acc.v[1]),
                           _mm512_permutex2var_epi32(acc.v[0], odd, acc.v[1]))};
}
MOTE_INLINE void fold(const Columns16& acc, std::int32_t* out) { _mm512_storeu_si512(out, lanes_of(acc, 0).v); }

#elif defined(__AVXVNNI__)
inline constexpr bool kSignedA = false;
struct Columns16 {
  __m256i v[2];
};
struct Quads16 {
  __m256i v[2];
};
MOTE_INLINE Columns16 no_columns() { return {{_mm256_setzero_si256(), _mm256_setzero_si256()}}; }
MOTE_INLINE Quads16 load_quads(const std::int8_t* p) {
  return {{_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
           _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32))}};
}
MOTE_INLINE void accumulate(Columns16& acc, std::uint32_t a, Quads16 b) {
  __m256i x = _mm256_set1_epi32(static_cast<int>(a));
  acc.v[0] = _mm256_dpbusd_avx_epi32(acc.v[0], x, b.v[0]);
  acc.v[1] = _mm256_dpbusd_avx_epi32(acc.v[1], x, b.v[1]);
}
MOTE_INLINE void fold(const Columns16& acc, std::int32_t* out) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), acc.v[0]);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 8), acc.v[1]);
}
MOTE_INLINE I32 lanes_of(const Columns16& acc, int part) { return {acc.v[part]}; }

#elif defined(__AVX2__)
inline constexpr bool kSignedA = false;
struct Columns16 {
  __m256i v[4];
};
struct Quads16 {
  __m256i v[4];
};
MOTE_INLINE Columns16 no_columns() {
  __m256i z = _mm256_setzero_si256();
  return {{z, z, z, z}};
}
MOTE_INLINE Quads16 load_quads(const std::int8_t* p) {
  auto quarter = [&](int i) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16 * i)));
  };
  return {{quarter(0), quarter(1), quarter(2), quarter(3)}};
}
MOTE_INLINE void accumulate(Columns16& acc, std::uint32_t a, Quads16 b) {
  __m256i x = _mm256_cvtepu8_epi16(_mm_set1_epi32(static_cast<int>(a)));
  acc.v[0] = _mm256_add_epi32(acc.v[0], _mm256_madd_epi16(x, b.v[0]));
  acc.v[1] = _mm256_add_epi32(acc.v[1], _mm256_madd_epi16(x, b.v[1]));
  acc.v[2] = _mm256_add_epi32(acc.v[2], _mm256_madd_epi16(x, b.v[2]));
  acc.v[3] = _mm256_add_epi32(acc.v[3], _mm256_madd_epi16(x, b.v[3]));
}
MOTE_INLINE I32 lanes_of(const Columns16& acc, int part) {
  // hadd works per half: the middle quarters come out exchanged.
  return {_mm256_permute4x64_epi64(_mm256_hadd_epi32(acc.v[2 * part], acc.v[2 * part + 1]), 0xd8)};
}
MOTE_INLINE void fold(const Columns16& acc, std::int32_t* out) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), lanes_of(acc, 0).v);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 8), lanes_of(acc, 1).v);
}

#elif defined(__ARM_FEATURE_DOTPROD)
inline constexpr bool kSignedA = true;
struct Columns16 {
  int32x4_t v[4];
};
struct Quads16 {
  int8x16_t v[4];
};
MOTE_INLINE Columns16 no_columns() {
  int32x4_t z = vdupq_n_s32(0);
  return {{z, z, z, z}};
}
MOTE_INLINE Quads16 load_quads(const std::int8_t* p) {
  return {{vld1q_s8(p), vld1q_s8(p + 16), vld1q_s8(p + 32), vld1q_s8(p + 48)}};
}
MOTE_INLINE void accumulate(Columns16& acc, std::uint32_t a, Quads16 b) {
  int8x16_t x = vreinterpretq_s8_u32(vdupq_n_u32(a));
  acc.v[0] = vdotq_s32(acc.v[0], b.v[0], x);
  acc.v[1] = vdotq_s32(acc.v[1], b.v[1], x);
  acc.v[2] = vdotq_s32(acc.v[2], b.v[2], x);
  acc.v[3] = vdotq_s32(acc.v[3], b.v[3], x);
}
MOTE_INLINE void fold(const Columns16& acc, std::int32_t* out) {
  vst1q_s32(out, acc.v[0]);
  vst1q_s32(out + 4, acc.v[1]);
  vst1q_s32(out + 8, acc.v[2]);
  vst1q_s32(out + 12, acc.v[3]);
}
MOTE_INLINE I32 lanes_of(const Columns16& acc, int part) { return {acc.v[part]}; }

#elif defined(__ARM_NEON)
inline constexpr bool kSignedA = true;
struct Columns16 {
  int32x4_t v[8];
};
struct Quads16 {
  int8x16_t v[4];
};
MOTE_INLINE Columns16 no_columns() {
  int32x4_t z = vdupq_n_s32(0);
  return {{z, z, z, z, z, z, z, z}};
}
MOTE_INLINE Quads16 load_quads(const std::int8_t* p) {
  return {{vld1q_s8(p), vld1q_s8(p + 16), vld1q_s8(p + 32), vld1q_s8(p + 48)}};
}
MOTE_INLINE void accumulate(Columns16& acc, std::uint32_t a, Quads16 b) {
  int8x8_t x = vreinterpret_s8_u32(vdup_n_u32(a));
  acc.v[0] = vpadalq_s16(acc.v[0], vmull_s8(vget_low_s8(b.v[0]), x));
  acc.v[1] = vpadalq_s16(acc.v[1], vmull_s8(vget_high_s8(b.v[0]), x));
  acc.v[2] = vpadalq_s16(acc.v[2], vmull_s8(vget_low_s8(b.v[1]), x));
  acc.v[3] = vpadalq_s16(acc.v[3], vmull_s8(vget_high_s8(b.v[1]), x));
  acc.v[4] = vpadalq_s16(acc.v[4], vmull_s8(vget_low_s8(b.v[2]), x));
  acc.v[5] = vpadalq_s16(acc.v[5], vmull_s8(vget_high_s8(b.v[2]), x));
  acc.v[6] = vpadalq_s16(acc.v[6], vmull_s8(vget_low_s8(b.v[3]), x));
  acc.v[7] = vpadalq_s16(acc.v[7], vmull_s8(vget_high_s8(b.v[3]), x));
}
MOTE_INLINE void fold(const Columns16& acc, std::int32_t* out) {
  vst1q_s32(out, vpaddq_s32(acc.v[0], acc.v[1]));
  vst1q_s32(out + 4, vpaddq_s32(acc.v[2], acc.v[3]));
  vst1q_s32(out + 8, vpaddq_s32(acc.v[4], acc.v[5]));
  vst1q_s32(out + 12, vpaddq_s32(acc.v[6], acc.v[7]));
}
MOTE_INLINE I32 lanes_of(const Columns16& acc, int part) { return {vpaddq_s32(acc.v[2 * part], acc.v[2 * part + 1])}; }
#endif

// The low bytes of n lanes.
MOTE_INLINE void store_low_bytes(std::uint8_t* p, I32 v, int n) {
#if defined(__AVX512BW__) && !defined(MOTE_SIMD_SCALAR)
  if (n == kLanes) return _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(v.v));
  _mm512_mask_cvtepi32_storeu_epi8(p, lane_mask(n), v.v);
#else
  v = v & set_i32(255);
  n == kLanes ? store_u8(p, v) : store_u8_n(p, v, n);
#endif
}

}  // namespace mote::simd::MOTE_SIMD_NS
