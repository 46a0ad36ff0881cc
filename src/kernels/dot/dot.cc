#include "kernels/dot/dot.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/scratch.h"
#include "kernels/table.h"

namespace mote::kernels::dot {
namespace {

using i64 = std::int64_t;

i64 ceil_div(i64 a, i64 b) { return (a + b - 1) / b; }
i64 round_up(i64 a, i64 b) { return ceil_div(a, b) * b; }

i64 matrices(const Shape& s) { return s.batch[0] * s.batch[1] * s.batch[2] * s.batch[3]; }

// The sums of index * stride over the batch dimensions of matrix `index`.
struct Offsets {
  i64 a = 0, b = 0, c = 0;
};
Offsets offsets_of(const Shape& s, i64 index) {
  Offsets o;
  for (int d = kMaxBatchDims - 1; d >= 0; --d) {
    const i64 i = index % s.batch[d];
    index /= s.batch[d];
    o.a += i * s.a_batch[d];
    o.b += i * s.b_batch[d];
    o.c += i * s.c_batch[d];
  }
  return o;
}

// Rows of A in pairs of bf16.
void round_rows(const Params& p, const float* a, i64 rows, float* out, RoundFn round) {
  for (i64 i = 0; i < rows; ++i) round(a + i * p.shape.a_row, p.a_k, out + i * p.a_pitch);
}

constexpr i64 kWidened = 2;         // panels that are widened at a time,
constexpr i64 kWidenedDepth = 256;  // and how much of k: they stay in L1

// A tile of weights of fewer bits, from `panel` on. A few rows are multiplied as they are widened; more of them with a
// few panels of a block of k at a time, widened into scratch.
void run_narrow(const Params& p, Block b, const Narrow& w, i64 panel, float* scratch, BlockFn block) {
  if (b.m <= kMostRows) {
    p.multiply(w, {b.a, b.m, b.a_row, b.c_row, panel, b.n, b.bias, b.c, p.shape.accumulate,
                   p.epilogue.count > 0 ? &p.epilogue : nullptr, b.program_row, b.program_col});
    return;
  }
  constexpr i64 kStep = kWidened * kPanel;
  b.b = scratch;
  b.b_panel = p.k_block * kPanel;
  for (i64 left = b.n; left > 0; left -= kStep, panel += kWidened) {
    b.n = std::min(left, kStep);
    for (i64 k = 0; k < p.shape.k || k == 0; k += p.k_block) {
      b.last_len = std::min(p.k_block, p.shape.k - k);
      p.unpack(w, panel, panels_of(b.n), k, b.last_len, scratch, b.b_panel);
      b.first = k == 0 && !p.shape.accumulate;
      b.last = k + b.last_len == p.shape.k;
      b.chunk_begin = k / p.k_block;
      b.chunk_end = b.chunk_begin + 1;
      block(b);
    }
    b.c += kStep;
    if (b.bias) b.bias += kStep;
    if (b.residual) b.residual += kStep;
    b.program_col += kStep;
  }
}

// `fresh`: the tile has other rows than the one before it on this thread.
void run_tile(const Params& p, i64 tile, bool fresh, float* scratch, BlockFn block, RoundFn round) {
  const Shape& s = p.shape;
  const i64 col_tile = tile % p.col_tiles, row_tile = tile / p.col_tiles % p.row_tiles;
  const i64 matrix = tile / (p.col_tiles * p.row_tiles);
  const Offsets at = offsets_of(s, matrix);
  const i64 row = row_tile * p.row_step, col = col_tile * p.col_step;
  const i64 tap = 0;
  Block b{};
  b.m = std::min(p.row_step, s.m - row);
  b.n = std::min(p.col_step, s.n - col);
  b.a = p.a + at.a + row * s.a_row;
  b.a_row = s.a_row;
  if (round) {
    if (fresh) round_rows(p, b.a, b.m, scratch, round);
    b.a = scratch;
    b.a_row = p.a_pitch;
  }
  b.run = b.m;
  b.taps = &tap;
  b.tap_count = 1;
  b.c = p.c + at.c + row * s.c_row + col;
  b.c_row = s.c_row;
  b.bias = p.bias ? p.bias + col : nullptr;
  b.lo = p.fused.lo;
  b.hi = p.fused.hi;
  b.program_row = matrix * s.m + row;
  b.program_col = col;
  if (p.fused.program) b.program = &p.epilogue;
  if (p.fused.residual >= 0) {
    const EpilogueOperand& r = p.epilogue.operands[p.fused.residual];
    b.residual = r.data + b.program_row * r.row_stride + col;
    b.residual_row = r.row_stride;
  }
  b.rows_outer = p.rows_outer;
  b.b_panel = s.k * kPanel;
  b.chunk_len = p.k_block;
  if (s.store != Store::kF32) {
    Narrow w = p.narrow;
    w.data = static_cast<const std::byte*>(p.b) + at.b * 4;
    return run_narrow(p, b, w, col / kPanel, scratch, block);
  }
  const float* packed;
  if (s.b_packed) {
    packed = static_cast<const float*>(p.b) + at.b + col / kPanel * b.b_panel;
    if (col_tile + 1 < p.col_tiles) b.next_b = packed + ceil_div(b.n, kPanel) * b.b_panel;
  } else {
    const auto* source = static_cast<const std::byte*>(p.b) + (at.b + col * s.b_n_stride) * (bits_of(s.b_dtype) / 8);
    pack_with(p.transpose, {source, s.b_dtype, s.b_k_stride, s.b_n_stride}, s.k, b.n, scratch, b.b_panel);
    packed = scratch;
  }
  i64 k = 0;
  do {
    b.first = k == 0 && !s.accumulate;
    b.b = packed + k * kPanel;
    b.chunk_begin = k / p.k_block;
    b.chunk_end = b.chunk_begin + 1;
    b.last_len = std::min(p.k_block, s.k - k);
    k += b.last_len;
    b.last = k == s.k;
    block(b);
  } while (k < s.k);
}

}  // namespace

void run_with(const Params& p, TileRange range, BlockFn block, RoundFn round) noexcept {
  for (i64 tile = range.begin; tile < range.end; ++tile) {
    const bool fresh = tile == range.begin || tile % p.col_tiles == 0;
    run_tile(p, tile, fresh, reinterpret_cast<float*>(range.scratch), block, round);
  }
}

#define MOTE_DOT_KERNEL(ns, isa, numerics, rows, macs)                                                            \
  void block_##ns(const Block& block) noexcept;                                                                   \
  void transpose_panel_##ns(const float* src, i64 n_stride, i64 k, int width, float* dst) noexcept;               \
  void unpack_##ns(const Narrow& b, i64 panel, i64 panels, i64 k, i64 count, float* dst, i64 dst_panel) noexcept; \
  void multiply_##ns(const Narrow& b, const NarrowRows& a) noexcept;
#include "kernels/dot/kernels.inc"
#undef MOTE_DOT_KERNEL
#define MOTE_DOT_PAIR_KERNEL(ns, isa, rows, macs)     \
  void block_pairs_##ns(const Block& block) noexcept; \
  void round_pairs_##ns(const float* src, i64 n, float* dst) noexcept;
#include "kernels/dot/pairs.inc"
#undef MOTE_DOT_PAIR_KERNEL

namespace {

template <BlockFn kBlock, RoundFn kRound = nullptr>
void run(const Params& p, TileRange range) noexcept {
  run_with(p, range, kBlock, kRound);
}

constexpr Kernel kKernels[] = {
#define MOTE_DOT_KERNEL(ns, isa, numerics, rows, macs) \
  {"dot_f32_" #isa,                                    \
   Isa::isa,                                           \
   Numerics::numerics,                                 \
   rows,                                               \
   macs,                                               \
   MOTE_IF_##ns(&run<block_##ns>),                     \
   MOTE_IF_##ns(&transpose_panel_##ns),                \
   MOTE_IF_##ns(&unpack_##ns),                         \
   MOTE_IF_##ns(&multiply_##ns)},
#include "kernels/dot/kernels.inc"
#undef MOTE_DOT_KERNEL
};
constexpr Kernel kPairKernels[] = {
#define MOTE_DOT_PAIR_KERNEL(ns, isa, rows, macs)                    \
  {"dot_bf16_" #isa,                                                 \
   Isa::isa,                                                         \
   Numerics::kFast,                                                  \
   rows,                                                             \
   macs,                                                             \
   MOTE_IF_##ns(&run<block_pairs_##ns MOTE_COMMA round_pairs_##ns>), \
   nullptr,                                                          \
   nullptr,                                                          \
   nullptr},
#define MOTE_COMMA ,
#include "kernels/dot/pairs.inc"
#undef MOTE_COMMA
#undef MOTE_DOT_PAIR_KERNEL
};

}  // namespace

std::span<const Kernel> kernels() { return kKernels; }
std::span<const Kernel> pair_kernels() { return kPairKernels; }

const Kernel& select(const CpuFeatures& cpu) { return select_row(kernels(), cpu); }
const Kernel& select_pairs(const CpuFeatures& cpu) { return select_row(pair_kernels(), cpu); }

const Kernel* find(std::string_view name) {
  const Kernel* k = find_row(kernels(), name);
  return k ? k : find_row(pair_kernels(), name);
}

Fused fuse(const Epilogue& e) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  Fused f{false, -1, -kInf, kInf};
  int i = 0;
  const auto is = [&](Form form, int opcode) {
    return i < e.count && e.ops[i].form == form && e.ops[i].opcode == opcode;
  };
  if (is(Form::kBinary, static_cast<int>(BinaryOp::add)) && e.ops[i].operand >= 0 &&
      e.operands[e.ops[i].operand].col_stride == 1) {
    f.residual = e.ops[i++].operand;
  }
  if (is(Form::kUnary, static_cast<int>(UnaryOp::relu))) {
    f.lo = 0;
    ++i;
  } else if (is(Form::kUnary, static_cast<int>(UnaryOp::clip)) && !(e.ops[i].b < e.ops[i].a)) {
    f.lo = e.ops[i].a;
    f.hi = e.ops[i].b;
    ++i;
  }
  if (i == e.count) return f;
  return {true, -1, -kInf, kInf};
}

// A tile is a block of rows by a range of panels. Weights that fit half of L2 stay there while the rows pass; larger
// ones are streamed once per block of rows, which then is as large as L2 allows.
Work setup(const Kernel& kernel, const Shape& shape, Params* p) {
  constexpr i64 kL2Floats = (i64{1} << 20) / 4;
  p->shape = shape;
  Shape& s = p->shape;
  if (s.a_row < 0) s.a_row = s.k;
  p->a_k = s.k;
  if (s.pairs) s.k = pairs_of(s.k);
  if (s.c_row < 0) s.c_row = s.n;
  p->fused = fuse(p->epilogue);
  p->transpose = kernel.transpose;
  p->unpack = kernel.unpack;
  p->multiply = kernel.multiply;
  p->narrow.store = s.store;
  p->narrow.k = s.k;
  const bool narrow = s.store != Store::kF32;
  const i64 count = matrices(s), n = round_up(std::max<i64>(s.n, 1), kPanel), m = std::max<i64>(s.m, 1);
  const i64 k = std::max<i64>(s.k, 1), width = 2 * kPanel;
  // Tiles of four times `tile_macs` at most, smaller ones while there are few, down to a quarter.
  const i64 total = count * m * n * k;
  const i64 most_macs = kernel.tile_macs * 4;
  const i64 macs = tiled(s.tiling, std::clamp(total / 48, kernel.tile_macs / 4, most_macs), most_macs);
  bool resident = k * n <= kL2Floats / 2 && m > 4 * kernel.max_rows && s.b_packed && !narrow;
  if (s.tiling == Tiling::kTurned && s.b_packed && !narrow && m > kernel.max_rows) resident = !resident;
  i64 rows, cols;
  if (resident) {
    cols = n;
    rows = std::max<i64>(macs / (k * n), 1);
  } else {
    rows = std::clamp<i64>(kL2Floats / 2 / k, kernel.max_rows, m);
    if (m <= 256) rows = m;
    cols = std::max<i64>(macs / (rows * k), 1);
  }
  if (rows < m) rows = std::max<i64>(rows / kernel.max_rows, 1) * kernel.max_rows;
  rows = std::min(rows, m);
  if (rows * k * width > most_macs)
    rows = std::max<i64>(most_macs / (k * width) / kernel.max_rows, 1) * kernel.max_rows;
  rows = std::min(rows, m);
  if (rows * k * cols > most_macs) cols = std::max<i64>(most_macs / (rows * k), 1);
  const i64 unit = m == 1 ? 8 * kPanel : width;
  cols = std::min(std::max<i64>(cols / unit, 1) * unit, n);
  p->rows_outer = resident;
  p->row_tiles = ceil_div(m, rows);
  p->row_step = rows;
  p->col_tiles = ceil_div(n, cols);
  p->col_step = round_up(ceil_div(n, p->col_tiles), unit);
  p->col_tiles = ceil_div(n, p->col_step);
  p->k_block = narrow ? std::min(k, kWidenedDepth) : k <= 4096 ? k : 2048;
  if (s.m == 0 || s.n == 0 || count == 0) return {0, 0};
  std::size_t scratch = s.b_packed ? 0 : scratch_size(packed_size(s.k, p->col_step) * 4);
  if (narrow) scratch = scratch_size(m > kMostRows ? p->k_block * kWidened * kPanel * 4 : 0);
  if (s.pairs) {
    p->a_pitch = round_up(s.k, 16) + (round_up(s.k, 16) % 256 == 0 ? 16 : 0);
    scratch = scratch_size(p->row_step * p->a_pitch * 4);
  }
  return {count * p->row_tiles * p->col_tiles, scratch};
}

}  // namespace mote::kernels::dot
