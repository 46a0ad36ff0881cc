// The vector layer on AArch64 Advanced SIMD. Contract: vec.h, which includes this.
#pragma once

#include <arm_neon.h>

namespace mote::simd::MOTE_SIMD_NS {

inline constexpr int kLanes = 4;
struct F32 {
  float32x4_t v;
};
struct I32 {
  int32x4_t v;
};
struct M32 {
  uint32x4_t v;  // all bits of a lane set or clear
};

template <class T>
MOTE_INLINE void copy_n(T* to, const T* from, int n) {
  for (int i = 0; i < n; ++i) to[i] = from[i];
}

MOTE_INLINE F32 set(float x) { return {vdupq_n_f32(x)}; }
MOTE_INLINE F32 zero() { return {vdupq_n_f32(0.0f)}; }
MOTE_INLINE I32 set_i32(std::int32_t x) { return {vdupq_n_s32(x)}; }
MOTE_INLINE I32 iota_i32() {
  const std::int32_t t[4] = {0, 1, 2, 3};
  return {vld1q_s32(t)};
}
MOTE_INLINE M32 first_lanes(int n) { return {vcltq_s32(iota_i32().v, vdupq_n_s32(n))}; }

MOTE_INLINE F32 load(const float* p) { return {vld1q_f32(p)}; }
MOTE_INLINE F32 load_n(const float* p, int n) {
  if (n >= 4) return load(p);
  if (n >= 2) {
    const float32x4_t two = vcombine_f32(vld1_f32(p), vdup_n_f32(0));
    return {n == 2 ? two : vld1q_lane_f32(p + 2, two, 2)};
  }
  return {n == 1 ? vld1q_lane_f32(p, vdupq_n_f32(0), 0) : vdupq_n_f32(0)};
}
MOTE_INLINE void store(float* p, F32 a) { vst1q_f32(p, a.v); }
MOTE_INLINE void store_n(float* p, F32 a, int n) {
  if (n >= 4) return store(p, a);
  if (n >= 2) vst1_f32(p, vget_low_f32(a.v));
  if (n == 3) vst1q_lane_f32(p + 2, a.v, 2);
  if (n == 1) vst1q_lane_f32(p, a.v, 0);
}
MOTE_INLINE I32 load(const std::int32_t* p) { return {vld1q_s32(p)}; }
MOTE_INLINE I32 load_n(const std::int32_t* p, int n) {
  if (n >= 4) return load(p);
  if (n >= 2) {
    const int32x4_t two = vcombine_s32(vld1_s32(p), vdup_n_s32(0));
    return {n == 2 ? two : vld1q_lane_s32(p + 2, two, 2)};
  }
  return {n == 1 ? vld1q_lane_s32(p, vdupq_n_s32(0), 0) : vdupq_n_s32(0)};
}
MOTE_INLINE void store(std::int32_t* p, I32 a) { vst1q_s32(p, a.v); }
MOTE_INLINE void store_n(std::int32_t* p, I32 a, int n) {
  if (n >= 4) return store(p, a);
  if (n >= 2) vst1_s32(p, vget_low_s32(a.v));
  if (n == 3) vst1q_lane_s32(p + 2, a.v, 2);
  if (n == 1) vst1q_lane_s32(p, a.v, 0);
}
MOTE_INLINE F32 permute(F32 a, I32 i) {  // lane l: a[i[l]]
  int32x4_t bytes = vmlaq_n_s32(vdupq_n_s32(0x03020100), i.v, 0x04040404);
  return {vreinterpretq_f32_u8(vqtbl1q_u8(vreinterpretq_u8_f32(a.v), vreinterpretq_u8_s32(bytes)))};
}
MOTE_INLINE F32 gather(const float* p, I32 i) {
  float t[4] = {p[vgetq_lane_s32(i.v, 0)], p[vgetq_lane_s32(i.v, 1)], p[vgetq_lane_s32(i.v, 2)],
                p[vgetq_lane_s32(i.v, 3)]};
  return load(t);
}

// r[i][j] <-> r[j][i]
MOTE_INLINE void transpose(F32 (&r)[4]) {
  const float64x2_t even = vreinterpretq_f64_f32(vtrn1q_f32(r[0].v, r[1].v));
  const float64x2_t odd = vreinterpretq_f64_f32(vtrn2q_f32(r[0].v, r[1].v));
  const float64x2_t even2 = vreinterpretq_f64_f32(vtrn1q_f32(r[2].v, r[3].v));
  const float64x2_t odd2 = vreinterpretq_f64_f32(vtrn2q_f32(r[2].v, r[3].v));
  r[0].v = vreinterpretq_f32_f64(vtrn1q_f64(even, even2));
  r[1].v = vreinterpretq_f32_f64(vtrn1q_f64(odd, odd2));
  r[2].v = vreinterpretq_f32_f64(vtrn2q_f64(even, even2));
  r[3].v = vreinterpretq_f32_f64(vtrn2q_f64(odd, odd2));
}

MOTE_INLINE F32 operator+(F32 a, F32 b) { return {vaddq_f32(a.v, b.v)}; }
MOTE_INLINE F32 operator-(F32 a, F32 b) { return {vsubq_f32(a.v, b.v)}; }
MOTE_INLINE F32 operator*(F32 a, F32 b) { return {vmulq_f32(a.v, b.v)}; }
MOTE_INLINE F32 operator/(F32 a, F32 b) { return {vdivq_f32(a.v, b.v)}; }
MOTE_INLINE F32 sqrt(F32 a) { return {vsqrtq_f32(a.v)}; }
MOTE_INLINE F32 min(F32 a, F32 b) { return {vbslq_f32(vcltq_f32(a.v, b.v), a.v, b.v)}; }
MOTE_INLINE F32 max(F32 a, F32 b) { return {vbslq_f32(vcgtq_f32(a.v, b.v), a.v, b.v)}; }
MOTE_INLINE F32 fma(F32 a, F32 b, F32 c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
MOTE_INLINE F32 fnma(F32 a, F32 b, F32 c) { return {vfmsq_f32(c.v, a.v, b.v)}; }

// acc + a * b[L], rounded once: a factor that other ISAs broadcast is taken from a lane, or from a scalar's register.
// Spelled out and in the order of the source, because GCC otherwise copies and spills the sums of a large tile.
#define MOTE_SIMD_BY_LANE 1
template <int L>
MOTE_INLINE F32 fma_by_lane(F32 acc, F32 a, F32 b) {
#if defined(__GNUC__)
  asm volatile("fmla %0.4s, %1.4s, %2.s[%3]" : "+w"(acc.v) : "w"(a.v), "w"(b.v), "n"(L));
  return acc;
#else
  return {vfmaq_laneq_f32(acc.v, a.v, b.v, L)};
#endif
}
template <int L>
MOTE_INLINE F32 fma_by_lane(F32 acc, F32 a, float b) {
#if defined(__GNUC__)
  asm volatile("fmla %0.4s, %1.4s, %2.s[0]" : "+w"(acc.v) : "w"(a.v), "w"(b));
  return acc;
#else
  return {vfmaq_n_f32(acc.v, a.v, b)};
#endif
}
MOTE_INLINE F32 round_even(F32 a) { return {vrndnq_f32(a.v)}; }
MOTE_INLINE F32 floor(F32 a) { return {vrndmq_f32(a.v)}; }
MOTE_INLINE F32 ceil(F32 a) { return {vrndpq_f32(a.v)}; }
MOTE_INLINE F32 trunc(F32 a) { return {vrndq_f32(a.v)}; }

MOTE_INLINE M32 operator<(F32 a, F32 b) { return {vcltq_f32(a.v, b.v)}; }
MOTE_INLINE M32 operator<=(F32 a, F32 b) { return {vcleq_f32(a.v, b.v)}; }
MOTE_INLINE M32 operator==(F32 a, F32 b) { return {vceqq_f32(a.v, b.v)}; }
MOTE_INLINE M32 operator!=(F32 a, F32 b) { return {vmvnq_u32(vceqq_f32(a.v, b.v))}; }
MOTE_INLINE M32 operator>(I32 a, I32 b) { return {vcgtq_s32(a.v, b.v)}; }
MOTE_INLINE M32 operator==(I32 a, I32 b) { return {vceqq_s32(a.v, b.v)}; }
MOTE_INLINE M32 operator&(M32 a, M32 b) { return {vandq_u32(a.v, b.v)}; }
MOTE_INLINE M32 operator|(M32 a, M32 b) { return {vorrq_u32(a.v, b.v)}; }
MOTE_INLINE M32 operator!(M32 a) { return {vmvnq_u32(a.v)}; }
MOTE_INLINE bool any(M32 a) { return vmaxvq_u32(a.v) != 0; }
MOTE_INLINE bool all(M32 a) { return vminvq_u32(a.v) != 0; }
MOTE_INLINE F32 select(M32 m, F32 yes, F32 no) { return {vbslq_f32(m.v, yes.v, no.v)}; }
MOTE_INLINE I32 select(M32 m, I32 yes, I32 no) { return {vbslq_s32(m.v, yes.v, no.v)}; }

MOTE_INLINE I32 operator+(I32 a, I32 b) { return {vaddq_s32(a.v, b.v)}; }
MOTE_INLINE I32 operator-(I32 a, I32 b) { return {vsubq_s32(a.v, b.v)}; }
MOTE_INLINE I32 operator*(I32 a, I32 b) { return {vmulq_s32(a.v, b.v)}; }
MOTE_INLINE I32 operator&(I32 a, I32 b) { return {vandq_s32(a.v, b.v)}; }
MOTE_INLINE I32 operator|(I32 a, I32 b) { return {vorrq_s32(a.v, b.v)}; }
MOTE_INLINE I32 operator^(I32 a, I32 b) { return {veorq_s32(a.v, b.v)}; }
MOTE_INLINE I32 min(I32 a, I32 b) { return {vminq_s32(a.v, b.v)}; }
MOTE_INLINE I32 max(I32 a, I32 b) { return {vmaxq_s32(a.v, b.v)}; }
template <int K>
MOTE_INLINE I32 shl(I32 a) {
  return {vshlq_n_s32(a.v, K)};
}
template <int K>
MOTE_INLINE I32 shr(I32 a) {  // logical
  return {vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(a.v), K))};
}
template <int K>
MOTE_INLINE I32 sar(I32 a) {  // arithmetic
  return {vshrq_n_s32(a.v, K)};
}

