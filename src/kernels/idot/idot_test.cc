#include "kernels/idot/depthwise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

#include "kernels/idot/winograd.h"
#include "kernels/testing.h"

namespace mote::kernels::idot {
namespace {

std::int64_t value(std::uint8_t byte, bool is_signed) {
  return is_signed ? static_cast<std::int64_t>(static_cast<std::int8_t>(byte)) : std::int64_t{byte};
}

struct Shape {
  std::int64_t m, n, k, batch;
};

// All that is random about a product, and its naive answer.
struct Product {
  Params p;
  std::vector<std::uint8_t> b, zeros;
  std::vector<std::int32_t> bias;
  std::vector<float> scales, shift;
  std::uint8_t a_zero = 0, y_zero = 0;
  float a_scale = 0.02f, y_scale = 0.5f;

  std::int64_t sum(std::int64_t batch, std::int64_t m, std::int64_t n) const {
    std::int64_t s = bias[static_cast<std::size_t>(n)];
    for (std::int64_t k = 0; k < p.k; ++k) {
      s += (value(p.a[batch * p.a_batch + m * p.a_row + k], p.a_signed) - value(a_zero, p.a_signed)) *
           (value(b[static_cast<std::size_t>((batch * p.k + k) * p.n + n)], p.b_signed) -
            value(zeros[zeros.size() == 1 ? 0 : static_cast<std::size_t>(n)], p.b_signed));
    }
    return s;
  }
  std::int64_t expected(std::int64_t s, std::int64_t n) const {
    if (p.out == DType::i32) return s;
    float scale = a_scale * scales[scales.size() == 1 ? 0 : static_cast<std::size_t>(n)];
    if (p.out == DType::f32) {
      float y = static_cast<float>(static_cast<std::int32_t>(s)) * scale + shift[static_cast<std::size_t>(n)];
      return std::bit_cast<std::int32_t>(std::fmax(y, 0.0f));
    }
    const bool signed_y = p.out == DType::i8;
    auto clamped = [&](double y) {
      return static_cast<std::int64_t>(
          std::fmin(std::fmax(y, std::max(p.low, signed_y ? -128 : 0)), std::min(p.high, signed_y ? 127 : 255)));
    };
    const double exact = static_cast<double>(a_scale) *
                         static_cast<double>(scales[scales.size() == 1 ? 0 : static_cast<std::size_t>(n)]) /
                         static_cast<double>(y_scale);
    const auto zero = static_cast<double>(value(y_zero, signed_y));
    if (p.recipe == Recipe::kFixed)
      return clamped(scale_fixed(static_cast<std::int32_t>(s), fixed_scale(exact)) + zero);
    if (p.recipe == Recipe::kHalfAway) return clamped(std::round(static_cast<double>(s) * exact) + zero);
    scale = scale / y_scale;
    return clamped(std::nearbyint(static_cast<float>(s) * scale) + zero);
  }
};

void fill(Product& t, const Shape& shape, std::mt19937& random) {
  Params& p = t.p;
  p.m = shape.m;
  p.n = shape.n;
  p.k = shape.k;
  p.batch = shape.batch;
  p.a_signed = random() % 2;
  p.b_signed = random() % 2;
  constexpr DType kOut[] = {DType::i32, DType::u8, DType::i8, DType::f32};
  p.out = kOut[random() % 4];
  constexpr Recipe kRecipes[] = {Recipe::kHalfEven, Recipe::kFixed, Recipe::kHalfAway};
  if (p.out == DType::u8 || p.out == DType::i8) p.recipe = kRecipes[random() % 3];
  if (random() % 2) p.low = static_cast<std::int32_t>(random() % 50);
  if (random() % 2) p.high = 60 + static_cast<std::int32_t>(random() % 50);
  p.epilogue.count = 1;
  p.epilogue.ops[0] = unary(UnaryOp::relu);
  t.b.resize(static_cast<std::size_t>(p.batch * p.k * p.n));
  for (std::uint8_t& x : t.b) x = static_cast<std::uint8_t>(random() % 8 == 0 ? (random() % 2 ? 128 : 255) : random());
  t.zeros.resize(random() % 2 ? 1 : static_cast<std::size_t>(p.n));
  for (std::uint8_t& x : t.zeros) x = static_cast<std::uint8_t>(random());
  t.scales.resize(random() % 2 ? 1 : static_cast<std::size_t>(p.n));
  for (float& x : t.scales) x = 0.001f * static_cast<float>(1 + random() % 100);
  if (random() % 4 == 0) t.scales[0] = 100;  // shifts to the left
  if (random() % 8 == 0 && (p.out == DType::u8 || p.out == DType::i8)) {
    constexpr float kOdd[] = {INFINITY, -INFINITY, NAN};
    t.scales[random() % t.scales.size()] = kOdd[random() % 3];
  }
  for (std::int64_t i = 0; i < p.n; ++i) t.bias.push_back(static_cast<std::int32_t>(random() % 20001) - 10000);
  for (std::int64_t i = 0; i < p.n; ++i) t.shift.push_back(0.25f * static_cast<float>(random() % 1000) - 100.0f);
  p.float_bias = t.shift.data();
  t.a_zero = static_cast<std::uint8_t>(random());
  t.y_zero = static_cast<std::uint8_t>(random());
  p.a_zero = reinterpret_cast<const std::byte*>(&t.a_zero);
  p.y_zero = reinterpret_cast<const std::byte*>(&t.y_zero);
  p.b_zero = {reinterpret_cast<const std::byte*>(t.zeros.data()), static_cast<std::int64_t>(t.zeros.size())};
  p.b_scale = {reinterpret_cast<const std::byte*>(t.scales.data()), static_cast<std::int64_t>(t.scales.size())};
  p.a_scale = &t.a_scale;
  p.y_scale = &t.y_scale;
  p.bias = t.bias.data();
  p.b_plain = t.b.data();
  p.b_plain_batch = p.k * p.n;
  p.b_k_stride = p.n;
  p.b_n_stride = 1;
}

// The weights [taps, channels, columns] as Winograd's form packs them.
void pack_turned(const Params& p, int depth, std::byte* packed) {
  std::vector<std::uint8_t> turned(static_cast<std::size_t>(p.k * p.n));
  for (std::int64_t k = 0; k < p.k; ++k) {
    for (std::int64_t n = 0; n < p.n; ++n) turned[static_cast<std::size_t>(n * p.k + k)] = p.b_plain[k * p.n + n];
  }
  pack_winograd(turned.data(), p.b_signed, p.window.channels, p.n, 1, p.window.channels, depth, packed);
}

std::vector<std::int64_t> run_row(const Row& row, Params p, std::int64_t c_size) {
  testing::Scratch out(static_cast<std::size_t>(c_size * 4));
  p.c = out.get();
  const std::int64_t each =
      p.winograd
          ? winograd_size(p.window.channels, p.n)
          : packed_size((p.gather ? segments_of(p.window, row.depth) : segments_of(p.k, row.depth)).packed_k(), p.n);
  p.b_batch = p.batch > 1 ? each : 0;
  Work w = p.winograd ? setup_winograd(&p) : setup(row, &p);
  // One group's weights serve all of them.
  std::vector<std::byte> packed(static_cast<std::size_t>(each * p.batch * p.groups));
  p.b = packed.data();
  if (p.winograd) {
    pack_turned(p, row.winograd, packed.data());
  } else {
    pack_run(p, {0, p.batch, nullptr});
  }
  for (std::int64_t g = 1; g < p.groups; ++g) std::copy_n(packed.begin(), each, packed.begin() + g * each);
  testing::Scratch shared(w.shared_bytes);
  p.shared = shared.get();
  prepare(p, {0, 1, nullptr});
  testing::run_in_parts(p.winograd ? row.run_winograd : row.run, p, w.tiles, w.scratch_bytes, 2);
  std::vector<std::int64_t> y;
  for (std::int64_t i = 0; i < c_size; ++i) {
    y.push_back(p.out == DType::i32 || p.out == DType::f32
                    ? reinterpret_cast<std::int32_t*>(p.c)[i]
                    : value(reinterpret_cast<std::uint8_t*>(p.c)[i], p.out == DType::i8));
  }
  return y;
}

TEST(IntegerDot, EveryRowIsExactOnOddShapes) {
  std::mt19937 random(3);
  constexpr Shape kShapes[] = {{1, 1, 1, 1},    {3, 17, 5, 1},     {7, 64, 64, 1},    {13, 70, 31, 1},
                               {2, 5, 300, 1},  {50, 33, 7, 1},    {6, 100, 12, 1},   {5, 19, 18, 3},
                               {500, 16, 3, 1}, {1, 200, 1030, 1}, {15, 20, 1537, 1}, {8, 40, 2101, 1}};
  for (int round = 0; round < 72; ++round) {
    const Shape& shape = kShapes[static_cast<std::size_t>(round) % std::size(kShapes)];
    Product t;
    fill(t, shape, random);
    t.p.a_row = shape.k + static_cast<std::int64_t>(random() % 3);
    t.p.a_batch = shape.m * t.p.a_row;
    t.p.c_row = shape.n + 1;
    t.p.c_batch = shape.m * t.p.c_row;
    // The last row ends at a page that cannot be read.
    std::int64_t bytes = shape.batch * shape.m * t.p.a_row - (t.p.a_row - shape.k);
    testing::Data data((bytes + 3) / 4);
    auto* a = reinterpret_cast<std::uint8_t*>(data.get() + data.size()) - bytes;
    for (std::int64_t i = 0; i < bytes; ++i) a[i] = static_cast<std::uint8_t>(random() % 6 == 0 ? 255 : random());
    t.p.a = a;
    for (const Row& row : kernels()) {
      if (!row.run || !active_cpu().has(row.isa)) continue;
      std::vector<std::int64_t> y = run_row(row, t.p, shape.batch * t.p.c_batch);
      for (std::int64_t i = 0; i < shape.batch * shape.m; ++i) {
        for (std::int64_t n = 0; n < shape.n; ++n) {
          std::int64_t batch = i / shape.m, m = i % shape.m;
          ASSERT_EQ(y[static_cast<std::size_t>(i * t.p.c_row + n)], t.expected(t.sum(batch, m, n), n))
              << row.name << " round " << round << " at " << m << ", " << n;
        }
      }
    }
  }
}

// Byte k of column j of packed rows, and the sum behind the panels.
std::int64_t packed_at(const std::vector<std::byte>& packed, std::int64_t k_count, int depth, std::int64_t k,
                       std::int64_t j) {
  const std::int64_t quads = quads_of(segments_of(k_count, depth).packed_k());
  const std::int64_t step = depth == kHalves ? 8 : depth, column = j % kPanel;
  const std::int64_t at =
      j / kPanel * quads * 64 + k / step * step * kPanel +
      (depth == kHalves ? column / 2 * 16 + k % 8 / 4 * 8 + column % 2 * 4 + k % 4 : column * step + k % step);
  return static_cast<std::int8_t>(packed[static_cast<std::size_t>(at)]);
}

TEST(IntegerDot, PacksRowsAndColumnsWhereverTheyLie) {
  std::mt19937 random(3);
  for (auto [k, n] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {7, 3}, {8, 16}, {37, 21}, {64, 40}, {99, 33}}) {
    std::vector<std::uint8_t> source(static_cast<std::size_t>(k * n));
    for (std::uint8_t& v : source) v = static_cast<std::uint8_t>(random());
    for (int depth : {2, 4, 8, kHalves}) {
      const Segments segments = segments_of(k, depth);
      const std::int64_t quads = quads_of(segments.packed_k());
      for (bool is_signed : {false, true}) {
        for (auto [k_stride, n_stride] : {std::pair{n, std::int64_t{1}}, {std::int64_t{1}, k}}) {
          std::vector<std::byte> whole(static_cast<std::size_t>(packed_size(segments.packed_k(), n)), std::byte{1});
          std::vector<std::byte> by_rows(whole.size()), by_columns(whole.size());
          pack(source.data(), is_signed, segments, n, k_stride, n_stride, depth, whole.data());
          for (std::int64_t j = 0; j < n; ++j) {
            std::int64_t sum = 0;
            for (std::int64_t i = 0; i < k; ++i) {
              const std::uint8_t byte = source[static_cast<std::size_t>(i * k_stride + j * n_stride)];
              const std::int64_t want = value(byte, is_signed) - (is_signed ? 0 : 128);
              ASSERT_EQ(packed_at(whole, k, depth, i, j), want) << k << "x" << n << " depth " << depth;
              sum += want;
            }
            std::int32_t stored;
            std::memcpy(&stored, whole.data() + panels_of(n) * quads * 64 + j * 4, 4);
            ASSERT_EQ(stored, sum) << k << "x" << n << " depth " << depth;
          }
          for (std::int64_t i = 0; i < k; i += 16)
            pack_piece(source.data() + i * k_stride, is_signed, k, n, {i, std::min<std::int64_t>(16, k - i), 0, n},
                       k_stride, n_stride, depth, by_rows.data());
          for (std::int64_t j = 0; j < n; j += 5)
            pack_piece(source.data() + j * n_stride, is_signed, k, n, {0, k, j, std::min<std::int64_t>(5, n - j)},
                       k_stride, n_stride, depth, by_columns.data());
          EXPECT_TRUE(by_rows == whole && by_columns == whole) << k << "x" << n << " depth " << depth;
        }
      }
    }
  }
}

TEST(IntegerDot, EveryRowConvolvesExactly) {
  std::mt19937 random(8);
  for (int round = 0; round < 64; ++round) {
    Product t;
    const bool square = round >= 40;  // what Winograd's form can do, too
    // Some with more weights in a panel than the first cache holds.
    std::int64_t channels = 1 + static_cast<std::int64_t>(random() % (square ? 40 : 9)) +
                            (round % 8 == 1 ? (square ? 60 : 190) : 0),
                 groups = round % 3 == 0 ? 3 : 1;
    std::int64_t kh = square ? 3 : 1 + static_cast<std::int64_t>(random() % 3),
                 kw = square ? 3 : 1 + static_cast<std::int64_t>(random() % 3);
    // Two taps deep: gathered pixel by pixel.
    std::int64_t kd = !square && round % 5 == 0 ? 2 : 1;
    fill(t, {1, 1 + static_cast<std::int64_t>(random() % 40), channels * kd * kh * kw, 1}, random);
    Params& p = t.p;
    p.gather = true;
    p.groups = groups;
    Window& w = p.window;
    w.channels = channels;
    w.in[0] = kd == 2 ? 3 : 1 + round % 2;
    w.kernel[0] = kd;
    w.out[0] = w.in[0] - kd + 1;
    w.in[1] = 4 + static_cast<std::int64_t>(random() % (square ? 12 : 5));
    w.in[2] = 4 + static_cast<std::int64_t>(random() % (square ? 12 : 7));
    w.kernel[1] = kh;
    w.kernel[2] = kw;
    for (int d = 1; d < 3; ++d) {
      w.stride[d] = square ? 1 : 1 + static_cast<std::int64_t>(random() % 2);
      w.dilation[d] = square ? 1 : 1 + static_cast<std::int64_t>(random() % 2);
      w.pad[d] = static_cast<std::int64_t>(random() % 4) - 1;
      w.out[d] =
          std::max<std::int64_t>(1, (w.in[d] + 2 * w.pad[d] - (w.kernel[d] - 1) * w.dilation[d] - 1) / w.stride[d] + 1);
    }
    p.m = 2 * w.out[0] * w.out[1] * w.out[2];
    p.a_row = channels * groups + 1;
    p.c_row = p.n * groups + 2;
    std::vector<std::uint8_t> x(static_cast<std::size_t>(2 * w.in[0] * w.in[1] * w.in[2] * p.a_row));
    for (std::uint8_t& v : x) v = static_cast<std::uint8_t>(random());
    p.a = x.data();
    // One group's bias and parameters serve all of them.
    std::int64_t n_all = p.n * groups;
    auto repeat = [&](auto& v) {
      if (v.size() == 1) return;
      std::size_t n = v.size();
      for (std::size_t i = n; i < n * static_cast<std::size_t>(groups); ++i) v.push_back(v[i - n]);
    };
    if (p.n > 1) repeat(t.zeros), repeat(t.scales), repeat(t.bias), repeat(t.shift);
    if (p.n == 1) t.bias.resize(static_cast<std::size_t>(n_all), t.bias[0]), t.shift.resize(t.bias.size(), t.shift[0]);
    p.bias = t.bias.data();
    p.float_bias = t.shift.data();
    p.b_zero = {reinterpret_cast<const std::byte*>(t.zeros.data()), static_cast<std::int64_t>(t.zeros.size())};
    p.b_scale = {reinterpret_cast<const std::byte*>(t.scales.data()), static_cast<std::int64_t>(t.scales.size())};
    for (const Row& row : kernels()) {
      if (!row.run || !active_cpu().has(row.isa)) continue;
      std::vector<std::int64_t> y = run_row(row, p, p.m * p.c_row);
      if (row.run_winograd && square) {
        ASSERT_TRUE(winograd_can(w));
        p.winograd = true;
        ASSERT_EQ(run_row(row, p, p.m * p.c_row), y) << row.name << " round " << round;
        p.winograd = false;
      }
      for (std::int64_t q = 0; q < p.m; ++q) {
        std::int64_t o2 = q % w.out[2], o1 = q / w.out[2] % w.out[1], o0 = q / w.out[2] / w.out[1] % w.out[0],
                     image = q / w.out[2] / w.out[1] / w.out[0];
        for (std::int64_t n = 0; n < n_all; ++n) {
          std::int64_t s = t.bias[static_cast<std::size_t>(n)];
          for (std::int64_t i = 0; i < kd * kh * kw; ++i) {
            std::int64_t h = o1 * w.stride[1] - w.pad[1] + i / kw % kh * w.dilation[1],
                         l = o2 * w.stride[2] - w.pad[2] + i % kw * w.dilation[2];
            if (h < 0 || h >= w.in[1] || l < 0 || l >= w.in[2]) continue;
            for (std::int64_t c = 0; c < channels; ++c) {
              std::int64_t at = (((image * w.in[0] + o0 + i / kw / kh) * w.in[1] + h) * w.in[2] + l) * p.a_row +
                                n / p.n * channels + c;
              s += (value(x[static_cast<std::size_t>(at)], p.a_signed) - value(t.a_zero, p.a_signed)) *
                   (value(t.b[static_cast<std::size_t>((i * channels + c) * p.n + n % p.n)], p.b_signed) -
                    value(t.zeros[t.zeros.size() == 1 ? 0 : static_cast<std::size_t>(n)], p.b_signed));
            }
          }
          ASSERT_EQ(y[static_cast<std::size_t>(q * p.c_row + n)], t.expected(s, n))
              << row.name << " round " << round << " pixel " << q << " channel " << n;
        }
      }
    }
  }
}

TEST(IntegerDot, WinogradHoldsTheLargestSums) {
  Product t;
  Params& p = t.p;
  Window& w = p.window;
  w.channels = kMostWinogradChannels;
  for (int d = 1; d < 3; ++d) w.in[d] = 4, w.out[d] = 2, w.kernel[d] = 3;
  p.gather = true;
  p.m = 4;
  p.n = p.c_row = 1;
  p.k = 9 * w.channels;
  p.a_row = w.channels;
  std::vector<std::uint8_t> x(static_cast<std::size_t>(16 * w.channels));
  t.b.resize(static_cast<std::size_t>(p.k));
  p.a = x.data();
  p.b_plain = t.b.data();
  p.b_k_stride = p.b_n_stride = 1;
  for (const std::uint8_t weight : {0x80, 0x7f}) {
    std::ranges::fill(t.b, weight);
    for (int pattern = 0; pattern < 4; ++pattern) {
      // All pixels, or those that add up in the middle or at a corner of the transform.
      for (std::size_t i = 0; i < x.size(); ++i) {
        const std::size_t pixel = i / static_cast<std::size_t>(w.channels), h = pixel / 4, l = pixel % 4;
        const bool lit[] = {true, h % 3 != 0 && l % 3 != 0, h == 0 && l == 0, h / 2 == l / 2};
        x[i] = lit[pattern] ? 255 : 0;
      }
      for (const Row& row : kernels()) {
        if (!row.run_winograd || !active_cpu().has(row.isa)) continue;
        p.winograd = true;
        const std::vector<std::int64_t> y = run_row(row, p, 4);
        p.winograd = false;
        EXPECT_EQ(y, run_row(row, p, 4)) << row.name << " weight " << int{weight} << " pattern " << pattern;
      }
    }
  }
}

TEST(IntegerDot, EveryRowConvolvesDepthwiseExactly) {
  std::mt19937 random(12);
  for (int round = 0; round < 160; ++round) {
    Product t;
    const bool large = round >= 158;  // more than a tile
    std::int64_t channels = large ? 131 : 2 + static_cast<std::int64_t>(random() % 100),
                 kh = large ? 3 : 1 + static_cast<std::int64_t>(random() % 6),
                 kw = large ? 3 : 1 + static_cast<std::int64_t>(random() % 5);
    fill(t, {1, channels, kh * kw, 1}, random);
    Params& p = t.p;
    if (round % 2) std::ranges::fill(t.zeros, p.b_signed ? std::uint8_t{0} : std::uint8_t{128});
    p.n = 1;
    p.groups = channels;
    Window& w = p.window;
    w.channels = 1;
    w.in[1] = large ? 41 : 6 + static_cast<std::int64_t>(random() % 4);
    w.in[2] = large ? 45 : 4 + static_cast<std::int64_t>(random() % 7);
    w.kernel[1] = kh;
    w.kernel[2] = kw;
    if (large) p.out = DType::u8;
    for (int d = 1; d < 3; ++d) {
      w.stride[d] = large ? round % 2 + 1 : 1 + static_cast<std::int64_t>(random() % 3);
      w.pad[d] = static_cast<std::int64_t>(random() % 4) - 1;
      w.out[d] = std::max<std::int64_t>(1, (w.in[d] + 2 * w.pad[d] - w.kernel[d]) / w.stride[d] + 1);
    }
    p.m = 2 * w.out[1] * w.out[2];
    p.a_row = channels + 1;
    p.c_row = channels + 2;
    std::int64_t bytes = 2 * w.in[1] * w.in[2] * p.a_row - 1;
    testing::Data data((bytes + 3) / 4);
    auto* x = reinterpret_cast<std::uint8_t*>(data.get() + data.size()) - bytes;
    for (std::int64_t i = 0; i < bytes; ++i) x[i] = static_cast<std::uint8_t>(random());
    p.a = x;
    p.b = reinterpret_cast<const std::byte*>(t.b.data());  // [taps][channels] already
    for (const Row& row : kernels()) {
      if (!row.run || !active_cpu().has(row.isa)) continue;
      Params q = p;
      std::vector<std::byte> y(static_cast<std::size_t>(p.m * p.c_row * 4));
      q.c = y.data();
      Work work = setup_depthwise(row, &q);
      testing::Scratch shared(work.shared_bytes);
      q.shared = shared.get();
      prepare_depthwise(q, {0, 1, nullptr});
      testing::run_in_parts(row.depthwise, q, work.tiles, work.scratch_bytes, 2);
      for (std::int64_t at = 0; at < p.m * channels; ++at) {
        std::int64_t pixel = at / channels, c = at % channels;
        std::int64_t o2 = pixel % w.out[2], o1 = pixel / w.out[2] % w.out[1], image = pixel / w.out[2] / w.out[1];
        std::int64_t s = t.bias[static_cast<std::size_t>(c)];
        for (std::int64_t i = 0; i < kh * kw; ++i) {
          std::int64_t h = o1 * w.stride[1] - w.pad[1] + i / kw, l = o2 * w.stride[2] - w.pad[2] + i % kw;
          if (h < 0 || h >= w.in[1] || l < 0 || l >= w.in[2]) continue;
          s += (value(x[((image * w.in[1] + h) * w.in[2] + l) * p.a_row + c], p.a_signed) -
                value(t.a_zero, p.a_signed)) *
               (value(t.b[static_cast<std::size_t>(i * channels + c)], p.b_signed) -
                value(t.zeros[t.zeros.size() == 1 ? 0 : static_cast<std::size_t>(c)], p.b_signed));
        }
        std::int64_t i = pixel * p.c_row + c;
        std::int64_t got = p.out == DType::i32 || p.out == DType::f32
                               ? reinterpret_cast<std::int32_t*>(y.data())[i]
                               : value(reinterpret_cast<std::uint8_t*>(y.data())[i], p.out == DType::i8);
        ASSERT_EQ(got, t.expected(s, c)) << row.name << " round " << round << " pixel " << pixel << " channel " << c;
      }
    }
  }
}

}  // namespace
}  // namespace mote::kernels::idot
