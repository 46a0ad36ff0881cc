#include "kernels/conv/conv.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "kernels/conv/drivers.h"
#include "kernels/table.h"

namespace mote::kernels::conv {

i64 Shape::out(int d) const {
  const i64 room = in[d] + pad_begin[d] + pad_end[d] - (kernel[d] - 1) * dilation[d] - 1;
  return room < 0 ? 0 : room / stride[d] + 1;
}

std::string_view name_of(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::kDot:
      return "dot";
    case Algorithm::kDirect:
      return "direct";
    case Algorithm::kDepthwise:
      return "depthwise";
    case Algorithm::kWinograd23:
      return "winograd23";
    case Algorithm::kWinograd43:
      return "winograd43";
    case Algorithm::kGrouped:
      return "grouped";
    case Algorithm::kDotPairs:
      return "dot_bf16";
    case Algorithm::kDirectPairs:
      return "direct_bf16";
  }
  return "";
}

namespace {

bool pointwise(const Shape& s) {
  bool r = s.groups == 1;
  for (int d = 0; d < kMaxSpatial; ++d) {
    r = r && s.kernel[d] == 1 && s.stride[d] == 1 && s.pad_begin[d] == 0 && s.pad_end[d] == 0;
  }
  return r;
}

bool three_by_three(const Shape& s) {
  bool r = s.groups == 1 && s.in[0] == 1 && s.kernel[0] == 1 && s.out(0) == 1;
  for (int d : {1, 2}) r = r && s.kernel[d] == 3 && s.stride[d] == 1 && s.dilation[d] == 1;
  return r;
}

bool small_groups(const Shape& s) {
  const i64 group = s.channels / s.groups;
  return s.groups > 1 && s.channels == s.out_channels && (group == 2 || group == 4 || group == 8) && s.kernel[2] == 3 &&
         s.stride[2] <= 2 && s.dilation[2] == 1;
}

}  // namespace

bool supports(Algorithm algorithm, const Shape& s) {
  switch (algorithm) {
    case Algorithm::kDot:
    case Algorithm::kDotPairs:
      return pointwise(s);
    case Algorithm::kDirectPairs:
      return s.channels / s.groups % 2 == 0;
    case Algorithm::kDirect:
      return true;
    case Algorithm::kDepthwise:
      return s.groups == s.channels;
    case Algorithm::kWinograd23:
    case Algorithm::kWinograd43:
      return three_by_three(s);
    case Algorithm::kGrouped:
      return small_groups(s);
  }
  return false;
}

Algorithm choose(const Shape& s) {
  if (pointwise(s)) return Algorithm::kDot;
  if (s.groups > 1 && s.groups == s.channels) return Algorithm::kDepthwise;
  if (small_groups(s)) return Algorithm::kGrouped;
  if (three_by_three(s) && s.channels >= 32 && s.out_channels >= 32) {
    const i64 side = std::min(s.out(1), s.out(2));
    if (side >= 20) return Algorithm::kWinograd43;
    if (side >= 12 && s.channels >= 64) return Algorithm::kWinograd23;
  }
  return Algorithm::kDirect;
}

Algorithm choose_pairs(const Shape& s) {
  const Algorithm plain = choose(s);
  if (plain == Algorithm::kDot) return Algorithm::kDotPairs;
  const bool taps = plain == Algorithm::kDirect || plain == Algorithm::kWinograd23;
  return taps && supports(Algorithm::kDirectPairs, s) ? Algorithm::kDirectPairs : plain;
}

