#include "kernels/conv/strips.h"

#include <algorithm>

#include "kernels/conv/drivers.h"
#include "kernels/scratch.h"
#include "kernels/table.h"

namespace mote::kernels::conv {
namespace {

constexpr i64 kCacheFloats = (i64{384} << 10) / 4;  // what the rows and weights of a strip may take
constexpr i64 kMapFloats = (i64{512} << 10) / 4;    // a map from which on it does not stay in the cache by itself

i64 pitch_of(i64 channels) {
  const i64 p = round_up(channels, 16);
  return p % 256 == 0 ? p + 16 : p;
}

i64 ring_rows(const StripShape& s, i64 step) { return (step - 1) * s.depth.stride[1] + s.depth.kernel[1]; }

// Output rows at a time: two share the input rows between them.
i64 step_of(const StripShape& s) { return (s.depth.stride[1] == 1) != (s.depth.tiling == Tiling::kTurned) ? 2 : 1; }

// The weights and rows that a step reads and writes.
i64 working_set(const StripShape& s) {
  const Shape& d = s.depth;
  i64 floats = d.channels * d.taps() + step_of(s) * d.out(2) * (s.projects ? d.channels : 0);
  floats += ring_rows(s, step_of(s)) * d.in[2] * d.channels;
  if (s.expands) floats += s.channels * d.channels;
  if (s.projects) floats += s.out_channels * d.channels;
  return floats;
}

// One thread's way through a tile: what is in its ring.
struct Walk {
  const StripParams& p;
  dot::BlockFn block;
  DepthwiseFn depthwise;
  float *ring, *buffer;
  const float* zeros;
  const float** pointers;
  i64 image = -1, next = 0;  // the rows of the image before `next` have been expanded

  // One dot of `rows` rows of pixels.
  void multiply(const float* a, i64 a_row, const float* w, i64 k, const float* bias, i64 m, i64 n, float* c, i64 c_row,
                const dot::Fused& fused, const Epilogue& program, i64 program_row) const {
    const i64 tap = 0;
    dot::Block b{};
    b.a = a;
    b.a_row = a_row;
    b.m = b.run = m;
    b.n = n;
    b.taps = &tap;
    b.tap_count = 1;
    b.chunk_end = 1;
    b.chunk_len = b.last_len = k;
    b.b = w;
    b.b_panel = k * dot::kPanel;
    b.c = c;
    b.c_row = c_row;
    b.bias = bias;
    b.lo = fused.lo;
    b.hi = fused.hi;
    if (fused.program) b.program = &program;
    b.program_row = program_row;
    if (fused.residual >= 0) {
      const EpilogueOperand& r = program.operands[fused.residual];
      b.residual = r.data + program_row * r.row_stride;
      b.residual_row = r.row_stride;
    }
    b.first = b.last = b.rows_outer = true;
    block(b);
  }

  // Expands the rows before `end` that are not in the ring yet, none below `begin`.
  void expand(i64 begin, i64 end) {
    const StripShape& s = p.shape;
    const i64 width = s.depth.in[2];
    next = std::max(next, begin);
    while (next < end) {
      const i64 slot = next % p.ring, rows = std::min(end - next, p.ring - slot);
      const float* x = p.x + (image * s.depth.in[1] + next) * width * s.x_pixel;
      multiply(x, s.x_pixel, p.expand_w, s.channels, p.expand_bias, rows * width, s.depth.channels,
               ring + slot * width * p.ring_pixel, p.ring_pixel, p.expand_fused, p.expand, 0);
      next += rows;
    }
  }

