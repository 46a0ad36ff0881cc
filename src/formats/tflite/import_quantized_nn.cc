// Convolutions, products, pools and softmax of quantized tensors. Images are NHWC in the file and stay so.
#include "base/text.h"
#include "formats/tflite/compose.h"
#include "formats/tflite/quantized.h"

namespace mote::tflite {
namespace {

std::string auto_pad(fbs::Padding padding) { return padding == fbs::Padding::SAME ? "SAME_UPPER" : "VALID"; }

// The weights of operand `i`, [outputs first], and what they stand for: a scale per output, or one.
struct Weights {
  ValueId value = kNone, scale = kNone, zero = kNone;
  std::vector<float> scales;
};

// u8 weights have a zero point; those of signed weights are 0.
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

// Which sums are 64 bits wide: those of 16-bit operands, unless a bias says otherwise.
bool wide_sums(NodeContext& n, const Scaled& x, int bias) {
  return x.dtype == DType::i16 && !(n.has(bias) && n.dtype(n.in(bias)) == DType::i32);
}

// A product's operands in the order of the qlinear ops. Where `one_factor`, the two scales are multiplied in f32 first.
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

Status check_image(NodeContext& n, const Scaled& x, const Weights& w) {
  if (!n.has_rank(x.value) || n.rank(x.value) != 4 || !n.has_rank(w.value) || n.rank(w.value) != 4)
    return invalid("its operands do not have four axes");
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

// The sums in f64, which holds them exactly, and then in the units of y. Operand 0 is the shape of the result.
Status quantized_transpose_conv(NodeContext& n) {
  auto* o = n.options<fbs::TransposeConvOptions>(fbs::BuiltinOptions::TransposeConv);
  if (!o) return invalid("has no options");
  const std::optional<Ints> shape = n.ints_of(n.in(0));
  const Scaled x = scaled_input(n, 2), y = scaled_output(n);
  const Weights w = weights_of(n, 1);
  if (n.failed()) return {};
  MOTE_TRY(check_image(n, x, w));
  if (shape && shape->size() != 4) return invalid("the shape of its result does not have four extents");
  const std::optional<Ints> kernel = constant_extents(n.shape(w.value));
  if (!kernel || o->stride_h() <= 0 || o->stride_w() <= 0)
    return invalid("its weights have no static shape, or its strides are not positive");
  auto whole = [&](ValueId v, double zero) {
    v = n.cast(v, DType::f64);
    return zero == 0 ? v : n.emit("sub", {v, n.scalar(zero, DType::f64)});
  };
  const double w_zero = is_signed_int(n.dtype(w.value)) ? 0 : static_cast<double>(n.quantization(1).zero_point());
  const ValueId image = whole(x.value, static_cast<double>(x.zero)), filters = whole(w.value, w_zero);
  const Ints strides = {o->stride_h(), o->stride_w()};
  const ValueId sums =
      shape ? n.emit("conv_transpose", {image, filters},
                     {{"auto_pad", auto_pad(o->padding())},
                      {"data_layout", std::string("NXC")},
                      {"output_shape", Ints{(*shape)[1], (*shape)[2]}},
                      {"strides", strides},
                      {"weight_layout", std::string("OXI")}})
            : spread_to(n, image, filters, kNone, n.in(0),
                        {{(*kernel)[1], (*kernel)[2]}, strides, {1, 1}, o->padding() == fbs::Padding::SAME});
  std::vector<double> scales;
  for (float s : w.scales)
    scales.push_back(x.dtype == DType::u8
                         ? static_cast<double>(x.scale * s) / static_cast<double>(y.scale)
                         : static_cast<double>(x.scale) * static_cast<double>(s) / static_cast<double>(y.scale));
  std::vector<std::byte> bytes(scales.size() * sizeof(double));
  std::memcpy(bytes.data(), scales.data(), bytes.size());
  const ValueId scale =
      n.constant(plain_constant({}, DType::f64, {static_cast<std::int64_t>(scales.size())}, std::move(bytes)));
  std::vector<Attrs::Item> attrs;
  const bool wide = wide_sums(n, x, 3) && o->bias_type() != fbs::TensorType::INT32;
  add_rounding(attrs, wide ? "fixed_wide" : "fixed", range_of(y, o->activation()));
  n.output(0, n.emit("requantize_linear", {sums, scale, zero_of(n, y), kNone, n.in(3)}, std::move(attrs)));
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