i64 packed_size(Algorithm algorithm, const Shape& s) {
  if (algorithm == Algorithm::kDepthwise) return dot::packed_size(s.taps(), s.out_channels);
  if (algorithm == Algorithm::kGrouped) return dot::packed_size(s.taps() * (s.channels / s.groups), s.out_channels);
  if (algorithm == Algorithm::kWinograd43) return 36 * dot::packed_size(s.channels, s.out_channels);
  if (algorithm == Algorithm::kWinograd23) return 16 * dot::packed_size(s.channels, s.out_channels);
  if (s.store != dot::Store::kF32) return dot::packed_bytes(s.store, s.channels, s.out_channels) / 4;
  if (algorithm == Algorithm::kDotPairs) return dot::packed_size(dot::pairs_of(s.channels), s.out_channels);
  const i64 words = s.channels / s.groups / (algorithm == Algorithm::kDirectPairs ? 2 : 1);
  return s.groups * dot::packed_size(words * s.taps(), s.out_channels / s.groups);
}

namespace {

// pack_group() where TurnedRows can be had.
void pack_group_rows(const Shape& s, const Weights& w, i64 channels, i64 cols, float* dst) {
  TurnedRows turned;
  const dot::TransposeFn transpose = dot::select(active_cpu()).transpose;
  const i64 taps = s.taps();
  for (i64 col = 0; col < cols; col += dot::kPanel, dst += channels * taps * dot::kPanel) {
    const int width = static_cast<int>(std::min<i64>(dot::kPanel, cols - col));
    for (i64 c = 0; c < channels; c += kTurned) {
      const i64 chunk = c / kChunk * kChunk, len = std::min(kChunk, channels - chunk);
      const i64 count = std::min(kTurned, channels - c);
      turned.read(transpose, w, taps, col, width, c, count);
      for (i64 tap = 0; tap < taps; ++tap) {
        float* to = dst + (chunk * taps + tap * len + c - chunk) * dot::kPanel;
        for (i64 i = 0; i < count; ++i, to += dot::kPanel)
          std::memcpy(to, turned.row(i, tap, taps), dot::kPanel * sizeof(float));
      }
    }
  }
}

// One group of kDot or kDirect: `cols` output channels of `channels` inputs, chunk by chunk. Of pairs, channels are
// counted in words of two.
void pack_group(const Shape& s, const Weights& w, bool pairs, i64 channels, i64 cols, float* dst) {
  if (!pairs && TurnedRows::can(s, w)) return pack_group_rows(s, w, channels, cols, dst);
  const auto* data = static_cast<const std::byte*>(w.data);
  const i64 element = bits_of(w.dtype) / 8, k = channels * s.taps(), unit = pairs ? 2 : 1;
  for (i64 c = 0; c < channels; c += kChunk) {
    const i64 len = std::min(kChunk, channels - c);
    for (i64 tap = 0; tap < s.taps(); ++tap) {
      const i64 at = c * unit * w.channel_stride + tap * w.tap_stride;
      (pairs ? dot::pack_pairs : dot::pack)({data + at * element, w.dtype, w.channel_stride, w.out_stride}, len * unit,
                                            cols, dst + (c * s.taps() + tap * len) * dot::kPanel, k * dot::kPanel);
    }
  }
}

}  // namespace

bool packs_in_parts(Algorithm algorithm, const Shape& s) {
  return s.groups == 1 || algorithm == Algorithm::kDepthwise || algorithm == Algorithm::kGrouped;
}

