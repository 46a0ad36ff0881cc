// Convolutions (transposed ones apart), products, pools and softmax of quantized tensors. Images are NHWC in the file
// and stay so.
#include "base/text.h"
#include "formats/tflite/quantized_products.h"

namespace mote::tflite {

std::string auto_pad(fbs::Padding padding) { return padding == fbs::Padding::SAME ? "SAME_UPPER" : "VALID"; }

Weights weights_of(NodeContext& n, int i) {
  Weights w;
  w.value = n.in(i);
  const Quantization q = n.quantization(i);
  const DType t = n.dtype(w.value);
  if (w.value == kNone || q.block != 0 || q.scales.empty()) {
    n.unsupported(std::string(n.op_name()) + " with weights that have no scales, or scales per block");
    return w;
  }
  w.scales = q.scales;
  w.scale = q.per_tensor() ? n.scalar(static_cast<double>(q.scale()), DType::f32) : n.floats(q.scales);
  const double zero = is_signed_int(t) ? 0 : static_cast<double>(q.zero_point());
  w.zero = n.scalar(zero, bits_of(t) < 8 ? DType::i8 : t);
  return w;
}

bool wide_sums(NodeContext& n, const Scaled& x, int bias) {
  return x.dtype == DType::i16 && !(n.has(bias) && n.dtype(n.in(bias)) == DType::i32);
}

std::vector<ValueId> operands(NodeContext& n, const Scaled& x, const Weights& w, const Scaled& y, ValueId bias,
                              bool one_factor) {
  ValueId x_scale = scale_of(n, x), w_scale = w.scale;
  if (one_factor && w.scales.size() == 1) {
    x_scale = n.scalar(static_cast<double>(x.scale * w.scales[0]), DType::f32);
    w_scale = n.scalar(1, DType::f32);
  }
  return {x.value, x_scale, zero_of(n, x), w.value, w_scale, w.zero, scale_of(n, y), zero_of(n, y), bias};
}

void add_rounding(std::vector<Attrs::Item>& attrs, std::string rounding, Ints range) {
  attrs.push_back({"rounding", std::move(rounding)});
  if (!range.empty()) attrs.push_back({"y_range", std::move(range)});
}

Status check_image(NodeContext& n, const Scaled& x, const Weights& w) {
  if (!n.has_rank(x.value) || n.rank(x.value) != 4 || !n.has_rank(w.value) || n.rank(w.value) != 4)
    return invalid("its operands do not have four axes");
  return {};
}

namespace {

struct Geometry {
  fbs::Padding padding;
  Ints strides, dilations;
  fbs::Activation activation;
};

Status convolve(NodeContext& n, const Geometry& g, const Scaled& x, const Weights& w, std::int64_t group) {
  const Scaled y = scaled_output(n);
  if (n.failed()) return {};
  std::vector<Attrs::Item> attrs = {{"auto_pad", auto_pad(g.padding)},
                                    {"data_layout", std::string("NXC")},
                                    {"dilations", g.dilations},
                                    {"group", group},
                                    {"strides", g.strides},
                                    {"weight_layout", std::string("OXI")}};
  const bool wide = wide_sums(n, x, 2);
  add_rounding(attrs, wide ? "fixed_wide" : "fixed", range_of(y, g.activation));
  n.output(0, n.emit("qlinear_conv", operands(n, x, w, y, n.in(2), x.dtype == DType::u8), std::move(attrs)));
  return {};
}

}  // namespace

// Groups follow from the channels that the weights take.
Status quantized_conv_2d(NodeContext& n) {
  auto* o = n.options<fbs::Conv2DOptions>(fbs::BuiltinOptions::Conv2D);
  if (!o) return invalid("has no options");
  const Scaled x = scaled_input(n, 0);
  const Weights w = weights_of(n, 1);
  if (n.failed()) return {};
  MOTE_TRY(check_image(n, x, w));
  std::int64_t group = 1;
  const Dim &c = n.shape(x.value)[3], &taken = n.shape(w.value)[3];
  if (c.is_const() && taken.is_const() && taken.value() > 0) {
    if (c.value() % taken.value() != 0)
      return invalid(concat("has ", c.value(), " channels, but weights for ", taken.value()));
    group = c.value() / taken.value();
  }
  return convolve(n,
                  {o->padding(), {o->stride_h(), o->stride_w()}, {o->dilation_h(), o->dilation_w()}, o->activation()},
                  x, w, group);
}

// Weights are [1, h, w, channels * multiplier]: as [channels * multiplier, h, w, 1] those of a grouped convolution.
Status quantized_depthwise_conv_2d(NodeContext& n) {
  auto* o = n.options<fbs::DepthwiseConv2DOptions>(fbs::BuiltinOptions::DepthwiseConv2D);
  if (!o) return invalid("has no options");
  const Scaled x = scaled_input(n, 0);
  Weights w = weights_of(n, 1);
  if (n.failed()) return {};
  MOTE_TRY(check_image(n, x, w));
  const std::int64_t channels = depthwise_channels(n, n.shape(x.value)[3], n.shape(w.value)[3], o->depth_multiplier());
  if (n.failed()) return {};
  w.value = n.transpose(w.value, {3, 1, 2, 0});
  return convolve(n,
                  {o->padding(), {o->stride_h(), o->stride_w()}, {o->dilation_h(), o->dilation_w()}, o->activation()},
                  x, w, channels);
}

// y = x w^T + b, over x as a matrix of as many columns as w has; with keep_num_dims the other axes of x stay.
Status quantized_fully_connected(NodeContext& n) {
  auto* o = n.options<fbs::FullyConnectedOptions>(fbs::BuiltinOptions::FullyConnected);
  if (!o) return invalid("has no options");
  if (o->weights_format() != fbs::WeightsFormat::DEFAULT) {
    n.unsupported("FULLY_CONNECTED with shuffled weights");
    return {};
  }
  Scaled x = scaled_input(n, 0);
  const Scaled y = scaled_output(n);
  Weights w = weights_of(n, 1);
  if (n.failed()) return {};
  if (!n.has_rank(w.value) || n.rank(w.value) != 2) return invalid("its weights are no matrix");
  const bool flat = n.has_rank(x.value) && n.rank(x.value) == 2;
  const Dim columns = n.shape(w.value)[1];
  if (!columns.is_const()) return invalid("its weights have no static shape");
  if (!flat && (!o->keep_num_dims() || (n.has_rank(x.value) && n.rank(x.value) < 2)))
    x.value = n.emit("reshape", {x.value, n.ints({-1, columns.value()})});
  const bool sixteen = n.dtype(w.value) == DType::i16;
  w.value = n.transpose(w.value, {1, 0});
  std::vector<Attrs::Item> attrs;
  add_rounding(attrs, sixteen ? "fixed_wide" : "half_away", range_of(y, o->activation()));
  n.output(0, n.emit("qlinear_matmul", operands(n, x, w, y, n.in(2), sixteen), std::move(attrs)));
  return {};
}

// Products of matrices, of which either may be transposed.
Status quantized_batch_matmul(NodeContext& n) {
  auto* o = n.options<fbs::BatchMatMulOptions>(fbs::BuiltinOptions::BatchMatMul);
  const Quantization per_output = n.quantization(1);
  Scaled a = scaled_input(n, 0), b;
  const Scaled y = scaled_output(n);
  if (per_output.scales.size() < 2) {
    b = scaled_input(n, 1);
  } else {
    b.value = n.in(1);
    b.dtype = n.dtype(b.value);
    const int rank = n.need_rank(b.value);
    if (!n.failed() && (per_output.axis != rank - (o && o->adj_y() ? 2 : 1) ||
                        std::any_of(per_output.zero_points.begin(), per_output.zero_points.end(),
                                    [](std::int64_t z) { return z != 0; })))
      n.unsupported("BATCH_MATMUL with scales along another axis than that of the outputs, or with zero points");
  }
  if (n.failed()) return {};
  auto turned = [&](Scaled& x) {
    const int rank = n.need_rank(x.value);
    if (n.failed() || rank < 2) return;
    Ints perm;
    for (int i = 0; i < rank - 2; ++i) perm.push_back(i);
    perm.insert(perm.end(), {rank - 1, rank - 2});
    x.value = n.transpose(x.value, perm);
  };
  if (o && o->adj_x()) turned(a);
  if (o && o->adj_y()) turned(b);
  if (n.failed()) return {};
  std::vector<Attrs::Item> attrs;
  add_rounding(attrs, a.dtype == DType::i16 ? "fixed_wide" : "fixed", {});
  if (y.dtype == DType::i32) {
    // Sums of what is stored: this kernel knows no zero points.
    n.output(0, n.emit("matmul", {n.cast(a.value, DType::i32), n.cast(b.value, DType::i32)}));
    return {};
  }
  const bool several = per_output.scales.size() > 1;
  const ValueId product = n.scalar(static_cast<double>(several ? a.scale : a.scale * b.scale), DType::f32);
  n.output(0, n.emit("qlinear_matmul",
                     {a.value, product, zero_of(n, a), b.value,
                      several ? n.floats(per_output.scales) : n.scalar(1, DType::f32), zero_of(n, b), scale_of(n, y),
                      zero_of(n, y)},
                     std::move(attrs)));
  return {};
}

// Means in the units of x, halves away from zero.
Status quantized_average_pool(NodeContext& n) {
  auto* o = n.options<fbs::Pool2DOptions>(fbs::BuiltinOptions::Pool2D);
  if (!o) return invalid("has no options");
  const Scaled x = scaled_input(n, 0), y = scaled_output(n);
  if (n.failed()) return {};
  std::vector<Attrs::Item> attrs = {{"auto_pad", auto_pad(o->padding())},
                                    {"data_layout", std::string("NXC")},
                                    {"kernel_shape", Ints{o->filter_h(), o->filter_w()}},
                                    {"strides", Ints{o->stride_h(), o->stride_w()}}};
  add_rounding(attrs, "integer", range_of(y, o->activation()));
  n.output(0, n.emit("qlinear_average_pool", {x.value, scale_of(n, x), zero_of(n, x), scale_of(n, x), zero_of(n, x)},
                     std::move(attrs)));
  return {};
}

Status quantized_max_pool(NodeContext& n) {
  auto* o = n.options<fbs::Pool2DOptions>(fbs::BuiltinOptions::Pool2D);
  if (!o) return invalid("has no options");
  const Scaled x = scaled_input(n, 0), y = scaled_output(n);
  if (n.failed()) return {};
  ValueId v = n.emit("max_pool", {x.value},
                     {{"auto_pad", auto_pad(o->padding())},
                      {"data_layout", std::string("NXC")},
                      {"kernel_shape", Ints{o->filter_h(), o->filter_w()}},
                      {"strides", Ints{o->stride_h(), o->stride_w()}}});
  const Ints range = range_of(y, o->activation());
  if (!range.empty() && (range[0] > y.least() || range[1] < y.greatest()))
    v = n.emit("clip",
               {v, n.scalar(static_cast<double>(range[0]), x.dtype), n.scalar(static_cast<double>(range[1]), x.dtype)});
  n.output(0, v);
  return {};
}

Status quantized_softmax(NodeContext& n) {
  auto* o = n.options<fbs::SoftmaxOptions>(fbs::BuiltinOptions::Softmax);
  const Scaled x = scaled_input(n, 0), y = scaled_output(n);
  if (n.failed()) return {};
  n.same("qlinear_softmax", {x.value, scale_of(n, x)},
         {{"beta", o ? static_cast<double>(o->beta()) : 1.0}, {"output_dtype", y.dtype}});
  return {};
}

}  // namespace mote::tflite
