// Transposed and three-dimensional convolutions, and resizing.
#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "formats/tflite/compose.h"

namespace mote::tflite {
namespace {

struct Spread {
  Ints strides, dilations, kernel;  // per spatial axis
  fbs::Padding padding;
  fbs::Activation activation;
};

// Transposed convolution of x (NXC) with weights OXI. Every input spreads its window from `in * stride - begin` on,
// with the begin that the forward convolution over the stated output would have; what falls outside is dropped.
Status spread(NodeContext& n, ValueId x, ValueId w, ValueId b, int shape_operand, const Spread& s) {
  if (n.failed()) return {};
  std::size_t axes = s.strides.size();
  for (std::size_t i = 0; i < axes; ++i) {
    if (s.strides[i] <= 0 || s.dilations[i] <= 0) return invalid("a stride or a dilation is not positive");
  }
  if (!n.has_rank(x) || n.shape(x).size() != axes + 2) return invalid("its operands do not have the axes of an image");
  std::vector<Attrs::Item> attrs = {{"data_layout", std::string("NXC")},
                                    {"dilations", s.dilations},
                                    {"strides", s.strides},
                                    {"weight_layout", std::string("OXI")}};
  Ints pads(2 * axes, 0), extra(axes, 0);
  auto open_spread = [&]() -> Status {
    const OpenSpread open{s.kernel, s.strides, s.dilations, s.padding == fbs::Padding::SAME};
    n.output(0, n.activate(spread_to(n, x, w, b, n.in(shape_operand), open), s.activation));
    return {};
  };
  auto target = n.known(n.in(shape_operand));
  if (!target || target->size() != axes + 2) {
    return open_spread();
  }
  for (std::size_t i = 0; i < axes; ++i) {
    const Dim &in = n.shape(x)[i + 1], &out = (*target)[i + 1];
    std::int64_t reach = (s.kernel[i] - 1) * s.dilations[i] + 1;
    if (!in.is_const() || !out.is_const()) {
      return open_spread();
    }
    std::int64_t steps = s.padding == fbs::Padding::SAME ? (out.value() + s.strides[i] - 1) / s.strides[i]
                                                         : (out.value() - reach + s.strides[i]) / s.strides[i];
    std::int64_t begin = std::max<std::int64_t>(0, (steps - 1) * s.strides[i] + reach - out.value()) / 2;
    std::int64_t end = (in.value() - 1) * s.strides[i] + reach - begin - out.value();
    pads[i] = begin;
    pads[axes + i] = std::max<std::int64_t>(0, end);
    extra[i] = std::max<std::int64_t>(0, -end);
  }
  attrs.emplace_back("pads", std::move(pads));
  attrs.emplace_back("output_padding", std::move(extra));
  n.output(0, n.activate(n.emit("conv_transpose", {x, w, b}, std::move(attrs)), s.activation));
  return {};
}

// The spatial extents of weights whose space begins at axis `first`.
Ints kernel_of(NodeContext& n, ValueId w, int first, int axes) {
  Ints out;
  if (n.failed()) return Ints(static_cast<std::size_t>(axes), 1);
  if (!n.has_rank(w) || n.rank(w) != axes + 2 || !constant_extents(n.shape(w))) {
    n.fail(invalid("its weights do not have the axes of an image"));
    return Ints(static_cast<std::size_t>(axes), 1);
  }
  for (int i = 0; i < axes; ++i) out.push_back(n.shape(w)[static_cast<std::size_t>(first + i)].value());
  return out;
}

}  // namespace

// Operands: output shape, weights [out, h, w, in], x, bias.
Status import_transpose_conv(NodeContext& n) {
  auto* o = n.options<fbs::TransposeConvOptions>(fbs::BuiltinOptions::TransposeConv);
  if (!o) return invalid("has no options");
  ValueId x = n.in(2), w = hybrid_weights(n, 1);
  if (n.is_hybrid(1)) x = n.rounded_rows(x, 1, true);
  Spread s{{o->stride_h(), o->stride_w()}, {1, 1}, kernel_of(n, w, 1, 2), o->padding(), o->activation()};
  return spread(n, x, w, n.in(3), 0, s);
}

// Weights [d, h, w, in, out].
Status import_conv_3d(NodeContext& n) {
  auto* o = n.options<fbs::Conv3DOptions>(fbs::BuiltinOptions::Conv3D);
  if (!o) return invalid("has no options");
  ValueId w = n.transpose(n.dequantized(1), {4, 0, 1, 2, 3});
  ValueId v = n.emit("conv", {n.in(0), w, n.in(2)},
                     {{"auto_pad", std::string(o->padding() == fbs::Padding::SAME ? "SAME_UPPER" : "VALID")},
                      {"data_layout", std::string("NXC")},
                      {"dilations", Ints{o->dilation_d(), o->dilation_h(), o->dilation_w()}},
                      {"strides", Ints{o->stride_d(), o->stride_h(), o->stride_w()}},
                      {"weight_layout", std::string("OXI")}});
  n.output(0, n.activate(v, o->activation()));
  return {};
}

// Operands: output shape, weights [d, h, w, out, in], x, bias.
Status import_conv_3d_transpose(NodeContext& n) {
  auto* o = n.options<fbs::Conv3DOptions>(fbs::BuiltinOptions::Conv3D);
  if (!o) return invalid("has no options");
  ValueId w = n.transpose(n.dequantized(1), {3, 0, 1, 2, 4});
  Spread s{{o->stride_d(), o->stride_h(), o->stride_w()},
           {o->dilation_d(), o->dilation_h(), o->dilation_w()},
           kernel_of(n, w, 1, 3),
           o->padding(),
           o->activation()};
  return spread(n, n.in(2), w, n.in(3), 0, s);
}

Status import_resize_bilinear(NodeContext& n) {
  auto* o = n.options<fbs::ResizeBilinearOptions>(fbs::BuiltinOptions::ResizeBilinear);
  bool align = o && o->align_corners(), half = o && o->half_pixel_centers();
  if (align && half) return invalid("align_corners and half_pixel_centers exclude each other");
  std::string mode = align ? "align_corners" : half ? "half_pixel" : "asymmetric";
  n.same("resize", {n.in(0), kNone, kNone, n.as_i64(n.in(1))},
         {{"axes", Ints{1, 2}}, {"coordinate_transformation_mode", std::move(mode)}, {"mode", std::string("linear")}});
  return {};
}

namespace {

// The pixel that output pixel i takes, in the f32 arithmetic that decides it.
std::int64_t nearest(std::int64_t i, std::int64_t in, std::int64_t out, bool align, bool half) {
  float scale = align && out > 1 ? static_cast<float>(in - 1) / static_cast<float>(out - 1)
                                 : static_cast<float>(in) / static_cast<float>(out);
  float at = (static_cast<float>(i) + (half ? 0.5f : 0.0f)) * scale;
  auto pixel = static_cast<std::int64_t>(align ? std::round(at) : std::floor(at));
  return std::clamp<std::int64_t>(pixel, 0, in - 1);
}

// An axis of x picked pixel by pixel; a repeat of every pixel, or x itself, where it is no more than that.
ValueId pick(NodeContext& n, ValueId x, std::int64_t axis, std::int64_t out, bool align, bool half) {
  std::int64_t in = n.shape(x)[static_cast<std::size_t>(axis)].value();
  Ints index;
  bool identity = in == out;
  for (std::int64_t i = 0; i < out; ++i) {
    index.push_back(nearest(i, in, out, align, half));
    identity = identity && index.back() == i;
  }
  return identity ? x : n.emit("gather", {x, n.ints(std::move(index))}, {{"axis", axis}});
}

}  // namespace

Status import_resize_nearest_neighbor(NodeContext& n) {
  auto* o = n.options<fbs::ResizeNearestNeighborOptions>(fbs::BuiltinOptions::ResizeNearestNeighbor);
  bool align = o && o->align_corners(), half = o && o->half_pixel_centers();
  ValueId x = n.in(0);
  auto sizes = n.ints_of(n.in(1));
  bool known = sizes && sizes->size() == 2 && n.has_rank(x) && n.rank(x) == 4;
  for (std::size_t i : {1, 2}) {
    known = known && n.shape(x)[i].is_const() && n.shape(x)[i].value() > 0 && (*sizes)[i - 1] > 0 &&
            (*sizes)[i - 1] <= 1 << 16;
  }
  if (known) {
    n.output(0, pick(n, pick(n, x, 1, (*sizes)[0], align, half), 2, (*sizes)[1], align, half));
    return {};
  }
  std::string mode = align ? "align_corners" : half ? "tf_half_pixel_for_nn" : "asymmetric";
  n.same("resize", {x, kNone, kNone, n.as_i64(n.in(1))},
         {{"axes", Ints{1, 2}},
          {"coordinate_transformation_mode", std::move(mode)},
          {"mode", std::string("nearest")},
          {"nearest_mode", std::string(align ? "round_prefer_ceil" : "floor")}});
  return {};
}

}  // namespace mote::tflite
