// Integers of 16 bits as lanes of I32, for the ISA of the including file: load_i16 and load_u16 widen kLanes of them,
// store_16 keeps the low half of each lane.
#pragma once

#include "simd/vec.h"

namespace mote::simd::MOTE_SIMD_NS {

#if defined(MOTE_SIMD_SCALAR)
MOTE_INLINE I32 load_i16(const std::int16_t* p) { return {{p[0], p[1], p[2], p[3]}}; }
MOTE_INLINE I32 load_u16(const std::uint16_t* p) { return {{p[0], p[1], p[2], p[3]}}; }
MOTE_INLINE void store_16(void* p, I32 a) {
  std::uint16_t t[kLanes];
  for (int i = 0; i < kLanes; ++i) t[i] = static_cast<std::uint16_t>(a.v[i]);
  std::memcpy(p, t, sizeof t);
}

#elif defined(__AVX512BW__)
MOTE_INLINE I32 load_i16(const std::int16_t* p) {
  return {_mm512_cvtepi16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
MOTE_INLINE I32 load_u16(const std::uint16_t* p) {
  return {_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
MOTE_INLINE void store_16(void* p, I32 a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(a.v));
}

#elif defined(__AVX2__)
MOTE_INLINE I32 load_i16(const std::int16_t* p) {
  return {_mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
MOTE_INLINE I32 load_u16(const std::uint16_t* p) {
  return {_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
MOTE_INLINE void store_16(void* p, I32 a) {
  __m256i low = _mm256_and_si256(a.v, _mm256_set1_epi32(0xffff));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1)));
}

#elif defined(__ARM_NEON)
MOTE_INLINE I32 load_i16(const std::int16_t* p) { return {vmovl_s16(vld1_s16(p))}; }
MOTE_INLINE I32 load_u16(const std::uint16_t* p) { return {vreinterpretq_s32_u32(vmovl_u16(vld1_u16(p)))}; }
MOTE_INLINE void store_16(void* p, I32 a) {
  int16x4_t low = vmovn_s32(a.v);
  std::memcpy(p, &low, sizeof low);
}
#endif

}  // namespace mote::simd::MOTE_SIMD_NS
