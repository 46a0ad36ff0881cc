// Winograd convolution of 3x3 kernels, stride 1: blocks of tiles are transformed, multiplied by one dot per transform
// position, and transformed back, all within L2.
#include <algorithm>

#include "kernels/conv/drivers.h"
#include "kernels/scratch.h"

namespace mote::kernels::conv {
namespace {

constexpr i64 kL2Floats = (i64{1} << 20) / 4;

struct Sizes {
  i64 tile, span, positions;  // output and input pixels of a tile's side; span squared
};
Sizes sizes_of(Algorithm a) {
  const i64 t = a == Algorithm::kWinograd43 ? 4 : 2;
  return {t, t + 2, (t + 2) * (t + 2)};
}

// A tile's pitches in V and M: rows of channels, and one position after another.
i64 v_row(const Shape& s) {
  const i64 row = round_up(s.channels, 16);
  return row % 256 == 0 ? row + 16 : row;
}
i64 v_step(const Params& p) { return p.tile_block * v_row(p.shape) + 16; }
i64 m_step(const Params& p) { return p.tile_block * p.m_cols + 16; }

// Row i of G, the weight transform.
constexpr double kG43[6][3] = {{1.0 / 4, 0, 0},
                               {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                               {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                               {1.0 / 24, 1.0 / 12, 1.0 / 6},
                               {1.0 / 24, -1.0 / 12, 1.0 / 6},
                               {0, 0, 1}};
constexpr double kG23[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};

}  // namespace

// A panel of output channels at a time, in double.
void pack_winograd(Algorithm algorithm, const Shape& s, const Weights& w, i64 begin, i64 count, float* dst) noexcept {
  constexpr int kLanes = dot::kPanel;
  const Sizes z = sizes_of(algorithm);
  const auto* g_rows = algorithm == Algorithm::kWinograd43 ? kG43 : kG23;
  const i64 step = dot::packed_size(s.channels, s.out_channels);
  const dot::TransposeFn transpose = dot::select(active_cpu()).transpose;
  const bool rows = TurnedRows::can(s, w);
  TurnedRows turned;
  for (i64 first = 0; first < count; first += kLanes) {
    const i64 width = std::min<i64>(kLanes, count - first);
    for (i64 c = 0; c < s.channels; ++c) {
      double g[9][kLanes] = {}, half[6][3][kLanes];
      if (rows) {
        if (c % kTurned == 0) {
          turned.read(transpose, w, 9, first, static_cast<int>(width), c, std::min(kTurned, s.channels - c));
        }
        for (int i = 0; i < 9; ++i) std::copy_n(turned.row(c % kTurned, i, 9), kLanes, g[i]);
      }
      for (i64 o = 0; o < width && !rows; ++o) {
        const i64 at = (first + o) * w.out_stride + c * w.channel_stride;
        for (int i = 0; i < 9; ++i) g[i][o] = load_weight(w, at + i * w.tap_stride);
      }
      for (i64 i = 0; i < z.span; ++i) {
        const double* r = g_rows[i];
        for (int j = 0; j < 3; ++j) {
          for (int o = 0; o < kLanes; ++o) half[i][j][o] = r[0] * g[j][o] + r[1] * g[3 + j][o] + r[2] * g[6 + j][o];
        }
      }
      float* to = dst + ((begin + first) * s.channels + c * kLanes);
      for (i64 i = 0; i < z.span; ++i) {
        for (i64 j = 0; j < z.span; ++j, to += step) {
          const double* r = g_rows[j];
          for (int o = 0; o < kLanes; ++o) {
            to[o] = static_cast<float>(half[i][0][o] * r[0] + half[i][1][o] * r[1] + half[i][2][o] * r[2]);
          }
        }
      }
    }
  }
}

namespace {

struct Run {
  const Params& p;
  const WinogradFns& fns;
  Sizes z;
  i64 across, tiles;  // tiles in a row, in an image
  float *zeros, *v, *m;

  void transform_input(i64 image, i64 first, i64 count) const {
    const Shape& s = p.shape;
    const float* pixels[36];
    const float* x = p.x + image * s.in_pixels() * s.x_pixel;
    for (i64 t = 0; t < count; ++t) {
      const i64 ih = (first + t) / across * z.tile - s.pad_begin[1],
                iw = (first + t) % across * z.tile - s.pad_begin[2];
      for (i64 i = 0; i < z.span; ++i) {
        const bool row_inside = ih + i >= 0 && ih + i < s.in[1];
        for (i64 j = 0; j < z.span; ++j) {
          const bool inside = row_inside && iw + j >= 0 && iw + j < s.in[2];
          pixels[i * z.span + j] = inside ? x + ((ih + i) * s.in[2] + iw + j) * s.x_pixel : zeros;
        }
      }
      (z.tile == 4 ? fns.input43 : fns.input23)({pixels, s.channels, v + t * v_row(s), v_step(p)});
    }
  }

  void multiply(i64 col, i64 n, i64 count) const {
    const Shape& s = p.shape;
    const i64 tap = 0, position = dot::packed_size(s.channels, s.out_channels);
    dot::Block b{};
    b.a_row = v_row(s);
    b.m = b.run = count;
    b.n = round_up(n, dot::kPanel);
    b.taps = &tap;
    b.tap_count = 1;
    b.chunk_end = 1;
    b.chunk_len = b.last_len = s.channels;
    b.b_panel = s.channels * dot::kPanel;
    b.c_row = p.m_cols;
    b.lo = -kInfinity;
    b.hi = kInfinity;
    b.first = b.last = true;
    for (i64 i = 0; i < z.positions; ++i) {
      b.a = v + i * v_step(p);
      b.b = p.w + i * position + col / dot::kPanel * b.b_panel;
      b.next_b = i + 1 < z.positions ? b.b + position : nullptr;
      b.c = m + i * m_step(p);
      fns.block(b);
    }
  }

  void transform_output(i64 image, i64 first, i64 count, i64 col, i64 n) const {
    const Shape& s = p.shape;
    WinogradOutput o{};
    o.m_step = m_step(p);
    o.n = n;
    o.bias = p.bias ? p.bias + col : nullptr;
    o.y_pixel = s.y_pixel;
    o.y_width = p.out[2];
    o.lo = p.fused.lo;
    o.hi = p.fused.hi;
    if (p.fused.program) o.program = &p.epilogue;
    o.program_col = col;
    for (i64 t = 0; t < count; ++t) {
      const i64 oh = (first + t) / across * z.tile, ow = (first + t) % across * z.tile;
      o.program_row = (image * p.out[1] + oh) * p.out[2] + ow;
      o.m = m + t * p.m_cols;
      o.rows = static_cast<int>(std::min(z.tile, p.out[1] - oh));
      o.cols = static_cast<int>(std::min(z.tile, p.out[2] - ow));
      o.y = p.y + o.program_row * s.y_pixel + col;
      if (p.fused.residual >= 0) {
        const EpilogueOperand& r = p.epilogue.operands[p.fused.residual];
        o.residual = r.data + o.program_row * r.row_stride + col;
        o.residual_row = r.row_stride;
      }
      (z.tile == 4 ? fns.output43 : fns.output23)(o);
    }
  }
};

}  // namespace

void run_winograd(const Params& p, TileRange range, Algorithm algorithm, const WinogradFns& fns) noexcept {
  const Shape& s = p.shape;
  const Sizes z = sizes_of(algorithm);
  float* scratch = reinterpret_cast<float*>(range.scratch);
  const i64 across = ceil_div(p.out[2], z.tile);
  Run run{p, fns, z, across, across * ceil_div(p.out[1], z.tile), scratch, scratch + v_row(s), nullptr};
  run.m = run.v + z.positions * v_step(p);
  std::fill_n(run.zeros, v_row(s), 0.0f);
  i64 input_of = -1;
  for (i64 tile = range.begin; tile < range.end; ++tile) {
    const i64 place = tile / p.col_tiles, col_begin = tile % p.col_tiles * p.col_step;
    const i64 image = place / p.row_tiles, first = place % p.row_tiles * p.tile_block;
    const i64 count = std::min(p.tile_block, run.tiles - first);
    if (input_of != place) run.transform_input(image, first, count);
    input_of = place;
    const i64 col_end = std::min(col_begin + p.col_step, s.out_channels);
    for (i64 col = col_begin; col < col_end; col += p.m_cols) {
      const i64 n = std::min(p.m_cols, col_end - col);
      run.multiply(col, n, count);
      run.transform_output(image, first, count, col, n);
    }
  }
}

Work setup_winograd(const dot::Kernel& kernel, Algorithm algorithm, Params* p) {
  const Shape& s = p->shape;
  const Sizes z = sizes_of(algorithm);
  const i64 tiles = ceil_div(p->out[1], z.tile) * ceil_div(p->out[2], z.tile),
            n = round_up(s.out_channels, dot::kPanel);
  // A block: V takes at most half of L2; about eight blocks where they are not too small.
  const i64 tile_macs = z.positions * s.channels * n, most = kernel.tile_macs * 4, unit = 2 * dot::kPanel;
  const i64 macs = std::max(s.batch * tiles * tile_macs / 8, kernel.tile_macs / 2);
  const i64 fit = std::min(kL2Floats / 2 / (z.positions * v_row(s)), macs / tile_macs);
  i64 block = std::clamp<i64>(fit, kernel.max_rows, 4 * kernel.max_rows);
  block = std::max<i64>(tiled(s.tiling, block, 6 * kernel.max_rows), kernel.max_rows / 2);
  block = ceil_div(tiles, ceil_div(tiles, block));
  p->tile_block = block;
  p->row_tiles = ceil_div(tiles, block);
  const i64 cols = std::max<i64>(most / (block * z.positions * s.channels) / unit, 1) * unit;
  p->col_tiles = ceil_div(n, std::min(cols, n));
  p->col_step = round_up(ceil_div(n, p->col_tiles), unit);
  p->col_tiles = ceil_div(n, p->col_step);
  p->m_cols = std::clamp<i64>(kL2Floats / 4 / (z.positions * block) / unit * unit, unit, p->col_step);
  const i64 floats = v_row(s) + z.positions * (v_step(*p) + m_step(*p));
  return {s.batch * p->row_tiles * p->col_tiles, scratch_size(floats * 4)};
}

}  // namespace mote::kernels::conv
