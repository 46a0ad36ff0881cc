// Direct convolution: the dot's block kernel with one tap per kernel position, over the input in place or over a strip.
#include <algorithm>
#include <cstring>

#include "kernels/conv/drivers.h"
#include "kernels/scratch.h"

namespace mote::kernels::conv {
namespace {

// The part of a line (rows or columns) that `outputs` outputs read, as the strip holds it.
i64 line_shared(const Shape& s, int d, i64 outputs) {
  return (outputs - 1) * s.stride[d] + (s.kernel[d] - 1) * s.dilation[d] + 1;
}
i64 line_split(const Shape& s, int d, i64 outputs) { return outputs * s.kernel[d]; }

// What a tile computes: output rows [oh, oh + rows) and columns [ow, ow + width) of one depth, for some columns of one
// group.
struct Place {
  i64 image, group, od, oh, rows, ow, width, col_tile;
};

Place place_of(const Params& p, i64 tile) {
  Place t{};
  t.col_tile = tile % p.col_tiles;
  tile /= p.col_tiles;
  t.ow = tile % p.width_tiles * p.width_step;
  tile /= p.width_tiles;
  t.oh = tile % p.row_tiles * p.row_step;
  tile /= p.row_tiles;
  t.od = tile % p.out[0];
  tile /= p.out[0];
  t.group = tile % p.shape.groups;
  t.image = tile / p.shape.groups;
  t.rows = std::min(p.row_step, p.out[1] - t.oh);
  t.width = std::min(p.width_step, p.out[2] - t.ow);
  return t;
}

// Cuts [image, D, H, W] into a strip for a tile: what is outside of the image becomes zero.
struct StripWriter {
  const Params& p;
  const float* image;  // channel 0 of the group
  i64 channels;
  float* strip;
  dot::RoundFn round;  // of pairs

  void line(const Place& t, i64 id, i64 ih, float* dst) const {
    const Shape& s = p.shape;
    const i64 pitch = p.strip_pixel, left = t.ow * s.stride[2] - s.pad_begin[2];
    if (id < 0 || id >= s.in[0] || ih < 0 || ih >= s.in[1]) {
      std::memset(dst, 0, static_cast<std::size_t>(p.strip_cols * pitch) * sizeof(float));
      return;
    }
    const float* src = image + (id * s.in[1] + ih) * s.in[2] * s.x_pixel;
    if (!p.split_cols) {
      pixels(src, left, dst, p.strip_cols);
      return;
    }
    for (i64 kw = 0; kw < s.kernel[2]; ++kw) {
      for (i64 i = 0; i < t.width; ++i) {
        pixels(src, left + i * s.stride[2] + kw * s.dilation[2], dst + (kw * t.width + i) * pitch, 1);
      }
    }
  }

  // `count` pixels from column iw on.
  void pixels(const float* src, i64 iw, float* dst, i64 count) const {
    const i64 pitch = p.strip_pixel, width = p.shape.in[2], x_pixel = p.shape.x_pixel;
    const i64 before = std::clamp<i64>(-iw, 0, count), inside = std::clamp<i64>(width - iw, before, count);
    std::memset(dst, 0, static_cast<std::size_t>(before * pitch) * sizeof(float));
    if (round) {
      for (i64 i = before; i < inside; ++i) round(src + (iw + i) * x_pixel, 2 * channels, dst + i * pitch);
    } else if (pitch == channels && x_pixel == channels) {
      std::memcpy(dst + before * pitch, src + (iw + before) * x_pixel,
                  static_cast<std::size_t>((inside - before) * channels) * sizeof(float));
    } else {
      for (i64 i = before; i < inside; ++i) {
        std::memcpy(dst + i * pitch, src + (iw + i) * x_pixel, static_cast<std::size_t>(channels) * sizeof(float));
      }
    }
    std::memset(dst + inside * pitch, 0, static_cast<std::size_t>((count - inside) * pitch) * sizeof(float));
  }

