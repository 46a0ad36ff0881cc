// Operators on quantized tensors: between types, and functions of one tensor alone, which become tables.
#include "base/fixed_math.h"
#include "base/text.h"
#include "formats/tflite/quantized.h"
#include "simd/math64.h"
#include "simd/sampled16.h"

namespace mote::tflite {
namespace {

Scaled scaled_of(NodeContext& n, const Quantization& q, const fbs::Tensor* t, ValueId v) {
  Scaled s;
  s.value = v;
  if (!t) {
    n.fail(invalid("an operand is missing"));
    return s;
  }
  s.dtype = v == kNone ? dtype_of(t->type()) : n.dtype(v);
  if (!q.per_tensor()) {
    n.unsupported(std::string(n.op_name()) +
                  (q.any() ? " on a tensor with several scales" : " on tensors without scales beside quantized ones"));
    return s;
  }
  s.scale = q.scale();
  s.zero = q.zero_point();
  return s;
}

float f32(double x) { return static_cast<float>(x); }
float exp_f32(float x) { return f32(math64::exp(static_cast<double>(x))); }

}  // namespace

Scaled scaled_input(NodeContext& n, int i) { return scaled_of(n, n.quantization(i), n.input_tensor(i), n.in(i)); }
Scaled scaled_output(NodeContext& n, int i) {
  return scaled_of(n, n.output_quantization(i), n.output_tensor(i), kNone);
}

ValueId scale_of(NodeContext& n, const Scaled& x) { return n.scalar(static_cast<double>(x.scale), DType::f32); }
ValueId zero_of(NodeContext& n, const Scaled& x) { return n.scalar(static_cast<double>(x.zero), x.dtype); }

std::vector<std::int64_t> range_between(const Scaled& y, float low, float high) {
  auto stored = [&](float real) {
    const float q = std::round(real / y.scale);
    return std::clamp<std::int64_t>(y.zero + clamp_to_int(static_cast<double>(q), -0x1p30, 0x1p30), y.least(),
                                    y.greatest());
  };
  return {std::isinf(low) ? y.least() : stored(low), std::isinf(high) ? y.greatest() : stored(high)};
}

std::vector<std::int64_t> range_of(const Scaled& y, fbs::Activation activation) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  switch (activation) {
    case fbs::Activation::RELU:
      return range_between(y, 0, kInfinity);
    case fbs::Activation::RELU6:
      return range_between(y, 0, 6);
    case fbs::Activation::RELU_N1_TO_1:
      return range_between(y, -1, 1);
    default:
      return {};
  }
}

ValueId integers(NodeContext& n, DType dtype, const std::vector<std::int64_t>& values,
                 std::vector<std::int64_t> shape) {
  std::vector<std::byte> bytes;
  const std::size_t width = static_cast<std::size_t>(bits_of(dtype)) / 8;
  bytes.reserve(values.size() * width);
  for (std::int64_t v : values) {
    for (std::size_t i = 0; i < width; ++i)
      bytes.push_back(static_cast<std::byte>(static_cast<std::uint64_t>(v) >> 8 * i & 255));
  }
  return n.constant(plain_constant({}, dtype, std::move(shape), std::move(bytes)));
}

ValueId rescaled(NodeContext& n, const Scaled& x, double scale, const Scaled& y, std::vector<std::int64_t> range) {
  std::vector<Attrs::Item> attrs = {{"rounding", std::string("fixed")}};
  if (!range.empty()) attrs.emplace_back("y_range", std::move(range));
  return n.emit("requantize_linear", {x.value, n.scalar(scale, DType::f64), zero_of(n, y), zero_of(n, x)},
                std::move(attrs));
}

ValueId centered(NodeContext& n, const Scaled& x) {
  ValueId v = n.cast(x.value, DType::i32);
  return x.zero == 0 ? v : n.emit("sub", {v, n.scalar(static_cast<double>(x.zero), DType::i32)});
}

ValueId scaled_ints(NodeContext& n, ValueId ints, double scale) {
  return n.emit("requantize_linear", {ints, n.scalar(scale, DType::f64), n.scalar(0, DType::i32)},
                {{"rounding", std::string("fixed")}});
}

// Without saturation: the product of the least values is one too many, which no user of it keeps.
ValueId high_product(NodeContext& n, ValueId a, ValueId b) {
  const ValueId nudged = n.emit("add", {n.emit("mul", {a, b}), n.scalar(1 << 14, DType::i32)});
  return n.emit("bit_shift", {nudged, n.scalar(15, DType::i32)}, {{"direction", std::string("RIGHT")}});
}

