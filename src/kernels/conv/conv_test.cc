#include "kernels/conv/conv.h"

#include <gtest/gtest.h>

#include "base/half.h"
#include "kernels/testing.h"

namespace mote::kernels::conv {
namespace {

using namespace testing;
using i64 = std::int64_t;

struct Case {
  Shape s;
  bool bias = true, residual = false, relu = false, ohwi = false, program = false;
};

std::string describe(const Shape& s) {
  std::string t = "batch " + std::to_string(s.batch) + " channels " + std::to_string(s.channels) + " -> " +
                  std::to_string(s.out_channels) + " groups " + std::to_string(s.groups);
  const auto list = [&](const char* name, const i64* v) {
    t += std::string(" ") + name;
    for (int d = 0; d < 3; ++d) t += (d ? "," : " ") + std::to_string(v[d]);
  };
  list("in", s.in);
  list("kernel", s.kernel);
  list("stride", s.stride);
  list("dilation", s.dilation);
  list("pad", s.pad_begin);
  list("end", s.pad_end);
  return t;
}

// The naive convolution in the canonical order of the numerics class.
Data reference(const Case& c, const Data& x, const Data& w, const Data& bias, const Data& residual,
               const Epilogue& epilogue) {
  const Shape& s = c.s;
  const i64 cg = s.channels / s.groups, ng = s.out_channels / s.groups, taps = s.taps();
  const i64 xp = s.x_pixel ? s.x_pixel : s.channels, yp = s.y_pixel ? s.y_pixel : s.out_channels;
  const i64 od = s.out(0), oh = s.out(1), ow = s.out(2);
  Data y = Data::poisoned(s.batch * od * oh * ow * yp);
  for (i64 p = 0; p < s.batch * od * oh * ow; ++p) {
    const i64 pos[3] = {p / (oh * ow) % od, p / ow % oh, p % ow}, image = p / (od * oh * ow);
    for (i64 o = 0; o < s.out_channels; ++o) {
      float acc = c.bias ? bias[o] : 0;
      for (i64 chunk = 0; chunk < cg; chunk += 32) {
        for (i64 tap = 0; tap < taps; ++tap) {
          const i64 k[3] = {tap / (s.kernel[1] * s.kernel[2]), tap / s.kernel[2] % s.kernel[1], tap % s.kernel[2]};
          bool inside = true;
          i64 at = image;
          for (int d = 0; d < 3; ++d) {
            const i64 i = pos[d] * s.stride[d] - s.pad_begin[d] + k[d] * s.dilation[d];
            inside = inside && i >= 0 && i < s.in[d];
            at = at * s.in[d] + i;
          }
          for (i64 e = chunk; e < std::min(chunk + 32, cg); ++e) {
            const float v = inside ? x[at * xp + o / ng * cg + e] : 0;
            acc = std::fma(v, w[c.ohwi ? (o * taps + tap) * cg + e : (o * cg + e) * taps + tap], acc);
          }
        }
      }
      if (c.residual) acc += residual[p * s.out_channels + o];
      if (c.relu) acc = std::max(0.0f, acc);
      y[p * yp + o] = acc;
    }
    if (c.program) scalar::apply_epilogue(epilogue, {y.get() + p * yp, yp, 1, s.out_channels, p, 1, 0});
  }
  return y;
}

// The largest difference, infinite where only one of the two is NaN (a gap of the poisoned pitch).
float worst_difference(const Data& a, const Data& b) {
  float worst = 0;
  for (i64 i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) != std::isnan(b[i])) return std::numeric_limits<float>::infinity();
    if (!std::isnan(a[i])) worst = std::max(worst, std::abs(a[i] - b[i]));
  }
  return worst;
}

Data in_bf16(const Data& x) {
  Data r(x.size());
  for (i64 i = 0; i < x.size(); ++i) r[i] = bf16_to_f32(f32_to_bf16(x[i]));
  return r;
}