MOTE_INLINE F32 as_f32(I32 a) { return {vreinterpretq_f32_s32(a.v)}; }
MOTE_INLINE I32 as_i32(F32 a) { return {vreinterpretq_s32_f32(a.v)}; }
MOTE_INLINE F32 to_f32(I32 a) { return {vcvtq_f32_s32(a.v)}; }
MOTE_INLINE I32 to_i32(F32 a) { return {vcvtnq_s32_f32(a.v)}; }  // nearest, ties to even
MOTE_INLINE I32 to_i32_trunc(F32 a) { return {vcvtq_s32_f32(a.v)}; }

// Widening loads and narrowing, saturating stores.
MOTE_INLINE I32 load_i8(const std::int8_t* p) {
  std::int8_t t[8] = {};
  std::memcpy(t, p, 4);
  return {vmovl_s16(vget_low_s16(vmovl_s8(vld1_s8(t))))};
}
MOTE_INLINE I32 load_u8(const std::uint8_t* p) {
  std::uint8_t t[8] = {};
  std::memcpy(t, p, 4);
  return {vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vld1_u8(t)))))};
}
MOTE_INLINE I32 load_i8_n(const std::int8_t* p, int n) {
  std::int8_t t[4] = {};
  copy_n(t, p, n);
  return load_i8(t);
}
MOTE_INLINE I32 load_u8_n(const std::uint8_t* p, int n) {
  std::uint8_t t[4] = {};
  copy_n(t, p, n);
  return load_u8(t);
}
MOTE_INLINE void store_i8_n(std::int8_t* p, I32 a, int n) {
  int16x4_t h = vqmovn_s32(a.v);
  std::int8_t t[8];
  vst1_s8(t, vqmovn_s16(vcombine_s16(h, h)));
  copy_n(p, t, n);
}
MOTE_INLINE void store_u8_n(std::uint8_t* p, I32 a, int n) {
  int16x4_t h = vqmovn_s32(a.v);
  std::uint8_t t[8];
  vst1_u8(t, vqmovun_s16(vcombine_s16(h, h)));
  copy_n(p, t, n);
}
MOTE_INLINE void store_i8(std::int8_t* p, I32 a) { store_i8_n(p, a, 4); }
MOTE_INLINE void store_u8(std::uint8_t* p, I32 a) { store_u8_n(p, a, 4); }