ValueId rounded_shift(NodeContext& n, ValueId x, int bits) {
  const ValueId negative = n.cast(n.emit("less", {x, n.scalar(0, DType::i32)}), DType::i32);
  const ValueId half = n.scalar(1 << (bits - 1), DType::i32);
  return n.emit("bit_shift", {n.emit("sub", {n.emit("add", {x, half}), negative}), n.scalar(bits, DType::i32)},
                {{"direction", std::string("RIGHT")}});
}

// Constants of half precision stay as they are, with a cast.
Status import_dequantize(NodeContext& n) {
  ValueId x = n.in(0);
  n.output(0, is_float(n.dtype(x)) ? n.cast(x, DType::f32) : n.dequantized(0));
  return {};
}

// From real numbers, halves away from zero; or from other units.
Status import_quantize(NodeContext& n) {
  if (const Quantization q = n.output_quantization(0); is_float(n.dtype(n.in(0))) && q.scales.size() > 1) {
    const auto count = static_cast<std::int64_t>(q.scales.size());
    const DType t = dtype_of(n.output_tensor(0)->type());
    n.same("quantize_linear", {n.in(0), n.floats(q.scales), integers(n, t, q.zero_points, {count})},
           {{"axis", std::int64_t{q.axis}}, {"rounding", std::string("half_away")}});
    return {};
  }
  const Scaled y = scaled_output(n);
  if (n.failed()) return {};
  if (is_float(n.dtype(n.in(0)))) {
    n.same("quantize_linear", {n.in(0), scale_of(n, y), zero_of(n, y)}, {{"rounding", std::string("half_away")}});
    return {};
  }
  const Scaled x = scaled_input(n, 0);
  if (n.failed()) return {};
  const double scale = static_cast<double>(x.scale) / static_cast<double>(y.scale);
  if (bits_of(x.dtype) > 8) {
    n.output(0, rescaled(n, x, scale, y));
    return {};
  }
  const FixedScale fixed = fixed_scale(scale);
  return convert_by_table(n, [&](const Scaled& from, const Scaled& to, std::int64_t v) {
    return scale_fixed(static_cast<std::int32_t>(v - from.zero), fixed) + to.zero;
  });
}

namespace {

// A function of f32, as a table of 8 bits.
Status by_function(NodeContext& n, float (*f)(float)) {
  return convert_by_table(
      n, [&](const Scaled& x, const Scaled& y, std::int64_t v) { return table_entry(y, f(real_of(x, v))); });
}

// A function of f32 over 16 bits: 513 samples, interpolated; all values of it as a table.
template <class F>
Status by_samples(NodeContext& n, F f) {
  const Scaled x = scaled_input(n, 0), y = scaled_output(n);
  if (n.failed()) return {};
  std::int16_t samples[513];
  const float low = x.scale * static_cast<float>(-32768 - x.zero), high = x.scale * static_cast<float>(32767 - x.zero);
  const float least = y.scale * static_cast<float>(-32768 - y.zero),
              greatest = y.scale * static_cast<float>(32767 - y.zero);
  fixed::sample_16_bits<float>(low, high, 65536.0f / (greatest - least), f, samples);
  return convert_by_table(n, [&](const Scaled&, const Scaled&, std::int64_t v) -> std::int64_t {
    return fixed::interpolate(samples, static_cast<std::int32_t>(v));
  });
}

bool wide(NodeContext& n) { return n.dtype(n.in(0)) == DType::i16; }

// Whether a scale is a power of two, nearly; its logarithm.
bool near_power_of_two(float scale, int* log2) {
  if (!(scale > 0)) return false;
  const float x = f32(math64::log(static_cast<double>(scale))) * (1.0f / f32(math64::log(2.0)));
  const float rounded = std::round(x);
  *log2 = static_cast<int>(rounded);
  return std::abs(x - rounded) < 1e-3f;
}

// How operands of 16 bits come to units of 1 / (3 * 4096): times multiplier, over 2^shift.
struct Units {
  std::int32_t multiplier = 0, shift = 0;
};
Units units_of(float scale, int most_shift) {
  int log2 = 0;
  Units u;
  const bool pot = near_power_of_two(scale, &log2);
  u.shift = 12 + log2;
  if (pot && u.shift >= 0 && u.shift <= most_shift) return u;
  double multiplier = static_cast<double>(scale) * 4096.0 * 3.0;
  u.shift = 0;
  while (multiplier <= 32767.0 / 2.0 && u.shift <= 30) {
    ++u.shift;
    multiplier *= 2.0;
  }
  u.multiplier = static_cast<std::int32_t>(multiplier);
  return u;
}

}  // namespace

