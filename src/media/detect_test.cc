#include "media/detect.h"

#include <gtest/gtest.h>

#include <cstring>

#include "media/draw.h"
#include "media/segment.h"

namespace mote::media {
namespace {

template <class T>
Array array(std::string name, DType dtype, std::vector<std::int64_t> shape, std::vector<T> values) {
  Array a{std::move(name), dtype, std::move(shape), {}, {}};
  a.data.resize(values.size() * sizeof(T));
  std::memcpy(a.data.data(), values.data(), a.data.size());
  return a;
}
Array floats(std::vector<std::int64_t> shape, std::vector<float> values) {
  return array("y", DType::f32, std::move(shape), std::move(values));
}

// An image of 200 x 100 in a letterbox of 100 x 100: half the size, 25 pixels down.
const Placement kLetterbox{{200, 100}, {100, 100}, 0.5, 0.5, 0, 25};

std::string text_of(const std::vector<Box>& boxes) {
  std::string s;
  for (const Box& b : boxes) {
    char line[128];
    std::snprintf(line, sizeof line, "%lld:%.2f(%.0f,%.0f,%.0f,%.0f) ", static_cast<long long>(b.index), b.score,
                  b.left, b.top, b.right, b.bottom);
    s += line;
  }
  return s;
}

std::string boxes_of(std::vector<Array> outputs, DetectionSettings settings = {},
                     const Placement& placement = kLetterbox) {
  auto boxes = find_boxes(outputs, {}, settings, placement);
  return boxes.ok() ? text_of(*boxes) : "refused: " + boxes.status().to_string();
}

TEST(Detect, Tflite) {
  // Three rows, of which the count keeps two.
  std::vector<Array> outputs = {floats({1, 3, 4}, {0.25f, 0, 0.5f, 0.5f, 0.4f, 0.2f, 0.6f, 1.5f, 0, 0, 1, 1}),
                                floats({1, 3}, {2, 7, 1}), floats({1, 3}, {0.75f, 0.9f, 0.99f}), floats({1}, {2})};
  EXPECT_EQ(recognise_detection(outputs), DetectionLayout::kTflite);
  EXPECT_EQ(boxes_of(outputs), "7:0.90(40,30,200,70) 2:0.75(0,0,100,50) ");
}

TEST(Detect, Torchvision) {
  std::vector<Array> outputs = {floats({2, 4}, {10, 25, 20, 35, 0, 0, 1, 1}),
                                array<std::int64_t>("labels", DType::i64, {2}, {3, 4}), floats({2}, {0.8f, 0.3f})};
  EXPECT_EQ(recognise_detection(outputs), DetectionLayout::kTorchvision);
  EXPECT_EQ(boxes_of(outputs), "3:0.80(20,0,40,20) ");
}

TEST(Detect, SsdWithAndWithoutBackground) {
  std::vector<Array> outputs = {
      floats({1, 3, 2}, {0.1f, 0.9f, 0.2f, 0.8f, 0.9f, 0.05f}),
      floats({1, 3, 4}, {0, 0.25f, 0.5f, 0.75f, 0, 0.25f, 0.5f, 0.7f, 0.5f, 0.25f, 1, 0.75f})};
  EXPECT_EQ(recognise_detection(outputs), DetectionLayout::kSsd);
  EXPECT_EQ(boxes_of(outputs), "1:0.90(0,0,100,100) 0:0.90(100,0,200,100) ");
  DetectionSettings s;
  s.background = true;
  EXPECT_EQ(boxes_of(outputs, s), "0:0.90(0,0,100,100) ");
}

TEST(Detect, Yolo8TakesBothOrders) {
  // Two overlapping boxes of class 1, one of class 0, and rows of nothing.
  const std::vector<std::vector<float>> rows = {
      {20, 45, 20, 20, 0.1f, 0.8f}, {21, 45, 20, 20, 0.0f, 0.7f}, {70, 50, 10, 10, 0.6f, 0.2f}};
  const std::int64_t n = 48;
  std::vector<float> columns(static_cast<std::size_t>(6 * n), 0), across = columns;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t k = 0; k < 6; ++k) {
      columns[k * static_cast<std::size_t>(n) + i] = rows[i][k];
      across[i * 6 + k] = rows[i][k];
    }
  }
  std::vector<Array> outputs = {floats({1, 6, n}, columns)};
  EXPECT_EQ(recognise_detection(outputs), DetectionLayout::kYolo8);
  const std::string wanted = "1:0.80(20,20,60,60) 0:0.60(130,40,150,60) ";
  EXPECT_EQ(boxes_of(outputs), wanted);
  DetectionSettings s;
  s.layout = DetectionLayout::kYolo8;
  EXPECT_EQ(boxes_of({floats({1, n, 6}, across)}, s), wanted);
  // Six numbers in a row are an answer after suppression where nobody says otherwise.
  EXPECT_EQ(recognise_detection(std::vector<Array>{floats({1, n, 6}, across)}), DetectionLayout::kYoloNms);
}

