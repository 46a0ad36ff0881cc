// The vector layer in plain C++: four lanes in arrays, a true fused multiply-add. Slow where the CPU has no FMA
// instruction, but bit-equal. Contract: vec.h, which includes this.
#pragma once

#include <bit>
#include <cmath>

#include "base/half.h"

namespace mote::simd::MOTE_SIMD_NS {

inline constexpr int kLanes = 4;
struct F32 {
  float v[4];
};
struct I32 {
  std::int32_t v[4];
};
struct M32 {
  bool v[4];
};

// One lane after another: R{f(0), f(1), f(2), f(3)}.
template <class R, class Fn>
MOTE_INLINE R lanes(Fn fn) {
  return R{{fn(0), fn(1), fn(2), fn(3)}};
}
MOTE_INLINE std::int32_t wrap(std::uint32_t x) { return static_cast<std::int32_t>(x); }
MOTE_INLINE std::uint32_t bits(std::int32_t x) { return static_cast<std::uint32_t>(x); }

MOTE_INLINE F32 set(float x) { return {{x, x, x, x}}; }
MOTE_INLINE F32 zero() { return {{}}; }
MOTE_INLINE I32 set_i32(std::int32_t x) { return {{x, x, x, x}}; }
MOTE_INLINE I32 iota_i32() { return {{0, 1, 2, 3}}; }
MOTE_INLINE M32 first_lanes(int n) { return {{0 < n, 1 < n, 2 < n, 3 < n}}; }

MOTE_INLINE F32 load(const float* p) { return {{p[0], p[1], p[2], p[3]}}; }
MOTE_INLINE F32 load_n(const float* p, int n) {
  F32 r = zero();
  for (int i = 0; i < n; ++i) r.v[i] = p[i];
  return r;
}
MOTE_INLINE void store_n(float* p, F32 a, int n) {
  for (int i = 0; i < n; ++i) p[i] = a.v[i];
}
MOTE_INLINE void store(float* p, F32 a) { store_n(p, a, 4); }
MOTE_INLINE I32 load(const std::int32_t* p) { return {{p[0], p[1], p[2], p[3]}}; }
MOTE_INLINE I32 load_n(const std::int32_t* p, int n) {
  I32 r = set_i32(0);
  for (int i = 0; i < n; ++i) r.v[i] = p[i];
  return r;
}
MOTE_INLINE void store_n(std::int32_t* p, I32 a, int n) {
  for (int i = 0; i < n; ++i) p[i] = a.v[i];
}
MOTE_INLINE void store(std::int32_t* p, I32 a) { store_n(p, a, 4); }
MOTE_INLINE F32 permute(F32 a, I32 i) { return {{a.v[i.v[0]], a.v[i.v[1]], a.v[i.v[2]], a.v[i.v[3]]}}; }
MOTE_INLINE F32 gather(const float* p, I32 i) { return {{p[i.v[0]], p[i.v[1]], p[i.v[2]], p[i.v[3]]}}; }

// r[i][j] <-> r[j][i]
MOTE_INLINE void transpose(F32 (&r)[4]) {
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < i; ++j) {
      const float t = r[i].v[j];
      r[i].v[j] = r[j].v[i];
      r[j].v[i] = t;
    }
  }
}

#define MOTE_LANES(R, expr) return lanes<R>([&](int i) MOTE_LANE_INLINE { return expr; })
#if defined(__GNUC__)
#define MOTE_LANE_INLINE __attribute__((always_inline))
#else
#define MOTE_LANE_INLINE
#endif

