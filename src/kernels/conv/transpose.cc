#include "kernels/conv/transpose.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "kernels/conv/drivers.h"
#include "kernels/scratch.h"
#include "kernels/table.h"

namespace mote::kernels::conv_transpose {
namespace {

using conv::ceil_div;
using conv::i64;
using conv::kChunk;
using conv::round_up;

// Is tap t of dimension d one of the phase? The phase of output o is (o + pad) % stride.
bool in_phase(const Shape& s, int d, i64 tap, i64 phase) { return tap * s.dilation[d] % s.stride[d] == phase; }
// The input position of a tap, less the position (o + pad) / stride that the phase starts from: 0 or negative.
i64 back(const Shape& s, int d, i64 tap) { return -(tap * s.dilation[d] / s.stride[d]); }

i64 phases(const Shape& s) { return s.stride[0] * s.stride[1] * s.stride[2]; }

// Calls fn(kd, kh, kw) for the taps of phase (pd, ph, pw), ascending.
template <class Fn>
void each_tap(const Shape& s, const i64 (&phase)[3], Fn fn) {
  for (i64 kd = 0; kd < s.kernel[0]; ++kd) {
    if (!in_phase(s, 0, kd, phase[0])) continue;
    for (i64 kh = 0; kh < s.kernel[1]; ++kh) {
      if (!in_phase(s, 1, kh, phase[1])) continue;
      for (i64 kw = 0; kw < s.kernel[2]; ++kw) {
        if (in_phase(s, 2, kw, phase[2])) fn(kd, kh, kw);
      }
    }
  }
}

void split_phase(const Shape& s, i64 index, i64 (&phase)[3]) {
  phase[2] = index % s.stride[2];
  phase[1] = index / s.stride[2] % s.stride[1];
  phase[0] = index / s.stride[2] / s.stride[1];
}

i64 phase_taps(const Shape& s, i64 index) {
  i64 phase[3], count = 0;
  split_phase(s, index, phase);
  each_tap(s, phase, [&](i64, i64, i64) { ++count; });
  return count;
}

// Scratch: per phase the number of its taps and the place of its weights; the offsets of a phase's taps; the strip.
struct Scratch {
  i64* counts;
  i64* places;
  i64* taps;
  float* strip;
  Scratch(const Shape& s, std::byte* base) {
    counts = reinterpret_cast<i64*>(base);
    places = counts + phases(s);
    taps = places + phases(s);
    strip = reinterpret_cast<float*>(base + head_bytes(s));
  }
  static i64 head_bytes(const Shape& s) { return round_up((2 * phases(s) + s.taps()) * 8, 64); }
};

void write_line(const Params& p, const float* image, i64 channels, i64 id, i64 ih, i64 iw, float* dst) {
  const Shape& s = p.shape;
  const bool inside = id >= 0 && id < s.in[0] && ih >= 0 && ih < s.in[1];
  for (i64 i = 0; i < p.strip_cols; ++i, ++iw, dst += p.strip_pixel) {
    if (inside && iw >= 0 && iw < s.in[2]) {
      std::memcpy(dst, image + ((id * s.in[1] + ih) * s.in[2] + iw) * s.x_pixel,
                  static_cast<std::size_t>(channels) * 4);
    } else {
      std::memset(dst, 0, static_cast<std::size_t>(p.strip_pixel) * 4);
    }
  }
}

// One tile's place in the tensors.
struct Place {
  i64 image, group, od, oh, rows, col, n;
};

struct Run {
  const Params& p;
  dot::BlockFn block;
  Scratch scratch;
  i64 channels, cols;  // of a group

  i64 origin(int d, i64 o) const { return (o + p.shape.pad_begin[d]) / p.shape.stride[d]; }

  void fill_strip(const Place& t) const {
    const Shape& s = p.shape;
    const float* x = p.x + t.image * s.in_pixels() * s.x_pixel + t.group * channels;
    float* dst = scratch.strip;
    for (i64 d = 0; d <= p.reach[0]; ++d) {
      for (i64 h = 0; h < p.strip_lines; ++h, dst += p.strip_cols * p.strip_pixel) {
        write_line(p, x, channels, origin(0, t.od) - p.reach[0] + d, origin(1, t.oh) - p.reach[1] + h,
                   origin(2, 0) - p.reach[2], dst);
      }
    }
  }