TEST(Detect, Yolo5MultipliesByTheObject) {
  std::vector<float> rows(static_cast<std::size_t>(64 * 7), 0);
  const float one[] = {50, 50, 20, 10, 0.8f, 0.9f, 0.1f};
  std::copy(std::begin(one), std::end(one), rows.begin());
  std::vector<Array> outputs = {floats({1, 64, 7}, rows)};
  EXPECT_EQ(recognise_detection(outputs), DetectionLayout::kYolo5);
  EXPECT_EQ(boxes_of(outputs), "0:0.72(80,40,120,60) ");
}

TEST(Detect, RefusesWhatDoesNotFit) {
  EXPECT_TRUE(boxes_of({floats({1, 10}, std::vector<float>(10))}).starts_with("refused"));
  for (auto layout : {DetectionLayout::kTflite, DetectionLayout::kTorchvision, DetectionLayout::kSsd,
                      DetectionLayout::kYolo5, DetectionLayout::kYolo8, DetectionLayout::kYoloNms}) {
    DetectionSettings s;
    s.layout = layout;
    EXPECT_TRUE(boxes_of({floats({1, 2, 3}, std::vector<float>(6))}, s).starts_with("refused")) << name_of(layout);
    EXPECT_TRUE(boxes_of({floats({3}, {1, 2, 3})}, s).starts_with("refused")) << name_of(layout);
  }
  // Numbers that are none are no boxes.
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(boxes_of({floats({1, 2, 6}, {nan, 0, 9, 9, 0.9f, 1, 0, 0, 90, 90, 0.9f, nan})}), "");
}

TEST(Suppress, KeepsOtherClassesAndTheMost) {
  const std::vector<Box> boxes = {
      {0, 0, 10, 10, 1, 0.9f}, {0, 0, 10, 9, 1, 0.8f}, {0, 0, 10, 10, 2, 0.7f}, {20, 0, 30, 10, 1, 0.6f}};
  EXPECT_EQ(suppress(boxes, 0.5f, 9).size(), 3u);
  EXPECT_EQ(suppress(boxes, 0.95f, 9).size(), 4u);
  EXPECT_EQ(suppress(boxes, 0.5f, 2).size(), 2u);
  EXPECT_FLOAT_EQ(overlap(boxes[0], boxes[1]), 0.9f);
  EXPECT_EQ(overlap(boxes[0], boxes[3]), 0);
}

Image grey(int width, int height) {
  return {width, height, 3, std::vector<std::uint8_t>(static_cast<std::size_t>(width * height * 3), 50), {}};
}
Color at(const Image& image, int x, int y) {
  const std::uint8_t* p = image.pixels.data() + (static_cast<std::size_t>(y * image.width + x)) * 3;
  return {p[0], p[1], p[2]};
}