Status quantized_logistic(NodeContext& n) {
  if (!wide(n)) return by_function(n, [](float x) { return 1.0f / (1.0f + exp_f32(-x)); });
  const Scaled x = scaled_input(n, 0);
  if (n.failed()) return {};
  Units u = units_of(x.scale, 0);
  if (u.multiplier == 0) u = {3 << u.shift, 0};
  const SampledSigmoid samples;
  return convert_by_table(n, [&](const Scaled&, const Scaled&, std::int64_t v) -> std::int64_t {
    const std::int64_t half = u.shift > 0 ? std::int64_t{1} << (u.shift - 1) : 0;
    return samples.sigmoid(fixed::wrap(std::int64_t{fixed::wrap(v * u.multiplier + half)} >> u.shift));
  });
}

Status quantized_tanh(NodeContext& n) {
  if (!wide(n)) return by_function(n, [](float x) { return f32(math64::tanh(static_cast<double>(x))); });
  const Scaled x = scaled_input(n, 0);
  if (n.failed()) return {};
  const Units u = units_of(x.scale, 1);
  const SampledSigmoid samples;
  return convert_by_table(n, [&](const Scaled&, const Scaled&, std::int64_t v) -> std::int64_t {
    std::int32_t in = 0;
    if (u.multiplier == 0) {
      in = static_cast<std::int32_t>(3 * v * (std::int64_t{1} << u.shift));
    } else {
      const std::int64_t half = u.shift > 0 ? std::int64_t{1} << (u.shift - 1) : 0;
      in = fixed::wrap(std::int64_t{fixed::wrap(v * u.multiplier + half)} >> u.shift);
    }
    return samples.tanh(in);
  });
}

Status quantized_elu(NodeContext& n) {
  return by_function(n, [](float x) { return x < 0.0f ? f32(math64::expm1(static_cast<double>(x))) : x; });
}

namespace {

float gelu(float x) { return 0.5f * x * f32(1 - math64::erf(static_cast<double>(x * -0.7071067811865476f))); }
float gelu_by_tanh(float x) {
  constexpr float kSqrt2OverPi = 0.7978845608028654f;
  const float cubic = kSqrt2OverPi * (x + 0.044715f * x * x * x);
  return 0.5f * x * (1.0f + f32(math64::tanh(static_cast<double>(cubic))));
}

}  // namespace

Status quantized_gelu(NodeContext& n) {
  auto* o = n.options<fbs::GeluOptions>(fbs::BuiltinOptions::Gelu);
  float (*f)(float) = o && o->approximate() ? gelu_by_tanh : gelu;
  return wide(n) ? by_samples(n, f) : by_function(n, f);
}

Status quantized_exp(NodeContext& n) {
  if (wide(n)) return by_samples(n, exp_f32);
  return by_function(n, exp_f32);
}

Status quantized_log(NodeContext& n) {
  const Scaled y = scaled_output(n);
  if (n.failed()) return {};
  const float least = static_cast<float>(y.least() - y.zero) * y.scale;
  auto f = [least](float x) { return x <= 0.0f ? least : f32(math64::log(static_cast<double>(x))); };
  if (wide(n)) return by_samples(n, f);
  return convert_by_table(
      n, [&](const Scaled& from, const Scaled& to, std::int64_t v) { return table_entry(to, f(real_of(from, v))); });
}

Status quantized_abs(NodeContext& n) {
  return convert_by_table(n, [&](const Scaled& x, const Scaled& y, std::int64_t v) {
    const auto size = static_cast<std::int32_t>(std::abs(v - x.zero));
    if (x.scale == y.scale) return size + y.zero;
    return scale_fixed(size, fixed_scale(static_cast<double>(x.scale / y.scale))) + y.zero;
  });
}

Status quantized_rsqrt(NodeContext& n) {
  const Scaled x = scaled_input(n, 0), y = scaled_output(n);
  if (n.failed()) return {};
  if (wide(n)) {
    const float most = 32767 * y.scale;
    return by_samples(n, [most](float v) { return v <= 0.0f ? most : 1.0f / std::sqrt(v); });
  }
  const FixedScale scale = fixed_scale(1.0 / static_cast<double>(std::sqrt(x.scale) * y.scale));
  return convert_by_table(n, [&](const Scaled& from, const Scaled& to, std::int64_t v) -> std::int64_t {
    const auto value = static_cast<std::int32_t>(v - from.zero);
    if (value <= 0) return to.greatest();
    FixedScale root = fixed::inverse_root(value);
    root.shift += 20;
    const std::int32_t wide_result = scale_fixed(1, root);
    return scale_fixed(wide_result, {scale.multiplier, scale.shift - 20}) + to.zero;
  });
}