MOTE_INLINE F32 operator+(F32 a, F32 b) { MOTE_LANES(F32, a.v[i] + b.v[i]); }
MOTE_INLINE F32 operator-(F32 a, F32 b) { MOTE_LANES(F32, a.v[i] - b.v[i]); }
MOTE_INLINE F32 operator*(F32 a, F32 b) { MOTE_LANES(F32, a.v[i] * b.v[i]); }
MOTE_INLINE F32 operator/(F32 a, F32 b) { MOTE_LANES(F32, a.v[i] / b.v[i]); }
MOTE_INLINE F32 sqrt(F32 a) { MOTE_LANES(F32, std::sqrt(a.v[i])); }
MOTE_INLINE F32 min(F32 a, F32 b) { MOTE_LANES(F32, a.v[i] < b.v[i] ? a.v[i] : b.v[i]); }
MOTE_INLINE F32 max(F32 a, F32 b) { MOTE_LANES(F32, a.v[i] > b.v[i] ? a.v[i] : b.v[i]); }
MOTE_INLINE F32 fma(F32 a, F32 b, F32 c) { MOTE_LANES(F32, std::fma(a.v[i], b.v[i], c.v[i])); }
MOTE_INLINE F32 fnma(F32 a, F32 b, F32 c) { MOTE_LANES(F32, std::fma(-a.v[i], b.v[i], c.v[i])); }
MOTE_INLINE F32 round_even(F32 a) { MOTE_LANES(F32, std::nearbyint(a.v[i])); }
MOTE_INLINE F32 floor(F32 a) { MOTE_LANES(F32, std::floor(a.v[i])); }
MOTE_INLINE F32 ceil(F32 a) { MOTE_LANES(F32, std::ceil(a.v[i])); }
MOTE_INLINE F32 trunc(F32 a) { MOTE_LANES(F32, std::trunc(a.v[i])); }

MOTE_INLINE M32 operator<(F32 a, F32 b) { MOTE_LANES(M32, a.v[i] < b.v[i]); }
MOTE_INLINE M32 operator<=(F32 a, F32 b) { MOTE_LANES(M32, a.v[i] <= b.v[i]); }
MOTE_INLINE M32 operator==(F32 a, F32 b) { MOTE_LANES(M32, a.v[i] == b.v[i]); }
MOTE_INLINE M32 operator!=(F32 a, F32 b) { MOTE_LANES(M32, a.v[i] != b.v[i]); }
MOTE_INLINE M32 operator>(I32 a, I32 b) { MOTE_LANES(M32, a.v[i] > b.v[i]); }
MOTE_INLINE M32 operator==(I32 a, I32 b) { MOTE_LANES(M32, a.v[i] == b.v[i]); }
MOTE_INLINE M32 operator&(M32 a, M32 b) { MOTE_LANES(M32, a.v[i] && b.v[i]); }
MOTE_INLINE M32 operator|(M32 a, M32 b) { MOTE_LANES(M32, a.v[i] || b.v[i]); }
MOTE_INLINE M32 operator!(M32 a) { MOTE_LANES(M32, !a.v[i]); }
MOTE_INLINE bool any(M32 a) { return a.v[0] || a.v[1] || a.v[2] || a.v[3]; }
MOTE_INLINE bool all(M32 a) { return a.v[0] && a.v[1] && a.v[2] && a.v[3]; }
MOTE_INLINE F32 select(M32 m, F32 yes, F32 no) { MOTE_LANES(F32, m.v[i] ? yes.v[i] : no.v[i]); }
MOTE_INLINE I32 select(M32 m, I32 yes, I32 no) { MOTE_LANES(I32, m.v[i] ? yes.v[i] : no.v[i]); }

MOTE_INLINE I32 operator+(I32 a, I32 b) { MOTE_LANES(I32, wrap(bits(a.v[i]) + bits(b.v[i]))); }
MOTE_INLINE I32 operator-(I32 a, I32 b) { MOTE_LANES(I32, wrap(bits(a.v[i]) - bits(b.v[i]))); }
MOTE_INLINE I32 operator*(I32 a, I32 b) { MOTE_LANES(I32, wrap(bits(a.v[i]) * bits(b.v[i]))); }
MOTE_INLINE I32 operator&(I32 a, I32 b) { MOTE_LANES(I32, a.v[i] & b.v[i]); }
MOTE_INLINE I32 operator|(I32 a, I32 b) { MOTE_LANES(I32, a.v[i] | b.v[i]); }
MOTE_INLINE I32 operator^(I32 a, I32 b) { MOTE_LANES(I32, a.v[i] ^ b.v[i]); }
MOTE_INLINE I32 min(I32 a, I32 b) { MOTE_LANES(I32, a.v[i] < b.v[i] ? a.v[i] : b.v[i]); }
MOTE_INLINE I32 max(I32 a, I32 b) { MOTE_LANES(I32, a.v[i] > b.v[i] ? a.v[i] : b.v[i]); }
template <int K>
MOTE_INLINE I32 shl(I32 a) {
  MOTE_LANES(I32, wrap(bits(a.v[i]) << K));
}
template <int K>
MOTE_INLINE I32 shr(I32 a) {  // logical
  MOTE_LANES(I32, wrap(bits(a.v[i]) >> K));
}
template <int K>
MOTE_INLINE I32 sar(I32 a) {  // arithmetic
  MOTE_LANES(I32, a.v[i] >> K);
}

