// TRANSPOSE_CONV of quantized tensors. With constant filters and static extents it is a convolution that gives all
// phases of the result as channels, whose elements are then moved to their places: with stride s and kernel k, row s *
// q + i of the result is the sum over t < ceil(k / s) of x[q - t] times w[s * t + i].
#include <cstring>

#include "base/checked.h"
#include "formats/tflite/quantized_products.h"

namespace mote::tflite {
namespace {

constexpr std::int64_t kMostWeights = std::int64_t{1} << 28;

// Extents of such a convolution, by rows and columns.
struct Spread {
  std::int64_t outputs = 0, inputs = 0;
  std::int64_t in[2] = {}, out[2] = {}, kernel[2] = {}, stride[2] = {}, taps[2] = {}, pad[2] = {};
  std::int64_t phases() const { return stride[0] * stride[1]; }
  std::int64_t rows(int d) const { return in[d] + taps[d] - 1; }  // of one phase
};

// The bytes of a constant that is stored as it is; nothing of another one.
std::optional<std::span<const std::byte>> plain_bytes(NodeContext& n, ValueId v) {
  if (!n.is_constant(v)) return std::nullopt;
  const Constant& c = n.constant_of(v);
  if (!c.transforms.empty() || c.encoding != Encoding::kPlain || bits_of(c.type.dtype) < 8) return std::nullopt;
  return c.stored();
}

std::optional<Spread> spread_of(NodeContext& n, const Scaled& x, const Weights& w, const std::optional<Ints>& result,
                                const Ints& strides, bool same) {
  const std::optional<Ints> filters = constant_extents(n.shape(w.value));
  const Shape& image = n.shape(x.value);
  if (!result || !filters || !plain_bytes(n, w.value) || bits_of(n.dtype(w.value)) != 8 || !image[1].is_const() ||
      !image[2].is_const() || (n.has(3) && !plain_bytes(n, n.in(3))) || (x.dtype == DType::u8 && w.scales.size() > 1))
    return std::nullopt;
  Spread s;
  s.outputs = (*filters)[0];
  s.inputs = (*filters)[3];
  Checked count = Checked(s.outputs) * s.inputs;
  for (int d = 0; d < 2; ++d) {
    const auto axis = static_cast<std::size_t>(d) + 1;
    s.in[d] = image[axis].value();
    s.out[d] = (*result)[axis];
    s.kernel[d] = (*filters)[axis];
    s.stride[d] = strides[static_cast<std::size_t>(d)];
    if (s.in[d] < 1 || s.out[d] < 1 || s.kernel[d] < 1 || s.stride[d] < 1) return std::nullopt;
    s.taps[d] = (s.kernel[d] + s.stride[d] - 1) / s.stride[d];
    count = count * s.taps[d] * s.stride[d];
    // That of the convolution from the result's extent, which the format means.
    const std::int64_t over = (s.out[d] - 1) / s.stride[d] * s.stride[d] + s.kernel[d] - s.out[d];
    s.pad[d] = same && over > 0 ? over / 2 : 0;
    if (s.pad[d] + s.out[d] > s.rows(d) * s.stride[d]) return std::nullopt;
  }
  return count.ok() && count.value() <= kMostWeights ? std::optional(s) : std::nullopt;
}

// Filters [outputs, rows, columns, inputs] as those of the phases, taps in reverse; where a phase has no tap, `zero`.
std::vector<std::byte> filters_of_phases(const Spread& s, std::span<const std::byte> w, std::byte zero) {
  std::vector<std::byte> made;
  const auto inputs = static_cast<std::size_t>(s.inputs);
  made.reserve(static_cast<std::size_t>(s.phases() * s.outputs * s.taps[0] * s.taps[1]) * inputs);
  for (std::int64_t phase = 0; phase < s.phases(); ++phase) {
    for (std::int64_t o = 0; o < s.outputs; ++o) {
      for (std::int64_t u = 0; u < s.taps[0] * s.taps[1]; ++u) {
        const std::int64_t i = (s.taps[0] - 1 - u / s.taps[1]) * s.stride[0] + phase / s.stride[1],
                           j = (s.taps[1] - 1 - u % s.taps[1]) * s.stride[1] + phase % s.stride[1];
        if (i >= s.kernel[0] || j >= s.kernel[1]) {
          made.insert(made.end(), inputs, zero);
          continue;
        }
        const auto at = static_cast<std::size_t>((o * s.kernel[0] + i) * s.kernel[1] + j) * inputs;
        made.insert(made.end(), w.begin() + static_cast<std::ptrdiff_t>(at),
                    w.begin() + static_cast<std::ptrdiff_t>(at + inputs));
      }
    }
  }
  return made;
}

ValueId convolve_phases(NodeContext& n, const Spread& s, const Scaled& x, Weights w, const Scaled& y,
                        std::vector<Attrs::Item> attrs) {
  const std::int64_t phases = s.phases();
  const DType dtype = n.dtype(w.value);
  const std::int64_t zero = is_signed_int(dtype) ? 0 : n.quantization(1).zero_point();
  std::vector<std::byte> filters = filters_of_phases(s, *plain_bytes(n, w.value), static_cast<std::byte>(zero & 255));
  w.value =
      n.constant(plain_constant({}, dtype, {phases * s.outputs, s.taps[0], s.taps[1], s.inputs}, std::move(filters)));
  if (w.scales.size() > 1) {
    const std::vector<float> once = w.scales;
    for (std::int64_t i = 1; i < phases; ++i) w.scales.insert(w.scales.end(), once.begin(), once.end());
    w.scale = n.floats(w.scales);
  }
  ValueId bias = n.in(3);
  if (bias != kNone) {
    const std::span<const std::byte> once = *plain_bytes(n, bias);
    std::vector<std::byte> all;
    for (std::int64_t i = 0; i < phases; ++i) all.insert(all.end(), once.begin(), once.end());
    bias = n.constant(plain_constant({}, n.dtype(bias), {phases * s.outputs}, std::move(all)));
  }
  attrs.insert(attrs.end(), {{"data_layout", std::string("NXC")},
                             {"pads", Ints{s.taps[0] - 1, s.taps[1] - 1, s.taps[0] - 1, s.taps[1] - 1}},
                             {"weight_layout", std::string("OXI")}});
  ValueId v = n.emit("qlinear_conv", operands(n, x, w, y, bias, x.dtype == DType::u8), std::move(attrs));
  const std::int64_t rows = s.rows(0), columns = s.rows(1);
  if (phases > 1) {
    v = n.reshape(v, {-1, rows, columns, s.stride[0], s.stride[1], s.outputs});
    v = n.reshape(n.transpose(v, {0, 1, 3, 2, 4, 5}), {-1, rows * s.stride[0], columns * s.stride[1], s.outputs});
  }
  if (s.pad[0] == 0 && s.pad[1] == 0 && s.out[0] == rows * s.stride[0] && s.out[1] == columns * s.stride[1]) return v;
  return sliced(n, v, {s.pad[0], s.pad[1]}, {s.pad[0] + s.out[0], s.pad[1] + s.out[1]}, {1, 2});
}

}  // namespace

// As a convolution, or else the sums in f64, which holds them exactly, and then in the units of y. Operand 0 is the
// shape of the result.
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
  std::vector<Attrs::Item> attrs;
  const bool wide = wide_sums(n, x, 3) && o->bias_type() != fbs::TensorType::INT32;
  add_rounding(attrs, wide ? "fixed_wide" : "fixed", range_of(y, o->activation()));
  const Ints strides = {o->stride_h(), o->stride_w()};
  if (const std::optional<Spread> s = spread_of(n, x, w, shape, strides, o->padding() == fbs::Padding::SAME)) {
    n.output(0, convolve_phases(n, *s, x, w, y, std::move(attrs)));
    return {};
  }
  auto whole = [&](ValueId v, double zero) {
    v = n.cast(v, DType::f64);
    return zero == 0 ? v : n.emit("sub", {v, n.scalar(zero, DType::f64)});
  };
  const double w_zero = is_signed_int(n.dtype(w.value)) ? 0 : static_cast<double>(n.quantization(1).zero_point());
  const ValueId image = whole(x.value, static_cast<double>(x.zero)), filters = whole(w.value, w_zero);
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
  n.output(0, n.emit("requantize_linear", {sums, scale, zero_of(n, y), kNone, n.in(3)}, std::move(attrs)));
  return {};
}

}  // namespace mote::tflite
