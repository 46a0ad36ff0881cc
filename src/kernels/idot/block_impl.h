// Register tiles: rows of A by panels of B. For the ISA of the including file.
#pragma once

#include "kernels/idot/finish_impl.h"

namespace mote::kernels::idot::MOTE_SIMD_NS {
namespace {

// Rows and panels of a register tile.
#if defined(__AVX512VNNI__) && !defined(MOTE_SIMD_SCALAR)
inline constexpr int kRows = 6, kPanels = 4;
#elif defined(__AVX512BW__) && !defined(MOTE_SIMD_SCALAR)
inline constexpr int kRows = 6, kPanels = 2;
#elif defined(__AVXVNNI__) && !defined(MOTE_SIMD_SCALAR)
inline constexpr int kRows = 6, kPanels = 1;
#elif defined(__ARM_FEATURE_DOTPROD) && !defined(MOTE_SIMD_SCALAR)
inline constexpr int kRows = 6, kPanels = 1;
#else
inline constexpr int kRows = 2, kPanels = 1;
#endif

template <int N>
struct Count {
  static constexpr int value = N;
};

struct Block {
  const std::uint8_t* a;
  std::int64_t a_row, k, panel_bytes;
  const std::int8_t* b;
  std::uint32_t flip;  // what turns A's bytes into those of the kernel
};

MOTE_INLINE std::uint32_t quad(const std::uint8_t* p) {
  std::uint32_t v;
  __builtin_memcpy(&v, p, 4);
  return v;
}
MOTE_INLINE std::uint32_t part_of_quad(const std::uint8_t* p, std::int64_t n) {
  std::uint32_t v = 0;
  for (std::int64_t i = 0; i < n; ++i) v |= static_cast<std::uint32_t>(p[i]) << 8 * i;
  return v;
}

// Flip: A's bytes are not in the kernel's form.
// R rows of P panels. B is zero beyond k, so that what the flip makes of missing bytes does not count.
template <int R, int P, bool Flip>
MOTE_INLINE void products(const Block& t, Columns16 (&acc)[R][P]) {
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int q = 0; q < P; ++q) acc[r][q] = no_columns();
  }
  const std::int8_t* b = t.b;
  const std::uint8_t* a_rows = t.a;
  [[maybe_unused]] const std::uint32_t flip = t.flip;
  const std::int64_t whole = t.k & ~std::int64_t{3};
  std::int64_t a_row = t.a_row, left = whole;
  // The last one to three k, as rows of their own; the one loop below keeps the sums in registers.
  std::uint8_t tail[4 * R];
  if (whole != t.k) {
    for (int r = 0; r < R; ++r) {
      const std::uint32_t last = part_of_quad(t.a + r * t.a_row + whole, t.k - whole);
      __builtin_memcpy(tail + 4 * r, &last, 4);
    }
  }
  for (bool more = whole != t.k;; more = false) {
    for (; left > 0; left -= 4, a_rows += 4, b += 64) {
      Quads16 bq[P];
#pragma GCC unroll 16
      for (int q = 0; q < P; ++q) bq[q] = load_quads(b + q * t.panel_bytes);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        std::uint32_t a = quad(a_rows + r * a_row);
        if constexpr (Flip) a ^= flip;
#pragma GCC unroll 16
        for (int q = 0; q < P; ++q) accumulate(acc[r][q], a, bq[q]);
      }
    }
    if (!more) return;
    a_rows = tail;
    a_row = 4;
    left = 4;
  }
}

// sums[r * kPanels * 16 + column].
template <int R, int P, bool Flip>
MOTE_NOINLINE void multiply(const Block& t, std::int32_t* sums) {
  Columns16 acc[R][P];
  products<R, P, Flip>(t, acc);
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int q = 0; q < P; ++q) fold(acc[r][q], sums + (r * kPanels + q) * 16);
  }
}

// Rows of bytes: where they go, how many columns, and, where e.zeros, the sums of A's rows.
struct Bytes {
  std::uint8_t* c;
  std::int64_t c_row;
  int width;
  const std::int32_t* row_sums;
};

// The same as `multiply`, requantized from the registers.
template <int R, int P, bool Flip, bool FixedPoint>
MOTE_NOINLINE void requantize(const Block& t, const Finish& e, const Bytes& to) {
  Columns16 acc[R][P];
  products<R, P, Flip>(t, acc);
  [[maybe_unused]] const F32 low = set(static_cast<float>(e.low - e.y_zero)),
                             high = set(static_cast<float>(e.high - e.y_zero));
  [[maybe_unused]] const I32 least_y = set_i32(e.low - e.y_zero), greatest_y = set_i32(e.high - e.y_zero);
  const I32 y_zero = set_i32(e.y_zero);
#pragma GCC unroll 16
  for (int q = 0; q < P; ++q) {
#pragma GCC unroll 4
    for (int part = 0; part < 16 / kLanes; ++part) {
      const int j = q * 16 + part * kLanes;
      const int n = to.width - j < kLanes ? to.width - j : kLanes;
      if (n <= 0) break;
      const I32 add = load(e.add + j), zero = load(e.zero + j);
      [[maybe_unused]] F32 scale{};
      [[maybe_unused]] Fixed fixed{};
      if constexpr (FixedPoint) {
        fixed = fixed_of(load(e.scales.fixed.multiplier + j), load(e.scales.fixed.shift + j));
      } else {
        scale = load(e.scales.f32.factor + j);
      }
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        I32 v = lanes_of(acc[r][q], part) + add;
        if (e.zeros) v = v - zero * set_i32(to.row_sums[r]);
        if constexpr (FixedPoint) {
          v = min(max(scale_fixed(v, fixed), least_y), greatest_y);
        } else {
          v = to_i32(min(max(to_f32(v) * scale, low), high));  // takes halves to the even one
        }
        store_low_bytes(to.c + r * to.c_row + j, v + y_zero, n);
      }
    }
  }
}

// Calls f with the number of rows as a constant.
template <class F>
MOTE_INLINE void with_rows(int rows, F f) {
  switch (rows) {
    case 1:
      return f(Count<1>());
    case 2:
      return f(Count<2>());
#if !(defined(MOTE_SIMD_SCALAR)) && (defined(__AVX512BW__) || defined(__AVXVNNI__) || defined(__ARM_FEATURE_DOTPROD))
    case 3:
      return f(Count<3>());
    case 4:
      return f(Count<4>());
    case 5:
      return f(Count<5>());
    case 6:
      return f(Count<6>());
#endif
    default:
      return;
  }
}

template <int P>
MOTE_INLINE void multiply_rows(const Block& t, int rows, std::int32_t* sums) {
  with_rows(rows, [&](auto r) {
    t.flip ? multiply<decltype(r)::value, P, true>(t, sums) : multiply<decltype(r)::value, P, false>(t, sums);
  });
}
template <int P>
MOTE_INLINE void requantize_rows(const Block& t, int rows, const Finish& e, const Bytes& to) {
  with_rows(rows, [&](auto r) {
    constexpr int kCount = decltype(r)::value;
    if (e.recipe == Recipe::kFixed) {
      t.flip ? requantize<kCount, P, true, true>(t, e, to) : requantize<kCount, P, false, true>(t, e, to);
    } else {
      t.flip ? requantize<kCount, P, true, false>(t, e, to) : requantize<kCount, P, false, false>(t, e, to);
    }
  });
}

}  // namespace
}  // namespace mote::kernels::idot::MOTE_SIMD_NS
