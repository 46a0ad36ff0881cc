// What register tiles of bytes on NEON are made from. For the ISA of the including file.
#pragma once

#include "kernels/idot/rows_impl.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

// A packed tile by a panel, whose depth is `k`.
struct Tile {
  const std::int8_t *a, *b;
  std::int64_t k;
};

// Two registers from p, which moves on.
MOTE_INLINE void load_two(int8x16_t& x, int8x16_t& y, const std::int8_t*& p) {
#if defined(__GNUC__)
  asm volatile("ldp %q0, %q1, [%2], #32" : "=w"(x), "=w"(y), "+r"(p) : : "memory");
#else
  x = vld1q_s8(p);
  y = vld1q_s8(p + 16);
  p += 32;
#endif
}
// Two registers from Offset bytes on.
template <int Offset = 0, class V>
MOTE_INLINE void load_two_at(V& x, V& y, const void* p) {
#if defined(__GNUC__)
  struct Bytes {
    char bytes[Offset + 32];
  };
  asm volatile("ldp %q0, %q1, [%2, %3]" : "=w"(x), "=w"(y) : "r"(p), "n"(Offset), "m"(*static_cast<const Bytes*>(p)));
#else
  __builtin_memcpy(&x, static_cast<const char*>(p) + Offset, 16);
  __builtin_memcpy(&y, static_cast<const char*>(p) + Offset + 16, 16);
#endif
}
template <int N>
MOTE_INLINE void load_some(int8x16_t (&x)[N], const std::int8_t*& p) {
#pragma GCC unroll 4
  for (int i = 0; i + 2 <= N; i += 2) load_two(x[i], x[i + 1], p);
  if constexpr (N % 2 != 0) {
    x[N - 1] = vld1q_s8(p);
    p += 16;
  }
}

}  // namespace
}  // namespace mote::kernels::idot::MOTE_SIMD_NS