MOTE_INLINE F32 as_f32(I32 a) { MOTE_LANES(F32, std::bit_cast<float>(a.v[i])); }
MOTE_INLINE I32 as_i32(F32 a) { MOTE_LANES(I32, std::bit_cast<std::int32_t>(a.v[i])); }
MOTE_INLINE F32 to_f32(I32 a) { MOTE_LANES(F32, static_cast<float>(a.v[i])); }
// Out of range gives INT32_MIN, which C++ leaves undefined.
MOTE_INLINE std::int32_t to_int(float x) {
  return x >= -2147483648.0f && x < 2147483648.0f ? static_cast<std::int32_t>(x) : INT32_MIN;
}
MOTE_INLINE I32 to_i32(F32 a) { MOTE_LANES(I32, to_int(std::nearbyint(a.v[i]))); }  // nearest, ties to even
MOTE_INLINE I32 to_i32_trunc(F32 a) { MOTE_LANES(I32, to_int(a.v[i])); }

// Widening loads and narrowing, saturating stores.
MOTE_INLINE I32 load_i8_n(const std::int8_t* p, int n) {
  I32 r = set_i32(0);
  for (int i = 0; i < n; ++i) r.v[i] = p[i];
  return r;
}
MOTE_INLINE I32 load_u8_n(const std::uint8_t* p, int n) {
  I32 r = set_i32(0);
  for (int i = 0; i < n; ++i) r.v[i] = p[i];
  return r;
}
MOTE_INLINE I32 load_i8(const std::int8_t* p) { return load_i8_n(p, 4); }
MOTE_INLINE I32 load_u8(const std::uint8_t* p) { return load_u8_n(p, 4); }
MOTE_INLINE void store_i8_n(std::int8_t* p, I32 a, int n) {
  a = min(max(a, set_i32(-128)), set_i32(127));
  for (int i = 0; i < n; ++i) p[i] = static_cast<std::int8_t>(a.v[i]);
}
MOTE_INLINE void store_u8_n(std::uint8_t* p, I32 a, int n) {
  a = min(max(a, set_i32(0)), set_i32(255));
  for (int i = 0; i < n; ++i) p[i] = static_cast<std::uint8_t>(a.v[i]);
}
MOTE_INLINE void store_i8(std::int8_t* p, I32 a) { store_i8_n(p, a, 4); }
MOTE_INLINE void store_u8(std::uint8_t* p, I32 a) { store_u8_n(p, a, 4); }

MOTE_INLINE F32 load_f16_n(const std::uint16_t* p, int n) {
  F32 r = zero();
  for (int i = 0; i < n; ++i) r.v[i] = f16_to_f32(p[i]);
  return r;
}
MOTE_INLINE F32 load_bf16_n(const std::uint16_t* p, int n) {
  F32 r = zero();
  for (int i = 0; i < n; ++i) r.v[i] = bf16_to_f32(p[i]);
  return r;
}
MOTE_INLINE void store_f16_n(std::uint16_t* p, F32 a, int n) {
  for (int i = 0; i < n; ++i) p[i] = f32_to_f16(a.v[i]);
}
MOTE_INLINE void store_bf16_n(std::uint16_t* p, F32 a, int n) {
  for (int i = 0; i < n; ++i) p[i] = f32_to_bf16(a.v[i]);
}
MOTE_INLINE F32 load_f16(const std::uint16_t* p) { return load_f16_n(p, 4); }
MOTE_INLINE F32 load_bf16(const std::uint16_t* p) { return load_bf16_n(p, 4); }
MOTE_INLINE void store_f16(std::uint16_t* p, F32 a) { store_f16_n(p, a, 4); }
MOTE_INLINE void store_bf16(std::uint16_t* p, F32 a) { store_bf16_n(p, a, 4); }

// Lane i gets lane i+K; the lanes without a source are unspecified.
template <int K>
MOTE_INLINE F32 down(F32 a) {
  MOTE_LANES(F32, a.v[(i + K) & 3]);
}
MOTE_INLINE float first(F32 a) { return a.v[0]; }

MOTE_INLINE void prefetch(const void*) {}

#undef MOTE_LANES
#undef MOTE_LANE_INLINE

}  // namespace mote::simd::MOTE_SIMD_NS
