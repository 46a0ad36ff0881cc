#include "kernels/convert/convert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "base/half.h"
#include "kernels/testing.h"

namespace mote::kernels::convert {
namespace {

constexpr DType kTypes[] = {DType::f32, DType::f64, DType::f16, DType::bf16, DType::i8,  DType::i16,    DType::i32,
                            DType::i64, DType::u8,  DType::u16, DType::u32,  DType::u64, DType::boolean};

struct Number {
  bool integer;
  double x;
  std::uint64_t bits;
};

bool floating(DType t) { return t == DType::f32 || t == DType::f64 || t == DType::f16 || t == DType::bf16; }
bool is_signed(DType t) { return t == DType::i8 || t == DType::i16 || t == DType::i32 || t == DType::i64; }

template <class T>
T read(const std::byte* p) {
  T t;
  std::memcpy(&t, p, sizeof t);
  return t;
}

Number load(DType t, const std::byte* p) {
  if (t == DType::f32) return {false, static_cast<double>(read<float>(p)), 0};
  if (t == DType::f64) return {false, read<double>(p), 0};
  if (t == DType::f16) return {false, static_cast<double>(f16_to_f32(read<std::uint16_t>(p))), 0};
  if (t == DType::bf16) return {false, static_cast<double>(bf16_to_f32(read<std::uint16_t>(p))), 0};
  if (t == DType::boolean) return {true, 0, read<std::uint8_t>(p) != 0};
  std::uint64_t u = 0;
  std::memcpy(&u, p, static_cast<std::size_t>(bits_of(t) / 8));
  if (is_signed(t))
    u = static_cast<std::uint64_t>(static_cast<std::int64_t>(u << (64 - bits_of(t))) >> (64 - bits_of(t)));
  return {true, is_signed(t) ? static_cast<double>(static_cast<std::int64_t>(u)) : static_cast<double>(u), u};
}

// What casting gives, as a number of the target type.
Number expected(const Number& v, DType to) {
  if (to == DType::boolean) return {true, 0, v.integer ? v.bits != 0 : v.x != 0};
  if (floating(to)) {
    double x = v.integer && v.bits <= 1 ? static_cast<double>(v.bits) : v.x;
    if (to == DType::f32) x = static_cast<double>(static_cast<float>(x));
    if (to == DType::f16) x = static_cast<double>(f16_to_f32(f32_to_f16(static_cast<float>(x))));
    if (to == DType::bf16) x = static_cast<double>(bf16_to_f32(f32_to_bf16(static_cast<float>(x))));
    return {false, x, 0};
  }
  std::uint64_t u = v.bits;
  int bits = bits_of(to);
  if (!v.integer) {
    double low = is_signed(to) ? -std::ldexp(1, bits - 1) : 0, beyond = std::ldexp(1, is_signed(to) ? bits - 1 : bits);
    u = std::isnan(v.x) ? 0
        : v.x >= beyond ? ~std::uint64_t{0} >> (is_signed(to) ? 65 - bits : 64 - bits)
        : v.x <= low    ? static_cast<std::uint64_t>(is_signed(to) ? INT64_MIN >> (64 - bits) : 0)
        : is_signed(to) ? static_cast<std::uint64_t>(static_cast<std::int64_t>(v.x))
                        : static_cast<std::uint64_t>(v.x);
  }
  if (is_signed(to)) u = static_cast<std::uint64_t>(static_cast<std::int64_t>(u << (64 - bits)) >> (64 - bits));
  if (!is_signed(to) && bits < 64) u &= (std::uint64_t{1} << bits) - 1;
  return {true, 0, u};
}

TEST(Convert, CastsEveryPairLikeTheDefinition) {
  std::mt19937_64 random(5);
  constexpr double kEdges[] = {NAN,    INFINITY, -INFINITY, 0,          -0.0,       0.5,         -0.5, 127.9, 128,
                               -128.5, 255.5,    256,       2147483520, 2147483648, -2147483904, 4e9,  4.3e9, 9.3e18,
                               2e19,   -1e19,    65504,     65520,      1e-7,       1.5,         -1.5, 32768, 65535.5};
  for (DType from : kTypes) {
    for (DType to : kTypes) {
      if (from == to || !can_cast(from, to)) continue;
      std::int64_t n = 1099, fb = bits_of(from) / 8, tb = bits_of(to) / 8;
      std::vector<std::byte> x(static_cast<std::size_t>(n * fb));
      for (std::byte& b : x) b = static_cast<std::byte>(random());
      for (std::int64_t i = 0; i < n; ++i) {
        std::byte* at = x.data() + i * fb;
        double e = kEdges[static_cast<std::size_t>(i) % std::size(kEdges)] * (i % 3 == 0 ? 1 : 1.0 / 3);
        if (from == DType::boolean) *at = static_cast<std::byte>(random() & 1);
        if (i % 2 == 0 && from == DType::f64) std::memcpy(at, &e, 8);
        float f = static_cast<float>(e);
        if (i % 2 == 0 && from == DType::f32) std::memcpy(at, &f, 4);
      }
      for (const Row& row : kernels()) {
        if (!row.cast || !active_cpu().has(row.isa)) continue;
        std::vector<std::byte> y(static_cast<std::size_t>(n * tb) + 1, std::byte{0x5a});
        CastParams p{x.data(), y.data(), from, to, static_cast<std::int32_t>(fb), static_cast<std::int32_t>(tb), n};
        row.cast(p, {0, tiles_of(n), nullptr});
        ASSERT_EQ(y.back(), std::byte{0x5a});
        for (std::int64_t i = 0; i < n; ++i) {
          Number want = expected(load(from, x.data() + i * fb), to), got = load(to, y.data() + i * tb);
          bool same =
              want.integer ? want.bits == got.bits : want.x == got.x || (std::isnan(want.x) && std::isnan(got.x));
          ASSERT_TRUE(same) << row.name << " " << name_of(from) << " to " << name_of(to) << " element " << i << ": "
                            << load(from, x.data() + i * fb).x << " gave " << got.x << "/" << got.bits << ", not "
                            << want.x << "/" << want.bits;
        }
      }
    }
  }
}

template <class Q>
void check_scales(DType dtype) {
  std::mt19937 random(9);
  constexpr double lo = std::numeric_limits<Q>::min(), hi = std::numeric_limits<Q>::max();
  for (auto [channels, length] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {13, 1}, {5, 37}, {3, 16}}) {
    std::int64_t n = channels * length * 29;
    std::vector<float> x(static_cast<std::size_t>(n)), scale(static_cast<std::size_t>(channels)), y(x.size());
    std::vector<Q> zero(scale.size()), q(x.size());
    for (float& s : scale) s = 0.01f + static_cast<float>(random() % 100) * 0.01f;
    for (Q& z : zero) z = static_cast<Q>(random());
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = (static_cast<float>(random() % 60001) - 30000) * 0.01f;
    x[0] = NAN;
    x[1] = INFINITY;
    x[2] = -1e30f;
    for (const Row& row : kernels()) {
      if (!row.cast || !active_cpu().has(row.isa)) continue;
      ScaleParams p{reinterpret_cast<std::byte*>(x.data()),
                    reinterpret_cast<std::byte*>(q.data()),
                    dtype,
                    scale.data(),
                    reinterpret_cast<std::byte*>(zero.data()),
                    n,
                    channels,
                    length};
      row.quantize(p, {0, tiles_of(n), nullptr});
      p.x = reinterpret_cast<std::byte*>(q.data());
      p.y = reinterpret_cast<std::byte*>(y.data());
      row.dequantize(p, {0, tiles_of(n), nullptr});
      for (std::size_t i = 0; i < x.size(); ++i) {
        std::size_t c = static_cast<std::size_t>(static_cast<std::int64_t>(i) / length % channels);
        double v = std::nearbyint(static_cast<double>(x[i] / scale[c])) + static_cast<double>(zero[c]);
        double want = std::isnan(v) ? 0 : std::fmin(std::fmax(v, lo), hi);
        ASSERT_EQ(static_cast<double>(q[i]), want) << row.name << " element " << i;
        ASSERT_EQ(y[i], static_cast<float>((static_cast<double>(q[i]) - static_cast<double>(zero[c])) *
                                           static_cast<double>(scale[c])))
            << row.name << " element " << i;
      }
    }
  }
}

TEST(Convert, QuantizesLikeTheDefinition) {
  check_scales<std::uint8_t>(DType::u8);
  check_scales<std::int8_t>(DType::i8);
  check_scales<std::uint16_t>(DType::u16);
  check_scales<std::int16_t>(DType::i16);
}

TEST(Convert, EveryRowQuantizesByTheRange) {
  std::mt19937 random(5);
  for (std::int64_t n : {1, 7, 100, 40000}) {
    std::vector<float> x(static_cast<std::size_t>(n));
    for (float& v : x) v = static_cast<float>(random() % 1000) * 0.01f - 3.0f;
    if (n > 50) x[50] = std::nanf("");
    float low = 0, high = 0;
    for (float v : x) low = std::fmin(low, v), high = std::fmax(high, v);
    float scale = (high - low) / 255.0f, zero = std::nearbyint(-low / scale);
    for (const Row& row : kernels()) {
      if (!row.range || !active_cpu().has(row.isa)) continue;
      std::vector<float> partial(static_cast<std::size_t>(2 * tiles_of(n)));
      float found = 0;
      std::uint8_t point = 0;
      DynamicParams p{x.data(), n, partial.data(), &found, &point, {}};
      kernels::testing::run_in_parts(row.range, p, tiles_of(n), 0, 2);
      choose(p, {0, 1, nullptr});
      EXPECT_EQ(found, scale) << row.name;
      EXPECT_EQ(static_cast<float>(point), zero) << row.name;
    }
  }
}

}  // namespace
}  // namespace mote::kernels::convert
