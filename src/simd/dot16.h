// Products of 16-bit by 8-bit integers, for the ISA of the including file: 16 columns of B at once, two k in one step.
//   Words16  accumulators of 16 columns     WordStep  B's bytes, [16 columns][2], widened
//   accumulate(acc, a, b): acc[c] += a[0] * b[c][0] + a[1] * b[c][1] in i32, which wraps; `a` is two signed words
//   fold(acc, out): 16 i32
// and what becomes of the sums:
//   scale_wide(x, f): scale_fixed_wide of lanes (base/fixed_point.h), with f = wide_of(multiplier, shift): the upper 16
//     bits of the multiplier, below 2^15, and how far the product is shifted, from 1 to 46
#pragma once

#include "simd/vec.h"

namespace mote::simd::MOTE_SIMD_NS {

#if defined(MOTE_SIMD_SCALAR)
inline constexpr int kWordRows = 2;  // of a register tile
struct Words16 {
  std::int32_t v[16];
};
struct WordStep {
  const std::int8_t* p;
};
MOTE_INLINE Words16 no_words() { return {}; }
MOTE_INLINE WordStep load_word_step(const std::int8_t* p) { return {p}; }
MOTE_INLINE void accumulate(Words16& acc, std::uint32_t a, WordStep b) {
  const std::int32_t first = static_cast<std::int16_t>(a & 0xffffu), second = static_cast<std::int16_t>(a >> 16);
  for (int c = 0; c < 16; ++c) {
    const std::uint32_t sum = static_cast<std::uint32_t>(first * b.p[2 * c] + second * b.p[2 * c + 1]);
    acc.v[c] = static_cast<std::int32_t>(static_cast<std::uint32_t>(acc.v[c]) + sum);
  }
}
MOTE_INLINE void fold(const Words16& acc, std::int32_t* out) {
  for (int c = 0; c < 16; ++c) out[c] = acc.v[c];
}

#elif defined(__AVX512BW__)
inline constexpr int kWordRows = 8;
struct Words16 {
  __m512i v;
};
struct WordStep {
  __m512i v;
};
MOTE_INLINE Words16 no_words() { return {_mm512_setzero_si512()}; }
MOTE_INLINE WordStep load_word_step(const std::int8_t* p) {
  return {_mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
MOTE_INLINE void accumulate(Words16& acc, std::uint32_t a, WordStep b) {
  const __m512i x = _mm512_set1_epi32(static_cast<int>(a));
#if defined(__AVX512VNNI__)
  acc.v = _mm512_dpwssd_epi32(acc.v, x, b.v);
#else
  acc.v = _mm512_add_epi32(acc.v, _mm512_madd_epi16(x, b.v));
#endif
}
MOTE_INLINE void fold(const Words16& acc, std::int32_t* out) { _mm512_storeu_si512(out, acc.v); }

#elif defined(__AVX2__)
inline constexpr int kWordRows = 6;
struct Words16 {
  __m256i v[2];
};
struct WordStep {
  __m256i v[2];
};
MOTE_INLINE Words16 no_words() { return {{_mm256_setzero_si256(), _mm256_setzero_si256()}}; }
MOTE_INLINE WordStep load_word_step(const std::int8_t* p) {
  return {{_mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
           _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16)))}};
}
MOTE_INLINE void accumulate(Words16& acc, std::uint32_t a, WordStep b) {
  const __m256i x = _mm256_set1_epi32(static_cast<int>(a));
#if defined(__AVXVNNI__)
  acc.v[0] = _mm256_dpwssd_avx_epi32(acc.v[0], x, b.v[0]);
  acc.v[1] = _mm256_dpwssd_avx_epi32(acc.v[1], x, b.v[1]);
#else
  acc.v[0] = _mm256_add_epi32(acc.v[0], _mm256_madd_epi16(x, b.v[0]));
  acc.v[1] = _mm256_add_epi32(acc.v[1], _mm256_madd_epi16(x, b.v[1]));
#endif
}
MOTE_INLINE void fold(const Words16& acc, std::int32_t* out) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), acc.v[0]);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 8), acc.v[1]);
}

#elif defined(__ARM_NEON)
inline constexpr int kWordRows = 5;
struct Words16 {
  int32x4_t v[4];
};
struct WordStep {
  int16x8_t first[2], second[2];
};
MOTE_INLINE Words16 no_words() {
  const int32x4_t z = vdupq_n_s32(0);
  return {{z, z, z, z}};
}
MOTE_INLINE WordStep load_word_step(const std::int8_t* p) {
  const int8x16x2_t both = vld2q_s8(p);
  return {{vmovl_s8(vget_low_s8(both.val[0])), vmovl_s8(vget_high_s8(both.val[0]))},
          {vmovl_s8(vget_low_s8(both.val[1])), vmovl_s8(vget_high_s8(both.val[1]))}};
}
MOTE_INLINE void accumulate(Words16& acc, std::uint32_t a, const WordStep& b) {
  const int16x4_t x = vreinterpret_s16_u32(vdup_n_u32(a));
  for (int h = 0; h < 2; ++h) {
    int32x4_t low = vmlal_lane_s16(acc.v[2 * h], vget_low_s16(b.first[h]), x, 0);
    int32x4_t high = vmlal_lane_s16(acc.v[2 * h + 1], vget_high_s16(b.first[h]), x, 0);
    acc.v[2 * h] = vmlal_lane_s16(low, vget_low_s16(b.second[h]), x, 1);
    acc.v[2 * h + 1] = vmlal_lane_s16(high, vget_high_s16(b.second[h]), x, 1);
  }
}
MOTE_INLINE void fold(const Words16& acc, std::int32_t* out) {
  for (int i = 0; i < 4; ++i) vst1q_s32(out + 4 * i, acc.v[i]);
}
#endif

