#include "kernels/qmap/qmap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "kernels/testing.h"

namespace mote::kernels::qmap {
namespace {

std::int32_t value(std::uint8_t byte, bool is_signed) {
  return is_signed ? static_cast<std::int32_t>(static_cast<std::int8_t>(byte)) : static_cast<std::int32_t>(byte);
}

std::vector<std::uint8_t> bytes(std::int64_t n, std::mt19937& random) {
  std::vector<std::uint8_t> v(static_cast<std::size_t>(n));
  for (std::uint8_t& x : v) x = static_cast<std::uint8_t>(random());
  return v;
}

std::uint8_t rounded(float x, const Result& r) {
  double q = std::nearbyint(static_cast<double>(x)) + r.zero;
  return static_cast<std::uint8_t>(static_cast<std::int32_t>(std::clamp<double>(q, r.low, r.high)));
}

Result some_result(std::mt19937& random, bool is_signed) {
  Result r{is_signed, 0, is_signed ? -128 : 0, is_signed ? 127 : 255};
  r.zero = r.low + static_cast<std::int32_t>(random() % 256);
  if (random() % 2) r.low += static_cast<std::int32_t>(random() % 100);
  return r;
}

bool skip(const Row& row) { return !row.lookup || !active_cpu().has(row.isa); }

TEST(QuantizedMaps, EveryRowLooksBytesUp) {
  std::mt19937 random(1);
  for (std::int64_t n : {1, 15, 16, 63, 64, 65, 200, 70000}) {
    std::vector<std::uint8_t> x = bytes(n, random), table = bytes(256, random), y(x.size() + 1);
    for (const Row& row : kernels()) {
      if (skip(row)) continue;
      y.back() = 77;
      LookupParams p{x.data(), y.data(), table.data(), {1, 1, 1, n}};
      testing::run_in_parts(row.lookup, p, setup(&p), 0, 2);
      for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(y[i], table[x[i]]) << row.name << " at " << i;
      EXPECT_EQ(y.back(), 77) << row.name;
    }
  }
}

TEST(QuantizedMaps, EveryRowLooksUpRowsApart) {
  std::mt19937 random(4);
  for (std::int64_t n : {1, 16, 67, 40000}) {
    // [2, 3, 4, n] of x with its first two axes swapped, into rows of y that are 5 bytes apart.
    const std::vector<std::uint8_t> x = bytes(24 * n, random), table = bytes(256, random);
    for (const Row& row : kernels()) {
      if (skip(row)) continue;
      std::vector<std::uint8_t> y(static_cast<std::size_t>(24 * (n + 5)), 77);
      LookupParams p{x.data(),     y.data(),          table.data(),
                     {2, 3, 4, n}, {4 * n, 8 * n, n}, {12 * (n + 5), 4 * (n + 5), n + 5}};
      testing::run_in_parts(row.lookup, p, setup(&p), 0, 2);
      for (std::int64_t i = 0; i < 24 * (n + 5); ++i) {
        const std::int64_t r = i / (n + 5), c = i % (n + 5), from = (r / 4 % 3 * 2 + r / 12) * 4 + r % 4;
        const int expected = c < n ? table[x[static_cast<std::size_t>(from * n + c)]] : 77;
        ASSERT_EQ(y[static_cast<std::size_t>(i)], expected) << row.name << " of " << n << " at " << i;
      }
    }
  }
}

TEST(QuantizedMaps, EveryRowAddsAndMultiplies) {
  std::mt19937 random(2);
  for (int round = 0; round < 60; ++round) {
    BinaryParams p;
    for (std::int64_t& d : p.dims) d = 1 + static_cast<std::int64_t>(random() % 5);
    p.dims[3] = 1 + static_cast<std::int64_t>(random() % 70);
    // Both operands whole, or with some axes repeated.
    std::int64_t a = 1, b = 1, y = 1;
    for (int d = 3; d >= 0; --d) {
      p.y_stride[d] = y;
      p.a_stride[d] = random() % 3 ? a : 0;
      p.b_stride[d] = random() % 3 ? b : 0;
      if (p.a_stride[d]) a *= p.dims[d];
      if (p.b_stride[d]) b *= p.dims[d];
      y *= p.dims[d];
    }
    p.a_type = {random() % 2 != 0, static_cast<std::int32_t>(random() % 100)};
    p.b_type = {random() % 2 != 0, static_cast<std::int32_t>(random() % 100)};
    p.y_type = some_result(random, random() % 2 != 0);
    p.product = random() % 2;
    p.a_scale = p.product ? 0.01f : 0.7f;
    p.b_scale = -0.3f;
    p.fixed = random() % 2;
    p.negative = random() % 2;
    p.left = 20;
    p.a_fixed = fixed_scale(0.5);
    p.b_fixed = fixed_scale(0.31);
    p.y_fixed = fixed_scale(p.product ? 0.013 : 1.7 / (1 << 20));
    std::vector<std::uint8_t> as = bytes(a, random), bs = bytes(b, random), out(static_cast<std::size_t>(y));
    p.a = as.data();
    p.b = bs.data();
    p.y = out.data();
    std::int64_t tiles = setup(&p);
    for (const Row& row : kernels()) {
      if (skip(row)) continue;
      testing::run_in_parts(row.binary, p, tiles, 0, 2);
      for (std::int64_t i = 0; i < y; ++i) {
        std::int64_t at_a = 0, at_b = 0;
        for (int d = 0; d < 4; ++d) {
          at_a += i / p.y_stride[d] % p.dims[d] * p.a_stride[d];
          at_b += i / p.y_stride[d] % p.dims[d] * p.b_stride[d];
        }
        std::int32_t u = value(p.a[at_a], p.a_type.is_signed) - p.a_type.zero,
                     v = value(p.b[at_b], p.b_type.is_signed) - p.b_type.zero;
        float x = p.product ? static_cast<float>(u * v) * p.a_scale
                            : static_cast<float>(u) * p.a_scale + static_cast<float>(v) * p.b_scale;
        std::uint8_t expected = rounded(x, p.y_type);
        if (p.fixed) {
          const std::int32_t c = scale_fixed(u * (1 << 20), p.a_fixed), d = scale_fixed(v * (1 << 20), p.b_fixed);
          const std::int32_t r = scale_fixed(p.product ? u * v : p.negative ? c - d : c + d, p.y_fixed) + p.y_type.zero;
          expected = static_cast<std::uint8_t>(std::clamp(r, p.y_type.low, p.y_type.high));
        }
        ASSERT_EQ(out[static_cast<std::size_t>(i)], expected) << row.name << " round " << round;
      }
    }
  }
}

TEST(QuantizedMaps, EveryRowAddsWords) {
  std::mt19937 random(6);
  for (int round = 0; round < 60; ++round) {
    BinaryParams p;
    p.words = true;
    p.dims[2] = 1 + static_cast<std::int64_t>(random() % 5);
    p.dims[3] = 1 + static_cast<std::int64_t>(random() % 70);
    const std::int64_t count = p.dims[2] * p.dims[3];
    p.y_stride[2] = p.dims[3];
    p.y_stride[3] = 1;
    // Whole, a row, a column, or one element.
    auto strides = [&](std::int64_t(&to)[4]) {
      to[3] = random() % 4 ? 1 : 0;
      to[2] = random() % 4 ? (to[3] ? p.dims[3] : 1) : 0;
    };
    strides(p.a_stride);
    strides(p.b_stride);
    const bool is_signed = random() % 2;
    p.a_type = {random() % 2 != 0, static_cast<std::int32_t>(random() % 1000)};
    p.b_type = {random() % 2 != 0, static_cast<std::int32_t>(random() % 1000)};
    p.y_type = {is_signed, 100, is_signed ? -30000 : 0, is_signed ? 32767 : 60000};
    p.a_scale = 0.7f;
    p.b_scale = -0.3f;
    p.fixed = random() % 2;
    p.product = p.fixed && random() % 2;
    p.negative = random() % 2;
    p.left = 15;
    p.a_fixed = fixed_scale(0.5);
    p.b_fixed = fixed_scale(0.31);
    p.y_fixed = fixed_scale(p.product ? 3e-5 : 1.7 / (1 << 15));
    std::vector<std::uint8_t> as = bytes(2 * count, random), bs = bytes(2 * count, random);
    std::vector<std::uint16_t> out(static_cast<std::size_t>(count));
    p.a = as.data();
    p.b = bs.data();
    p.y = reinterpret_cast<std::uint8_t*>(out.data());
    auto word = [](const std::uint8_t* of, std::int64_t i, const Quantized& type) {
      std::uint16_t v = 0;
      std::memcpy(&v, of + 2 * i, 2);
      return (type.is_signed ? static_cast<std::int32_t>(static_cast<std::int16_t>(v)) : std::int32_t{v}) - type.zero;
    };
    const std::int64_t tiles = setup(&p);
    for (const Row& row : kernels()) {
      if (skip(row)) continue;
      testing::run_in_parts(row.binary, p, tiles, 0, 2);
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t r = i / p.dims[3], c = i % p.dims[3];
        const std::int32_t u = word(p.a, r * p.a_stride[2] + c * p.a_stride[3], p.a_type),
                           v = word(p.b, r * p.b_stride[2] + c * p.b_stride[3], p.b_type);
        double y =
            static_cast<double>(std::nearbyint(static_cast<float>(u) * p.a_scale + static_cast<float>(v) * p.b_scale));
        if (p.fixed) {
          const std::int64_t d = scale_fixed(fixed::wrap_shl(u, 15), p.a_fixed),
                             e = scale_fixed(fixed::wrap_shl(v, 15), p.b_fixed);
          const std::int64_t sum = p.product ? std::int64_t{u} * v : p.negative ? d - e : d + e;
          y = scale_fixed(fixed::wrap(sum), p.y_fixed);
        }
        y = std::clamp<double>(y + p.y_type.zero, p.y_type.low, p.y_type.high);
        ASSERT_EQ(out[static_cast<std::size_t>(i)], static_cast<std::uint16_t>(static_cast<std::int32_t>(y)))
            << row.name << " round " << round;
      }
    }
  }
}

// The pool of channel c at output pixel `o`, by its taps.
std::uint8_t pooled(const PoolParams& p, std::int64_t n, const std::int64_t (&o)[3], std::int64_t c) {
  std::int32_t sum = 0, stored = 0, most = p.x_type.is_signed ? -128 : 0;
  std::int64_t inside = 0, padded = 0;
  for (std::int64_t t = 0; t < p.kernel[0] * p.kernel[1] * p.kernel[2]; ++t) {
    std::int64_t k[3] = {t / p.kernel[2] / p.kernel[1], t / p.kernel[2] % p.kernel[1], t % p.kernel[2]}, at = n;
    bool in = true, in_pads = true;
    for (int d = 0; d < 3; ++d) {
      std::int64_t i = o[d] * p.stride[d] - p.pad_begin[d] + k[d] * p.dilation[d];
      in = in && i >= 0 && i < p.in[d];
      in_pads = in_pads && i < p.in[d] + p.pad_end[d];
      at = at * p.in[d] + i;
    }
    padded += in_pads;
    if (!in) continue;
    ++inside;
    std::int32_t x = value(p.x[at * p.x_pixel + c], p.x_type.is_signed);
    sum += x - p.x_type.zero;
    stored += x;
    most = std::max(most, x);
  }
  if (!p.average) return static_cast<std::uint8_t>(most);
  std::int64_t taps = std::max<std::int64_t>(p.count_pad ? padded : inside, 1);
  if (p.integer) {
    const double mean = std::round(static_cast<double>(stored) / static_cast<double>(taps));
    return static_cast<std::uint8_t>(static_cast<std::int32_t>(std::clamp<double>(mean, p.y_type.low, p.y_type.high)));
  }
  return rounded(static_cast<float>(sum) * (p.scale / static_cast<float>(taps)), p.y_type);
}

TEST(QuantizedMaps, EveryRowPools) {
  std::mt19937 random(3);
  for (int round = 0; round < 60; ++round) {
    PoolParams p;
    p.average = random() % 2;
    p.count_pad = random() % 2;
    p.integer = p.average && random() % 2;
    p.batch = 1 + static_cast<std::int64_t>(random() % 2);
    p.channels = 1 + static_cast<std::int64_t>(random() % 90);
    p.x_pixel = p.channels + static_cast<std::int64_t>(random() % 3);
    p.y_pixel = p.channels + 1;
    p.x_type = {random() % 2 != 0, static_cast<std::int32_t>(random() % 100)};
    p.y_type = some_result(random, p.x_type.is_signed);
    p.scale = 0.9f;
    for (int d = round % 3; d < 3; ++d) {
      p.in[d] = 3 + static_cast<std::int64_t>(random() % 5);
      p.kernel[d] = 1 + static_cast<std::int64_t>(random() % 3);
      p.stride[d] = 1 + static_cast<std::int64_t>(random() % 2);
      p.dilation[d] = 1 + static_cast<std::int64_t>(random() % 2);
      p.pad_begin[d] = static_cast<std::int64_t>(random() % 3);
      p.pad_end[d] = static_cast<std::int64_t>(random() % 3);
      std::int64_t room = p.in[d] + p.pad_begin[d] + p.pad_end[d] - (p.kernel[d] - 1) * p.dilation[d] - 1;
      p.out[d] = std::max<std::int64_t>(room, 0) / p.stride[d] + 1;
    }
    std::int64_t pixels = p.batch * p.out[0] * p.out[1] * p.out[2];
    std::vector<std::uint8_t> x = bytes(p.batch * p.in[0] * p.in[1] * p.in[2] * p.x_pixel, random),
                              y(static_cast<std::size_t>(pixels * p.y_pixel));
    p.x = x.data();
    p.y = y.data();
    std::int64_t tiles = setup(&p);
    for (const Row& row : kernels()) {
      if (skip(row)) continue;
      std::ranges::fill(y, std::uint8_t{7});
      testing::run_in_parts(row.pool, p, tiles, 0, 2);
      for (std::int64_t q = 0; q < pixels; ++q) {
        std::int64_t o[3] = {q / p.out[2] / p.out[1] % p.out[0], q / p.out[2] % p.out[1], q % p.out[2]};
        std::int64_t n = q / p.out[2] / p.out[1] / p.out[0];
        for (std::int64_t c = 0; c < p.channels; ++c) {
          ASSERT_EQ(y[static_cast<std::size_t>(q * p.y_pixel + c)], pooled(p, n, o, c))
              << row.name << " round " << round << " pixel " << q << " channel " << c;
        }
        ASSERT_EQ(y[static_cast<std::size_t>(q * p.y_pixel + p.channels)], 7) << row.name;
      }
    }
  }
}

}  // namespace
}  // namespace mote::kernels::qmap
