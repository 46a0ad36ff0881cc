// Resizing of 8-bit images, bit-equal to Pillow's Image.resize: a separable filter whose support grows with the
// reduction (antialiasing), 22-bit fixed-point weights, and a result rounded to 8 bits after each of the two passes.
#pragma once

#include "media/image.h"

namespace mote::media {

enum class Filter : std::uint8_t { kNearest, kBilinear, kBicubic };

// Fails if the result or the weights exceed the limits, or a side is not positive.
Result<Image> resize_image(const Image& image, int width, int height, Filter filter, const Limits& limits = {});

// The middle of the image; where it is smaller, black is put around it first. torchvision's center_crop.
Result<Image> centre_crop(const Image& image, int width, int height, const Limits& limits = {});

}  // namespace mote::media
