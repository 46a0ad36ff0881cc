// Included by one file per ISA.
#pragma once

#include "simd/vec.h"

namespace mote::bench::MOTE_SIMD_NS {
namespace {

using namespace simd::MOTE_SIMD_NS;

// Twelve chains hide the latency of two FMA units and fit the registers of every ISA.
MOTE_INLINE std::int64_t peak(std::int64_t rounds) {
  constexpr int kChains = 12;
  F32 acc[kChains];
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) acc[i] = set(static_cast<float>(i));
  F32 x = set(0.999f), y = set(0.001f);
  for (std::int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) {
#if defined(__x86_64__) && defined(__FMA__)
      asm volatile("vfmadd213ps %2, %1, %0" : "+v"(acc[i].v) : "v"(x.v), "v"(y.v));
#else
      acc[i] = fma(acc[i], x, y);
#endif
    }
  }
  F32 sum = zero();
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) sum = sum + acc[i];
  float out[16];
  store(out, sum);
  volatile float sink = out[0];
  static_cast<void>(sink);
  return rounds * kChains * kLanes;
}

}  // namespace
}  // namespace mote::bench::MOTE_SIMD_NS
