// The sums of a register tile: rows of A by panels of B. For the ISA of the including file.
#pragma once

#include "kernels/compact.h"
#include "kernels/idot/finish_impl.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

// Rows and panels of a register tile.
#if defined(__AVX512BW__) && !defined(MOTE_SIMD_SCALAR)
inline constexpr int kRows = 6, kPanels = 4;
#elif defined(__AVX2__) && !defined(MOTE_SIMD_SCALAR)
inline constexpr int kRows = 6, kPanels = 1;
#else
inline constexpr int kRows = 2, kPanels = 1;
#endif

// A tile's operands. Each row of A is `segment_count` stretches of `segment_bytes`, whole steps, at offsets from the
// row's start; after a single stretch, `tail` more bytes, fewer than a step.
struct Block {
  const std::uint8_t* rows[kRows];
  const std::int64_t* segments;
  std::int64_t segment_count, segment_bytes, tail, panel_bytes;
  const std::int8_t* b;
  std::uint32_t flip;  // what turns A's bytes into those of the kernel
};

MOTE_INLINE std::uint32_t step_of(const std::uint8_t* p) {
  std::uint32_t v;
  __builtin_memcpy(&v, p, 4);
  return v;
}
MOTE_INLINE std::uint32_t part_of_step(const std::uint8_t* p, std::int64_t n) {
  std::uint32_t v = 0;
  for (std::int64_t i = 0; i < n; ++i) v |= static_cast<std::uint32_t>(p[i]) << 8 * i;
  return v;
}

// R rows of P panels. Flip: A's bytes are not in the kernel's form. B is zero beyond k, so that what the flip makes of
// missing bytes does not count.
template <int R, int P, bool Flip>
MOTE_INLINE void products(const Block& t, Columns16 (&acc)[R][P]) {
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int q = 0; q < P; ++q) acc[r][q] = no_columns();
  }
  const std::int8_t* b = t.b;
  [[maybe_unused]] const std::uint32_t flip = t.flip;
  const std::uint8_t* rows[R];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) rows[r] = t.rows[r];
  // The tail is a stretch of rows of its own; the one loop below keeps the sums in registers.
  std::uint8_t tail[4 * R];
  const std::int64_t segments = t.segment_count + (t.tail > 0 ? 1 : 0);
  for (std::int64_t s = 0; s < segments; ++s) {
    std::int64_t i = 0, end = 4;
    if (s < t.segment_count) {
      i = t.segments[s];
      end = i + t.segment_bytes;
    } else {
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        const std::uint32_t last = part_of_step(rows[r] + t.segment_bytes, t.tail);
        __builtin_memcpy(tail + 4 * r, &last, 4);
        rows[r] = tail + 4 * r;
      }
    }
    for (; i < end; i += 4, b += 16 * kDepth) {
      Step16 bq[P];
#pragma GCC unroll 16
      for (int q = 0; q < P; ++q) bq[q] = load_step(b + q * t.panel_bytes);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        std::uint32_t a = step_of(rows[r] + i);
        if constexpr (Flip) a ^= flip;
#pragma GCC unroll 16
        for (int q = 0; q < P; ++q) accumulate(acc[r][q], a, bq[q]);
      }
    }
  }
}

}  // namespace
}  // namespace mote::kernels::idot::MOTE_SIMD_NS