TEST(Draw, OutlinesAndText) {
  Image image = grey(20, 12);
  draw_outline(image, 2, 1, 10, 9, 2, {255, 0, 0});
  EXPECT_EQ(at(image, 2, 1), (Color{255, 0, 0}));
  EXPECT_EQ(at(image, 9, 8), (Color{255, 0, 0}));
  EXPECT_EQ(at(image, 3, 2), (Color{255, 0, 0}));
  EXPECT_EQ(at(image, 4, 3), (Color{50, 50, 50}));
  EXPECT_EQ(at(image, 10, 8), (Color{50, 50, 50}));
  image = grey(20, 12);
  draw_text(image, 1, 1, 1, "I", {255, 255, 255});
  EXPECT_EQ(at(image, 3, 4), (Color{255, 255, 255}));
  EXPECT_EQ(at(image, 1, 4), (Color{50, 50, 50}));
  EXPECT_EQ(text_width("ab", 2), 24);
  EXPECT_EQ(text_width("\xc3\xa9", 1), 6);  // one character
}

TEST(Draw, StaysInsideOfTheImage) {
  Image image = grey(7, 5);
  draw_outline(image, -100, -100, 100, 100, 3, {1, 2, 3});
  draw_text(image, -3, -3, 4, "Wide", {1, 2, 3});
  const std::vector<Box> boxes = {{0, 0, 7, 5, 3, 0.5f}, {6, 4, 7, 5, -1, 2.0f}};
  draw_boxes(image, boxes, {});
  EXPECT_EQ(image.pixels.size(), 105u);
}

TEST(Draw, ColoursAreThoseOfVoc) {
  EXPECT_EQ(class_color(0), (Color{0, 0, 0}));
  EXPECT_EQ(class_color(1), (Color{128, 0, 0}));
  EXPECT_EQ(class_color(2), (Color{0, 128, 0}));
  EXPECT_EQ(class_color(15), (Color{192, 128, 128}));
  Image image = grey(2, 1);
  draw_classes(image, std::vector<std::int32_t>{0, 1}, 0.5f);
  EXPECT_EQ(at(image, 0, 0), (Color{50, 50, 50}));
  EXPECT_EQ(at(image, 1, 0), (Color{89, 25, 25}));
}

TEST(Segment, FindsClassesInBothLayouts) {
  const Placement whole{{4, 4}, {2, 2}, 0.5, 0.5, 0, 0};
  const Array nchw = floats({1, 3, 2, 2}, {0.1f, 0.9f, 0.2f, 0.2f, 0.5f, 0.05f, 0.1f, 0.3f, 0.4f, 0.05f, 0.7f, 0.5f});
  const Array nhwc = floats({1, 2, 2, 3}, {0.1f, 0.5f, 0.4f, 0.9f, 0.05f, 0.05f, 0.2f, 0.1f, 0.7f, 0.2f, 0.3f, 0.5f});
  const std::vector<std::int32_t> wanted = {1, 1, 0, 0, 1, 1, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2};
  // With as many classes as rows the shape of [1, 3, 2, 2] and [1, 2, 2, 3] tells them apart.
  for (const Array* a : {&nchw, &nhwc}) {
    ASSERT_TRUE(is_segmentation(*a, {2, 2}));
    auto map = find_classes(*a, {}, whole);
    ASSERT_TRUE(map.ok());
    EXPECT_EQ(map->classes, wanted);
  }
  const Array indices = array<std::int64_t>("y", DType::i64, {1, 2, 2}, {1, 0, 2, 2});
  EXPECT_EQ(find_classes(indices, {}, whole)->classes, wanted);
  EXPECT_FALSE(is_segmentation(floats({1, 10}, std::vector<float>(10)), {2, 2}));
}

TEST(Segment, LeavesTheLetterboxOut) {
  // 4 x 2 in 4 x 4: a row above and one below.
  const Placement p{{4, 2}, {4, 4}, 1, 1, 0, 1};
  const Array a = array<std::uint8_t>("y", DType::u8, {4, 4}, {9, 9, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9});
  EXPECT_EQ(find_classes(a, {}, p)->classes, (std::vector<std::int32_t>{1, 2, 3, 4, 5, 6, 7, 8}));
  // A crop: what the model did not see is 0.
  const Placement crop{{4, 1}, {2, 2}, 1, 1, -1, 0};
  const Array b = array<std::uint8_t>("y", DType::u8, {2, 2}, {5, 6, 7, 8});
  EXPECT_EQ(find_classes(b, {}, crop)->classes, (std::vector<std::int32_t>{0, 5, 6, 0}));
}

}  // namespace
}  // namespace mote::media
