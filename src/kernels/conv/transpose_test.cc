#include "kernels/conv/transpose.h"

#include <gtest/gtest.h>

#include "kernels/testing.h"

namespace mote::kernels::conv_transpose {
namespace {

using namespace testing;
using i64 = std::int64_t;

// The naive gather in the canonical order.
Data reference(const Shape& s, const Data& x, const Data& w, const Data& bias, const Data* residual) {
  const i64 cg = s.channels / s.groups, ng = s.out_channels / s.groups, taps = s.taps();
  const i64 xp = s.x_pixel ? s.x_pixel : s.channels, yp = s.y_pixel ? s.y_pixel : s.out_channels;
  Data y = Data::poisoned(s.batch * s.out_pixels() * yp);
  for (i64 p = 0; p < s.batch * s.out_pixels(); ++p) {
    const i64 pos[3] = {p / (s.out[1] * s.out[2]) % s.out[0], p / s.out[2] % s.out[1], p % s.out[2]};
    for (i64 o = 0; o < s.out_channels; ++o) {
      float acc = bias[o];
      for (i64 chunk = 0; chunk < cg; chunk += 32) {
        for (i64 tap = 0; tap < taps; ++tap) {
          const i64 k[3] = {tap / (s.kernel[1] * s.kernel[2]), tap / s.kernel[2] % s.kernel[1], tap % s.kernel[2]};
          bool phase = true, inside = true;
          i64 at = p / s.out_pixels();
          for (int d = 0; d < 3; ++d) {
            const i64 v = pos[d] + s.pad_begin[d] - k[d] * s.dilation[d];
            phase = phase && v % s.stride[d] == 0;
            inside = inside && v >= 0 && v / s.stride[d] < s.in[d];
            at = at * s.in[d] + v / s.stride[d];
          }
          if (!phase) continue;
          for (i64 e = chunk; e < std::min(chunk + 32, cg); ++e) {
            const float v = inside ? x[at * xp + o / ng * cg + e] : 0;
            acc = std::fma(v, w[((o / ng * cg + e) * ng + o % ng) * taps + tap], acc);
          }
        }
      }
      if (residual) acc = std::max(0.0f, acc + (*residual)[p * s.out_channels + o]);
      y[p * yp + o] = acc;
    }
  }
  return y;
}

void check(const Shape& s, bool residual = false) {
  SCOPED_TRACE(::testing::Message() << s.channels << " -> " << s.out_channels << " groups " << s.groups << " in "
                                    << s.in[0] << "," << s.in[1] << "," << s.in[2] << " out " << s.out[0] << ","
                                    << s.out[1] << "," << s.out[2] << " kernel " << s.kernel[2] << " stride "
                                    << s.stride[2]);
  const i64 xp = s.x_pixel ? s.x_pixel : s.channels, ng = s.out_channels / s.groups;
  Data x = Data::poisoned(s.batch * s.in_pixels() * xp);
  const Data values(s.batch * s.in_pixels() * s.channels), w(s.channels * ng * s.taps(), 2), bias(s.out_channels, 3);
  for (i64 p = 0; p < s.batch * s.in_pixels(); ++p) {
    for (i64 e = 0; e < s.channels; ++e) x[p * xp + e] = values[p * s.channels + e];
  }
  const Data extra(s.batch * s.out_pixels() * s.out_channels, 4);
  const Data want = reference(s, x, w, bias, residual ? &extra : nullptr);
  Data packed = Data::poisoned(packed_size(s));
  pack(s, {w.get(), DType::f32, s.taps(), ng * s.taps(), 1}, packed.get());
  for (const Kernel& kernel : kernels()) {
    if (!host_cpu().has(kernel.isa)) continue;
    SCOPED_TRACE(kernel.name);
    Params p;
    if (residual) {
      p.epilogue.count = 2;
      p.epilogue.ops[0] = binary(BinaryOp::add, 0);
      p.epilogue.ops[1] = unary(UnaryOp::relu);
      p.epilogue.operands[0] = {extra.get(), s.out_channels, 1};
    }
    const conv::Work work = setup(kernel, s, &p);
    p.x = x.get();
    p.w = packed.get();
    p.bias = bias.get();
    for (int parts : {1, 2, 3, 7}) {
      Data got = Data::poisoned(want.size());
      p.y = got.get();
      run_in_parts(kernel.run, p, work.tiles, work.scratch_bytes, parts);
      ASSERT_TRUE(got.same_bits(want)) << parts << " parts";
    }
  }
}

Shape square(i64 channels, i64 out, i64 size, i64 kernel, i64 stride, i64 pad = 0, i64 extra = 0) {
  Shape s{.channels = channels, .out_channels = out};
  for (int d : {1, 2}) {
    s.in[d] = size;
    s.kernel[d] = kernel;
    s.stride[d] = stride;
    s.pad_begin[d] = pad;
    s.out[d] = (size - 1) * stride + kernel - 2 * pad + extra;
  }
  return s;
}

TEST(ConvTranspose, KernelsStridesAndPads) {
  for (i64 kernel : {1, 2, 3, 4, 5}) {
    for (i64 stride : {1, 2, 3}) {
      for (i64 pad : {0, 1}) {
        if (kernel > 2 * pad) check(square(5, 19, 7, kernel, stride, pad, stride - 1));
      }
    }
  }
}

TEST(ConvTranspose, ChannelsGroupsAndPitches) {
  for (i64 channels : {1, 32, 33, 70}) check(square(channels, 24, 6, 3, 2, 1, 1), true);
  Shape s = square(8, 12, 5, 4, 2, 1);
  s.groups = 4;
  s.batch = 2;
  s.x_pixel = 11;
  s.y_pixel = 13;
  check(s, true);
  check(square(64, 32, 14, 2, 2));
}

TEST(ConvTranspose, DilationAndDimensions) {
  Shape s = square(3, 4, 6, 3, 2);
  s.dilation[1] = 2;
  s.dilation[2] = 3;
  s.out[1] = 5 * 2 + 2 * 2 + 1;
  s.out[2] = 5 * 2 + 2 * 3 + 1;
  check(s);
  Shape line{.channels = 9, .out_channels = 7};
  line.in[2] = 50;
  line.kernel[2] = 8;
  line.stride[2] = 4;
  line.pad_begin[2] = 2;
  line.out[2] = 49 * 4 + 8 - 4;
  check(line);
  Shape cube{.batch = 2, .channels = 5, .out_channels = 6};
  for (int d = 0; d < 3; ++d) {
    cube.in[d] = 3 + d;
    cube.kernel[d] = 3;
    cube.stride[d] = 1 + d % 2;
    cube.pad_begin[d] = 1;
    cube.out[d] = (cube.in[d] - 1) * cube.stride[d] + 1;
  }
  check(cube, true);
}

}  // namespace
}  // namespace mote::kernels::conv_transpose