// Rounded towards 0; the reference kernels refuse numbers below 0, here their root is 0.
Status quantized_sqrt(NodeContext& n) {
  return convert_by_table(n, [](const Scaled& x, const Scaled& y, std::int64_t v) {
    const float root = std::sqrt(std::max(real_of(x, v), 0.0f)) / y.scale;
    return static_cast<std::int64_t>(std::min(root, 65536.0f)) + y.zero;
  });
}

Status quantized_hard_swish(NodeContext& n) {
  const Scaled x = scaled_input(n, 0), y = scaled_output(n);
  if (n.failed()) return {};
  const float fine = (1.0f / 128.0f) * x.scale;
  const FixedScale out = fixed_scale(static_cast<double>(fine / y.scale)),
                   slope = fixed_scale(static_cast<double>(fine / (3.0f / 32768.0f)));
  auto half_width = [](std::int32_t m) {
    return static_cast<std::int32_t>(m >= INT32_MAX - (1 << 15) ? 32767 : (m + (1 << 15)) >> 16);
  };
  const std::int32_t out_by = half_width(out.multiplier), slope_by = half_width(slope.multiplier);
  auto saturate = [](std::int64_t v) { return static_cast<std::int32_t>(std::clamp<std::int64_t>(v, -32768, 32767)); };
  auto high_half = [](std::int32_t a, std::int32_t b) { return (a * b + (1 << 14)) >> 15; };
  return convert_by_table(n, [&](const Scaled& from, const Scaled& to, std::int64_t v) -> std::int64_t {
    const auto in = static_cast<std::int16_t>((v - from.zero) * 128);
    const std::int32_t scaled_in = high_half(in, out_by);
    std::int32_t relu = in;
    if (slope.shift > 0) relu = saturate(std::int64_t{relu} * (std::int64_t{1} << (slope.shift - 1)));
    relu = high_half(relu, slope_by);
    if (slope.shift > 0) relu = saturate(std::int64_t{relu} * 2);
    if (slope.shift < 0) relu = fixed::divide_by_pot(relu, -slope.shift);
    relu = (relu + (1 << 15)) >> 1;
    const std::int32_t product = relu * scaled_in / (1 << 15);
    return fixed::divide_by_pot(product, std::max(-out.shift, 0)) + to.zero;
  });
}

Status quantized_leaky_relu(NodeContext& n) {
  auto* o = n.options<fbs::LeakyReluOptions>(fbs::BuiltinOptions::LeakyRelu);
  const float alpha = o ? o->alpha() : 0;
  return convert_by_table(n, [&](const Scaled& x, const Scaled& y, std::int64_t v) {
    const auto in = static_cast<std::int32_t>(v - x.zero);
    const double scale = static_cast<double>(in >= 0 ? x.scale / y.scale : x.scale * alpha / y.scale);
    return scale_fixed(in, fixed_scale(scale)) + y.zero;
  });
}

namespace {

Status relu_between(NodeContext& n, float low, float high) {
  const Scaled x = scaled_input(n, 0), y = scaled_output(n);
  if (n.failed()) return {};
  const std::vector<std::int64_t> range = range_between(y, low, high);
  const double scale = static_cast<double>(x.scale / y.scale);
  if (bits_of(x.dtype) > 8) {
    n.output(0, rescaled(n, x, scale, y, range));
    return {};
  }
  const FixedScale fixed = fixed_scale(scale);
  return convert_by_table(n, [&](const Scaled& from, const Scaled& to, std::int64_t v) {
    return std::clamp<std::int64_t>(scale_fixed(static_cast<std::int32_t>(v - from.zero), fixed) + to.zero, range[0],
                                    range[1]);
  });
}

constexpr float kInfinity = std::numeric_limits<float>::infinity();

}  // namespace

Status quantized_relu(NodeContext& n) { return relu_between(n, 0, kInfinity); }
Status quantized_relu6(NodeContext& n) { return relu_between(n, 0, 6); }
Status quantized_relu_n1_to_1(NodeContext& n) { return relu_between(n, -1, 1); }
Status quantized_relu_0_to_1(NodeContext& n) { return relu_between(n, 0, 1); }

}  // namespace mote::tflite
