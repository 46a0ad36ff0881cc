#include "media/image.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "media/npz.h"
#include "media/test_data.h"

namespace mote::media {
namespace {

bool readable(std::string_view name) {
  if (name.ends_with(".jpg")) return MOTE_JPEG != 0;
  return !name.ends_with(".png") || MOTE_PNG != 0;
}

// Every committed file, read as Pillow reads it; libjpeg versions may differ by one level.
TEST(Image, EqualsPillow) {
  auto expected = read_npz(read_test_image("expected.npz"));
  if (!expected.ok()) GTEST_SKIP() << expected.status().to_string();
  int images = 0;
  for (const Array& a : *expected) {
    if (a.name.find(' ') != std::string::npos || !readable(a.name)) continue;
    ++images;
    const auto file = read_test_image(a.name);
    auto image = decode_image(file);
    ASSERT_TRUE(image.ok()) << a.name << ": " << image.status().to_string();
    ASSERT_EQ(a.shape, (std::vector<std::int64_t>{image->height, image->width, 3})) << a.name;
    const int slack = a.name.ends_with(".jpg") ? 1 : 0;
    int worst = 0;
    for (std::size_t i = 0; i < a.data.size(); ++i) {
      worst = std::max(worst, std::abs(int{image->pixels[i]} - std::to_integer<int>(a.data[i])));
    }
    EXPECT_LE(worst, slack) << a.name;
    EXPECT_EQ(image->note.empty(), a.name.find("16.p") == std::string::npos || a.name.find("rgb") == 0 ||
                                       a.name == "binary16.ppm" || a.name == "rgba16.png")
        << a.name;
  }
  EXPECT_GE(images, 20);
}

TEST(Image, SurvivesEveryTruncation) {
  for (const char* name : {"baseline.jpg", "progressive.jpg", "cmyk.jpg", "interlaced.png", "palette.png", "rle8.bmp",
                           "rle4.bmp", "palette4.bmp", "ascii.ppm", "binary.pbm", "binary100.ppm"}) {
    if (!readable(name)) continue;
    const auto file = read_test_image(name);
    ASSERT_FALSE(file.empty()) << name;
    for (std::size_t n = 0; n < file.size(); ++n) {
      auto image = decode_image(std::span(file).first(n));
      if (image.ok()) {
        EXPECT_GT(n + 64, file.size()) << name << " at " << n;
      } else if (n > 64) {
        EXPECT_NE(image.status().where().find("byte"), std::string::npos) << name << image.status().to_string();
      }
    }
  }
}

TEST(Image, SurvivesMutation) {
  for (const char* name : {"baseline.jpg", "progressive.jpg", "cmyk.jpg", "interlaced.png", "palette1.bmp", "rle8.bmp",
                           "masks32.bmp", "ascii16.pgm", "binary16.ppm"}) {
    const auto file = read_test_image(name);
    for (std::size_t i = 0; i < file.size(); ++i) {
      for (int v : {0x00, 0x7f, 0xff}) {
        auto bad = file;
        bad[i] = static_cast<std::byte>(v);
        Limits limits;
        limits.max_pixels = 1 << 16;
        auto image = decode_image(bad, limits);
        if (image.ok()) {
          EXPECT_EQ(image->pixels.size(), static_cast<std::size_t>(image->width) * image->height * 3);
        }
      }
    }
  }
}

TEST(Image, RefusesClaimsThatTheFileCannotHold) {
  Limits limits;
  limits.max_pixels = 100;
  EXPECT_EQ(decode_image(to_bytes("P5 11 10 255\n" + std::string(110, 'x')), limits).status().code(),
            Code::kResourceExhausted);
  EXPECT_TRUE(decode_image(to_bytes("P5 10 10 255\n" + std::string(100, 'x')), limits).ok());
  EXPECT_NE(decode_image(to_bytes("P6 10000 10000 255\nxyz")).status().to_string().find("ends before"),
            std::string::npos);
  EXPECT_FALSE(decode_image(to_bytes("P6 0 10 255\nxyz")).ok());
  EXPECT_FALSE(decode_image(to_bytes("P6 99999999999 10 255\nxyz")).ok());
  limits = {};
  limits.max_bytes = 1000;
  EXPECT_EQ(decode_image(to_bytes("P5 20 20 255\n" + std::string(400, 'x')), limits).status().code(),
            Code::kResourceExhausted);
#if MOTE_PNG
  auto png = read_test_image("rgb.png");
  png[17] = std::byte{0x20};  // width 2 million
  EXPECT_FALSE(decode_image(png).ok());
#endif
}

// Pillow reads escapes and empty rows wrongly, at least in the version that made the other expectations.
TEST(Image, SkipsAndEmptyRowsInRunLengthBmp) {
  auto file = read_test_image("rle8.bmp");  // 11 x 5, pixels at 118
  file.resize(118);
  for (int b : {0, 2, 3, 1, 4, 8, 0, 0, 0, 0, 0, 2, 7, 0, 2, 5, 0, 1}) file.push_back(static_cast<std::byte>(b));
  auto image = decode_image(file);
  ASSERT_TRUE(image.ok()) << image.status().to_string();
  std::string rows;
  const std::uint8_t* p = image->pixels.data();
  for (int i = 0; i < 55; ++i, p += 3) {
    int index = 0;
    while (index < 16 && std::to_integer<int>(file[54 + 4 * static_cast<std::size_t>(index)]) != p[2]) ++index;
    rows += static_cast<char>('0' + index);
  }
  EXPECT_EQ(rows.substr(0, 33),
            "00000000000"
            "00000005500"
            "00000000000")
      << rows;
  EXPECT_EQ(rows.substr(33),
            "00088880000"
            "00000000000");
}

TEST(Image, NamesForeignFormats) {
  const auto error = [](std::string_view s) { return decode_image(to_bytes(s)).status().to_string(); };
  EXPECT_NE(error("GIF89a......").find("GIF"), std::string::npos);
  EXPECT_NE(error(std::string_view("RIFF\0\0\0\0WEBPVP8 ", 16)).find("WebP"), std::string::npos);
  EXPECT_NE(error("").find("empty"), std::string::npos);
  EXPECT_NE(error("hello").find("convert it"), std::string::npos);
}

TEST(Image, WritesWhatItReads) {
  for (int channels : {1, 3}) {
    Image image{5, 3, channels, {}, {}};
    for (int i = 0; i < 15 * channels; ++i) image.pixels.push_back(static_cast<std::uint8_t>(i * 37));
    auto pnm = decode_image(encode_pnm(image));
    ASSERT_TRUE(pnm.ok());
    EXPECT_EQ(to_grey(*pnm).pixels, to_grey(image).pixels);
    auto file = encode_png(image);
    if (MOTE_PNG == 0) {
      EXPECT_NE(file.status().to_string().find("MOTE_PNG"), std::string::npos);
      continue;
    }
    auto png = decode_image(*file);
    ASSERT_TRUE(png.ok()) << png.status().to_string();
    EXPECT_EQ(png->pixels, pnm->pixels);
  }
}

#if !MOTE_JPEG
TEST(Image, SaysThatJpegIsLeftOut) {
  EXPECT_NE(decode_image(read_test_image("baseline.jpg")).status().to_string().find("MOTE_JPEG"), std::string::npos);
}
#endif

}  // namespace
}  // namespace mote::media
