#include "base/float_format.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/half.h"

namespace mote {
namespace {

const float kInf = std::numeric_limits<float>::infinity();
const float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(Half, EveryF16SurvivesTheRoundTrip) {
  auto format = *float_format_of(DType::f16);
  for (std::uint32_t h = 0; h < 65536; ++h) {
    float f = f16_to_f32(static_cast<std::uint16_t>(h));
    double slow = decode(h, format);
    if (std::isnan(slow)) {
      EXPECT_TRUE(std::isnan(f)) << h;
      EXPECT_EQ(f32_to_f16(f), h | 0x200u) << h;
    } else {
      ASSERT_EQ(static_cast<double>(f), slow) << h;
      ASSERT_EQ(f32_to_f16(f), h);
      ASSERT_EQ(encode(slow, format, false), h);
    }
  }
}

TEST(Half, FastAndSlowConversionsAgree) {
  auto f16 = *float_format_of(DType::f16), bf16 = *float_format_of(DType::bf16);
  for (std::uint64_t u = 0; u < 1ull << 32; u += 4099) {  // an odd step: all low bits occur
    float f = bits_to_f32(static_cast<std::uint32_t>(u));
    if (std::isnan(f)) continue;
    ASSERT_EQ(f32_to_f16(f), encode(static_cast<double>(f), f16, false)) << f;
    ASSERT_EQ(f32_to_bf16(f), encode(static_cast<double>(f), bf16, false)) << f;
  }
  // Ties of f16: midpoints between neighbours go to the even one, their neighbours in float to the nearer.
  for (std::uint16_t h = 0; h < 0x7bff; ++h) {
    float mid = (f16_to_f32(h) + f16_to_f32(static_cast<std::uint16_t>(h + 1))) / 2;
    EXPECT_EQ(f32_to_f16(mid), h + (h & 1));
    EXPECT_EQ(f32_to_f16(std::nextafter(mid, 0.0f)), h);
    EXPECT_EQ(f32_to_f16(std::nextafter(mid, kInf)), h + 1);
  }
}

std::vector<std::uint8_t> stored(DType t, std::vector<float> v, bool saturate) {
  std::vector<std::uint8_t> out(static_cast<std::size_t>(bytes_of(t, static_cast<std::int64_t>(v.size()))));
  EXPECT_TRUE(store_from_f32(t, v.data(), static_cast<std::int64_t>(v.size()), out.data(), 0, saturate));
  return out;
}

TEST(FloatFormat, EightBitValuesByTheBook) {
  const std::vector<float> v = {0.47892547f, 0.5f, 0.8191054f, 1e6f, 1e-7f, kNan, kInf, -kInf, -1e-7f, -1e6f};
  using B = std::vector<std::uint8_t>;
  EXPECT_EQ(stored(DType::f8e4m3fn, v, true), (B{0x2f, 0x30, 0x35, 0x7e, 0, 0x7f, 0x7e, 0xfe, 0x80, 0xfe}));
  EXPECT_EQ(stored(DType::f8e4m3fn, v, false), (B{0x2f, 0x30, 0x35, 0x7f, 0, 0x7f, 0x7f, 0xff, 0x80, 0xff}));
  EXPECT_EQ(stored(DType::f8e4m3fnuz, v, true), (B{0x37, 0x38, 0x3d, 0x7f, 0, 0x80, 0x7f, 0xff, 0, 0xff}));
  EXPECT_EQ(stored(DType::f8e4m3fnuz, v, false), (B{0x37, 0x38, 0x3d, 0x80, 0, 0x80, 0x80, 0x80, 0, 0x80}));
  EXPECT_EQ(stored(DType::f8e5m2, v, true), (B{0x38, 0x38, 0x3b, 0x7b, 0, 0x7e, 0x7b, 0xfb, 0x80, 0xfb}));
  EXPECT_EQ(stored(DType::f8e5m2, v, false), (B{0x38, 0x38, 0x3b, 0x7c, 0, 0x7e, 0x7c, 0xfc, 0x80, 0xfc}));
  EXPECT_EQ(stored(DType::f8e5m2fnuz, v, false), (B{0x3c, 0x3c, 0x3f, 0x80, 0, 0x80, 0x80, 0x80, 0, 0x80}));
}

TEST(FloatFormat, FourBitFloatsArePackedLowNibbleFirst) {
  EXPECT_EQ(stored(DType::f4e2m1,
                   {0.48f, 0.25f, 1.05f, -3.5f, -8, 9, 1e6f, 1e-7f, kNan, kInf, kInf, -kInf, -4, 0.01f, -0.0f}, true),
            (std::vector<std::uint8_t>{0x01, 0xe2, 0x7f, 0x07, 0x78, 0xf7, 0x0e, 0x08}));
  const std::uint8_t packed[] = {0x10, 0x32, 0x54, 0x76};
  float out[7];
  ASSERT_TRUE(load_as_f32(DType::f4e2m1, packed, 1, 7, out));
  const float want[] = {0.5f, 1, 1.5f, 2, 3, 4, 6};
  for (int i = 0; i < 7; ++i) EXPECT_EQ(out[i], want[i]);
}

TEST(FloatFormat, EveryEightBitValueSurvivesTheRoundTrip) {
  for (DType t : {DType::f8e4m3fn, DType::f8e4m3fnuz, DType::f8e5m2, DType::f8e5m2fnuz}) {
    auto format = *float_format_of(t);
    for (std::uint32_t b = 0; b < 256; ++b) {
      double v = decode(b, format);
      if (std::isnan(v)) {
        EXPECT_TRUE(std::isnan(decode(encode(v, format, true), format)));
      } else {
        EXPECT_EQ(encode(v, format, false), b) << name_of(t);
      }
    }
  }
  EXPECT_EQ(decode(0x7e, *float_format_of(DType::f8e4m3fn)), 448);
  EXPECT_EQ(decode(0x7f, *float_format_of(DType::f8e4m3fnuz)), 240);
  EXPECT_EQ(decode(0x7b, *float_format_of(DType::f8e5m2)), 57344);
  EXPECT_EQ(decode(0x7f, *float_format_of(DType::f8e5m2fnuz)), 57344);
  EXPECT_EQ(decode(1, *float_format_of(DType::f8e4m3fn)), 0x1p-9);
}

TEST(FloatFormat, PowersOfTwo) {
  const float v[] = {0, 0.124f, 0.25f, 0.5f, 1.1f, 2, 4, 8};
  const std::uint8_t up[] = {0, 0x7c, 0x7d, 0x7e, 0x80, 0x80, 0x81, 0x82};
  for (int i = 0; i < 8; ++i) EXPECT_EQ(encode_e8m0(v[i], Rounding::kUp, true), up[i]);
  EXPECT_EQ(encode_e8m0(1.1f, Rounding::kDown, true), 0x7f);
  EXPECT_EQ(encode_e8m0(1.5f, Rounding::kNearest, true), 0x80);
  EXPECT_EQ(encode_e8m0(1.49f, Rounding::kNearest, true), 0x7f);
  EXPECT_EQ(encode_e8m0(3.3e38f, Rounding::kUp, true), 0xfe);
  EXPECT_EQ(encode_e8m0(3.3e38f, Rounding::kUp, false), 0xff);
  for (int b = 0; b < 255; ++b)
    EXPECT_EQ(encode_e8m0(decode_e8m0(static_cast<std::uint8_t>(b)), Rounding::kDown, true), b);
  EXPECT_TRUE(std::isnan(decode_e8m0(255)));
}

TEST(FloatFormat, SmallIntegersWrapAndSignExtend) {
  EXPECT_EQ(stored(DType::i4, {-9, -8, 7, 8, 15.9f}, true), (std::vector<std::uint8_t>{0x87, 0x87, 0x0f}));
  EXPECT_EQ(stored(DType::u2, {-3, -2, -1, 0, 1, 2, 3}, true), (std::vector<std::uint8_t>{0x39, 0x39}));
  EXPECT_EQ(stored(DType::u4, {kNan, 1e30f}, true), (std::vector<std::uint8_t>{0xf0}));
  const std::uint8_t packed[] = {0xe4};
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(load_packed(DType::u2, packed, i), i);
    EXPECT_EQ(load_packed(DType::i2, packed, i), i < 2 ? i : i - 4);
  }
  float out[1];
  EXPECT_FALSE(load_as_f32(DType::i32, packed, 0, 1, out));
}

}  // namespace
}  // namespace mote
