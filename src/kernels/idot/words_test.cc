// Products of 16 by 8 bits against naive sums in 64 bits, on every instruction set.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>
#include <vector>

#include "kernels/idot/depthwise.h"
#include "kernels/testing.h"

namespace mote::kernels::idot {
namespace {

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

// How large the numbers are: all sizes, those whose sums i32 holds, or the most extreme ones of one sign.
enum class Reach : std::uint8_t { kAll, kSmall, kExtreme };

// All that is random about an operand, and the naive answer to a sum.
struct Words {
  Params p;
  std::vector<std::uint16_t> a;
  std::vector<std::uint8_t> b, b_zero;  // [k, n] of one group
  std::vector<std::int64_t> bias;
  std::vector<std::int32_t> short_bias;
  std::vector<float> scales, shift;
  std::uint16_t a_zero = 0, y_zero = 0;
  float a_scale = 1e-3f, y_scale = 0.5f;

  std::int64_t value(std::uint16_t x) const {
    return p.a_signed ? std::int64_t{static_cast<std::int16_t>(x)} : std::int64_t{x};
  }
  std::int64_t weight(std::int64_t i, std::int64_t column) const {
    auto of = [&](std::uint8_t x) { return p.b_signed ? std::int64_t{static_cast<std::int8_t>(x)} : std::int64_t{x}; };
    return of(b[at(i)]) - of(b_zero[b_zero.size() == 1 ? 0 : at(column)]);
  }
  // Of the sum, with the bias; the bits of a float where the result is one.
  std::int64_t expected(std::int64_t s, std::int64_t column) const {
    const float scale = scales[scales.size() == 1 ? 0 : at(column)];
    if (p.out == DType::f32) {
      const float y = static_cast<float>(s) * (a_scale * scale);
      return std::bit_cast<std::int32_t>(std::fmax(y + shift[at(column)], 0.0f));
    }
    const double exact = static_cast<double>(a_scale) * static_cast<double>(scale) / static_cast<double>(y_scale);
    double y = 0;
    switch (p.recipe) {
      case Recipe::kHalfEven:
        y = static_cast<double>(std::nearbyint(static_cast<float>(s) * (a_scale * scale / y_scale)));
        break;
      case Recipe::kFixed:
        y = scale_fixed(fixed::wrap(s), fixed_scale(exact));
        break;
      case Recipe::kFixedWide:
        y = scale_fixed_wide(s, fixed_scale(exact));
        break;
      case Recipe::kHalfAway:
        y = std::round(static_cast<double>(s) * exact);
        break;
    }
    const int bits = bits_of(p.out);
    const bool is_signed = p.out == DType::i16 || p.out == DType::i8;
    const double least = is_signed ? -std::ldexp(1, bits - 1) : 0, most = least + std::ldexp(1, bits) - 1;
    y = std::clamp(y + zero_of_y(), std::max(least, static_cast<double>(p.low)),
                   std::min(most, static_cast<double>(p.high)));
    return static_cast<std::int64_t>(y);
  }
  double zero_of_y() const {
    switch (p.out) {
      case DType::i16:
        return static_cast<std::int16_t>(y_zero);
      case DType::u16:
        return y_zero;
      case DType::i8:
        return static_cast<std::int8_t>(y_zero & 255);
      default:
        return y_zero & 255;
    }
  }
  std::int64_t result(const std::byte* c, std::int64_t i) const {
    auto as = [&]<class T>(T) { return static_cast<std::int64_t>(reinterpret_cast<const T*>(c)[i]); };
    switch (p.out) {
      case DType::f32:
        return as(std::int32_t{});
      case DType::i16:
        return as(std::int16_t{});
      case DType::u16:
        return as(std::uint16_t{});
      case DType::i8:
        return as(std::int8_t{});
      default:
        return as(std::uint8_t{});
    }
  }
};

// A product of k by n; `columns` of biases and scales.
void fill(Words& t, std::int64_t k, std::int64_t n, std::int64_t columns, Reach reach, int round,
          std::mt19937& random) {
  Params& p = t.p;
  p.words = true;
  p.n = n;
  p.k = k;
  p.a_signed = round % 2;
  p.b_signed = round / 2 % 2;
  constexpr DType kOut[] = {DType::i16, DType::u16, DType::i8, DType::u8, DType::f32};
  p.out = kOut[round % 5];
  constexpr Recipe kRecipes[] = {Recipe::kHalfEven, Recipe::kFixedWide, Recipe::kFixed, Recipe::kHalfAway};
  p.recipe = p.out == DType::f32 ? Recipe::kHalfEven : kRecipes[round / 2 % 4];
  if (random() % 4 == 0) p.low = -static_cast<std::int32_t>(random() % 50);
  if (random() % 4 == 0) p.high = 60 + static_cast<std::int32_t>(random() % 5000);
  p.epilogue.count = 1;
  p.epilogue.ops[0] = unary(UnaryOp::relu);
  t.b.resize(at(k * n));
  for (std::uint8_t& x : t.b) x = static_cast<std::uint8_t>(random());
  if (reach == Reach::kExtreme) std::ranges::fill(t.b, p.b_signed ? std::uint8_t{0x80} : std::uint8_t{0});
  if (reach == Reach::kSmall)
    for (std::uint8_t& x : t.b) x = static_cast<std::uint8_t>((p.b_signed ? 0 : 128) + (x & 1));
  t.b_zero.assign(random() % 2 ? 1 : at(columns), p.b_signed ? std::uint8_t{0} : std::uint8_t{128});
  if (random() % 2 && reach == Reach::kAll)
    for (std::uint8_t& x : t.b_zero) x = static_cast<std::uint8_t>(random());
  t.scales.resize(random() % 2 ? 1 : at(columns));
  for (float& x : t.scales) x = 0.01f * static_cast<float>(1 + random() % 100);
  if (random() % 8 == 0) t.scales[0] = 3e6f;  // shifts to the left
  if (random() % 8 == 0) t.scales[0] = 1e-7f;
  // Biases of 64 bits, of 32, or none.
  const auto kind = random() % 3;
  for (std::int64_t i = 0; i < columns; ++i) {
    t.bias.push_back(kind == 0 ? 0 : static_cast<std::int64_t>(random() % 2000001) - 1000000);
    if (kind == 1 && round % 4 == 3) t.bias.back() *= 1 << 20;
    t.short_bias.push_back(static_cast<std::int32_t>(t.bias.back()));
    t.shift.push_back(0.25f * static_cast<float>(random() % 1000) - 100.0f);
  }
  if (kind == 1) p.wide_bias = t.bias.data();
  if (kind == 2) p.bias = t.short_bias.data();
  p.float_bias = t.shift.data();
  t.a_zero = static_cast<std::uint16_t>(random() % 3 ? random() : 0);
  t.y_zero = static_cast<std::uint16_t>(random());
  p.a_zero = reinterpret_cast<const std::byte*>(&t.a_zero);
  p.y_zero = reinterpret_cast<const std::byte*>(&t.y_zero);
  p.b_zero = {reinterpret_cast<const std::byte*>(t.b_zero.data()), static_cast<std::int64_t>(t.b_zero.size())};
  p.b_scale = {reinterpret_cast<const std::byte*>(t.scales.data()), static_cast<std::int64_t>(t.scales.size())};
  p.a_scale = &t.a_scale;
  p.y_scale = &t.y_scale;
}

std::uint16_t word(const Words& t, Reach reach, std::mt19937& random) {
  if (reach == Reach::kExtreme) return t.p.a_signed ? 0x8000 : 0xffff;
  return static_cast<std::uint16_t>(random() % 6 == 0 ? 0x8000 : random());
}

Reach reach_of(int round) { return static_cast<Reach>(round / 3 % 3); }

std::vector<std::byte> run_row(const Row& row, const Words& t, Params p, std::int64_t c_size) {
  std::vector<std::byte> y(at(c_size * 4));
  p.c = y.data();
  const bool depthwise = p.gather && p.n == 1 && p.groups > 1;
  const Work w = depthwise ? setup_depthwise(row, &p) : setup(row, &p);
  std::vector<std::byte> packed;
  if (depthwise) {
    p.b = reinterpret_cast<const std::byte*>(t.b.data());
  } else {
    // One group's weights serve all of them.
    const std::int64_t each = packed_size(p.segments.packed_k(), p.n);
    for (std::int64_t g = 0; g < p.groups; ++g) {
      packed.resize(at(each * (g + 1)));
      pack(t.b.data(), p.b_signed, p.segments, p.n, p.n, 1, p.depth, packed.data() + each * g);
    }
    p.b = packed.data();
  }
  testing::Scratch shared(w.shared_bytes);
  p.shared = shared.get();
  depthwise ? prepare_depthwise(p, {0, 1, nullptr}) : prepare(p, {0, 1, nullptr});
  testing::run_in_parts(depthwise ? row.depthwise_of_words : row.run_words, p, w.tiles, w.scratch_bytes, 2);
  return y;
}

TEST(WordDot, EveryRowIsExactOnOddShapes) {
  std::mt19937 random(5);
  constexpr std::int64_t kShapes[][3] = {{1, 1, 1},     {3, 17, 5},     {7, 64, 64},   {13, 70, 31},
                                         {2, 5, 300},   {50, 33, 7},    {6, 100, 512}, {500, 16, 3},
                                         {1, 60, 1030}, {15, 20, 1537}, {8, 40, 2101}};
  for (int round = 0; round < 120; ++round) {
    const auto [m, n, k] = kShapes[at(round) % std::size(kShapes)];
    const Reach reach = reach_of(round);
    Words t;
    fill(t, k, n, n, reach, round, random);
    t.p.m = m;
    t.p.a_row = k + static_cast<std::int64_t>(random() % 3);
    t.p.c_row = n + 1;
    // The last row ends at a page that cannot be read.
    const std::int64_t bytes = 2 * (m * t.p.a_row - (t.p.a_row - k));
    testing::Data data((bytes + 3) / 4);
    auto* a = reinterpret_cast<std::uint16_t*>(data.get() + data.size()) - bytes / 2;
    for (std::int64_t i = 0; i < bytes / 2; ++i) a[i] = word(t, reach, random);
    t.p.a = reinterpret_cast<const std::uint8_t*>(a);
    for (const Row& row : kernels()) {
      if (!row.run || !active_cpu().has(row.isa)) continue;
      const std::vector<std::byte> y = run_row(row, t, t.p, m * t.p.c_row);
      for (std::int64_t i = 0; i < m; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
          std::int64_t s = t.bias[at(j)];
          for (std::int64_t l = 0; l < k; ++l)
            s += (t.value(a[i * t.p.a_row + l]) - t.value(t.a_zero)) * t.weight(l * n + j, j);
          ASSERT_EQ(t.result(y.data(), i * t.p.c_row + j), t.expected(s, j))
              << row.name << " round " << round << " at " << i << ", " << j;
        }
      }
    }
  }
}

// Random extents of a window; two taps deep are gathered pixel by pixel.
void fill_window(Params& p, bool deep, std::mt19937& random) {
  Window& w = p.window;
  p.gather = true;
  if (deep) w.in[0] = 3, w.kernel[0] = w.out[0] = 2;
  for (int d = 1; d < 3; ++d) {
    w.in[d] = 4 + static_cast<std::int64_t>(random() % 7);
    w.kernel[d] = 1 + static_cast<std::int64_t>(random() % 3);
    w.stride[d] = 1 + static_cast<std::int64_t>(random() % 2);
    w.dilation[d] = 1 + static_cast<std::int64_t>(random() % 2);
    w.pad[d] = static_cast<std::int64_t>(random() % 3);
    w.out[d] =
        std::max<std::int64_t>(1, (w.in[d] + 2 * w.pad[d] - (w.kernel[d] - 1) * w.dilation[d] - 1) / w.stride[d] + 1);
  }
}

// The naive sum of column n of `columns` of pixel q.
std::int64_t sum_of(const Words& t, std::int64_t q, std::int64_t column) {
  const Params& p = t.p;
  const Window& w = p.window;
  const std::int64_t o[4] = {q / w.out[2] / w.out[1] / w.out[0], q / w.out[2] / w.out[1] % w.out[0],
                             q / w.out[2] % w.out[1], q % w.out[2]};
  const bool depthwise = p.n == 1 && p.groups > 1;
  std::int64_t s = t.bias[at(column)];
  for (std::int64_t i = 0; i < w.kernel[0] * w.kernel[1] * w.kernel[2]; ++i) {
    const std::int64_t d = o[1] * w.stride[0] - w.pad[0] + i / w.kernel[2] / w.kernel[1] * w.dilation[0],
                       h = o[2] * w.stride[1] - w.pad[1] + i / w.kernel[2] % w.kernel[1] * w.dilation[1],
                       l = o[3] * w.stride[2] - w.pad[2] + i % w.kernel[2] * w.dilation[2];
    if (d < 0 || d >= w.in[0] || h < 0 || h >= w.in[1] || l < 0 || l >= w.in[2]) continue;
    const std::int64_t pixel = (((o[0] * w.in[0] + d) * w.in[1] + h) * w.in[2] + l) * p.a_row;
    for (std::int64_t c = 0; c < w.channels; ++c) {
      const std::int64_t x = t.value(t.a[at(pixel + column / p.n * w.channels + c)]) - t.value(t.a_zero);
      s += x * t.weight(depthwise ? i * p.groups + column : (i * w.channels + c) * p.n + column % p.n, column);
    }
  }
  return s;
}

void check_convolution(Words& t, Reach reach, int round, std::mt19937& random) {
  Params& p = t.p;
  const Window& w = p.window;
  const std::int64_t columns = p.groups * p.n;
  p.m = 2 * w.out[0] * w.out[1] * w.out[2];
  p.a_row = w.channels * p.groups + 1;
  p.c_row = columns + 2;
  t.a.resize(at(2 * w.in[0] * w.in[1] * w.in[2] * p.a_row));
  for (std::uint16_t& v : t.a) v = word(t, reach, random);
  p.a = reinterpret_cast<const std::uint8_t*>(t.a.data());
  for (const Row& row : kernels()) {
    if (!row.run || !active_cpu().has(row.isa)) continue;
    const std::vector<std::byte> y = run_row(row, t, p, p.m * p.c_row);
    for (std::int64_t q = 0; q < p.m; ++q) {
      for (std::int64_t n = 0; n < columns; ++n) {
        ASSERT_EQ(t.result(y.data(), q * p.c_row + n), t.expected(sum_of(t, q, n), n))
            << row.name << " round " << round << " pixel " << q << " channel " << n;
      }
    }
  }
}

TEST(WordDot, EveryRowConvolvesExactly) {
  std::mt19937 random(9);
  for (int round = 0; round < 60; ++round) {
    Words t;
    fill_window(t.p, round % 5 == 0, random);
    Window& w = t.p.window;
    w.channels = 1 + static_cast<std::int64_t>(random() % 9) + (round % 8 == 1 ? 190 : 0);
    t.p.groups = round % 3 == 0 ? 3 : 1;
    const std::int64_t n = 1 + static_cast<std::int64_t>(random() % 40) + (t.p.groups > 1),
                       k = w.channels * w.kernel[0] * w.kernel[1] * w.kernel[2];
    fill(t, k, n, n * t.p.groups, reach_of(round), round, random);
    check_convolution(t, reach_of(round), round, random);
  }
}

TEST(WordDot, EveryRowConvolvesDepthwiseExactly) {
  std::mt19937 random(13);
  for (int round = 0; round < 80; ++round) {
    Words t;
    fill_window(t.p, round % 10 == 0, random);
    Window& w = t.p.window;
    if (round % 16 == 3) w.kernel[2] = 33, w.out[2] = 2, w.in[2] = 40, w.pad[2] = 0;
    w.channels = 1;
    t.p.groups = 2 + static_cast<std::int64_t>(random() % 70);
    // Weights of all channels side by side, as one matrix of taps by channels.
    const std::int64_t taps = w.kernel[0] * w.kernel[1] * w.kernel[2];
    fill(t, taps, t.p.groups, t.p.groups, reach_of(round), round, random);
    t.p.n = 1;
    // Few taps reach beyond 32 bits by their bias alone.
    if (round % 7 == 2 && t.p.wide_bias) t.bias[0] = std::int64_t{1} << 40;
    check_convolution(t, reach_of(round), round, random);
  }
}

}  // namespace
}  // namespace mote::kernels::idot