MOTE_INLINE F32 load_f16(const std::uint16_t* p) { return {vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)))}; }
MOTE_INLINE void store_f16(std::uint16_t* p, F32 a) { vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(a.v))); }
MOTE_INLINE F32 load_bf16(const std::uint16_t* p) { return {vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16))}; }
MOTE_INLINE void store_bf16(std::uint16_t* p, F32 a) {
  uint32x4_t u = vreinterpretq_u32_f32(a.v);
  uint32x4_t odd = vandq_u32(vshrq_n_u32(u, 16), vdupq_n_u32(1));
  uint32x4_t r = vaddq_u32(u, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
  r = vbslq_u32(vceqq_f32(a.v, a.v), r, vorrq_u32(u, vdupq_n_u32(0x400000)));
  vst1_u16(p, vshrn_n_u32(r, 16));
}
MOTE_INLINE F32 load_f16_n(const std::uint16_t* p, int n) {
  std::uint16_t t[4] = {};
  copy_n(t, p, n);
  return load_f16(t);
}
MOTE_INLINE F32 load_bf16_n(const std::uint16_t* p, int n) {
  std::uint16_t t[4] = {};
  copy_n(t, p, n);
  return load_bf16(t);
}
MOTE_INLINE void store_f16_n(std::uint16_t* p, F32 a, int n) {
  std::uint16_t t[4];
  store_f16(t, a);
  copy_n(p, t, n);
}
MOTE_INLINE void store_bf16_n(std::uint16_t* p, F32 a, int n) {
  std::uint16_t t[4];
  store_bf16(t, a);
  copy_n(p, t, n);
}

// Lane i gets lane i+K; the lanes without a source are unspecified.
template <int K>
MOTE_INLINE F32 down(F32 a) {
  return {vextq_f32(a.v, a.v, K)};
}
MOTE_INLINE float first(F32 a) { return vgetq_lane_f32(a.v, 0); }

MOTE_INLINE void prefetch(const void* p) { __builtin_prefetch(p); }

}  // namespace mote::simd::MOTE_SIMD_NS