// The algorithm for pairs of bf16: near to the chain over rounded operands, the same bits for any partition.
void check_pairs(const Case& c, const Data& x, const Data& w, const Data& bias, const Data& residual,
                 const Epilogue& epilogue) {
  const Shape& s = c.s;
  const Algorithm algorithm = choose_pairs(s);
  if (algorithm != Algorithm::kDotPairs && algorithm != Algorithm::kDirectPairs) return;
  const i64 cg = s.channels / s.groups;
  const Data want = reference(c, in_bf16(x), in_bf16(w), bias, residual, epilogue);
  Data packed = Data::poisoned(packed_size(algorithm, s));
  const Weights oihw{w.get(), DType::f32, cg * s.taps(), s.taps(), 1}, ohwi{w.get(), DType::f32, s.taps() * cg, 1, cg};
  pack(algorithm, s, c.ohwi ? ohwi : oihw, packed.get());
  for (const Kernel& kernel : kernels()) {
    if (kernel.algorithm != algorithm || !host_cpu().has(kernel.isa)) continue;
    SCOPED_TRACE(kernel.name);
    Params p;
    p.epilogue = epilogue;
    const Work work = setup(kernel, s, &p);
    p.x = x.get();
    p.w = packed.get();
    p.bias = c.bias ? bias.get() : nullptr;
    Data first = Data::poisoned(want.size());
    for (int parts : {1, 3, 7}) {
      Data got = Data::poisoned(want.size());
      p.y = got.get();
      run_in_parts(kernel.run, p, work.tiles, work.scratch_bytes, parts);
      ASSERT_LT(worst_difference(got, want), 1e-5f * static_cast<float>(std::sqrt(cg * s.taps())));
      if (parts == 1) first = got;
      ASSERT_TRUE(got.same_bits(first)) << parts << " parts";
    }
  }
}

void check(const Case& c) {
  const Shape& s = c.s;
  SCOPED_TRACE(describe(s));
  const i64 xp = s.x_pixel ? s.x_pixel : s.channels, cg = s.channels / s.groups;
  Data x = Data::poisoned(s.batch * s.in_pixels() * xp);
  const Data values(s.batch * s.in_pixels() * s.channels), w(s.out_channels * cg * s.taps(), 2),
      bias(s.out_channels, 3);
  for (i64 p = 0; p < s.batch * s.in_pixels(); ++p) {
    for (i64 e = 0; e < s.channels; ++e) x[p * xp + e] = values[p * s.channels + e];
  }
  Data residual(s.batch * s.out_pixels() * s.out_channels, 4);
  const Algorithm algorithm = choose(s);
  const bool chain = algorithm != Algorithm::kWinograd23 && algorithm != Algorithm::kWinograd43;
  Epilogue epilogue;
  epilogue.operands[0] = {residual.get(), s.out_channels, 1};
  if (c.program) {
    epilogue.ops[epilogue.count++] = unary(UnaryOp::hard_swish);
    epilogue.ops[epilogue.count++] = binary(BinaryOp::mul, 0);
  }
  if (c.residual) epilogue.ops[epilogue.count++] = binary(BinaryOp::add, 0);
  if (c.relu) epilogue.ops[epilogue.count++] = unary(UnaryOp::relu);
  check_pairs(c, x, w, bias, residual, epilogue);
  Data want = reference(c, x, w, bias, residual, epilogue);
  Data packed = Data::poisoned(packed_size(algorithm, s));
  const Weights oihw{w.get(), DType::f32, cg * s.taps(), s.taps(), 1}, ohwi{w.get(), DType::f32, s.taps() * cg, 1, cg};
  const Weights& weights = c.ohwi ? ohwi : oihw;
  pack(algorithm, s, weights, packed.get());
  if (packs_in_parts(algorithm, s)) {
    Data in_parts = Data::poisoned(packed_size(algorithm, s));
    for (i64 first = 0; first < s.out_channels; first += 16) {
      Weights part = weights;
      part.data = w.get() + first * weights.out_stride;
      pack_part(algorithm, s, part, first, std::min<i64>(16, s.out_channels - first), in_parts.get());
    }
    ASSERT_TRUE(in_parts.same_bits(packed));
  }
  const Kernel* first = &select(algorithm, host_cpu());
  for (const Kernel& kernel : kernels()) {
    if (kernel.algorithm != algorithm || !host_cpu().has(kernel.isa)) continue;
    SCOPED_TRACE(kernel.name);
    Params p;
    p.epilogue = epilogue;
    const Work work = setup(kernel, s, &p);
    p.x = x.get();
    p.w = packed.get();
    p.bias = c.bias ? bias.get() : nullptr;
    for (int parts : {1, 2, 3, 7}) {
      Data got = Data::poisoned(want.size());
      p.y = got.get();
      run_in_parts(kernel.run, p, work.tiles, work.scratch_bytes, parts);
      if (!chain && &kernel == first) {
        // Winograd: near to the chain, and from then on the same bits as the first row.
        ASSERT_LT(worst_difference(got, want), 2e-5f * static_cast<float>(std::sqrt(cg * s.taps())));
        want = got;
        first = nullptr;
      }
      ASSERT_TRUE(got.same_bits(want)) << parts << " parts";
    }
    for (Tiling tiling : {Tiling::kSmaller, Tiling::kLarger, Tiling::kTurned}) {
      Shape cut = s;
      cut.tiling = tiling;
      const Work again = setup(kernel, cut, &p);
      Data got = Data::poisoned(want.size());
      p.y = got.get();
      run_in_parts(kernel.run, p, again.tiles, again.scratch_bytes, 2);
      ASSERT_TRUE(got.same_bits(want)) << kTilingNames[static_cast<std::size_t>(tiling)];
    }
  }
}

