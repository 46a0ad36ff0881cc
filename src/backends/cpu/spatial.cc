#include "backends/cpu/spatial.h"

#include <algorithm>

namespace mote::cpu {

bool Spatial::valid() const {
  constexpr std::int64_t kMost = std::int64_t{1} << 31;
  if (rank < 1 || rank > 3) return false;
  for (int d = 0; d < 3; ++d) {
    // Axes that the tensor lacks are of extent 1.
    bool neutral = kernel[d] == 1 && stride[d] == 1 && dilation[d] == 1 && pad_begin[d] == 0 && pad_end[d] == 0;
    if (d < 3 - rank && !neutral) return false;
    if (kernel[d] < 1 || stride[d] < 1 || dilation[d] < 1 || kernel[d] > kMost || stride[d] > kMost ||
        dilation[d] > kMost)
      return false;
    for (std::int64_t pad : {pad_begin[d], pad_end[d]}) {
      if (pad > kMost || pad < -kMost) return false;
    }
  }
  return true;
}

std::int64_t Spatial::out(int d, std::int64_t in) const {
  const std::int64_t room = in + pad_begin[d] + pad_end[d] - (kernel[d] - 1) * dilation[d] - 1;
  return room < 0 ? 0 : room / stride[d] + 1;
}

bool read_spatial(const NodeView& n, std::span<const std::int64_t> kernel, Spatial& s) {
  const Shape& x = *n.type(0).shape;
  const std::size_t space = is_channels_last(n) ? 1 : 2;
  s.rank = static_cast<std::int32_t>(x.size()) - 2;
  if (s.rank < 1 || s.rank > 3 || kernel.size() != static_cast<std::size_t>(s.rank)) return false;
  std::vector<std::int64_t> strides = n.attr_ints("strides"), dilations = n.attr_ints("dilations"),
                            pads = n.attr_ints("pads");
  std::string mode = n.attr_string("auto_pad");
  for (int i = 0; i < s.rank; ++i) {
    int d = 3 - s.rank + i;
    std::size_t k = static_cast<std::size_t>(i), rank = static_cast<std::size_t>(s.rank);
    s.kernel[d] = kernel[k];
    if (k < strides.size()) s.stride[d] = strides[k];
    if (k < dilations.size()) s.dilation[d] = dilations[k];
    if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
      const Dim& extent = x[space + k];
      if (!extent.is_const() || s.stride[d] < 1) return false;
      std::int64_t out = (extent.value() + s.stride[d] - 1) / s.stride[d];
      std::int64_t total =
          std::max<std::int64_t>(0, (out - 1) * s.stride[d] + (s.kernel[d] - 1) * s.dilation[d] + 1 - extent.value());
      s.pad_begin[d] = mode == "SAME_UPPER" ? total / 2 : total - total / 2;
      s.pad_end[d] = total - s.pad_begin[d];
    } else if (mode != "VALID" && pads.size() == 2 * rank) {
      s.pad_begin[d] = pads[k];
      s.pad_end[d] = pads[k + rank];
    }
  }
  return s.valid();
}

bool is_channels_last(const NodeView& n) {
  return n.node.op->attr("data_layout") && n.attr_string("data_layout") == "NXC";
}

bool comes_channels_last(const NodeView& n, int i) {
  if (!n.has(i)) return false;
  return std::any_of(n.function.nodes.begin(), n.function.nodes.end(), [&](const Node& maker) {
    return std::find(maker.outputs.begin(), maker.outputs.end(), n.input(i)) != maker.outputs.end() &&
           is_channels_last({n.module, n.function, maker});
  });
}

TensorView as_image(const TensorView& v) {
  TensorView image = v;
  for (int axis = v.rank - 1; axis > 1; --axis) {
    image.dims[axis] = v.dims[axis - 1];
    image.strides[axis] = v.strides[axis - 1];
  }
  image.dims[1] = v.dims[v.rank - 1];
  image.strides[1] = v.strides[v.rank - 1];
  return image;
}

std::int64_t pixel_pitch(const TensorView& v) {
  for (int axis = v.rank - 1; axis >= 2; --axis) {
    if (v.dims[axis] != 1) return v.strides[axis];
  }
  return v.dims[0] != 1 ? v.strides[0] : v.dims[1];
}

bool has_pixels(const TensorView& v) {
  if (v.rank < 3 || (v.dims[1] > 1 && v.strides[1] != 1)) return false;
  std::int64_t pitch = pixel_pitch(v), expect = pitch;
  for (int axis = v.rank - 1; axis >= 0; axis = axis == 2 ? 0 : axis - 1) {
    if (v.dims[axis] != 1 && v.strides[axis] != expect) return false;
    if (axis == 0) break;
    if (__builtin_mul_overflow(expect, v.dims[axis], &expect)) return false;
  }
  return pitch >= v.dims[1] || v.count() <= v.dims[1];
}

}  // namespace mote::cpu
