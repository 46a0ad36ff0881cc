// Internal to dot and conv: the block, what one call of an ISA's f32 microkernel family computes.
//
//   C[i, j] = clamp(start + sum over k of A(i, k) * B(k, j) [+ residual[i, j]])     0 <= i < m, 0 <= j < n
//
// as one FMA chain per output in ascending k (numerics class `chain`). k runs over chunks, then taps, then the elements
// of a chunk; A(i, k) = a[row(i) + taps[t] + chunk * chunk_len + e], where row(i) = (i / run) * a_run + (i % run) *
// a_row. A plain GEMM has one tap of offset 0; a convolution has one tap per kernel position and chunks of up to 32
// channels. B lies in panels of 16 columns, `b_panel` floats apart, each [k][16], zero beyond n; b points at the first
// k of this block. In a block kernel for pairs (pairs.inc) an element of A and of B is a 32-bit word of two bf16, of k
// and k + 1, whose products are added one after the other. `start` is the bias (or zero) in the first block over k, C
// itself in the later ones; residual and clamp (or the program) apply in the last one.
#pragma once

#include <cstdint>

#include "kernels/dot/pack.h"
#include "kernels/epilogue.h"

namespace mote::kernels::dot {

struct Block {
  const float* a;
  std::int64_t a_row, a_run, run;
  std::int64_t m, n;
  const std::int64_t* taps;
  std::int64_t tap_count;
  std::int64_t chunk_begin, chunk_end;  // in chunks
  std::int64_t chunk_len, last_len;     // the length of a chunk; of the chunk chunk_end - 1
  const float* b;
  std::int64_t b_panel;
  const float* next_b;  // weights that the next block starts with, or null: prefetched
  float* c;
  std::int64_t c_row;
  const float* bias;  // for column 0 of the block, or null
  const float* residual;
  std::int64_t residual_row;
  float lo, hi;
  const Epilogue* program;  // or a program, applied to finished rows, and the row and column of c in it
  std::int64_t program_row, program_col;
  std::int64_t program_row_step = 1;  // of the epilogue's rows from one row of the block to the next
  bool first, last;                   // first: start from the bias; last: apply residual and clamp
  bool rows_outer;                    // the loop over row tiles is outside of the loop over panels
};

using BlockFn = void (*)(const Block& block) noexcept;

// Rounds n floats to bf16 in pairs, the words that a block kernel for pairs multiplies; a last half is zero.
using RoundFn = void (*)(const float* src, std::int64_t n, float* dst) noexcept;

}  // namespace mote::kernels::dot