void pack_part(Algorithm algorithm, const Shape& s, const Weights& w, i64 first, i64 count, float* dst) noexcept {
  const i64 group = s.channels / s.groups;
  switch (algorithm) {
    case Algorithm::kDepthwise:
      dot::pack({w.data, w.dtype, w.tap_stride, w.out_stride}, s.taps(), count, dst + first * s.taps(),
                s.taps() * dot::kPanel);
      break;
    case Algorithm::kGrouped: {
      const i64 piece = group * dot::kPanel;
      for (i64 tap = 0; tap < s.taps(); ++tap) {
        const auto* data = static_cast<const std::byte*>(w.data) + tap * w.tap_stride * (bits_of(w.dtype) / 8);
        dot::pack({data, w.dtype, w.channel_stride, w.out_stride}, group, count,
                  dst + first * group * s.taps() + tap * piece, s.taps() * piece);
      }
      break;
    }
    case Algorithm::kWinograd23:
    case Algorithm::kWinograd43:
      pack_winograd(algorithm, s, w, first, count, dst);
      break;
    case Algorithm::kDotPairs: {
      const i64 k = dot::pairs_of(s.channels);
      dot::pack_pairs({w.data, w.dtype, w.channel_stride, w.out_stride}, s.channels, count, dst + first * k,
                      k * dot::kPanel);
      break;
    }
    case Algorithm::kDirectPairs:
      pack_group(s, w, true, group / 2, count, dst + first * (group / 2) * s.taps());
      break;
    case Algorithm::kDot:
    case Algorithm::kDirect:
      if (s.store != dot::Store::kF32) {
        const i64 panel = dot::panel_bytes(s.store, s.channels);
        return dot::pack_halves(s.store, {w.data, w.dtype, w.channel_stride, w.out_stride}, s.channels, count,
                                reinterpret_cast<std::byte*>(dst) + first / dot::kPanel * panel, panel);
      }
      pack_group(s, w, false, group, count, dst + first * group * s.taps());
      break;
  }
}

void pack(Algorithm algorithm, const Shape& s, const Weights& w, float* dst) noexcept {
  if (packs_in_parts(algorithm, s)) return pack_part(algorithm, s, w, 0, s.out_channels, dst);
  const bool pairs = algorithm == Algorithm::kDirectPairs;
  const i64 channels = s.channels / s.groups / (pairs ? 2 : 1), cols = s.out_channels / s.groups;
  Weights from = w;
  for (i64 g = 0; g < s.groups; ++g, dst += dot::packed_size(channels * s.taps(), cols)) {
    from.data = static_cast<const std::byte*>(w.data) + g * cols * w.out_stride * (bits_of(w.dtype) / 8);
    pack_group(s, from, pairs, channels, cols, dst);
  }
}

}  // namespace mote::kernels::conv