  void write(const Place& t) const {
    const Shape& s = p.shape;
    const i64 lines = p.split_rows ? line_split(s, 1, t.rows) : line_shared(s, 1, t.rows);
    for (i64 kd = 0; kd < s.kernel[0]; ++kd) {
      const i64 id = t.od * s.stride[0] - s.pad_begin[0] + kd * s.dilation[0];
      for (i64 i = 0; i < lines; ++i) {
        i64 ih = t.oh * s.stride[1] - s.pad_begin[1];
        ih += p.split_rows ? i % t.rows * s.stride[1] + i / t.rows * s.dilation[1] : i;
        line(t, id, ih, strip + (kd * p.strip_rows + i) * p.strip_cols * p.strip_pixel);
      }
    }
  }
};

// Where A of a tile lies: steps between output columns and rows, and the offset of every tap.
struct View {
  i64 col, row;
};

View place_taps(const Params& p, const Place& t, i64* taps) {
  const Shape& s = p.shape;
  View v{};
  i64 slice, tap_row, tap_col;  // steps of kd, kh, kw
  if (p.in_place) {
    v.col = s.stride[2] * s.x_pixel;
    v.row = s.stride[1] * s.in[2] * s.x_pixel;
    slice = s.dilation[0] * s.in[1] * s.in[2] * s.x_pixel;
    tap_row = s.dilation[1] * s.in[2] * s.x_pixel;
    tap_col = s.dilation[2] * s.x_pixel;
  } else {
    const i64 line = p.strip_cols * p.strip_pixel;
    v.col = (p.split_cols ? 1 : s.stride[2]) * p.strip_pixel;
    v.row = (p.split_rows ? 1 : s.stride[1]) * line;
    slice = p.strip_rows * line;
    tap_row = (p.split_rows ? t.rows : s.dilation[1]) * line;
    tap_col = (p.split_cols ? t.width : s.dilation[2]) * p.strip_pixel;
  }
  for (i64 kd = 0; kd < s.kernel[0]; ++kd) {
    for (i64 kh = 0; kh < (p.merge == 1 ? 1 : s.kernel[1]); ++kh) {
      for (i64 kw = 0; kw < (p.merge == 2 ? 1 : s.kernel[2]); ++kw) *taps++ = kd * slice + kh * tap_row + kw * tap_col;
    }
  }
  return v;
}

constexpr i64 kL2Floats = (i64{1} << 20) / 4;
constexpr i64 kResident = kL2Floats / 8 * 5;  // weights that stay in L2 while rows pass

struct TileSize {
  i64 rows, width, cols;
};

i64 strip_cols(const Params& p, i64 width) {
  return p.split_cols ? line_split(p.shape, 2, width) : line_shared(p.shape, 2, width);
}

// Weights that stay in L2 are passed whole over few rows; larger ones are streamed over as many rows as keep their
// strip in L2. Rows too long for that are cut.
TileSize choose_tile(const dot::Kernel& kernel, const Params& p, i64 n, i64 k) {
  const Shape& s = p.shape;
  const i64 oh = p.out[1], unit = 2 * dot::kPanel, most = kernel.tile_macs * 4;
  const i64 total = s.batch * s.groups * p.out[0] * oh * p.out[2] * n * k;
  const i64 macs = tiled(s.tiling, std::clamp(total / 48, kernel.tile_macs / 4, kernel.tile_macs * 2), most);
  const bool resident = (k * n <= kResident) != (s.tiling == Tiling::kTurned);
  i64 rows = 1, width = p.out[2];
  const auto strip = [&] { return line_shared(s, 1, rows) * s.kernel[0] * strip_cols(p, width) * p.strip_pixel; };
  const auto too_large = [&] { return strip() > kL2Floats / 2 || rows * width * k * unit > most; };
  while (width > 4 * kernel.max_rows && too_large()) width = ceil_div(width, 2);
  if (width == p.out[2]) {
    rows = resident ? std::max(macs / (width * k * n), ceil_div(std::max(2 * kernel.max_rows, 24), width))
                    : ceil_div(8 * kernel.max_rows, width);
    rows = std::clamp<i64>(rows, 1, oh);
    while (rows > 1 && too_large()) --rows;
    rows = ceil_div(oh, ceil_div(oh, rows));
  }
  i64 cols = resident ? n : std::max<i64>(macs / (rows * width * k), 1);
  if (rows * width * k * cols > most) cols = std::max<i64>(most / (rows * width * k), 1);
  return {rows, width, std::min(std::max<i64>(cols / unit, 1) * unit, n)};
}

}  // namespace

void run_direct(const Params& p, TileRange range, dot::BlockFn block, dot::RoundFn round) noexcept {
  const Shape& s = p.shape;
  const i64 channels = s.channels / s.groups, cols = s.out_channels / s.groups, width = p.pairs ? 2 : 1;
  i64* taps = reinterpret_cast<i64*>(range.scratch);
  float* strip = reinterpret_cast<float*>(range.scratch + round_up(s.taps() * 8, 64));
  const i64 merged = p.merge ? s.kernel[p.merge] : 1, tap_count = s.taps() / merged;
  const i64 k = channels * s.taps(), chunks = p.merge ? 1 : ceil_div(channels, kChunk);
  i64 strip_of = -1;
  for (i64 tile = range.begin; tile < range.end; ++tile) {
    const Place t = place_of(p, tile);
    const float* x = p.x + t.image * s.in_pixels() * s.x_pixel + t.group * channels * width;
    const View view = place_taps(p, t, taps);
    const i64 pixel = ((t.image * p.out[0] + t.od) * p.out[1] + t.oh) * p.out[2] + t.ow;
    const i64 col = t.group * cols + t.col_tile * p.col_step;
    dot::Block b{};
    if (p.in_place) {
      b.a = x + (t.od * s.stride[0] * s.in[1] + t.oh * s.stride[1]) * s.in[2] * s.x_pixel + t.ow * view.col;
    } else {
      if (strip_of != tile / p.col_tiles) StripWriter{p, x, channels, strip, round}.write(t);
      strip_of = tile / p.col_tiles;
      b.a = strip;
    }
    b.m = t.rows * t.width;
    b.a_row = t.width == 1 ? view.row : view.col;
    b.a_run = view.row;
    b.run = t.width == 1 ? b.m : t.width;
    b.n = std::min(p.col_step, cols - t.col_tile * p.col_step);
    b.taps = taps;
    b.tap_count = tap_count;
    b.chunk_len = p.merge ? channels * merged : kChunk;
    b.b_panel = k * dot::kPanel;
    const float* weights = p.w + (t.group * dot::panels_of(cols) + t.col_tile * p.col_step / dot::kPanel) * b.b_panel;
    if (t.col_tile + 1 < p.col_tiles) b.next_b = weights + dot::panels_of(b.n) * b.b_panel;
    b.c = p.y + pixel * s.y_pixel + col;
    b.c_row = s.y_pixel;
    b.bias = p.bias ? p.bias + col : nullptr;
    b.lo = p.fused.lo;
    b.hi = p.fused.hi;
    if (p.fused.program) b.program = &p.epilogue;
    b.program_row = pixel;
    b.program_col = col;
    if (p.fused.residual >= 0) {
      const EpilogueOperand& r = p.epilogue.operands[p.fused.residual];
      b.residual = r.data + pixel * r.row_stride + col;
      b.residual_row = r.row_stride;
    }
    b.rows_outer = p.rows_outer;
    for (i64 chunk = 0; chunk < chunks; chunk += p.chunk_block) {
      b.chunk_begin = chunk;
      b.chunk_end = std::min(chunk + p.chunk_block, chunks);
      b.last_len = p.merge ? b.chunk_len : std::min(channels - (b.chunk_end - 1) * kChunk, kChunk);
      b.first = chunk == 0;
      b.last = b.chunk_end == chunks;
      b.b = weights + chunk * kChunk * tap_count * dot::kPanel;
      block(b);
    }
  }
}

Work setup_direct(const dot::Kernel& kernel, Params* p) {
  const Shape& s = p->shape;
  const i64 channels = s.channels / s.groups, n = round_up(s.out_channels / s.groups, dot::kPanel);
  const i64 oh = p->out[1], ow = p->out[2], k = channels * s.taps();
  p->in_place = !p->pairs;
  for (int d = 0; d < kMaxSpatial; ++d) p->in_place = p->in_place && s.pad_begin[d] == 0 && s.pad_end[d] <= 0;
  p->split_cols = line_split(s, 2, ow) < line_shared(s, 2, ow);
  const i64 pixel = p->in_place ? s.x_pixel : channels;
  // Few channels: the taps of a kernel row (of a kernel column where the image is one pixel wide) are one piece of
  // memory.
  const bool narrow = s.in[2] == 1 && s.kernel[2] == 1 && ow == 1;
  const int inner = narrow ? 1 : 2;
  const bool split = narrow ? line_split(s, 1, oh) < line_shared(s, 1, oh) : p->split_cols;
  p->merge = channels <= kChunk && s.dilation[inner] == 1 && pixel == channels && (p->in_place || !split) ? inner : 0;
  p->strip_pixel = channels;
  if (!p->merge) {
    p->strip_pixel = round_up(channels, 16);
    if (p->strip_pixel % 256 == 0) p->strip_pixel += 16;
  }
  const auto [rows, width, cols] = choose_tile(kernel, *p, n, k);
  p->width_step = width;
  p->width_tiles = ceil_div(ow, width);
  p->strip_cols = strip_cols(*p, width);
  p->row_tiles = ceil_div(oh, rows);
  p->row_step = ceil_div(oh, p->row_tiles);
  p->row_tiles = ceil_div(oh, p->row_step);
  p->col_tiles = ceil_div(n, cols);
  p->col_step = round_up(ceil_div(n, p->col_tiles), 2 * dot::kPanel);
  p->col_tiles = ceil_div(n, p->col_step);
  p->split_rows = p->merge != 1 && line_split(s, 1, p->row_step) < line_shared(s, 1, p->row_step);
  p->strip_rows = p->split_rows ? line_split(s, 1, p->row_step) : line_shared(s, 1, p->row_step);
  p->rows_outer = (k * p->col_step <= kResident) != (s.tiling == Tiling::kTurned);
  p->chunk_block = std::max<i64>(4096 / (kChunk * s.taps()), 1);
  i64 scratch = round_up(s.taps() * 8, 64);
  if (!p->in_place) scratch += s.kernel[0] * p->strip_rows * p->strip_cols * p->strip_pixel * 4;
  return {s.batch * s.groups * p->out[0] * p->row_tiles * p->width_tiles * p->col_tiles, scratch_size(scratch)};
}

}  // namespace mote::kernels::conv
