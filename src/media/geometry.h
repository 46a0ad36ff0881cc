// Where the pixels of an image go on their way into a model's input: cut, resized, cropped, letterboxed. Decided once
// for a batch, followed image by image, and undone for what a model says about places in its input.
#pragma once

#include "media/preprocess.h"

namespace mote::media {

struct Geometry {
  std::optional<float> central;
  std::optional<Size> resize, crop, letterbox;
  CropAt crop_at = CropAt::kCentre;
  std::vector<std::uint8_t> fill;
  Filter filter = Filter::kBilinear;
  bool plain = false;  // nobody asked: resized to what the input takes
};

// For an input of this size, -1 where it is free. Fails where settings exclude each other or leave the size open.
Result<Geometry> find_geometry(Size target, const Preprocess& p);

// One step of the way, in its order: a resize to `size`, or the rectangle of `size` at (left, top).
struct GeometryStep {
  bool resize = false;
  Size size;
  int left = 0, top = 0;
  bool filled = false;  // what lies outside of the image is `fill` and not black
};
std::vector<GeometryStep> geometry_steps(const Geometry& g, Size image);

Result<Image> apply_geometry(Image image, const Geometry& g, const Limits& limits);
Placement place(const Geometry& g, Size image);

// "resized 640x480 to 341x256 (short side 256, bilinear), centre crop 224x224". Where images differ in size, words that
// hold for all.
std::string describe_geometry(const Geometry& g, Size from, bool same_size);

std::string size_text(std::int64_t width, std::int64_t height);  // "640x480"; "any" for -1

}  // namespace mote::media