Shape square(i64 channels, i64 out, i64 size, i64 kernel, i64 stride = 1, i64 groups = 1) {
  Shape s{.channels = channels, .out_channels = out, .groups = groups};
  for (int d : {1, 2}) {
    s.in[d] = size;
    s.kernel[d] = kernel;
    s.stride[d] = stride;
    s.pad_begin[d] = s.pad_end[d] = kernel / 2;
  }
  return s;
}

TEST(Conv, ChoosesByShape) {
  EXPECT_EQ(choose(square(8, 16, 10, 1)), Algorithm::kDot);
  EXPECT_EQ(choose(square(8, 16, 10, 1, 2)), Algorithm::kDirect);
  EXPECT_EQ(choose(square(8, 8, 10, 3, 1, 8)), Algorithm::kDepthwise);
  EXPECT_EQ(choose(square(8, 16, 10, 3, 1, 8)), Algorithm::kDepthwise);
  EXPECT_EQ(choose(square(8, 8, 10, 3, 1, 4)), Algorithm::kGrouped);
  EXPECT_EQ(choose(square(8, 16, 10, 3, 1, 4)), Algorithm::kDirect);
  EXPECT_EQ(choose(square(64, 64, 56, 3)), Algorithm::kWinograd43);
  EXPECT_EQ(choose(square(64, 64, 14, 3)), Algorithm::kWinograd23);
  EXPECT_EQ(choose(square(64, 64, 7, 3)), Algorithm::kDirect);
  EXPECT_EQ(choose(square(64, 64, 56, 3, 2)), Algorithm::kDirect);
  EXPECT_EQ(choose_pairs(square(8, 16, 10, 1)), Algorithm::kDotPairs);
  EXPECT_EQ(choose_pairs(square(64, 64, 14, 3)), Algorithm::kDirectPairs);
  EXPECT_EQ(choose_pairs(square(64, 64, 56, 3)), Algorithm::kWinograd43);
  EXPECT_EQ(choose_pairs(square(3, 64, 56, 3, 2)), Algorithm::kDirect);
}

TEST(Conv, Pointwise) {
  check({square(20, 37, 7, 1)});
  Shape s = square(33, 18, 9, 1);
  s.batch = 2;
  s.x_pixel = 40;
  s.y_pixel = 21;
  check({s, true, true, true});
}

TEST(Conv, KernelsAndStrides) {
  for (i64 size : {1, 5, 7, 8, 14, 20, 29}) {
    for (i64 kernel : {1, 2, 3, 5, 7}) {
      for (i64 stride : {1, 2, 3}) check({square(5, 19, size, kernel, stride)});
    }
  }
}

TEST(Conv, ChannelChunks) {
  for (i64 channels : {1, 3, 16, 31, 32, 33, 64, 70, 256}) {
    check({square(channels, 24, 9, 3), true, true, true});
    check({square(channels, 10, 9, 3, 2), false, false, true, true});
  }
}