namespace mote::kernels::conv {
namespace {

template <dot::BlockFn kBlock, dot::RoundFn kRound = nullptr>
void run_dot(const Params& p, TileRange range) noexcept {
  dot::Params d = p.dot;
  d.a = p.x;
  d.b = p.w;
  d.bias = p.bias;
  d.c = p.y;
  d.epilogue = p.epilogue;
  dot::run_with(d, range, kBlock, kRound);
}

template <dot::BlockFn kBlock, dot::RoundFn kRound = nullptr>
void run_direct(const Params& p, TileRange range) noexcept {
  run_direct(p, range, kBlock, kRound);
}

template <DepthwiseFn kBlock>
void run_depthwise(const Params& p, TileRange range) noexcept {
  run_depthwise(p, range, kBlock);
}

template <Algorithm kAlgorithm, const WinogradFns* kFns>
void run_winograd(const Params& p, TileRange range) noexcept {
  run_winograd(p, range, kAlgorithm, *kFns);
}

#define MOTE_WINOGRAD(ns)                                                                                 \
  [[maybe_unused]] constexpr WinogradFns kWinograd_##ns{&winograd_input43_##ns, &winograd_input23_##ns,   \
                                                        &winograd_output43_##ns, &winograd_output23_##ns, \
                                                        &dot::block_##ns};

#define MOTE_ROW_winograd43(ns) &run_winograd<Algorithm::kWinograd43, &kWinograd_##ns>
#define MOTE_ROW_winograd23(ns) &run_winograd<Algorithm::kWinograd23, &kWinograd_##ns>
#define MOTE_ROW_dot(ns) &run_dot<dot::block_##ns>
#define MOTE_ROW_direct(ns) &run_direct<dot::block_##ns>
#define MOTE_ROW_depthwise(ns) &run_depthwise<depthwise_##ns>
#define MOTE_ROW_grouped(ns) &run_depthwise<depthwise_##ns>
MOTE_WINOGRAD(avx512)
MOTE_WINOGRAD(avx2)
MOTE_WINOGRAD(neon)
MOTE_WINOGRAD(scalar)

constexpr Kernel kKernels[] = {
#define MOTE_CONV_KERNEL(name, algorithm, ns, isa, numerics)   \
  {"conv_" #name "_f32_" #isa, Algorithm::algorithm, Isa::isa, \
   Numerics::numerics,         "dot_f32_" #isa,      MOTE_IF_##ns(MOTE_ROW_##name(ns))},
#define MOTE_CONV_PAIR_KERNEL(name, algorithm, ns, isa) \
  {"conv_" #name "_bf16_" #isa,                         \
   Algorithm::algorithm,                                \
   Isa::isa,                                            \
   Numerics::kFast,                                     \
   "dot_bf16_" #isa,                                    \
   MOTE_IF_##ns(&run_##name<dot::block_pairs_##ns MOTE_COMMA dot::round_pairs_##ns>)},
#define MOTE_COMMA ,
#include "kernels/conv/kernels.inc"
#undef MOTE_COMMA
#undef MOTE_CONV_PAIR_KERNEL
#undef MOTE_CONV_KERNEL
};

}  // namespace

std::span<const Kernel> kernels() { return kKernels; }

const Kernel& select(Algorithm algorithm, const CpuFeatures& cpu) {
  const Kernel* last = nullptr;
  for (const Kernel& k : kKernels) {
    if (k.algorithm != algorithm) continue;
    if (cpu.has(k.isa)) return k;
    last = &k;
  }
  return *last;
}

Work setup(const Kernel& kernel, const Shape& shape, Params* p) {
  p->shape = shape;
  Shape& s = p->shape;
  if (s.x_pixel == 0) s.x_pixel = s.channels;
  if (s.y_pixel == 0) s.y_pixel = s.out_channels;
  for (int d = 0; d < kMaxSpatial; ++d) p->out[d] = s.out(d);
  const bool turns = kernel.algorithm != Algorithm::kGrouped;  // whose blocks run along the width
  if (turns && s.in[0] == 1 && s.kernel[0] == 1 && s.in[1] == 1 && s.kernel[1] == 1 && p->out[1] == 1) {
    // One dimension: let its positions be rows, which tiles can cut.
    std::swap(s.in[1], s.in[2]);
    std::swap(s.kernel[1], s.kernel[2]);
    std::swap(s.stride[1], s.stride[2]);
    std::swap(s.dilation[1], s.dilation[2]);
    std::swap(s.pad_begin[1], s.pad_begin[2]);
    std::swap(s.pad_end[1], s.pad_end[2]);
    std::swap(p->out[1], p->out[2]);
  }
  p->fused = dot::fuse(p->epilogue);
  if (s.batch * p->out[0] * p->out[1] * p->out[2] == 0) return {0, 0};
  const dot::Kernel& dot_kernel = *dot::find(kernel.dot);
  switch (kernel.algorithm) {
    case Algorithm::kDot:
    case Algorithm::kDotPairs: {
      p->dot.epilogue = p->epilogue;
      const dot::Shape d{.m = s.batch * s.in_pixels(),
                         .n = s.out_channels,
                         .k = s.channels,
                         .a_row = s.x_pixel,
                         .c_row = s.y_pixel,
                         .store = s.store,
                         .pairs = kernel.algorithm == Algorithm::kDotPairs,
                         .tiling = s.tiling};
      return dot::setup(dot_kernel, d, &p->dot);
    }
    case Algorithm::kDirect:
    case Algorithm::kDirectPairs:
      p->pairs = kernel.algorithm == Algorithm::kDirectPairs;
      if (p->pairs) s.channels /= 2;
      return setup_direct(dot_kernel, p);
    case Algorithm::kDepthwise:
    case Algorithm::kGrouped:
      p->group = s.channels / s.groups;
      return setup_depthwise(dot_kernel, p);
    case Algorithm::kWinograd23:
    case Algorithm::kWinograd43:
      return setup_winograd(dot_kernel, kernel.algorithm, p);
  }
  return {0, 0};
}

}  // namespace mote::kernels::conv
