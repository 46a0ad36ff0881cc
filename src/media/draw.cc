#include "media/draw.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "media/font.h"

namespace mote::media {
namespace {

// Bytes that continue a character of UTF-8 are not drawn.
bool continues(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// Black or white, whichever is easier to read on `c`.
Color ink_on(Color c) {
  const int luma = 299 * c.red + 587 * c.green + 114 * c.blue;
  return luma > 127'000 ? Color{0, 0, 0} : Color{255, 255, 255};
}

}  // namespace

Color class_color(std::int64_t index) {
  Color c;
  auto left = static_cast<std::uint64_t>(index);
  for (int bit = 7; bit >= 0 && left != 0; --bit, left >>= 3) {
    c.red = static_cast<std::uint8_t>(c.red | (left & 1) << bit);
    c.green = static_cast<std::uint8_t>(c.green | (left >> 1 & 1) << bit);
    c.blue = static_cast<std::uint8_t>(c.blue | (left >> 2 & 1) << bit);
  }
  return c;
}

void fill_rectangle(Image& image, int left, int top, int width, int height, Color color) {
  const int right = std::min<int>(image.width, left + width), bottom = std::min<int>(image.height, top + height);
  for (int y = std::max(0, top); y < bottom; ++y) {
    for (int x = std::max(0, left); x < right; ++x) {
      std::uint8_t* p =
          image.pixels.data() +
          (static_cast<std::size_t>(y) * static_cast<std::size_t>(image.width) + static_cast<std::size_t>(x)) * 3;
      p[0] = color.red;
      p[1] = color.green;
      p[2] = color.blue;
    }
  }
}

void draw_outline(Image& image, int left, int top, int right, int bottom, int thickness, Color color) {
  const int width = right - left, height = bottom - top;
  thickness = std::max(1, std::min({thickness, width, height}));
  fill_rectangle(image, left, top, width, thickness, color);
  fill_rectangle(image, left, bottom - thickness, width, thickness, color);
  fill_rectangle(image, left, top, thickness, height, color);
  fill_rectangle(image, right - thickness, top, thickness, height, color);
}

int text_width(std::string_view text, int scale) {
  const auto letters = std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); });
  return static_cast<int>(letters) * (kGlyphWidth + 1) * scale;
}

void draw_text(Image& image, int left, int top, int scale, std::string_view text, Color color) {
  for (char c : text) {
    if (continues(c)) continue;
    if (left > image.width) return;
    for (int y = 0; y < kGlyphHeight; ++y) {
      for (int x = 0; x < kGlyphWidth; ++x) {
        const bool dot = (glyph(c)[static_cast<std::size_t>(y)] >> (kGlyphWidth - 1 - x) & 1) != 0;
        if (dot) fill_rectangle(image, left + x * scale, top + y * scale, scale, scale, color);
      }
    }
    left += (kGlyphWidth + 1) * scale;
  }
}

void draw_boxes(Image& image, std::span<const Box> boxes, std::span<const std::string> labels) {
  const int scale = std::max(1, std::min(image.width, image.height) / 300);
  const int margin = scale, bar = kGlyphHeight * scale + 2 * margin;
  // The best on top.
  for (std::size_t i = boxes.size(); i-- > 0;) {
    const Box& b = boxes[i];
    // Class 0 is black in the table: boxes start at 1.
    const Color color = class_color(b.index + 1);
    const int left = static_cast<int>(std::floor(b.left)), top = static_cast<int>(std::floor(b.top));
    const int right = std::min(image.width, static_cast<int>(std::ceil(b.right)));
    const int bottom = std::min(image.height, static_cast<int>(std::ceil(b.bottom)));
    draw_outline(image, left, top, right, bottom, 2 * scale, color);
    const auto index = static_cast<std::size_t>(b.index);
    std::string text = b.index >= 0 && index < labels.size() && !labels[index].empty() ? labels[index].substr(0, 64)
                                                                                       : concat("class ", b.index);
    text += concat(" ", static_cast<int>(std::lround(100 * std::clamp(b.score, -100.0f, 100.0f))), " %");
    const int width = text_width(text, scale) + 2 * margin, y = top >= bar ? top - bar : top;
    const int x = std::max(0, std::min(left, image.width - width));
    fill_rectangle(image, x, y, width, bar, color);
    draw_text(image, x + margin, y + margin, scale, text, ink_on(color));
  }
}

void draw_classes(Image& image, std::span<const std::int32_t> classes, float alpha) {
  const auto share = static_cast<int>(std::lround(std::clamp(alpha, 0.0f, 1.0f) * 256));
  for (std::size_t i = 0; i < classes.size() && 3 * i + 2 < image.pixels.size(); ++i) {
    if (classes[i] == 0) continue;
    const Color c = class_color(classes[i]);
    const int color[] = {c.red, c.green, c.blue};
    for (std::size_t k = 0; k < 3; ++k) {
      std::uint8_t& p = image.pixels[3 * i + k];
      p = static_cast<std::uint8_t>((p * (256 - share) + color[k] * share + 128) >> 8);
    }
  }
}

Image to_rgb(const Image& image) {
  if (image.channels == 3) return image;
  Image out{image.width, image.height, 3, {}, image.note};
  for (std::uint8_t v : image.pixels) out.pixels.insert(out.pixels.end(), 3, v);
  return out;
}

}  // namespace mote::media
