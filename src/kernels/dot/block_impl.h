// Internal: the block kernel (block.h) over the vector layer, one instance per ISA file. The including file is compiled
// for the ISA; everything here is in its namespace.
#pragma once

#include <limits>

#include "kernels/compact.h"
#include "kernels/dot/block.h"
#include "simd/vec.h"

namespace mote::kernels::MOTE_SIMD_NS {
namespace {

using namespace simd::MOTE_SIMD_NS;
using dot::Block;
using dot::kPanel;
using i64 = std::int64_t;

#if defined(__GNUC__)
#define MOTE_INLINE_LAMBDA __attribute__((always_inline))
#else
#define MOTE_INLINE_LAMBDA
#endif

MOTE_INLINE constexpr i64 least(i64 a, i64 b) { return a < b ? a : b; }
MOTE_INLINE constexpr int lanes_valid(int cols, int reg) {
  const int n = cols - reg * kLanes;
  return n < 0 ? 0 : n > kLanes ? kLanes : n;
}

inline constexpr int kPerPanel = kPanel / kLanes;  // registers in a panel
#if defined(__aarch64__)
inline constexpr bool kClampAlways = false;  // a comparison and a choice per bound and register
#else
inline constexpr bool kClampAlways = true;
#endif
#if defined(MOTE_SIMD_SCALAR)
inline constexpr int kMaxRows = kCompact ? 1 : 2;
#elif defined(__aarch64__)
inline constexpr int kMaxRows = 5;
#else
inline constexpr int kMaxRows = kLanes == 16 ? 14 : kLanes == 8 ? 6 : 4;
#endif
// The most rows of a tile that is R registers wide: what the registers of the ISA hold.
MOTE_INLINE constexpr int rows_for(int r) {
  if (r == 8) return 1;
  if (kCompact) return kMaxRows;
  if (r == 4) return kLanes == 16 ? 6 : kLanes == 8 ? 3 : kMaxRows;
  return kMaxRows;
}

// The registers of the narrowest tile, and whether there are tiles of R. Those of a compact build are as wide as a
// panel, whose columns beyond the last one are zero, or as two of one register, or, of single rows, as wide as they
// get.
inline constexpr int kNarrowest = kCompact ? kPerPanel : 1;
MOTE_INLINE constexpr bool has_width(int r) {
  return !kCompact || r == kNarrowest || (r == 2 && kNarrowest == 1) || (r == 8 && kMaxRows > 1);
}

// One tile: up to kMaxRows rows by R registers of columns.
struct Tile {
  const float* a;               // row 0; the others follow by s.a_row
  const float* rows[kMaxRows];  // or one pointer per row
  const float* b;
  float* c;
  const float* bias;
  const float* residual;
  const char* prefetch;
  i64 prefetch_step;  // bytes per four k
  int cols;
  i64 count;  // of such tiles, one below the other, of few k
};

// Products of few k run along several tiles at once, since entering a tile is a good part of it.
#if defined(MOTE_SIMD_BY_LANE)
inline constexpr bool kShorts = !kCompact;
#else
inline constexpr bool kShorts = false;
#endif
inline constexpr i64 kFewSteps = 64;

MOTE_INLINE void prefetch_far(const char* p) {
#if defined(__GNUC__)
  __builtin_prefetch(p, 0, 2);
#endif
}

#if defined(MOTE_DOT_PAIRS)
// acc += the products of two pairs of bf16, the upper ones first.
template <bool kLarge>
MOTE_INLINE void accumulate(F32& acc, F32 x, F32 w) {
#if defined(__AVX512BF16__) && !defined(MOTE_SIMD_SCALAR)
  asm("vdpbf16ps %2, %1, %0" : "+v"(acc.v) : "v"(x.v), "v"(w.v));
#else
  const auto upper = [](F32 v) { return as_f32(as_i32(v) & set_i32(-65536)); };
  const auto lower = [](F32 v) { return as_f32(shl<16>(as_i32(v))); };
  acc = fma(lower(x), lower(w), fma(upper(x), upper(w), acc));
#endif
}
#else
// acc = x * w + acc. Spelled out for large tiles, because GCC otherwise rotates and spills the accumulators.
template <bool kLarge>
MOTE_INLINE void accumulate(F32& acc, F32 x, F32 w) {
#if defined(__x86_64__) && defined(__GNUC__) && defined(__FMA__) && !defined(MOTE_SIMD_SCALAR) && \
    !defined(MOTE_SIMD_EMULATED)
  if constexpr (kLarge) {
    asm("vfmadd231ps %2, %1, %0" : "+v"(acc.v) : "v"(x.v), "v"(w.v));
    return;
  }
#endif
  acc = fma(x, w, acc);
}
#endif

template <int MR, int R>
MOTE_INLINE void start(const Block& s, const Tile& t, F32 (&acc)[MR][R]) {
  const bool full = t.cols >= R * kLanes;
#pragma GCC unroll 8
  for (int j = 0; j < R; ++j) {
    const int valid = full ? kLanes : lanes_valid(t.cols, j);
    if (s.first) {
      F32 v = zero();
      if (t.bias) v = full ? load(t.bias + j * kLanes) : load_n(t.bias + j * kLanes, valid);
#pragma GCC unroll 16
      for (int r = 0; r < MR; ++r) acc[r][j] = v;
    } else if (full) {
#pragma GCC unroll 16
      for (int r = 0; r < MR; ++r) acc[r][j] = load(t.c + r * s.c_row + j * kLanes);
    } else {
#pragma GCC unroll 16
      for (int r = 0; r < MR; ++r) acc[r][j] = load_n(t.c + r * s.c_row + j * kLanes, valid);
    }
  }
}

template <int MR, int R>
MOTE_INLINE void finish(const Block& s, const Tile& t, F32 (&acc)[MR][R]) {
  const bool full = t.cols >= R * kLanes;
  if (s.last) {
    if (t.residual) {
#pragma GCC unroll 16
      for (int r = 0; r < MR; ++r) {
#pragma GCC unroll 8
        for (int j = 0; j < R; ++j) {
          const float* p = t.residual + r * s.residual_row + j * kLanes;
          const int valid = lanes_valid(t.cols, j);
          acc[r][j] += full ? load(p) : load_n(p, valid);
        }
      }
    }
    constexpr float kInf = std::numeric_limits<float>::infinity();
    if (kClampAlways || s.lo > -kInf || s.hi < kInf) {
      const F32 lo = set(s.lo), hi = set(s.hi);
#pragma GCC unroll 16
      for (int r = 0; r < MR; ++r) {
#pragma GCC unroll 8
        for (int j = 0; j < R; ++j) acc[r][j] = min(hi, max(lo, acc[r][j]));
      }
    }
  }
  float* c = t.c;  // in registers: the compiler takes stores for ones to anything
  const i64 c_row = s.c_row;
#if defined(MOTE_SIMD_BY_LANE)
  if (full) {
    // Along rows, whose neighbours are stored by one instruction.
#pragma GCC unroll 16
    for (int r = 0; r < MR; ++r, c += c_row) {
#pragma GCC unroll 8
      for (int j = 0; j < R; ++j) store(c + j * kLanes, acc[r][j]);
    }
    return;
  }
#endif
#pragma GCC unroll 8
  for (int j = 0; j < R; ++j) {
    const int valid = lanes_valid(t.cols, j);
#pragma GCC unroll 16
    for (int r = 0; r < MR; ++r) {
      float* p = c + r * c_row + j * kLanes;
      if (full) {
        store(p, acc[r][j]);
      } else {
        store_n(p, acc[r][j], valid);
      }
    }
  }
}

// R registers of B: one k of them.
template <int R>
MOTE_INLINE void load_columns(F32 (&w)[R], const float* b, i64 panel) {
#pragma GCC unroll 8
  for (int j = 0; j < R; ++j) w[j] = load(b + j / kPerPanel * panel + j % kPerPanel * kLanes);
}

// One k: R registers of B against MR broadcast elements of A.
template <int MR, int R, class RowFn>
MOTE_INLINE void step(F32 (&acc)[MR][R], const float* b, i64 panel, RowFn row) {
  F32 w[R];
  load_columns(w, b, panel);
#pragma GCC unroll 16
  for (int r = 0; r < MR; ++r) {
    const F32 x = set(row(r));
#pragma GCC unroll 8
    for (int j = 0; j < R; ++j) accumulate<(MR > 3)>(acc[r][j], x, w[j]);
  }
}

#if defined(MOTE_SIMD_BY_LANE)
// The same against lane L of MR registers of A, or MR elements.
template <int L, int MR, int R, class X>
MOTE_INLINE void step_by_lane(F32 (&acc)[MR][R], const X (&x)[MR], const float* b, i64 panel) {
  F32 w[R];
  load_columns(w, b + L * kPanel, panel);
#pragma GCC unroll 16
  for (int r = 0; r < MR; ++r) {
#pragma GCC unroll 8
    for (int j = 0; j < R; ++j) acc[r][j] = fma_by_lane<L>(acc[r][j], w[j], x[r]);
  }
}
#endif

template <int MR, int R, bool kIndirect>
MOTE_NOINLINE void micro(const Block& s, const Tile& t) noexcept {
  F32 acc[MR][R];
  start(s, t, acc);
  const float* b = t.b;
  const char* pf = t.prefetch;
  const i64 panel = s.b_panel, row_step = s.a_row, pf_step = t.prefetch_step;
  for (i64 chunk = s.chunk_begin; chunk < s.chunk_end; ++chunk) {
    const i64 len = chunk + 1 == s.chunk_end ? s.last_len : s.chunk_len;
    for (i64 tap = 0; tap < s.tap_count; ++tap) {
      const i64 offset = s.taps[tap] + chunk * s.chunk_len;
      // Rows as one base per three: few enough registers for 14 rows. Indirect rows share one index.
      const float* base[(MR + 2) / 3];
      for (int g = 0; g < (MR + 2) / 3; ++g) base[g] = t.a + offset + 3 * g * row_step;
      i64 k = kIndirect ? offset : 0;
      const i64 end = k + len;
#if defined(MOTE_SIMD_BY_LANE)
      const auto row_at = [&](int r) MOTE_INLINE_LAMBDA {
        if constexpr (kIndirect) return t.rows[r] + k;
        return base[r / 3] + r % 3 * row_step;
      };
#else
      const auto at = [&](int e) MOTE_INLINE_LAMBDA {
        return [&, e](int r) MOTE_INLINE_LAMBDA {
          if constexpr (kIndirect) return t.rows[r][k + e];
          return base[r / 3][r % 3 * row_step + e];
        };
      };
#endif
      const auto advance = [&](int by) MOTE_INLINE_LAMBDA {
        k += by;
        b += by * kPanel;
        if constexpr (!kIndirect) {
#pragma GCC unroll 8
          for (int g = 0; g < (MR + 2) / 3; ++g) base[g] += by;
        }
      };
      while (k + 4 <= end) {
#if defined(MOTE_SIMD_BY_LANE)
        F32 x[MR];
#pragma GCC unroll 16
        for (int r = 0; r < MR; ++r) x[r] = load(row_at(r));
        step_by_lane<0>(acc, x, b, panel);
        step_by_lane<1>(acc, x, b, panel);
        step_by_lane<2>(acc, x, b, panel);
        step_by_lane<3>(acc, x, b, panel);
#pragma GCC unroll 4
        for (int e = 0; e < 4; ++e) prefetch_far(pf + e * 64);
#else
#pragma GCC unroll 4
        for (int e = 0; e < 4; ++e) {
          step(acc, b + e * kPanel, panel, at(e));
          prefetch_far(pf + e * 64);
        }
#endif
        pf += pf_step;
        advance(4);
      }
      while (k < end) {
#if defined(MOTE_SIMD_BY_LANE)
        float x[MR];
#pragma GCC unroll 16
        for (int r = 0; r < MR; ++r) x[r] = *row_at(r);
        step_by_lane<0>(acc, x, b, panel);
#else
        step(acc, b, panel, at(0));
#endif
        advance(1);
      }
    }
  }
  finish(s, t, acc);
}

#if defined(MOTE_SIMD_BY_LANE)
// Tiles one below the other of one chunk of few k, whose weights stay in L1.
template <int MR, int R>
MOTE_NOINLINE void micro_short(const Block& s, const Tile& t) noexcept {
  Tile one = t;
  // In registers: the compiler takes stores for ones to anything.
  const i64 panel = s.b_panel, row_step = s.a_row, quads = s.last_len >> 2, rest = s.last_len & 3;
  const i64 *const first_tap = s.taps, *const end_tap = first_tap + s.tap_count;
  const float* a = t.a + s.chunk_begin * s.chunk_len;
  for (i64 i = t.count; i > 0; --i, a += MR * row_step) {
    F32 acc[MR][R];
    start(s, one, acc);
    const float* b = t.b;
    for (const i64* tap = first_tap; tap != end_tap; ++tap) {
      const float* base[(MR + 2) / 3];
#pragma GCC unroll 8
      for (int g = 0; g < (MR + 2) / 3; ++g) base[g] = a + *tap + 3 * g * row_step;
      const auto row_at = [&](int r) MOTE_INLINE_LAMBDA { return base[r / 3] + r % 3 * row_step; };
      const auto advance = [&](int by) MOTE_INLINE_LAMBDA {
        b += by * kPanel;
#pragma GCC unroll 8
        for (int g = 0; g < (MR + 2) / 3; ++g) base[g] += by;
      };
      for (i64 n = quads; n > 0; --n) {
        F32 x[MR];
#pragma GCC unroll 16
        for (int r = 0; r < MR; ++r) x[r] = load(row_at(r));
        step_by_lane<0>(acc, x, b, panel);
        step_by_lane<1>(acc, x, b, panel);
        step_by_lane<2>(acc, x, b, panel);
        step_by_lane<3>(acc, x, b, panel);
        advance(4);
      }
      if ((rest & 2) != 0) {
        F32 x[MR];
#pragma GCC unroll 16
        for (int r = 0; r < MR; ++r) x[r] = load_n(row_at(r), 2);
        step_by_lane<0>(acc, x, b, panel);
        step_by_lane<1>(acc, x, b, panel);
        advance(2);
      }
      if ((rest & 1) != 0) {
        float x[MR];
#pragma GCC unroll 16
        for (int r = 0; r < MR; ++r) x[r] = *row_at(r);
        step_by_lane<0>(acc, x, b, panel);
        b += kPanel;
      }
    }
    finish(s, one, acc);
    one.c += MR * s.c_row;
    if (one.residual) one.residual += MR * s.residual_row;
  }
}
#endif

using MicroFn = void (*)(const Block&, const Tile&) noexcept;

template <int R, int MR>
MOTE_INLINE MicroFn micro_rows(int rows, bool indirect, [[maybe_unused]] bool few) {
  if constexpr (MR == 0) {
    return nullptr;
  } else if constexpr (!has_height(MR, kMaxRows)) {
    return micro_rows<R, MR - 1>(rows, indirect, few);
  } else {
#if defined(MOTE_SIMD_BY_LANE)
    if (few && rows == MR) return &micro_short<MR, R>;
#endif
    if (rows == MR) return kCompact || indirect ? &micro<MR, R, true> : &micro<MR, R, false>;
    return micro_rows<R, MR - 1>(rows, indirect, few);
  }
}
template <int R>
MOTE_INLINE MicroFn micro_of(int rows, bool indirect, bool few) {
  if constexpr (!has_width(R)) return nullptr;
  return micro_rows < R, has_width(R) ? rows_for(R) : 0 > (rows, indirect, few);
}
MicroFn micro_for(int rows, int regs, bool indirect, bool few) {
  switch (regs) {
    case 1:
      return micro_of<1>(rows, indirect, few);
    case 2:
      return micro_of<2>(rows, indirect, few);
    case 4:
      return micro_of<4>(rows, indirect, few);
    default:
      return micro_of<8>(rows, indirect, few);
  }
}

// The widest tile for `rows` rows and no more than `regs` registers of columns.
int choose_regs(int rows, i64 regs) {
  for (int r = 8; r > 1; r /= 2) {
    if (has_width(r) && regs >= r && rows <= rows_for(r)) return r;
  }
  return kNarrowest;
}

// The rows of a block in tiles of nearly the same size, the larger ones first; of a compact build in tiles of the
// greatest height, then of the smallest one.
struct RowTiles {
  i64 count, rows, larger, more;  // the first ones, `larger` of them, have `more` rows than the others
  RowTiles(i64 m, i64 most)
      : count(kCompact ? m / most + m % most : (m + most - 1) / most),
        rows(kCompact ? 1 : m / count),
        larger(kCompact ? m / most : m % count),
        more(kCompact ? most - 1 : 1) {}
  i64 begin(i64 i) const { return i * rows + least(i, larger) * more; }
};

// Tile i; where `few`, also those below it that are alike. Returns how many it were.
i64 run_tiles(const Block& s, const RowTiles& tiles, i64 i, bool few, i64 col, int regs, const char* prefetch,
              i64 prefetch_step) {
  const i64 r0 = tiles.begin(i), rows = tiles.begin(i + 1) - r0;
  Tile t;
  i64 outer = 0, inner = r0;
  if (s.run < s.m) outer = r0 / s.run, inner = r0 % s.run;
  t.a = s.a + outer * s.a_run + inner * s.a_row;
  const bool indirect = kCompact || inner + rows > s.run;
  if (indirect) {
    for (i64 r = 0; r < rows; ++r) {
      t.rows[r] = s.a + outer * s.a_run + inner * s.a_row;
      if (++inner == s.run) inner = 0, ++outer;
    }
  }
  t.b = s.b + col / kPanel * s.b_panel + col % kPanel;
  t.c = s.c + r0 * s.c_row + col;
  t.bias = s.bias ? s.bias + col : nullptr;
  t.residual = s.residual ? s.residual + r0 * s.residual_row + col : nullptr;
  t.prefetch = prefetch;
  t.prefetch_step = prefetch_step;
  t.cols = static_cast<int>(least(s.n - col, regs * kLanes));
  t.count = 1;
  few = few && !indirect;
  if (few) t.count = least((i < tiles.larger ? tiles.larger : tiles.count) - i, (s.run - inner) / rows);
  micro_for(static_cast<int>(rows), regs, indirect, few)(s, t);
  return t.count;
}

void apply_program(const Block& s, i64 begin, i64 end) {
  if (!s.program || !s.last) return;
  MOTE_SIMD_BASE_NS::apply_epilogue(
      *s.program, {s.c + begin * s.c_row, s.c_row, end - begin, s.n, s.program_row + begin * s.program_row_step,
                   s.program_row_step, s.program_col});
}

void run_block(const Block& s) noexcept {
  // Rows a multiple of 4 KiB apart share a set of L1: no more of them than it has ways.
  const i64 most = s.a_row % 1024 == 0 && kMaxRows > 10 && !kCompact ? 10 : kMaxRows;
  const RowTiles tiles(s.m, most);
  const int max_rows = static_cast<int>(tiles.begin(1));
  const i64 k = ((s.chunk_end - s.chunk_begin - 1) * s.chunk_len + s.last_len) * s.tap_count;
  const auto group = [&](i64 col) { return choose_regs(max_rows, (s.n - col + kLanes - 1) / kLanes); };
  const bool few = kShorts && k <= kFewSteps && s.chunk_end - s.chunk_begin == 1;
  if (s.rows_outer && !few) {
    for (i64 i = 0; i < tiles.count; ++i) {
      for (i64 col = 0; col < s.n;) {
        const int regs = group(col);
        const float* b = s.b + col / kPanel * s.b_panel;
        const bool warm = i > 0;
        const float* next = warm ? b : b + (regs + kPerPanel - 1) / kPerPanel * s.b_panel;
        run_tiles(s, tiles, i, false, col, regs, reinterpret_cast<const char*>(next), warm ? 0 : 256);
        col += regs * kLanes;
      }
      apply_program(s, tiles.begin(i), tiles.begin(i + 1));
    }
    return;
  }
  for (i64 col = 0; col < s.n;) {
    const int regs = group(col);
    const i64 panels = (regs + kPerPanel - 1) / kPerPanel;
    const bool more = col + regs * kLanes < s.n;
    const float* next = more ? s.b + (col / kPanel + panels) * s.b_panel : s.next_b;
    const i64 lines = k * panels / tiles.count;  // of what follows, that each tile prefetches
    for (i64 i = 0, done; i < tiles.count; i += done) {
      const char* p = reinterpret_cast<const char*>(next ? next : s.b) + (next ? i * lines * 64 : 0);
      done = run_tiles(s, tiles, i, few, col, regs, p, next && !few ? 256 : 0);
    }
    col += regs * kLanes;
  }
  apply_program(s, 0, s.m);
}

}  // namespace
}  // namespace mote::kernels::MOTE_SIMD_NS