TEST(Conv, MapsOfEveryWidth) {
  for (i64 size = 1; size <= 31; ++size) check({square(3, 40, size, 3)});
  check({square(40, 33, 57, 3)});
}

TEST(Conv, AsymmetricPadsDilationAndPitches) {
  Shape s = square(6, 10, 13, 3);
  s.in[1] = 11;
  s.pad_begin[1] = 0;
  s.pad_end[1] = 2;
  s.pad_begin[2] = 3;
  s.pad_end[2] = 0;
  s.x_pixel = 9;
  s.y_pixel = 17;
  s.batch = 2;
  check({s, true, true});
  for (i64 dilation : {2, 3, 6}) {
    Shape t = square(40, 18, 17, 3);
    t.dilation[1] = t.dilation[2] = dilation;
    t.pad_begin[1] = t.pad_begin[2] = t.pad_end[1] = t.pad_end[2] = dilation;
    check({t});
    t.pad_begin[1] = t.pad_begin[2] = t.pad_end[1] = t.pad_end[2] = 0;
    check({t});
    t.channels = t.out_channels = t.groups = 19;
    t.pad_begin[1] = 5;
    check({t});
  }
  Shape crop = square(4, 6, 10, 3);
  crop.pad_begin[1] = -2;
  crop.pad_end[2] = -1;
  check({crop});
}

TEST(Conv, OneAndThreeDimensions) {
  for (i64 channels : {1, 3, 40}) {
    for (i64 kernel : {1, 3, 10}) {
      for (i64 stride : {1, 2, 5}) {
        Shape s{.batch = 2, .channels = channels, .out_channels = 21};
        s.in[2] = 203;
        s.kernel[2] = kernel;
        s.stride[2] = stride;
        s.pad_begin[2] = kernel / 2;
        s.pad_end[2] = kernel / 3;
        check({s});
      }
    }
    Shape v{.batch = 2, .channels = channels, .out_channels = 18};
    for (int d = 0; d < 3; ++d) {
      v.in[d] = 5 + d;
      v.kernel[d] = 3 - d % 2;
      v.stride[d] = 1 + d % 2;
      v.pad_begin[d] = 1;
      v.pad_end[d] = d % 2;
    }
    check({v, true, true, true});
    v.groups = channels;
    v.out_channels = channels * 2;
    check({v, true, true, true});
  }
  Shape deep{.channels = 24, .out_channels = 24, .groups = 24};
  deep.in[2] = 130;
  deep.kernel[2] = 9;
  deep.pad_begin[2] = 8;
  check({deep});
}

TEST(Conv, Groups) {
  check({square(8, 12, 9, 3, 1, 4), true, true, true});
  check({square(64, 64, 7, 3, 2, 2)});
  check({square(80, 80, 6, 1, 1, 2)});
  check({square(6, 40, 8, 5, 1, 2), true, false, true, true});
}

TEST(Conv, GroupsOfFewChannels) {
  for (i64 group : {2, 4, 8}) {
    for (i64 groups : {2, 3, 5, 8}) {
      for (i64 stride : {1, 2})
        check({square(group * groups, group * groups, 9, 3, stride, groups), true, true, true, stride == 2});
    }
  }
  for (i64 size = 1; size < 17; ++size) check({square(24, 24, size, 3, 1, 6)});
  for (i64 stride : {1, 2}) {
    Shape line{.batch = 2, .channels = 12, .out_channels = 12, .groups = 3};
    line.in[2] = 45;
    line.kernel[2] = 3;
    line.stride[2] = stride;
    line.pad_begin[2] = 1;
    ASSERT_EQ(choose(line), Algorithm::kGrouped);
    check({line, true, true, true});
  }
  Shape s = square(40, 40, 10, 3, 1, 5);
  s.kernel[1] = 2;
  s.batch = 2;
  s.x_pixel = 47;
  s.y_pixel = 41;
  check({.s = s, .residual = true});
}

