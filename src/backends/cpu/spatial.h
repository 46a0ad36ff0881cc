// What convolutions and pools share: their spatial attributes, padded to three dimensions in front, and channels-last
// views.
#pragma once

#include <algorithm>

#include "backends/cpu/family.h"
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

// Whether images are [batch, space, channels] logically, by the attribute data_layout.
bool is_channels_last(const NodeView& node);
// Whether input `i` is made by such a node.
bool comes_channels_last(const NodeView& node, int i);
// A dense [batch, space, channels] view as one of [batch, channels, space], which then is channels-last.
TensorView as_image(const TensorView& v);

// Elements from pixel to pixel of a channels-last view.
std::int64_t pixel_pitch(const TensorView& v);
// Whether that pitch is all there is to know: channels innermost, pixels and images evenly behind each other.
bool has_pixels(const TensorView& v);

// Fills the extents and windows of a pooling kernel's params from channels-last views; `global` windows are as large as
// x. Refuses, of a plan from a file, what arithmetic on it could overflow.
template <class Params>
Status bind_windows(const Spatial& window, bool global, const TensorView& x, const TensorView& y, Params& p) {
  p.batch = x.dims[0];
  p.channels = x.dims[1];
  p.x_pixel = pixel_pitch(x);
  p.y_pixel = pixel_pitch(y);
  for (int d = 0; d < 3; ++d) {
    int axis = d - (3 - window.rank) + 2;
    if (axis >= 2) {
      p.in[d] = x.dims[axis];
      p.out[d] = y.dims[axis];
    }
    p.kernel[d] = global && axis >= 2 ? std::max<std::int64_t>(x.dims[axis], 1) : window.kernel[d];
    p.stride[d] = window.stride[d];
    p.dilation[d] = window.dilation[d];
    p.pad_begin[d] = window.pad_begin[d];
    p.pad_end[d] = window.pad_end[d];
  }
  for (int d = 0; d < 3; ++d) {
    if (!sizes_fit({p.kernel[d], p.dilation[d]}) || !sizes_fit({p.out[d], p.stride[d]}))
      return invalid("pool has too large a window");
  }
  if (!sizes_fit({p.batch, p.channels, p.out[0], p.out[1], p.out[2], p.kernel[0], p.kernel[1], p.kernel[2]}))
    return invalid("pool has too large a window");
  return {};
}

}  // namespace mote::cpu
