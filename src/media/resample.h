// Resizing of 8-bit images, bit-equal to Pillow's Image.resize: a separable filter whose support grows with the
// reduction (antialiasing), 22-bit fixed-point weights, and a result rounded to 8 bits after each of the two passes.
#pragma once

#include "media/image.h"

namespace mote::media {

enum class Filter : std::uint8_t { kNearest, kBilinear, kBicubic };

// Fails if the result or the weights exceed the limits, or a side is not positive.
Result<Image> resize_image(const Image& image, int width, int height, Filter filter, const Limits& limits = {});

// The rectangle with its corner at (left, top), which may reach beyond the image: there the result is `fill`, one value
// per channel or one for all; empty: black.
Result<Image> cut_image(const Image& image, int left, int top, int width, int height,
                        std::span<const std::uint8_t> fill, const Limits& limits = {});

// The left or top of the middle `size` of `in` pixels: negative where it is larger, half to even where it is smaller.
int centre_offset(int in, int size);

// The middle of the image; where it is smaller, black is put around it first. torchvision's center_crop.
Result<Image> centre_crop(const Image& image, int width, int height, const Limits& limits = {});

}  // namespace mote::media
