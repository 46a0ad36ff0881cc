// Depthwise convolution, and groups of two to eight channels: tiles are output rows. A channel multiplier m is served
// by first widening the input rows of a tile, every channel m times, into scratch.
#include <algorithm>

#include "kernels/conv/drivers.h"
#include "kernels/scratch.h"

namespace mote::kernels::conv {
namespace {

i64 multiplier(const Shape& s) { return s.out_channels / s.channels; }

bool widened(const Params& p) { return p.group == 1 && p.shape.out_channels != p.shape.channels; }
i64 zeros_bytes(const Shape& s) { return round_up(s.out_channels * 4, 64); }
i64 pointer_bytes(const Shape& s) { return round_up(s.taps() * 7 * 8, 64); }

// Input rows that output rows [begin, end) of one depth slice read, cut at the image.
struct Rows {
  i64 begin, end;
};
Rows input_rows(const Shape& s, i64 begin, i64 end) {
  const i64 first = begin * s.stride[1] - s.pad_begin[1];
  const i64 last = (end - 1) * s.stride[1] - s.pad_begin[1] + (s.kernel[1] - 1) * s.dilation[1] + 1;
  const i64 b = std::clamp<i64>(first, 0, s.in[1]);
  return {b, std::clamp<i64>(last, b, s.in[1])};
}

// Widens rows [rows.begin, rows.end) of every slice; the copy has the place of row 0 of the image at `dst`.
void widen(const Shape& s, const float* image, Rows rows, i64 line, float* dst) {
  const i64 m = multiplier(s);
  for (i64 d = 0; d < s.in[0]; ++d) {
    for (i64 i = rows.begin * s.in[2]; i < rows.end * s.in[2]; ++i) {
      const float* src = image + (d * s.in[1] * s.in[2] + i) * s.x_pixel;
      float* out = dst + d * line * s.in[1] + i * s.out_channels;
      for (i64 c = 0; c < s.out_channels; ++c) out[c] = src[c / m];
    }
  }
}

}  // namespace

void run_depthwise(const Params& p, TileRange range, DepthwiseFn block) noexcept {
  const Shape& s = p.shape;
  const i64 pixels = p.out[0] * p.out[1] * p.out[2];
  DepthwiseBlock b{};
  b.shape = &s;
  std::copy_n(p.out, kMaxSpatial, b.out);
  b.channels = s.out_channels;
  b.group = p.group;
  b.w = p.w;
  b.bias = p.bias;
  b.y_pixel = s.y_pixel;
  b.lo = p.fused.lo;
  b.hi = p.fused.hi;
  if (p.fused.program) b.program = &p.epilogue;
  float* zeros = reinterpret_cast<float*>(range.scratch);
  std::fill_n(zeros, s.out_channels, 0.0f);
  b.zeros = zeros;
  b.pointers = reinterpret_cast<const float**>(range.scratch + zeros_bytes(s));
  for (i64 tile = range.begin; tile < range.end; ++tile) {
    const i64 image = tile / p.row_tiles, all_rows = p.out[0] * p.out[1];
    b.row_begin = tile % p.row_tiles * p.row_step;
    b.row_end = std::min(b.row_begin + p.row_step, all_rows);
    b.x = p.x + image * s.in_pixels() * s.x_pixel;
    b.x_pixel = s.x_pixel;
    if (widened(p)) {
      const i64 line = s.in[2] * s.out_channels;
      float* wide = reinterpret_cast<float*>(range.scratch + zeros_bytes(s) + pointer_bytes(s));
      const bool flat = p.out[0] == 1;
      widen(s, b.x, flat ? input_rows(s, b.row_begin, b.row_end) : Rows{0, s.in[1]}, line, wide);
      b.x = wide;
      b.x_pixel = s.out_channels;
    }
    b.y = p.y + image * pixels * s.y_pixel;
    b.program_row = image * pixels;
    if (p.fused.residual >= 0) {
      const EpilogueOperand& r = p.epilogue.operands[p.fused.residual];
      b.residual = r.data + b.program_row * r.row_stride;
      b.residual_row = r.row_stride;
    }
    block(b);
  }
}

Work setup_depthwise(const dot::Kernel& kernel, Params* p) {
  const Shape& s = p->shape;
  const i64 rows = p->out[0] * p->out[1], row_macs = p->out[2] * s.out_channels * s.taps() * p->group;
  const i64 most = kernel.tile_macs / 2;
  const i64 macs = tiled(s.tiling, std::clamp(s.batch * rows * row_macs / 32, kernel.tile_macs / 16, most), most);
  p->row_step = std::clamp<i64>(macs / std::max<i64>(row_macs, 1), 1, rows);
  p->row_step = std::min(round_up(p->row_step, 2), rows);  // rows go in pairs
  p->row_tiles = ceil_div(rows, p->row_step);
  i64 scratch = zeros_bytes(s) + pointer_bytes(s);
  if (widened(*p)) scratch += s.in_pixels() * s.out_channels * 4;
  return {s.batch * p->row_tiles, scratch_size(scratch)};
}

}  // namespace mote::kernels::conv
