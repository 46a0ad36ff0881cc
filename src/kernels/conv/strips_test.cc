#include "kernels/conv/strips.h"

#include <gtest/gtest.h>

#include "kernels/testing.h"

namespace mote::kernels::conv {
namespace {

using namespace testing;
using i64 = std::int64_t;

struct Case {
  i64 channels, expanded, out_channels;  // expanded 0: no expansion; out_channels 0: no projection
  i64 kernel = 3, stride = 1;
  i64 in[2] = {13, 11}, batch = 1;
  i64 x_gap = 0, y_gap = 0;
  bool bias = true, residual = false, programs = false;
};

std::string describe(const Case& c) {
  std::string t;
  for (i64 v : {c.channels, c.expanded, c.out_channels, c.kernel, c.stride, c.in[0], c.in[1], c.batch})
    t += std::to_string(v) + " ";
  return t;
}

Epilogue clip(bool program) {
  Epilogue e;
  e.ops[e.count++] = program ? unary(UnaryOp::hard_swish) : unary(UnaryOp::clip, 0, 6);
  return e;
}

// One convolution by its generic row.
Data convolve(Algorithm algorithm, const Shape& s, const Data& x, const Data& packed, const Data& bias, bool has_bias,
              const Epilogue& epilogue, i64 size) {
  const Kernel* generic = nullptr;
  for (const Kernel& k : kernels()) {
    if (k.algorithm == algorithm) generic = &k;
  }
  Params p;
  p.epilogue = epilogue;
  const Work work = setup(*generic, s, &p);
  Data y = Data::poisoned(size);
  p.x = x.get();
  p.w = packed.get();
  p.bias = has_bias ? bias.get() : nullptr;
  p.y = y.get();
  run_in_parts(generic->run, p, work.tiles, work.scratch_bytes, 1);
  return y;
}

Data packed_weights(Algorithm algorithm, const Shape& s, int seed) {
  const i64 group = s.channels / s.groups;
  const Data w(s.out_channels * group * s.taps(), seed);
  Data packed = Data::poisoned(packed_size(algorithm, s));
  pack(algorithm, s, {w.get(), DType::f32, group * s.taps(), s.taps(), 1}, packed.get());
  return packed;
}

void check(const Case& c) {
  SCOPED_TRACE(describe(c));
  StripShape s;
  s.channels = c.channels;
  s.expands = c.expanded > 0;
  s.projects = c.out_channels > 0;
  Shape& d = s.depth;
  d.batch = c.batch;
  d.channels = d.out_channels = d.groups = s.expands ? c.expanded : c.channels;
  s.out_channels = s.projects ? c.out_channels : d.channels;
  for (int i : {1, 2}) {
    d.in[i] = c.in[i - 1];
    d.kernel[i] = c.kernel;
    d.stride[i] = c.stride;
    d.pad_begin[i] = c.kernel / 2;
    d.pad_end[i] = (c.kernel - 1) / 2;
  }
  s.x_pixel = c.channels + c.x_gap;
  s.y_pixel = s.out_channels + c.y_gap;
  ASSERT_TRUE(supports_strips(s));
  Shape expand{.batch = c.batch, .channels = c.channels, .out_channels = d.channels, .x_pixel = s.x_pixel};
  std::copy_n(d.in, 3, expand.in);
  Shape project{.batch = c.batch, .channels = d.channels, .out_channels = s.out_channels, .y_pixel = s.y_pixel};
  for (int i : {1, 2}) project.in[i] = d.out(i);
  const i64 pixels = c.batch * d.in_pixels(), outputs = c.batch * d.out_pixels();

  Data x = Data::poisoned(pixels * s.x_pixel);
  const Data values(pixels * c.channels);
  for (i64 i = 0; i < pixels * c.channels; ++i) x[i / c.channels * s.x_pixel + i % c.channels] = values[i];
  const Data ew = packed_weights(Algorithm::kDot, expand, 2), dw = packed_weights(Algorithm::kDepthwise, d, 3),
             pw = packed_weights(Algorithm::kDot, project, 4), bias(std::max(d.channels, s.out_channels), 5);
  Data residual(outputs * s.out_channels, 6);
  Epilogue between = clip(c.programs), last;
  last.operands[0] = {residual.get(), s.out_channels, 1};
  if (c.programs) last.ops[last.count++] = unary(UnaryOp::silu);
  if (c.residual) last.ops[last.count++] = binary(BinaryOp::add, 0);

  Data want = x;
  if (s.expands) want = convolve(Algorithm::kDot, expand, want, ew, bias, c.bias, between, pixels * d.channels);
  Shape depth = d;
  if (!s.expands) depth.x_pixel = s.x_pixel;
  if (!s.projects) depth.y_pixel = s.y_pixel;
  want = convolve(Algorithm::kDepthwise, depth, want, dw, bias, c.bias, s.projects ? between : last,
                  outputs * (s.projects ? d.channels : s.y_pixel));
  if (s.projects) want = convolve(Algorithm::kDot, project, want, pw, bias, c.bias, last, outputs * s.y_pixel);

  for (const StripKernel& kernel : strip_kernels()) {
    if (!host_cpu().has(kernel.isa)) continue;
    SCOPED_TRACE(kernel.name);
    StripParams p;
    p.expand = p.depth = between;
    p.last = last;
    const Work work = setup_strips(kernel, s, &p);
    p.x = x.get();
    p.expand_w = ew.get();
    p.depth_w = dw.get();
    p.project_w = pw.get();
    if (c.bias) p.expand_bias = p.depth_bias = p.project_bias = bias.get();
    for (int parts : {1, 2, 5}) {
      Data got = Data::poisoned(want.size());
      p.y = got.get();
      run_in_parts(kernel.run, p, work.tiles, work.scratch_bytes, parts);
      ASSERT_TRUE(got.same_bits(want)) << parts << " parts";
    }
    for (Tiling tiling : {Tiling::kSmaller, Tiling::kLarger, Tiling::kTurned}) {
      s.depth.tiling = tiling;
      const Work again = setup_strips(kernel, s, &p);
      Data got = Data::poisoned(want.size());
      p.y = got.get();
      run_in_parts(kernel.run, p, again.tiles, again.scratch_bytes, 2);
      ASSERT_TRUE(got.same_bits(want)) << kTilingNames[static_cast<std::size_t>(tiling)];
    }
    s.depth.tiling = Tiling::kUsual;
  }
}

TEST(Strips, TheBitsOfSingleConvolutions) {
  for (i64 kernel : {3, 5, 7}) {
    for (i64 stride : {1, 2}) {
      if (kernel == 7 && stride == 2) continue;
      check({3, 20, 7, kernel, stride});
      check({8, 35, 0, kernel, stride});
      check({17, 0, 12, kernel, stride});
    }
  }
}

TEST(Strips, MapsOfEverySize) {
  for (i64 size = 1; size <= 17; ++size) {
    for (i64 stride : {1, 2})
      check({.channels = 5, .expanded = 18, .out_channels = 6, .stride = stride, .in = {size, 18 - size}});
  }
}

TEST(Strips, PitchesBatchesResidualsAndPrograms) {
  for (bool programs : {false, true}) {
    check({.channels = 6,
           .expanded = 36,
           .out_channels = 6,
           .in = {9, 8},
           .batch = 3,
           .x_gap = 3,
           .y_gap = 2,
           .residual = true,
           .programs = programs});
    check({.channels = 24,
           .expanded = 0,
           .out_channels = 24,
           .kernel = 5,
           .in = {9, 8},
           .batch = 2,
           .x_gap = 1,
           .y_gap = 5,
           .bias = false,
           .residual = true,
           .programs = programs});
    check({.channels = 10,
           .expanded = 40,
           .out_channels = 0,
           .in = {9, 8},
           .batch = 2,
           .x_gap = 2,
           .y_gap = 1,
           .residual = true,
           .programs = programs});
  }
}

TEST(Strips, ManyTilesOfALargeBlock) {
  check({.channels = 16, .expanded = 96, .out_channels = 24, .stride = 2, .in = {56, 50}});
  check({.channels = 24, .expanded = 256, .out_channels = 24, .in = {30, 28}, .residual = true});
}

TEST(Strips, SuitLargeMapsWithSmallWeights) {
  StripShape s;
  s.channels = 16;
  s.out_channels = 24;
  s.expands = s.projects = true;
  Shape& d = s.depth;
  d.channels = d.out_channels = d.groups = 96;
  for (int i : {1, 2}) d.in[i] = 112, d.kernel[i] = 3, d.stride[i] = 2, d.pad_begin[i] = d.pad_end[i] = 1;
  EXPECT_TRUE(suit_strips(s));
  d.in[1] = d.in[2] = 14;
  EXPECT_FALSE(suit_strips(s));  // the map stays in the cache by itself
  d.in[1] = d.in[2] = 1000;
  EXPECT_FALSE(suit_strips(s));  // the rows do not fit it
  d.dilation[1] = d.dilation[2] = 2;
  EXPECT_FALSE(supports_strips(s));
}

}  // namespace
}  // namespace mote::kernels::conv