TEST(Conv, Depthwise) {
  for (i64 kernel : {2, 3, 4, 5, 7}) {
    for (i64 stride : {1, 2, 3}) {
      for (i64 channels : {2, 16, 23, 50})
        check({square(channels, channels, 19, kernel, stride, channels), true, true, true});
    }
  }
  for (i64 size = 1; size < 24; ++size) check({square(17, 17, size, 3, 1, 17)});
  for (i64 m : {2, 3, 5}) check({square(10, 10 * m, 12, 3, 2, 10)});
  Shape s = square(24, 24, 15, 3, 1, 24);
  s.batch = 2;
  s.x_pixel = 30;
  s.y_pixel = 25;
  check({s, false, true, false, true});
}

// Widths that cut rows into tiles of every size, with padding on both sides, on one and on none.
TEST(Conv, DepthwiseAtTheSides) {
  for (i64 kernel : {3, 5, 7}) {
    for (i64 stride : {1, 2}) {
      for (i64 size = kernel; size < kernel + 18; ++size) {
        Shape s = square(19, 19, size, kernel, stride, 19);
        s.in[1] = kernel + size % 3;
        s.pad_begin[2] = size % 4 < 2 ? kernel / 2 - size % 2 : 0;
        s.pad_end[2] = size % 3 == 0 ? 0 : kernel / 2;
        check({s, size % 2 == 0, size % 5 == 0, size % 3 == 1});
      }
    }
  }
}

TEST(Conv, Winograd) {
  for (i64 size = 20; size <= 25; ++size) check({square(32, 48, size, 3), true, true, true});
  for (i64 size = 12; size <= 19; ++size) check({square(64, 40, size, 3), size % 2 == 0, size % 3 == 0});
  Shape s = square(39, 37, 21, 3);
  s.batch = 2;
  s.x_pixel = 50;
  s.y_pixel = 41;
  s.in[1] = 24;
  s.pad_begin[1] = 0;
  s.pad_end[2] = 3;
  check({s, true, true, true, true});
  check({square(70, 160, 28, 3)});
  check({square(256, 70, 14, 3)});
}

TEST(Conv, EpiloguePrograms) {
  const auto program = [](Shape s) {
    s.y_pixel = s.out_channels + 3;
    check({.s = s, .program = true});
  };
  program(square(8, 20, 9, 1));
  program(square(8, 20, 9, 3));
  program(square(40, 70, 30, 3, 2));
  program(square(19, 19, 9, 3, 1, 19));
  program(square(36, 40, 21, 3));
  program(square(64, 40, 13, 3));
}

TEST(Conv, SupportsWhatItCanDo) {
  const Shape s = square(64, 64, 30, 3);
  EXPECT_TRUE(supports(Algorithm::kDirect, s));
  EXPECT_TRUE(supports(Algorithm::kWinograd43, s));
  EXPECT_FALSE(supports(Algorithm::kDot, s));
  EXPECT_FALSE(supports(Algorithm::kDepthwise, s));
  EXPECT_FALSE(supports(Algorithm::kWinograd43, square(64, 64, 30, 5)));
  EXPECT_FALSE(supports(static_cast<Algorithm>(99), s));
}

TEST(Conv, EmptyOutput) {
  Shape s = square(4, 4, 2, 5);
  s.pad_begin[1] = s.pad_end[1] = 0;
  Params p;
  EXPECT_EQ(setup(select(choose(s), host_cpu()), s, &p).tiles, 0);
}

TEST(Conv, LongRows) {
  Shape s{.channels = 40, .out_channels = 20};
  s.in[1] = 3;
  s.in[2] = 3000;
  s.kernel[1] = s.kernel[2] = 3;
  s.pad_begin[1] = s.pad_begin[2] = s.pad_end[2] = 1;
  check({s, true, true, true});
  s.kernel[1] = 1;
  s.stride[2] = 3;
  s.dilation[2] = 5;
  check({s});
  Params p;
  const Work work = setup(select(Algorithm::kDirect, typical_cpu(Isa::generic)), s, &p);
  EXPECT_GT(p.width_tiles, 1);
  EXPECT_LT(work.scratch_bytes, std::size_t{1} << 20);
}

TEST(Conv, LargeLayersInManyTiles) {
  check({square(64, 64, 28, 3), true, true, true});
  check({square(160, 96, 14, 3, 2), true, true, true});
  check({square(3, 32, 64, 7, 2), true, false, true});
}

}  // namespace
}  // namespace mote::kernels::conv