  // Output rows [row, row + rows).
  void step(i64 row, i64 rows) {
    const StripShape& s = p.shape;
    const Shape& d = s.depth;
    const i64 pixels = p.out[0] * p.out[1], first = image * pixels + row * p.out[1];
    if (s.expands) {
      const i64 top = row * d.stride[1] - d.pad_begin[1], bottom = top + (rows - 1) * d.stride[1] + d.kernel[1];
      expand(std::clamp<i64>(top, 0, d.in[1]), std::clamp<i64>(bottom, 0, d.in[1]));
    }
    DepthwiseBlock b{};
    b.x = s.expands ? ring : p.x + image * d.in_pixels() * s.x_pixel;
    b.x_pixel = s.expands ? p.ring_pixel : s.x_pixel;
    b.x_rows = s.expands ? p.ring : 0;
    b.shape = &d;
    b.out[0] = 1;
    b.out[1] = p.out[0];
    b.out[2] = p.out[1];
    b.row_begin = row;
    b.row_end = row + rows;
    b.channels = d.channels;
    b.group = 1;
    b.w = p.depth_w;
    b.bias = p.depth_bias;
    b.zeros = zeros;
    b.pointers = pointers;
    const dot::Fused& fused = s.projects ? p.depth_fused : p.last_fused;
    const Epilogue& program = s.projects ? p.depth : p.last;
    b.y = s.projects ? buffer : p.y + image * pixels * s.y_pixel;
    b.y_pixel = s.projects ? p.buffer_pixel : s.y_pixel;
    b.y_row = s.projects ? row : 0;
    b.lo = fused.lo;
    b.hi = fused.hi;
    if (fused.program) b.program = &program;
    b.program_row = s.projects ? 0 : image * pixels;
    if (fused.residual >= 0) {
      const EpilogueOperand& r = program.operands[fused.residual];
      b.residual = r.data + image * pixels * r.row_stride;
      b.residual_row = r.row_stride;
    }
    depthwise(b);
    if (!s.projects) return;
    multiply(buffer, p.buffer_pixel, p.project_w, d.channels, p.project_bias, rows * p.out[1], s.out_channels,
             p.y + first * s.y_pixel, s.y_pixel, p.last_fused, p.last, first);
  }
};

// The scratch of a thread, in bytes.
struct Layout {
  i64 zeros = 0, pointers, ring, buffer, end;
  explicit Layout(const StripParams& p) {
    const Shape& d = p.shape.depth;
    pointers = round_up(d.channels * 4, 64);
    ring = pointers + round_up(d.taps() * 7 * 8, 64);
    buffer = ring + (p.shape.expands ? round_up(p.ring * d.in[2] * p.ring_pixel * 4, 64) : 0);
    end = buffer + (p.shape.projects ? round_up(p.step * p.out[1] * p.buffer_pixel * 4, 64) : 0);
  }
};

template <dot::BlockFn kBlock, DepthwiseFn kDepthwise>
void run(const StripParams& p, TileRange range) noexcept {
  const Layout at(p);
  float* zeros = reinterpret_cast<float*>(range.scratch);
  std::fill_n(zeros, p.shape.depth.channels, 0.0f);
  Walk walk{p,
            kBlock,
            kDepthwise,
            reinterpret_cast<float*>(range.scratch + at.ring),
            reinterpret_cast<float*>(range.scratch + at.buffer),
            zeros,
            reinterpret_cast<const float**>(range.scratch + at.pointers)};
  for (i64 tile = range.begin; tile < range.end; ++tile) {
    const i64 begin = tile % p.row_tiles * p.row_step, end = std::min(begin + p.row_step, p.out[0]);
    if (walk.image != tile / p.row_tiles) {
      walk.image = tile / p.row_tiles;
      walk.next = 0;
    }
    for (i64 row = begin; row < end; row += p.step) walk.step(row, std::min(p.step, end - row));
  }
}

constexpr StripKernel kKernels[] = {
#define MOTE_STRIP_KERNEL(ns, isa)                                       \
  {"conv_strips_f32_" #isa, Isa::isa, Numerics::kChain, "dot_f32_" #isa, \
   MOTE_IF_##ns(&run<dot::block_##ns MOTE_COMMA depthwise_##ns>)},
#define MOTE_COMMA ,
#include "kernels/conv/strips.inc"
#undef MOTE_COMMA
#undef MOTE_STRIP_KERNEL
};

}  // namespace

std::span<const StripKernel> strip_kernels() { return kKernels; }
const StripKernel& select_strips(const CpuFeatures& cpu) { return select_row(strip_kernels(), cpu); }

bool supports_strips(const StripShape& s) {
  const Shape& d = s.depth;
  const i64 kw = d.kernel[2];
  return (s.expands || s.projects) && d.groups == d.channels && d.out_channels == d.channels && d.in[0] == 1 &&
         d.kernel[0] == 1 && d.pad_begin[0] == 0 && d.pad_end[0] == 0 && d.stride[0] == 1 && d.dilation[1] == 1 &&
         d.dilation[2] == 1 && (((kw == 3 || kw == 5) && d.stride[2] <= 2) || (kw == 7 && d.stride[2] == 1)) &&
         d.kernel[1] <= 16 && d.stride[1] <= d.kernel[1] && (s.expands || s.channels == d.channels) &&
         (s.projects || s.out_channels == d.channels);
}

bool suit_strips(const StripShape& s) {
  if (!supports_strips(s)) return false;
  const Shape& d = s.depth;
  const i64 map = s.expands ? d.in_pixels() * d.channels : d.out_pixels() * d.channels;
  return map > kMapFloats && working_set(s) <= kCacheFloats;
}

Work setup_strips(const StripKernel& kernel, const StripShape& shape, StripParams* p) {
  p->shape = shape;
  StripShape& s = p->shape;
  const Shape& d = s.depth;
  if (s.x_pixel == 0) s.x_pixel = s.channels;
  if (s.y_pixel == 0) s.y_pixel = s.out_channels;
  p->out[0] = d.out(1);
  p->out[1] = d.out(2);
  p->expand_fused = dot::fuse(p->expand);
  p->depth_fused = dot::fuse(p->depth);
  p->last_fused = dot::fuse(p->last);
  p->step = step_of(s);
  p->ring = ring_rows(s, p->step);
  p->ring_pixel = p->buffer_pixel = pitch_of(d.channels);
  if (d.batch * p->out[0] * p->out[1] == 0) return {0, 0};
  // Tiles of about the usual size, and a dozen of them where rows allow; each one but a thread's first continues the
  // ring of the one before.
  const dot::Kernel& dot_kernel = *dot::find(kernel.dot);
  i64 pixel_macs = d.channels * d.taps() * 2;
  if (s.expands) pixel_macs += s.channels * d.channels * d.stride[1] * d.stride[2];
  if (s.projects) pixel_macs += s.out_channels * d.channels;
  const i64 row_macs = std::max<i64>(pixel_macs * p->out[1], 1);
  const i64 most = std::max<i64>(dot_kernel.tile_macs * 4 / row_macs, 1);
  const i64 rows = tiled(d.tiling, std::min(ceil_div(most, 2), ceil_div(p->out[0], 12)), most);
  p->row_step = std::min(round_up(rows, p->step), p->out[0]);
  p->row_tiles = ceil_div(p->out[0], p->row_step);
  return {d.batch * p->row_tiles, scratch_size(Layout(*p).end)};
}

}  // namespace mote::kernels::conv