#if defined(MOTE_SIMD_SCALAR)
struct FixedWide {
  I32 multiplier, shift;
};
MOTE_INLINE FixedWide wide_of(I32 multiplier, I32 shift) { return {multiplier, shift}; }
MOTE_INLINE I32 scale_wide(I32 x, const FixedWide& f) {
  I32 r;
  for (int i = 0; i < kLanes; ++i) {
    const std::int64_t product = std::int64_t{x.v[i]} * f.multiplier.v[i] + (std::int64_t{1} << (f.shift.v[i] - 1));
    r.v[i] = static_cast<std::int32_t>(static_cast<std::uint64_t>(product >> f.shift.v[i]));
  }
  return r;
}

// There is no arithmetic shift of 64 bits on AVX2: 2^62 makes all products positive, and what it has become is taken
// off.
#elif defined(__AVX512F__)
struct FixedWide {
  __m512i multiplier, odd_multiplier, shift, odd_shift, half, odd_half;
};
MOTE_INLINE FixedWide wide_of(I32 multiplier, I32 shift) {
  const __m512i one = _mm512_set1_epi64(1), low = _mm512_set1_epi64(0xffffffff);
  FixedWide f;
  f.multiplier = multiplier.v;
  f.odd_multiplier = _mm512_srli_epi64(multiplier.v, 32);
  f.shift = _mm512_and_si512(shift.v, low);
  f.odd_shift = _mm512_srli_epi64(shift.v, 32);
  f.half = _mm512_sllv_epi64(one, _mm512_sub_epi64(f.shift, one));
  f.odd_half = _mm512_sllv_epi64(one, _mm512_sub_epi64(f.odd_shift, one));
  return f;
}
MOTE_INLINE I32 scale_wide(I32 x, const FixedWide& f) {
  const __m512i even = _mm512_srav_epi64(_mm512_add_epi64(_mm512_mul_epi32(x.v, f.multiplier), f.half), f.shift);
  const __m512i odd = _mm512_srav_epi64(
      _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(x.v, 32), f.odd_multiplier), f.odd_half), f.odd_shift);
  return {_mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32))};
}

#elif defined(__AVX2__)
struct FixedWide {
  __m256i multiplier, odd_multiplier, shift, odd_shift, add, odd_add, taken;
};
MOTE_INLINE FixedWide wide_of(I32 multiplier, I32 shift) {
  const __m256i one = _mm256_set1_epi64x(1), low = _mm256_set1_epi64x(0xffffffff),
                lift = _mm256_set1_epi64x(std::int64_t{1} << 62);
  FixedWide f;
  f.multiplier = multiplier.v;
  f.odd_multiplier = _mm256_srli_epi64(multiplier.v, 32);
  f.shift = _mm256_and_si256(shift.v, low);
  f.odd_shift = _mm256_srli_epi64(shift.v, 32);
  f.add = _mm256_add_epi64(lift, _mm256_sllv_epi64(one, _mm256_sub_epi64(f.shift, one)));
  f.odd_add = _mm256_add_epi64(lift, _mm256_sllv_epi64(one, _mm256_sub_epi64(f.odd_shift, one)));
  f.taken = _mm256_blend_epi32(_mm256_srlv_epi64(lift, f.shift),
                               _mm256_slli_epi64(_mm256_srlv_epi64(lift, f.odd_shift), 32), 0xaa);
  return f;
}
MOTE_INLINE I32 scale_wide(I32 x, const FixedWide& f) {
  const __m256i even = _mm256_srlv_epi64(_mm256_add_epi64(_mm256_mul_epi32(x.v, f.multiplier), f.add), f.shift);
  const __m256i odd = _mm256_srlv_epi64(
      _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(x.v, 32), f.odd_multiplier), f.odd_add), f.odd_shift);
  return {_mm256_sub_epi32(_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa), f.taken)};
}

#elif defined(__ARM_NEON)
struct FixedWide {
  int32x4_t multiplier;
  int64x2_t half[2], shift[2];  // shifts to the left
};
MOTE_INLINE FixedWide wide_of(I32 multiplier, I32 shift) {
  FixedWide f;
  f.multiplier = multiplier.v;
  f.shift[0] = vmovl_s32(vget_low_s32(shift.v));
  f.shift[1] = vmovl_s32(vget_high_s32(shift.v));
  for (int h = 0; h < 2; ++h) {
    f.half[h] = vshlq_s64(vdupq_n_s64(1), vsubq_s64(f.shift[h], vdupq_n_s64(1)));
    f.shift[h] = vnegq_s64(f.shift[h]);
  }
  return f;
}
MOTE_INLINE I32 scale_wide(I32 x, const FixedWide& f) {
  const int64x2_t low = vmull_s32(vget_low_s32(x.v), vget_low_s32(f.multiplier)),
                  high = vmull_s32(vget_high_s32(x.v), vget_high_s32(f.multiplier));
  return {vcombine_s32(vmovn_s64(vshlq_s64(vaddq_s64(low, f.half[0]), f.shift[0])),
                       vmovn_s64(vshlq_s64(vaddq_s64(high, f.half[1]), f.shift[1])))};
}
#endif

}  // namespace mote::simd::MOTE_SIMD_NS
