#include "media/preprocess.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <sstream>

#include "media/geometry.h"
#include "media/npz.h"
#include "media/test_data.h"

namespace mote::media {
namespace {

// The generator of tools/images/make_goldens.py.
Image noise(int width, int height, int channels) {
  Image image{width, height, channels, {}, {}};
  std::uint32_t state = 12345;
  for (int i = 0; i < width * height * channels; ++i) {
    state = state * 1664525u + 1013904223u;
    const auto byte = static_cast<std::uint8_t>(state >> 24);
    image.pixels.push_back(byte < 32 ? 0 : byte > 223 ? 255 : byte);
  }
  return image;
}

std::uint64_t fnv(std::span<const std::uint8_t> bytes) {
  std::uint64_t h = 0xcbf29ce484222325u;
  for (std::uint8_t b : bytes) h = (h ^ b) * 0x100000001b3u;
  return h;
}

const Array* find(const std::vector<Array>& arrays, std::string_view name) {
  for (const Array& a : arrays) {
    if (a.name == name) return &a;
  }
  return nullptr;
}

Filter filter_of(const std::string& name) {
  return name == "nearest" ? Filter::kNearest : name == "bilinear" ? Filter::kBilinear : Filter::kBicubic;
}

TEST(Resize, EqualsPillowBitForBit) {
  auto expected = read_npz(read_test_image("expected.npz"));
  if (!expected.ok()) GTEST_SKIP() << expected.status().to_string();
  const Array* cases = find(*expected, "resize cases");
  const Array* hashes = find(*expected, "resize hashes");
  ASSERT_TRUE(cases != nullptr && hashes != nullptr);
  for (std::size_t i = 0; i < cases->strings.size(); ++i) {
    std::istringstream in(cases->strings[i]);
    std::string filter;
    int w0 = 0, h0 = 0, w1 = 0, h1 = 0, channels = 0;
    in >> filter >> w0 >> h0 >> w1 >> h1 >> channels;
    auto out = resize_image(noise(w0, h0, channels), w1, h1, filter_of(filter));
    ASSERT_TRUE(out.ok());
    std::uint64_t hash = 0;
    std::memcpy(&hash, hashes->data.data() + 8 * i, 8);
    EXPECT_EQ(fnv(out->pixels), hash) << cases->strings[i];
  }
}

TEST(Letterbox, EqualsPillowBitForBit) {
  auto expected = read_npz(read_test_image("expected.npz"));
  if (!expected.ok()) GTEST_SKIP() << expected.status().to_string();
  const Array* cases = find(*expected, "letterbox cases");
  const Array* hashes = find(*expected, "letterbox hashes");
  ASSERT_TRUE(cases != nullptr && hashes != nullptr);
  EXPECT_EQ(cases->strings.size(), 54u);
  for (std::size_t i = 0; i < cases->strings.size(); ++i) {
    std::istringstream in(cases->strings[i]);
    std::string filter;
    int w0 = 0, h0 = 0, w1 = 0, h1 = 0, channels = 0;
    in >> filter >> w0 >> h0 >> w1 >> h1 >> channels;
    Preprocess p;
    p.letterbox = Size{w1, h1};
    p.filter = filter_of(filter);
    if (channels == 3) p.fill = {10, 200, 30};
    auto geometry = find_geometry({-1, -1}, p);
    ASSERT_TRUE(geometry.ok());
    auto out = apply_geometry(noise(w0, h0, channels), *geometry, {});
    ASSERT_TRUE(out.ok());
    std::uint64_t hash = 0;
    std::memcpy(&hash, hashes->data.data() + 8 * i, 8);
    EXPECT_EQ(fnv(out->pixels), hash) << cases->strings[i];
  }
}

// Asks for `settings` ("key=value" ...) on an image whose pixels are numbered; gives what is left of it.
std::vector<std::uint8_t> kept(int width, int height, std::vector<std::pair<std::string, std::string>> settings) {
  Image image{width, height, 1, {}, {}};
  for (int i = 0; i < width * height; ++i) image.pixels.push_back(static_cast<std::uint8_t>(i));
  Preprocess p;
  for (const auto& [key, value] : settings) EXPECT_TRUE(set_preprocess(p, key, value).ok());
  auto geometry = find_geometry({-1, -1}, p);
  auto out = apply_geometry(image, *geometry, {});
  EXPECT_TRUE(out.ok());
  return out->pixels;
}

TEST(Crop, KeepsCornersAndCentres) {
  using Bytes = std::vector<std::uint8_t>;
  EXPECT_EQ(kept(3, 3, {{"crop", "2"}, {"crop_at", "top-left"}}), (Bytes{0, 1, 3, 4}));
  EXPECT_EQ(kept(3, 3, {{"crop", "2"}, {"crop_at", "top-right"}}), (Bytes{1, 2, 4, 5}));
  EXPECT_EQ(kept(3, 3, {{"crop", "2"}, {"crop_at", "bottom-left"}}), (Bytes{3, 4, 6, 7}));
  EXPECT_EQ(kept(3, 3, {{"crop", "2x1"}, {"crop_at", "bottom-right"}}), (Bytes{7, 8}));
  // TensorFlow's central_crop of 5 x 4 by a half: int((5 - 2.5) / 2) = 1 and int((4 - 2) / 2) = 1 from each side.
  EXPECT_EQ(kept(5, 4, {{"central", "0.5"}}), (Bytes{6, 7, 8, 11, 12, 13}));
  EXPECT_EQ(kept(5, 4, {{"central", "0.5"}, {"crop", "1"}}), (Bytes{7}));
}

TEST(Geometry, PlacesGoBothWays) {
  const auto placed = [](Size image, Size target, std::vector<std::pair<std::string, std::string>> settings) {
    Preprocess p;
    for (const auto& [key, value] : settings) EXPECT_TRUE(set_preprocess(p, key, value).ok());
    auto geometry = find_geometry(target, p);
    EXPECT_TRUE(geometry.ok());
    return place(*geometry, image);
  };
  Placement p = placed({200, 100}, {64, 64}, {{"letterbox", "input"}});
  EXPECT_EQ(p.input.width, 64);
  EXPECT_DOUBLE_EQ(p.scale_x, 0.32);
  EXPECT_DOUBLE_EQ(p.scale_y, 0.32);
  EXPECT_DOUBLE_EQ(p.offset_x, 0);
  EXPECT_DOUBLE_EQ(p.offset_y, 16);
  p = placed({400, 200}, {80, 80}, {{"resize", "100"}});
  EXPECT_DOUBLE_EQ(p.scale_x, 0.5);
  EXPECT_DOUBLE_EQ(p.offset_x, -60);
  EXPECT_DOUBLE_EQ(p.offset_y, -10);
  p = placed({100, 50}, {20, 20}, {});
  EXPECT_DOUBLE_EQ(p.scale_x, 0.2);
  EXPECT_DOUBLE_EQ(p.scale_y, 0.4);
}

TEST(Geometry, RefusesWhatItCannotMean) {
  Preprocess p;
  EXPECT_FALSE(set_preprocess(p, "central", "0").ok());
  EXPECT_FALSE(set_preprocess(p, "central", "1.5").ok());
  EXPECT_FALSE(set_preprocess(p, "fill", "256").ok());
  EXPECT_FALSE(set_preprocess(p, "fill", "1,2").ok());
  EXPECT_FALSE(set_preprocess(p, "letterbox", "0x4").ok());
  EXPECT_FALSE(set_preprocess(p, "crop_at", "middle").ok());
  ASSERT_TRUE(set_preprocess(p, "letterbox", "input").ok());
  EXPECT_FALSE(find_geometry({-1, 64}, p).ok());  // no size is known
  p.crop = Size{3, 3};
  EXPECT_FALSE(find_geometry({64, 64}, p).ok());
}

// The whole way, compared with torchvision in float16, where equal means the same bits.
TEST(Preprocess, EqualsTorchvision) {
  auto expected = read_npz(read_test_image("expected.npz"));
  if (!expected.ok() || MOTE_JPEG + MOTE_PNG != 2) GTEST_SKIP() << "needs libzip, libjpeg-turbo and libpng";
  int cases = 0;
  for (const Array& a : *expected) {
    if (!a.name.starts_with("torchvision ")) continue;
    ++cases;
    std::istringstream in(a.name.substr(12));
    std::string name, filter, size, crop;
    in >> name >> size >> crop >> filter;
    Preprocess p;
    ASSERT_TRUE(set_preprocess(p, "resize", size).ok());
    ASSERT_TRUE(set_preprocess(p, "crop", crop).ok());
    ASSERT_TRUE(set_preprocess(p, "filter", filter).ok());
    ASSERT_TRUE(set_preprocess(p, "mean", "0.485,0.456,0.406").ok());
    ASSERT_TRUE(set_preprocess(p, "std", "0.229, 0.224, 0.225").ok());
    const auto file = read_test_image(name);
    const ImageFile files[] = {{name, file}, {name, file}};
    const ImageInput input{"x", DType::f16, {-1, 3, a.shape[1], a.shape[2]}, {}};
    auto batch = load_images(files, input, p);
    ASSERT_TRUE(batch.ok()) << batch.status().to_string();
    EXPECT_EQ(batch->array.shape, (std::vector<std::int64_t>{2, 3, a.shape[1], a.shape[2]}));
    ASSERT_EQ(batch->array.data.size(), 2 * a.data.size());
    EXPECT_EQ(std::memcmp(batch->array.data.data(), a.data.data(), a.data.size()), 0) << a.name;
    EXPECT_EQ(std::memcmp(batch->array.data.data() + a.data.size(), a.data.data(), a.data.size()), 0) << a.name;
  }
  EXPECT_EQ(cases, 8);
}

TEST(Preprocess, ShortSideRoundsAsTorchvision) {
  const auto size = [](int w, int h, int s) {
    const Size r = resized_size({w, h}, {s, 0});
    return std::pair(r.width, r.height);
  };
  EXPECT_EQ(size(640, 480, 256), std::pair(341, 256));
  EXPECT_EQ(size(480, 640, 256), std::pair(256, 341));
  EXPECT_EQ(size(500, 500, 224), std::pair(224, 224));
  EXPECT_EQ(size(1, 3, 7), std::pair(7, 21));
}

TEST(Preprocess, CropsAndPadsInTheMiddle) {
  Image image{3, 2, 1, {1, 2, 3, 4, 5, 6}, {}};
  EXPECT_EQ(centre_crop(image, 1, 2)->pixels, (std::vector<std::uint8_t>{2, 5}));
  // Cut by half a pixel: torchvision rounds 0.5 to 0 and 1.5 to 2.
  EXPECT_EQ(centre_crop(image, 2, 1)->pixels, (std::vector<std::uint8_t>{1, 2}));
  EXPECT_EQ(centre_crop(image, 4, 3)->pixels, (std::vector<std::uint8_t>{1, 2, 3, 0, 4, 5, 6, 0, 0, 0, 0, 0}));
}

std::vector<std::byte> pixel(int r, int g, int b) {
  return to_bytes(std::string("P6 1 1 255\n") + static_cast<char>(r) + static_cast<char>(g) + static_cast<char>(b));
}

// One pixel through load_images, as signed bytes.
std::vector<int> bytes_of_pixel(const ImageInput& input, const Preprocess& p) {
  const auto file = pixel(10, 128, 250);
  const ImageFile files[] = {{"p.ppm", file}};
  auto batch = load_images(files, input, p);
  EXPECT_TRUE(batch.ok()) << batch.status().to_string();
  std::vector<int> out;
  if (!batch.ok()) return out;
  for (std::byte b : batch->array.data) {
    out.push_back(input.dtype == DType::i8 ? static_cast<std::int8_t>(b) : std::to_integer<int>(b));
  }
  return out;
}

TEST(Preprocess, ConvertsToTheInputsType) {
  Preprocess p;
  EXPECT_EQ(bytes_of_pixel({"x", DType::u8, {1, 3, 1, 1}, {}}, p), (std::vector{10, 128, 250}));
  EXPECT_EQ(bytes_of_pixel({"x", DType::i8, {1, 1, 1, 3}, {}}, p), (std::vector{-118, 0, 122}));
  EXPECT_EQ(bytes_of_pixel({"x", DType::u8, {3, 1, 1}, {1.0f / 255, 0}}, p), (std::vector{10, 128, 250}));
  EXPECT_EQ(bytes_of_pixel({"x", DType::i8, {3, 1, 1}, {1.0f / 128, -1}}, p), (std::vector{4, 63, 124}));
  p.channels = Channels::kBgr;
  EXPECT_EQ(bytes_of_pixel({"x", DType::u8, {1, 3, 1, 1}, {}}, p), (std::vector{250, 128, 10}));
  p.channels = Channels::kGrey;
  EXPECT_EQ(bytes_of_pixel({"x", DType::u8, {1, 1, 1, 1}, {}}, p), (std::vector{107}));
  p = {};
  p.mean = {0.5f};
  p.std = {0.25f};
  EXPECT_EQ(bytes_of_pixel({"x", DType::i8, {1, 3, 1, 1}, {0.01f, 0}}, p), (std::vector{-128, 1, 127}));
}

TEST(Preprocess, FloatsOfEverySize) {
  const auto file = pixel(0, 51, 255);
  const ImageFile files[] = {{"p.ppm", file}};
  const auto first = load_images(files, {"x", DType::f32, {1, 3, 1, 1}, {}}, {});
  float f[3];
  std::memcpy(f, first->array.data.data(), sizeof f);
  EXPECT_EQ(f[0], 0.0f);
  EXPECT_EQ(f[1], 51.0f / 255.0f);
  EXPECT_EQ(f[2], 1.0f);
  for (DType t : {DType::f16, DType::bf16, DType::f64, DType::i32, DType::i64, DType::u16, DType::i16}) {
    auto r = load_images(files, {"x", t, {1, 3, 1, 1}, {}}, {});
    ASSERT_TRUE(r.ok());
    EXPECT_EQ(static_cast<std::int64_t>(r->array.data.size()), bytes_of(t, 3));
  }
  for (DType t : {DType::string, DType::i4, DType::c64, DType::boolean}) {
    EXPECT_EQ(load_images(files, {"x", t, {1, 3, 1, 1}, {}}, {}).status().code(), Code::kUnsupported) << name_of(t);
  }
}

TEST(Preprocess, SaysWhatItDid) {
  const auto file = encode_pnm(noise(64, 48, 3));
  const ImageFile files[] = {{"a.ppm", file}};
  Preprocess p;
  const auto describe = [&](const ImageInput& input) {
    auto r = load_images(files, input, p);
    return r.ok() ? r->description : r.status().to_string();
  };
  EXPECT_EQ(describe({"x", DType::f32, {1, 3, 24, 20}, {}}),
            "no size is asked for: resized 64x48 to 20x24 (bilinear), /255, f32 NCHW RGB");
  p.resize = Size{32, 0};
  EXPECT_EQ(describe({"x", DType::f32, {-1, 24, 20, 3}, {}}),
            "resized 64x48 to 42x32 (short side 32, bilinear), centre crop 20x24, /255, f32 NHWC RGB");
  p.mean = {0.5f};
  p.std = {0.25f, 0.5f, 1.0f};
  p.resize.reset();
  EXPECT_EQ(describe({"x", DType::f32, {-1, 3, -1, -1}, {}}),
            "size kept at 64x48, /255, mean 0.5, std 0.25, 0.5, 1, f32 NCHW RGB");
  p.crop = Size{30, 20};
  EXPECT_EQ(describe({"x", DType::f32, {-1, 3, 24, 20}, {}}),
            "a.ppm: the image is 30x20 after resize and crop, and the input takes 20x24 (--crop 20x24)");
  EXPECT_NE(describe({"x", DType::f32, {-1, 4, 24, 20}, {}}).find("takes 4"), std::string::npos);
  EXPECT_NE(describe({"x", DType::f32, {10}, {}}).find("is not an image"), std::string::npos);
}

TEST(Preprocess, BatchesOnlyOneSize) {
  const auto a = encode_pnm(noise(6, 5, 3)), b = encode_pnm(noise(5, 6, 3));
  const ImageFile files[] = {{"a.ppm", a}, {"b.ppm", b}};
  const ImageInput free{"x", DType::u8, {-1, 3, -1, -1}, {}};
  EXPECT_NE(load_images(files, free, {}).status().to_string().find("b.ppm: is 5x6"), std::string::npos);
  Preprocess p;
  p.resize = Size{4, 3};
  auto r = load_images(files, free, p);
  ASSERT_TRUE(r.ok());
  EXPECT_EQ(r->description, "resized to 4x3, bilinear, pixels as they are, u8 NCHW RGB");
  p.resize = Size{4, 0};
  p.crop = Size{4, 4};
  r = load_images(files, free, p);
  ASSERT_TRUE(r.ok());
  EXPECT_EQ(r->description, "resized to short side 4, bilinear, centre crop 4x4, pixels as they are, u8 NCHW RGB");
  EXPECT_FALSE(load_images(files, {"x", DType::u8, {3, 4, 4}, {}}, p).ok());
  EXPECT_FALSE(load_images({}, free, p).ok());
}

TEST(Preprocess, ParsesSettings) {
  Preprocess p;
  for (const auto& [key, bad] : {std::pair{"resize", "0"},
                                 {"resize", "12x"},
                                 {"resize", "-3"},
                                 {"resize", "99999999"},
                                 {"crop", "a"},
                                 {"mean", "1,2"},
                                 {"mean", ""},
                                 {"std", "0"},
                                 {"std", "nan"},
                                 {"scale", "1/0"},
                                 {"scale", "0"},
                                 {"layout", "chw"},
                                 {"channels", "cmyk"},
                                 {"filter", "lanczos"},
                                 {"size", "3"}}) {
    EXPECT_EQ(set_preprocess(p, key, bad).code(), Code::kInvalid) << key << " " << bad;
  }
  p = {};
  EXPECT_TRUE(p.empty());
  EXPECT_TRUE(set_preprocess(p, "crop", "224").ok());
  EXPECT_TRUE(p.crop->width == 224 && p.crop->height == 224 && !p.empty());
  EXPECT_TRUE(set_preprocess(p, "scale", "1/255").ok());
  EXPECT_EQ(*p.scale, 1.0f / 255.0f);
}

TEST(Preprocess, ReadsMetadataBelowFlags) {
  const std::pair<std::string, std::string> metadata[] = {{"Image.BitmapPixelFormat", "Bgr8"},
                                                          {"Image.NominalPixelRange", "NominalRange_0_255"},
                                                          {"mote.image.resize", "256"},
                                                          {"mote.image.crop", "224"},
                                                          {"author", "x"}};
  auto p = preprocess_from_metadata(metadata);
  ASSERT_TRUE(p.ok());
  EXPECT_EQ(*p->channels, Channels::kBgr);
  EXPECT_EQ(*p->scale, 1.0f);
  EXPECT_EQ(p->resize->width, 256);
  Preprocess flags;
  flags.resize = Size{64, 64};
  flags.channels = Channels::kRgb;
  const Preprocess both = overlay(*p, flags);
  EXPECT_EQ(both.resize->height, 64);
  EXPECT_FALSE(both.crop.has_value());
  EXPECT_EQ(*both.channels, Channels::kRgb);
  EXPECT_EQ(*both.scale, 1.0f);
  const std::pair<std::string, std::string> bad[] = {{"mote.image.crop", "big"}};
  EXPECT_NE(preprocess_from_metadata(bad).status().to_string().find("mote.image.crop"), std::string::npos);
}

}  // namespace
}  // namespace mote::media
