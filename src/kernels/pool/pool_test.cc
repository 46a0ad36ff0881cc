#include "kernels/pool/pool.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace mote::kernels::pool {
namespace {

struct Case {
  std::int64_t channels, in[3], kernel[3], stride[3], dilation[3], pad_begin[3], pad_end[3];
};

constexpr Case kCases[] = {
    {1, {1, 7, 9}, {1, 3, 3}, {1, 2, 2}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
    {19, {1, 8, 5}, {1, 2, 3}, {1, 1, 2}, {1, 2, 1}, {0, 0, 2}, {0, 3, 1}},
    {64, {1, 6, 6}, {1, 6, 6}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}},
    {33, {4, 5, 6}, {2, 3, 2}, {2, 1, 3}, {1, 1, 2}, {1, 1, 0}, {0, 2, 1}},
    {5, {1, 1, 11}, {1, 1, 4}, {1, 1, 3}, {1, 1, 1}, {0, 0, 3}, {0, 0, 5}},
    {103, {1, 28, 31}, {1, 28, 31}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}},  // one pixel, cut by channels
};

float naive(const Params& p, const std::vector<float>& x, std::int64_t n, std::int64_t d, std::int64_t h,
            std::int64_t w, std::int64_t c) {
  float best = -std::numeric_limits<float>::infinity(), sum = 0;
  std::int64_t inside = 0, padded = 0;
  for (std::int64_t i = 0; i < p.kernel[0]; ++i) {
    for (std::int64_t j = 0; j < p.kernel[1]; ++j) {
      for (std::int64_t k = 0; k < p.kernel[2]; ++k) {
        std::int64_t at[3] = {d * p.stride[0] - p.pad_begin[0] + i * p.dilation[0],
                              h * p.stride[1] - p.pad_begin[1] + j * p.dilation[1],
                              w * p.stride[2] - p.pad_begin[2] + k * p.dilation[2]};
        bool in = true, pad = true;
        for (int a = 0; a < 3; ++a) {
          in = in && at[a] >= 0 && at[a] < p.in[a];
          pad = pad && at[a] < p.in[a] + p.pad_end[a];
        }
        padded += pad;
        if (!in) continue;
        ++inside;
        float v =
            x[static_cast<std::size_t>((((n * p.in[0] + at[0]) * p.in[1] + at[1]) * p.in[2] + at[2]) * p.x_pixel + c)];
        best = std::fmax(best, v);
        sum += v;
      }
    }
  }
  if (!p.average) return best;
  std::int64_t by = p.count_pad ? padded : inside;
  return sum / static_cast<float>(by > 0 ? by : 1);
}

TEST(Pool, EveryRowEqualsTheNaiveLoopsOnOddShapes) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  for (const Case& test : kCases) {
    for (int mode = 0; mode < 3; ++mode) {
      Params p;
      p.average = mode > 0;
      p.count_pad = mode == 2;
      p.batch = 2;
      p.channels = test.channels;
      p.x_pixel = test.channels + 3;
      p.y_pixel = test.channels + 1;
      for (int a = 0; a < 3; ++a) {
        p.in[a] = test.in[a];
        p.kernel[a] = test.kernel[a];
        p.stride[a] = test.stride[a];
        p.dilation[a] = test.dilation[a];
        p.pad_begin[a] = test.pad_begin[a];
        p.pad_end[a] = test.pad_end[a];
        p.out[a] = (p.in[a] + p.pad_begin[a] + p.pad_end[a] - (p.kernel[a] - 1) * p.dilation[a] - 1) / p.stride[a] + 1;
      }
      // What lies between pixels is never read.
      std::vector<float> x(static_cast<std::size_t>(p.batch * p.in[0] * p.in[1] * p.in[2] * p.x_pixel), NAN);
      for (std::size_t i = 0; i < x.size(); ++i) {
        if (static_cast<std::int64_t>(i) % p.x_pixel < p.channels) x[i] = normal(random);
      }
      std::int64_t pixels = p.batch * p.out[0] * p.out[1] * p.out[2];
      p.x = x.data();
      for (const Row& row : kernels()) {
        if (!row.run || !active_cpu().has(row.isa)) continue;
        std::vector<float> y(static_cast<std::size_t>(pixels * p.y_pixel), 1234.0f);
        p.y = y.data();
        std::int64_t tiles = setup(&p);
        for (std::int64_t t = tiles; t-- > 0;) row.run(p, {t, t + 1, nullptr});
        for (std::int64_t q = 0; q < pixels; ++q) {
          std::int64_t w = q % p.out[2], h = q / p.out[2] % p.out[1], d = q / p.out[2] / p.out[1] % p.out[0],
                       n = q / p.out[2] / p.out[1] / p.out[0];
          for (std::int64_t c = 0; c < p.y_pixel; ++c) {
            float want = c < p.channels ? naive(p, x, n, d, h, w, c) : 1234.0f;
            ASSERT_EQ(y[static_cast<std::size_t>(q * p.y_pixel + c)], want)
                << row.name << " mode " << mode << " pixel " << q << " channel " << c;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace mote::kernels::pool
