// Drawing on 8-bit RGB images: outlines, text, and what models find. Nothing is drawn outside of the image.
#pragma once

#include "media/detect.h"
#include "media/image.h"

namespace mote::media {

struct Color {
  std::uint8_t red = 0, green = 0, blue = 0;
  bool operator==(const Color&) const = default;
};

// The colour of a class: bits of the index spread over the channels, as the PASCAL VOC dataset does; 0 is black.
Color class_color(std::int64_t index);

void fill_rectangle(Image& image, int left, int top, int width, int height, Color color);
// The outline of the pixels from (left, top) up to but not including (right, bottom), `thickness` pixels inwards.
void draw_outline(Image& image, int left, int top, int right, int bottom, int thickness, Color color);
// In letters of 5 x 7 dots, each dot `scale` pixels wide. Bytes outside of ASCII are drawn as a box, UTF-8's as one.
void draw_text(Image& image, int left, int top, int scale, std::string_view text, Color color);
int text_width(std::string_view text, int scale);

// Outlines with "label 93 %" above them (inside, where there is no room). Labels beyond the list are "class N".
void draw_boxes(Image& image, std::span<const Box> boxes, std::span<const std::string> labels);

// `classes`: one class per pixel. Class 0 is left as it is, others are blended with their colour by `alpha` of 0 to 1.
void draw_classes(Image& image, std::span<const std::int32_t> classes, float alpha);

// RGB from grey.
Image to_rgb(const Image& image);

}  // namespace mote::media
