// Products of 8-bit integers, for the ISA of the including file: 16 columns of B at once, kDepth k of each in one step.
// On Arm there are no accumulators: tiles multiply packed rows (kernels/idot/packed_impl.h).
//   Columns16  accumulators of 16 columns     Step16  B's bytes, [16 columns][kDepth]
//   accumulate(acc, a, b): acc[c] += sum of a[i] * b[c][i], exactly, no saturation
//   fold(acc, out): 16 i32; lanes_of(acc, part): the kLanes of them from part * kLanes on
// `a` holds kDepth values in 32 bits: four bytes, signed where kSignedA (Arm), else unsigned; or, where kDepth is 2,
// bytes widened to 16 bits, since without an instruction for four products widened pairs do as many as bytes with
// their saturation. B is signed.
#pragma once

#include "simd/vec.h"

namespace mote::simd::MOTE_SIMD_NS {

#if defined(MOTE_SIMD_SCALAR)
inline constexpr bool kSignedA = false;
inline constexpr int kDepth = 4;
struct Columns16 {
  std::int32_t v[16];
};
struct Step16 {
  const std::int8_t* p;
};
MOTE_INLINE Columns16 no_columns() { return {}; }
MOTE_INLINE Step16 load_step(const std::int8_t* p) { return {p}; }
MOTE_INLINE void accumulate(Columns16& acc, std::uint32_t a, Step16 b) {
  for (int c = 0; c < 16; ++c) {
    std::uint32_t sum = static_cast<std::uint32_t>(acc.v[c]);
    for (int i = 0; i < 4; ++i)
      sum += static_cast<std::uint32_t>(static_cast<std::int32_t>(a >> 8 * i & 255u) * b.p[4 * c + i]);
    acc.v[c] = static_cast<std::int32_t>(sum);
  }
}
MOTE_INLINE void fold(const Columns16& acc, std::int32_t* out) {
  for (int c = 0; c < 16; ++c) out[c] = acc.v[c];
}
MOTE_INLINE I32 lanes_of(const Columns16& acc, int part) { return load(acc.v + part * kLanes); }

#elif defined(__AVX512VNNI__)
inline constexpr bool kSignedA = false;
inline constexpr int kDepth = 4;
struct Columns16 {
  __m512i v;
};
struct Step16 {
  __m512i v;
};
MOTE_INLINE Columns16 no_columns() { return {_mm512_setzero_si512()}; }
MOTE_INLINE Step16 load_step(const std::int8_t* p) { return {_mm512_loadu_si512(p)}; }
MOTE_INLINE void accumulate(Columns16& acc, std::uint32_t a, Step16 b) {
  acc.v = _mm512_dpbusd_epi32(acc.v, _mm512_set1_epi32(static_cast<int>(a)), b.v);
}
MOTE_INLINE void fold(const Columns16& acc, std::int32_t* out) { _mm512_storeu_si512(out, acc.v); }
MOTE_INLINE I32 lanes_of(const Columns16& acc, int) { return {acc.v}; }

#elif defined(__AVX512BW__)
inline constexpr bool kSignedA = false;
inline constexpr int kDepth = 2;
struct Columns16 {
  __m512i v;
};
struct Step16 {
  __m512i v;
};
MOTE_INLINE Columns16 no_columns() { return {_mm512_setzero_si512()}; }
MOTE_INLINE Step16 load_step(const std::int8_t* p) {
  return {_mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
MOTE_INLINE void accumulate(Columns16& acc, std::uint32_t a, Step16 b) {
  acc.v = _mm512_add_epi32(acc.v, _mm512_madd_epi16(_mm512_set1_epi32(static_cast<int>(a)), b.v));
}
MOTE_INLINE void fold(const Columns16& acc, std::int32_t* out) { _mm512_storeu_si512(out, acc.v); }
MOTE_INLINE I32 lanes_of(const Columns16& acc, int) { return {acc.v}; }

#elif defined(__AVXVNNI__)
inline constexpr bool kSignedA = false;
inline constexpr int kDepth = 4;
struct Columns16 {
  __m256i v[2];
};
struct Step16 {
  __m256i v[2];
};
MOTE_INLINE Columns16 no_columns() { return {{_mm256_setzero_si256(), _mm256_setzero_si256()}}; }
MOTE_INLINE Step16 load_step(const std::int8_t* p) {
  return {{_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
           _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32))}};
}
MOTE_INLINE void accumulate(Columns16& acc, std::uint32_t a, Step16 b) {
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
inline constexpr int kDepth = 2;
struct Columns16 {
  __m256i v[2];
};
struct Step16 {
  __m256i v[2];
};
MOTE_INLINE Columns16 no_columns() { return {{_mm256_setzero_si256(), _mm256_setzero_si256()}}; }
MOTE_INLINE Step16 load_step(const std::int8_t* p) {
  return {{_mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
           _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16)))}};
}
MOTE_INLINE void accumulate(Columns16& acc, std::uint32_t a, Step16 b) {
  const __m256i x = _mm256_set1_epi32(static_cast<int>(a));
  acc.v[0] = _mm256_add_epi32(acc.v[0], _mm256_madd_epi16(x, b.v[0]));
  acc.v[1] = _mm256_add_epi32(acc.v[1], _mm256_madd_epi16(x, b.v[1]));
}
MOTE_INLINE void fold(const Columns16& acc, std::int32_t* out) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), acc.v[0]);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 8), acc.v[1]);
}
MOTE_INLINE I32 lanes_of(const Columns16& acc, int part) { return {acc.v[part]}; }

#elif defined(__ARM_NEON)
inline constexpr bool kSignedA = true;
#if defined(__ARM_FEATURE_DOTPROD) && !defined(__ARM_FEATURE_MATMUL_INT8)
inline constexpr int kDepth = 4;
#else
inline constexpr int kDepth = 8;
#endif
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

// The low bytes of 16 values.
MOTE_INLINE void store_low_bytes(std::uint8_t* p, const I32 (&v)[16 / kLanes]) {
#if defined(__AVX2__) && !defined(__AVX512BW__) && !defined(MOTE_SIMD_SCALAR)
  // The bytes of each half of a register to one word of it, then these to their places.
  const __m256i first = _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 4, 8, 12, -1,
                                         -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1),
                second = _mm256_setr_epi8(-1, -1, -1, -1, 0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                                          0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1);
  const __m256i both = _mm256_or_si256(_mm256_shuffle_epi8(v[0].v, first), _mm256_shuffle_epi8(v[1].v, second));
  const __m256i placed = _mm256_permutevar8x32_epi32(both, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(placed));
#elif defined(__ARM_NEON) && !defined(MOTE_SIMD_SCALAR)
  auto even = [](I32 a, I32 b) { return vuzp1q_s16(vreinterpretq_s16_s32(a.v), vreinterpretq_s16_s32(b.v)); };
  vst1q_u8(p, vuzp1q_u8(vreinterpretq_u8_s16(even(v[0], v[1])), vreinterpretq_u8_s16(even(v[2], v[3]))));
#else
  for (int i = 0; i < 16 / kLanes; ++i) store_low_bytes(p + i * kLanes, v[i], kLanes);
#endif
}

}  // namespace mote::simd::MOTE_SIMD_NS
