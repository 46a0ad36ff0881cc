// What convolutions and pools share: their spatial attributes, padded to three dimensions in front, and channels-last
// views.
#pragma once

#include "plan/target.h"

namespace mote::cpu {

// A step's windows. Plain data, part of a step's params.
struct Spatial {
  std::int32_t rank = 2, reserved = 0;  // spatial dimensions of the tensor, 1 to 3
  std::int64_t kernel[3] = {1, 1, 1}, stride[3] = {1, 1, 1}, dilation[3] = {1, 1, 1}, pad_begin[3] = {},
               pad_end[3] = {};

  bool valid() const;
  // The extent of a result over an axis of extent `in`, dimension d; rounded down, 0 where the window does not fit.
  std::int64_t out(int d, std::int64_t in) const;
};

// Reads strides, dilations, pads and auto_pad of `node`, whose input 0 has a rank of 3 to 5. False when auto_pad needs
// an extent that is not known, or a value is out of range.
bool read_spatial(const NodeView& node, std::span<const std::int64_t> kernel, Spatial& s);

// Elements from pixel to pixel of a channels-last view.
std::int64_t pixel_pitch(const TensorView& v);
// Whether that pitch is all there is to know: channels innermost, pixels and images evenly behind each other.
bool has_pixels(const TensorView& v);

}  // namespace mote::cpu
