// The loops, for the ISA of the including file.
#include "kernels/peak/peak.h"
#include "simd/vec.h"

// NOLINTBEGIN(misc-definitions-in-headers): one namespace per including file
namespace mote::kernels::peak::MOTE_SIMD_NS {
namespace {

using namespace simd::MOTE_SIMD_NS;

float total(F32 x) {
  float lanes[16] = {};
  store(lanes, x);
  float sum = 0;
  for (float lane : lanes) sum += lane;
  return sum;
}

}  // namespace

// Twelve chains hide the latency of two FMA units and fit the registers of every ISA.
std::int64_t multiply_adds(std::int64_t rounds) noexcept {
  constexpr int kChains = 12;
  F32 acc[kChains];
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) acc[i] = set(static_cast<float>(i));
  F32 x = set(0.999f), y = set(0.001f);
  for (std::int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) {
#if defined(__x86_64__) && defined(__FMA__) && !defined(MOTE_SIMD_EMULATED)
      asm volatile("vfmadd213ps %2, %1, %0" : "+v"(acc[i].v) : "v"(x.v), "v"(y.v));
#else
      acc[i] = fma(acc[i], x, y);
#endif
    }
  }
  F32 sum = zero();
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) sum = sum + acc[i];
  volatile float sink = total(sum);
  static_cast<void>(sink);
  return rounds * kChains * kLanes;
}

// Eight streams, as many as cores keep open at once.
float read_all(const float* data, std::int64_t count) noexcept {
  constexpr int kStreams = 8;
  const std::int64_t part = count / kStreams;
  F32 acc[kStreams];
#pragma GCC unroll 8
  for (int s = 0; s < kStreams; ++s) acc[s] = zero();
  for (std::int64_t i = 0; i < part; i += kLanes) {
#pragma GCC unroll 8
    for (int s = 0; s < kStreams; ++s) acc[s] = acc[s] + load(data + s * part + i);
  }
  F32 sum = zero();
#pragma GCC unroll 8
  for (int s = 0; s < kStreams; ++s) sum = sum + acc[s];
  return total(sum);
}

}  // namespace mote::kernels::peak::MOTE_SIMD_NS
// NOLINTEND(misc-definitions-in-headers)