  // The pixels of one output row and one phase in width.
  void row(const Place& t, i64 oh, i64 phase_w) const {
    const Shape& s = p.shape;
    const i64 ow = (phase_w - s.pad_begin[2] % s.stride[2] + s.stride[2]) % s.stride[2];
    if (ow >= s.out[2]) return;
    const i64 phase[3] = {(t.od + s.pad_begin[0]) % s.stride[0], (oh + s.pad_begin[1]) % s.stride[1], phase_w};
    const i64 index = (phase[0] * s.stride[1] + phase[1]) * s.stride[2] + phase[2];
    const i64 line = p.strip_cols * p.strip_pixel;
    i64* tap = scratch.taps;
    each_tap(s, phase, [&](i64 kd, i64 kh, i64 kw) {
      *tap++ = ((p.reach[0] + back(s, 0, kd)) * p.strip_lines + p.reach[1] + back(s, 1, kh)) * line +
               (p.reach[2] + back(s, 2, kw)) * p.strip_pixel;
    });
    dot::Block b{};
    b.a = scratch.strip + (origin(1, oh) - origin(1, t.oh)) * line + (origin(2, ow) - origin(2, 0)) * p.strip_pixel;
    b.a_row = p.strip_pixel;
    b.m = b.run = ceil_div(s.out[2] - ow, s.stride[2]);
    b.n = t.n;
    b.taps = scratch.taps;
    b.tap_count = scratch.counts[index];
    b.chunk_end = ceil_div(channels, kChunk);
    b.chunk_len = kChunk;
    b.last_len = channels - (b.chunk_end - 1) * kChunk;
    b.b_panel = channels * b.tap_count * dot::kPanel;
    b.b = p.w + t.group * dot::packed_size(channels * s.taps(), cols) +
          scratch.places[index] * dot::packed_size(channels, cols) + t.col / dot::kPanel * b.b_panel;
    const i64 pixel = ((t.image * s.out[0] + t.od) * s.out[1] + oh) * s.out[2] + ow, col = t.group * cols + t.col;
    b.c = p.y + pixel * s.y_pixel + col;
    b.c_row = s.stride[2] * s.y_pixel;
    b.bias = p.bias ? p.bias + col : nullptr;
    b.lo = p.fused.lo;
    b.hi = p.fused.hi;
    if (p.fused.program) b.program = &p.epilogue;
    b.program_row = pixel;
    b.program_row_step = s.stride[2];
    b.program_col = col;
    if (p.fused.residual >= 0) {
      const EpilogueOperand& r = p.epilogue.operands[p.fused.residual];
      b.residual = r.data + pixel * r.row_stride + col;
      b.residual_row = r.row_stride * s.stride[2];
    }
    b.first = b.last = true;
    block(b);
  }
};

template <dot::BlockFn kBlock>
void run(const Params& p, TileRange range) noexcept {
  const Shape& s = p.shape;
  const Run r{p, kBlock, Scratch(s, range.scratch), s.channels / s.groups, s.out_channels / s.groups};
  i64 before = 0;
  for (i64 i = 0; i < phases(s); ++i) {
    r.scratch.places[i] = before;
    before += r.scratch.counts[i] = phase_taps(s, i);
  }
  i64 strip_of = -1;
  for (i64 tile = range.begin; tile < range.end; ++tile) {
    i64 at = tile;
    Place t{};
    t.col = at % p.col_tiles * p.col_step;
    at /= p.col_tiles;
    const i64 strip = at;
    t.oh = at % p.row_tiles * p.row_step;
    at /= p.row_tiles;
    t.od = at % s.out[0];
    at /= s.out[0];
    t.group = at % s.groups;
    t.image = at / s.groups;
    t.n = std::min(p.col_step, r.cols - t.col);
    t.rows = std::min(p.row_step, s.out[1] - t.oh);
    if (strip != strip_of) r.fill_strip(t);
    strip_of = strip;
    for (i64 oh = t.oh; oh < t.oh + t.rows; ++oh) {
      for (i64 phase = 0; phase < s.stride[2]; ++phase) r.row(t, oh, phase);
    }
  }
}

constexpr Kernel kKernels[] = {
#define MOTE_DOT_KERNEL(ns, isa, numerics, rows, macs) \
  {"conv_transpose_f32_" #isa, Isa::isa, Numerics::numerics, "dot_f32_" #isa, MOTE_IF_##ns(&run<dot::block_##ns>)},
#include "kernels/dot/kernels.inc"
#undef MOTE_DOT_KERNEL
};

}  // namespace

i64 packed_size(const Shape& s) {
  return s.groups * dot::packed_size(s.channels / s.groups * s.taps(), s.out_channels / s.groups);
}

void pack(const Shape& s, const Weights& w, float* dst) noexcept {
  const i64 channels = s.channels / s.groups, cols = s.out_channels / s.groups, element = bits_of(w.dtype) / 8;
  const auto* data = static_cast<const std::byte*>(w.data);
  for (i64 g = 0; g < s.groups; ++g) {
    for (i64 index = 0; index < phases(s); ++index) {
      i64 phase[3];
      split_phase(s, index, phase);
      const i64 count = phase_taps(s, index), k = channels * count;
      for (i64 c = 0; c < channels; c += kChunk) {
        const i64 len = std::min(kChunk, channels - c);
        i64 piece = c * count;
        each_tap(s, phase, [&](i64 kd, i64 kh, i64 kw) {
          const i64 tap = (kd * s.kernel[1] + kh) * s.kernel[2] + kw;
          const i64 at = (g * channels + c) * w.channel_stride + tap * w.tap_stride;
          dot::pack({data + at * element, w.dtype, w.channel_stride, w.out_stride}, len, cols,
                    dst + piece * dot::kPanel, k * dot::kPanel);
          piece += len;
        });
      }
      dst += dot::packed_size(k, cols);
    }
  }
}

std::span<const Kernel> kernels() { return kKernels; }

const Kernel& select(const CpuFeatures& cpu) { return select_row(kernels(), cpu); }

conv::Work setup(const Kernel& kernel, const Shape& shape, Params* p) {
  p->shape = shape;
  Shape& s = p->shape;
  if (s.x_pixel == 0) s.x_pixel = s.channels;
  if (s.y_pixel == 0) s.y_pixel = s.out_channels;
  p->fused = dot::fuse(p->epilogue);
  if (s.batch * s.out_pixels() == 0) return {0, 0};
  const dot::Kernel& dot_kernel = *dot::find(kernel.dot);
  const i64 channels = s.channels / s.groups, n = round_up(s.out_channels / s.groups, dot::kPanel);
  const i64 row_macs = ceil_div(s.out[2] * channels * s.taps() * n, s.stride[0] * s.stride[1] * s.stride[2]);
  const i64 total = s.batch * s.groups * s.out[0] * s.out[1] * row_macs;
  const i64 macs = std::clamp(total / 48, dot_kernel.tile_macs / 4, dot_kernel.tile_macs * 2);
  const i64 unit = 2 * dot::kPanel;
  const i64 rows = std::clamp<i64>(macs / std::max<i64>(row_macs, 1), 1, s.out[1]);
  i64 cols = n;
  if (rows * row_macs > dot_kernel.tile_macs * 4)
    cols = std::max<i64>(n * dot_kernel.tile_macs * 4 / row_macs / unit, 1) * unit;
  p->row_tiles = ceil_div(s.out[1], rows);
  p->row_step = ceil_div(s.out[1], p->row_tiles);
  p->row_tiles = ceil_div(s.out[1], p->row_step);
  p->col_step = std::min(cols, round_up(n, unit));
  p->col_tiles = ceil_div(n, p->col_step);
  for (int d = 0; d < kMaxSpatial; ++d) p->reach[d] = (s.kernel[d] - 1) * s.dilation[d] / s.stride[d];
  // Input positions that row_step output rows and all output columns start from, and what their taps reach back to.
  p->strip_lines = (p->row_step - 1) / s.stride[1] + 2 + p->reach[1];
  p->strip_cols = (s.out[2] - 1) / s.stride[2] + 2 + p->reach[2];
  p->strip_pixel = round_up(channels, 16);
  if (p->strip_pixel % 256 == 0) p->strip_pixel += 16;
  const i64 strip = (p->reach[0] + 1) * p->strip_lines * p->strip_cols * p->strip_pixel * 4;
  return {s.batch * s.groups * s.out[0] * p->row_tiles * p->col_tiles, scratch_size(Scratch::head_bytes(s) + strip)};
}

}  // namespace mote::kernels::conv_transpose
