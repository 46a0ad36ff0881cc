// Windows that slide over the spatial axes of an image: their geometry for convolution, pooling and col2im, symbolic
// at prepare and constant at run time, and the attributes that describe it.
#pragma once

#include <span>
#include <vector>

#include "ir/infer.h"
#include "ir/op.h"
#include "tensor/view.h"

namespace mote {

inline constexpr AttrSpec kStridesAttr = {"strides", AttrKind::kInts, "ints:[]", "per spatial axis; empty: 1"};
inline constexpr AttrSpec kDilationsAttr = {"dilations", AttrKind::kInts, "ints:[]", "per spatial axis; empty: 1"};
inline constexpr AttrSpec kPadsAttr = {"pads", AttrKind::kInts, "ints:[]",
                                       "begin of every spatial axis, then end of every one; empty: 0"};
inline constexpr AttrSpec kAutoPadAttr = {"auto_pad", AttrKind::kString, "\"NOTSET\"",
                                          "NOTSET (pads), VALID, SAME_UPPER or SAME_LOWER (out = ceil(in / stride))"};
inline constexpr AttrSpec kKernelShapeAttr = {"kernel_shape", AttrKind::kInts, "ints:[]", "per spatial axis"};
inline constexpr AttrSpec kCeilModeAttr = {
    "ceil_mode", AttrKind::kInt, "0", "1: round the extent up; no window starts beyond the input and its first pads"};
inline constexpr AttrSpec kGroupAttr = {"group", AttrKind::kInt, "1", "channels are cut into this many groups"};
inline constexpr AttrSpec kDataLayoutAttr = {"data_layout", AttrKind::kString, "\"NCX\"",
                                             "order of x and y: NCX (batch, channel, space) or NXC"};
inline constexpr AttrSpec kWeightLayoutAttr = {"weight_layout", AttrKind::kString, "\"OIX\"",
                                               "order of the weights: OIX (output, input, space) or OXI"};

// Where the axes of an image or of weights stand. For OIX and OXI, `channel` is the input axis.
struct ImageAxes {
  int rank, channel, space;
  int spatial() const { return rank - 2; }
};
// By the attribute `layout` of the node, where its op has one: "NCX" / "OIX", or "NXC" / "OXI".
ImageAxes image_axes(const Op& op, const Attrs& attrs, std::string_view layout, int rank);

// The spatial axes of an image of that rank, for reductions.
std::vector<std::int64_t> space_axes(const Op& op, const Attrs& attrs, int rank);

struct WindowAxis {
  Dim in, kernel, out;
  Dim begin, end;  // padding
  std::int64_t stride = 1, dilation = 1;

  // Requires constant extents: the input position under tap k of window o, or -1 when it is padding.
  std::int64_t source(std::int64_t o, std::int64_t k) const {
    std::int64_t i = o * stride + k * dilation - begin.value();
    return i >= 0 && i < in.value() ? i : -1;
  }
};
using Window = std::vector<WindowAxis>;

// The window of a node whose op has (some of) the attributes above, over input extents `in`. Fails on attributes that
// make no sense and on constant extents too small for the kernel.
Result<Window> window_of(const Op& op, const Attrs& attrs, std::span<const Dim> in, std::span<const Dim> kernel);
// The same for transposed convolution: `in` slides, `out` is where its windows land; reads output_padding and
// output_shape.
Result<Window> transposed_window_of(const Op& op, const Attrs& attrs, std::span<const Dim> in,
                                    std::span<const Dim> kernel);

// Constant extents of some axes of a view, as Dims.
std::vector<Dim> dims_of(const TensorView& v, int first, int count);
std::vector<std::int64_t> outputs_of(const Window& w);
std::vector<std::int64_t> kernels_of(const Window& w);

}  // namespace mote
