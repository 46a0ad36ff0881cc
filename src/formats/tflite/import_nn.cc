// Convolutions, pools and products. Images are NHWC in the file and stay so.
#include <limits>

#include "base/text.h"
#include "formats/tflite/compose.h"
#include "simd/math64.h"

namespace mote::tflite {
namespace {

constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max(),
                       kFirst = std::numeric_limits<std::int64_t>::min();

std::string auto_pad(fbs::Padding padding) { return padding == fbs::Padding::SAME ? "SAME_UPPER" : "VALID"; }

Attrs::Item strides(Ints v) { return {"strides", std::move(v)}; }

// The bias is f32 beside hybrid weights, absent, or a constant of another type that does not occur.
ValueId bias(NodeContext& n, int i) { return n.has(i) ? n.in(i) : kNone; }

ValueId pooled(NodeContext& n, std::string_view op, ValueId x, const fbs::Pool2DOptions& o) {
  return n.emit(op, {x},
                {{"auto_pad", auto_pad(o.padding())},
                 {"data_layout", std::string("NXC")},
                 {"kernel_shape", Ints{o.filter_h(), o.filter_w()}},
                 strides({o.stride_h(), o.stride_w()})});
}

Status pool(NodeContext& n, std::string_view op) {
  auto* o = n.options<fbs::Pool2DOptions>(fbs::BuiltinOptions::Pool2D);
  if (!o) return invalid("has no options");
  n.output(0, n.activate(pooled(n, op, n.in(0), *o), o->activation()));
  return {};
}

}  // namespace

// Groups follow from the channels that the weights take.
Status import_conv_2d(NodeContext& n) {
  auto* o = n.options<fbs::Conv2DOptions>(fbs::BuiltinOptions::Conv2D);
  if (!o) return invalid("has no options");
  ValueId x = n.in(0), w = hybrid_weights(n, 1);
  if (n.failed() || !n.has_rank(x) || !n.has_rank(w))
    return n.failed() ? Status() : invalid("its operands have no rank");
  if (n.rank(x) != 4 || n.rank(w) != 4) return invalid("its operands do not have four axes");
  std::int64_t group = 1;
  const Dim &c = n.shape(x)[3], &taken = n.shape(w)[3];
  if (c.is_const() && taken.is_const() && taken.value() > 0) {
    if (c.value() % taken.value() != 0) {
      return invalid(concat("has ", c.value(), " channels, but weights for ", taken.value()));
    }
    group = c.value() / taken.value();
  }
  if (n.is_hybrid(1)) x = n.rounded_rows(x, 1, n.quantization(1).per_axis());
  ValueId v = n.emit("conv", {x, w, bias(n, 2)},
                     {{"auto_pad", auto_pad(o->padding())},
                      {"data_layout", std::string("NXC")},
                      {"dilations", Ints{o->dilation_h(), o->dilation_w()}},
                      {"group", group},
                      strides({o->stride_h(), o->stride_w()}),
                      {"weight_layout", std::string("OXI")}});
  n.output(0, n.activate(v, o->activation()));
  return {};
}

// Weights are [1, h, w, channels * multiplier]: as [channels * multiplier, h, w, 1] those of a grouped convolution.
Status import_depthwise_conv_2d(NodeContext& n) {
  auto* o = n.options<fbs::DepthwiseConv2DOptions>(fbs::BuiltinOptions::DepthwiseConv2D);
  if (!o) return invalid("has no options");
  ValueId x = n.in(0), w = hybrid_weights(n, 1);
  if (n.failed()) return {};
  if (!n.has_rank(x) || n.rank(x) != 4 || !n.has_rank(w) || n.rank(w) != 4) {
    return invalid("its operands do not have four axes");
  }
  const std::int64_t channels = depthwise_channels(n, n.shape(x)[3], n.shape(w)[3], o->depth_multiplier());
  if (n.failed()) return {};
  if (n.is_hybrid(1)) x = n.rounded_rows(x, 1, true);
  ValueId v = n.emit("conv", {x, n.transpose(w, {3, 1, 2, 0}), bias(n, 2)},
                     {{"auto_pad", auto_pad(o->padding())},
                      {"data_layout", std::string("NXC")},
                      {"dilations", Ints{o->dilation_h(), o->dilation_w()}},
                      {"group", channels},
                      strides({o->stride_h(), o->stride_w()}),
                      {"weight_layout", std::string("OXI")}});
  n.output(0, n.activate(v, o->activation()));
  return {};
}

Status import_average_pool(NodeContext& n) { return pool(n, "average_pool"); }
Status import_max_pool(NodeContext& n) { return pool(n, "max_pool"); }

// y = x w^T + b, over x as a matrix of as many columns as w has; with keep_num_dims the other axes of x stay.
Status import_fully_connected(NodeContext& n) {
  auto* o = n.options<fbs::FullyConnectedOptions>(fbs::BuiltinOptions::FullyConnected);
  if (!o) return invalid("has no options");
  if (o->weights_format() != fbs::WeightsFormat::DEFAULT) {
    n.unsupported("FULLY_CONNECTED with shuffled weights");
    return {};
  }
  ValueId x = n.in(0), w = hybrid_weights(n, 1);
  if (n.failed()) return {};
  if (!n.has_rank(w) || n.rank(w) != 2) return invalid("its weights are no matrix");
  bool flat = n.has_rank(x) && n.rank(x) == 2;
  if (!o->keep_num_dims() && !flat) {
    const Dim& columns = n.shape(w)[1];
    if (!columns.is_const()) return invalid("its weights have no static shape");
    x = n.emit("reshape", {x, n.ints({-1, columns.value()})});
  }
  if (n.is_hybrid(1)) x = n.rounded_rows(x, -1, o->asymmetric_quantize_inputs());
  ValueId v = n.emit("matmul", {x, n.transpose(w, {1, 0})});
  if (n.has(2)) v = n.emit("add", {v, n.in(2)});
  n.output(0, n.activate(v, o->activation()));
  return {};
}

// The root of the mean square of every window.
Status import_l2_pool(NodeContext& n) {
  auto* o = n.options<fbs::Pool2DOptions>(fbs::BuiltinOptions::Pool2D);
  if (!o) return invalid("has no options");
  ValueId squares = n.emit("mul", {n.in(0), n.in(0)});
  n.output(0, n.activate(n.emit("sqrt", {pooled(n, "average_pool", squares, *o)}), o->activation()));
  return {};
}

// x / (bias + alpha * sum of the squares of `radius` channels on both sides)^beta.
Status import_local_response_normalization(NodeContext& n) {
  auto* o = n.options<fbs::LocalResponseNormalizationOptions>(fbs::BuiltinOptions::LocalResponseNormalization);
  if (!o) return invalid("has no options");
  if (o->radius() < 0) return invalid("its radius is negative");
  if (n.need_rank(n.in(0)) != 4) return n.failed() ? Status() : invalid("its operand does not have four axes");
  // From radius before the channel to radius - 1 behind it: `lrn` has the odd one behind, so channels are turned
  // around.
  const std::int64_t size = 2 * std::int64_t{o->radius()};
  if (size == 0) {
    const double factor = math64::pow(static_cast<double>(o->bias()), -static_cast<double>(o->beta()));
    n.output(0, n.emit("mul", {n.in(0), n.scalar(factor, n.dtype(n.in(0)))}));
    return {};
  }
  auto turned = [&](ValueId v) { return sliced(n, v, {kLast}, {kFirst}, {1}, {-1}); };
  ValueId v = n.emit("lrn", {turned(n.transpose(n.in(0), {0, 3, 1, 2}))},
                     {{"alpha", static_cast<double>(o->alpha()) * static_cast<double>(size)},
                      {"beta", static_cast<double>(o->beta())},
                      {"bias", static_cast<double>(o->bias())},
                      {"size", size}});
  n.output(0, n.transpose(turned(v), {0, 2, 3, 1}));
  return {};
}

// x / sqrt(max(sum of squares of the last axis, 1e-6))
Status import_l2_normalization(NodeContext& n) {
  ValueId x = n.in(0);
  ValueId sum = n.emit("reduce_sum_square", {x, n.ints({-1})}, {{"keepdims", std::int64_t{1}}});
  ValueId norm = n.emit("sqrt", {n.emit("max", {sum, n.scalar(1e-6, n.dtype(x))})});
  auto* o = n.options<fbs::ActivationOptions>(fbs::BuiltinOptions::L2Norm);
  n.output(0, n.activate(n.emit("div", {x, norm}), o ? o->activation() : fbs::Activation::NONE));
  return {};
}

Status import_batch_matmul(NodeContext& n) {
  auto* o = n.options<fbs::BatchMatMulOptions>(fbs::BuiltinOptions::BatchMatMul);
  auto operand = [&](ValueId v, bool adjoint) {
    if (!adjoint) return v;
    int rank = n.need_rank(v);
    if (rank < 2) return v;
    Ints perm;
    for (int i = 0; i < rank; ++i) perm.push_back(i);
    std::swap(perm[static_cast<std::size_t>(rank - 1)], perm[static_cast<std::size_t>(rank - 2)]);
    return n.transpose(v, std::move(perm));
  };
  ValueId x = operand(n.in(0), o && o->adj_x());
  if (n.is_hybrid(1) && n.quantization(1).any()) x = n.rounded_rows(x, -1, o && o->asymmetric_quantize_inputs());
  ValueId y = n.quantization(1).any() ? n.dequantized(1) : n.in(1);
  n.output(0, n.emit("matmul", {x, operand(y, o && o->adj_y())}));
  return {};
}

Status import_log_softmax(NodeContext& n) {
  n.same("log_softmax", {n.in(0)}, {{"axis", std::int64_t{-1}}});
  return {};
}

// Rows of a table; of a quantized one, only those that are taken become real numbers.
Status import_embedding_lookup(NodeContext& n) {
  ValueId ids = n.in(0), table = n.in(1);
  if (n.failed() || is_float(n.dtype(table)) || !n.quantization(1).any()) {
    n.output(0, n.emit("gather", {table, ids}, {{"axis", std::int64_t{0}}}));
    return {};
  }
  Quantization q = n.quantization(1);
  if (!q.per_tensor() || bits_of(n.dtype(table)) < 8 || q.zero_point() != 0) {
    n.output(0, n.emit("gather", {n.dequantized(1), ids}, {{"axis", std::int64_t{0}}}));
    return {};
  }
  // Unsigned ones are read as signed, as elsewhere.
  ValueId rows = n.cast(n.emit("gather", {table, ids}, {{"axis", std::int64_t{0}}}), DType::i8);
  n.output(0, n.emit("dequantize_linear", {rows, n.scalar(q.scale(), DType::f32)}));
  return {};
}

// exp(beta x) normalized over the last axis.
Status import_softmax(NodeContext& n) {
  auto* o = n.options<fbs::SoftmaxOptions>(fbs::BuiltinOptions::Softmax);
  ValueId x = n.in(0);
  double beta = o ? static_cast<double>(o->beta()) : 1;
  if (beta != 1) x = n.emit("mul", {x, n.scalar(beta, n.dtype(x))});
  n.same("softmax", {x}, {{"axis", std::int64_t{-1}}});
  return {};
}

}  // namespace mote::tflite
