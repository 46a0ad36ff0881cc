// Signals: dft, stft, window functions and mel_weight_matrix. Complex numbers are a last axis of two: real, imaginary.
#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>

#include "ops/check_one.h"
#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

using Complex = std::complex<double>;
constexpr double kPi = std::numbers::pi;

constexpr Slot kDftInputs[] = {
    {"input", "[..., 1] real or [..., 2] complex"},
    {"dft_length", "scalar; absent: the axis's extent, or 2 (extent - 1) for the one-sided inverse", Arity::kOptional},
    {"axis", "scalar, not the last axis; absent: -2", Arity::kOptional}};
constexpr Slot kDftOutputs[] = {{"output", "[..., 2] complex, or [..., 1] real from the one-sided inverse"}};
constexpr AttrSpec kDftAttrs[] = {
    {"inverse", AttrKind::kInt, "0", "1: the inverse transform, divided by the length"},
    {"onesided", AttrKind::kInt, "0", "1: only length / 2 + 1 frequencies, of a real signal"},
};
constexpr Slot kStftInputs[] = {
    {"signal", "[batch, length, 1] real or [batch, length, 2] complex"},
    {"frame_step", "scalar, samples from one frame to the next"},
    {"window", "vector of frame_length; absent: ones", Arity::kOptional},
    {"frame_length", "scalar; absent: the window's length, else the signal's", Arity::kOptional}};
constexpr Slot kStftOutputs[] = {{"output", "[batch, frames, frequencies, 2]"}};
constexpr AttrSpec kStftAttrs[] = {{"onesided", AttrKind::kInt, "1", "1: only frame_length / 2 + 1 frequencies"}};
constexpr Slot kWindowInputs[] = {{"size", "scalar, the length"}};
constexpr Slot kWindowOutputs[] = {{"output", "vector of that length"}};
constexpr AttrSpec kWindowAttrs[] = {
    {"output_datatype", AttrKind::kDType, "dtype:f32", "dtype of the output"},
    {"periodic", AttrKind::kInt, "1", "1: one period of a periodic function, 0: symmetric"},
};
constexpr Slot kMelInputs[] = {{"num_mel_bins", "scalar"},
                               {"dft_length", "scalar"},
                               {"sample_rate", "scalar"},
                               {"lower_edge_hertz", "float scalar"},
                               {"upper_edge_hertz", "float scalar"}};
constexpr Slot kMelOutputs[] = {{"output", "[dft_length / 2 + 1, num_mel_bins]"}};
constexpr AttrSpec kMelAttrs[] = {{"output_datatype", AttrKind::kDType, "dtype:f32", "dtype of the output"}};

// In place over x[0], x[step], ..., n elements, by splitting off the smallest prime factor of n; `work` has n elements.
void fft(ReferenceContext& ctx, Complex* x, std::int64_t n, std::int64_t step, double sign, Complex* work) {
  std::int64_t p = 2;
  while (p * p <= n && n % p != 0) ++p;
  if (n <= 1) return;
  if (n % p != 0) p = n;
  std::int64_t m = n / p;
  for (std::int64_t r : ctx.range(m > 1 ? p : 0)) fft(ctx, x + r * step, m, p * step, sign, work);
  for (std::int64_t k : ctx.range(n)) {
    Complex sum = 0;
    for (std::int64_t r : ctx.range(p, 8)) {
      double angle = sign * 2 * kPi * static_cast<double>(r * k % n) / static_cast<double>(n);
      Complex v = x[(k % m * p + r) * step];
      double c = std::cos(angle), s = std::sin(angle);
      sum += Complex(v.real() * c - v.imag() * s, v.real() * s + v.imag() * c);
    }
    work[k] = sum;
  }
  for (std::int64_t k : ctx.range(n)) x[k * step] = work[k];
}

Result<std::span<Complex>> complex_scratch(ReferenceContext& ctx, std::int64_t n) {
  MOTE_ASSIGN(std::span<std::byte> bytes, ctx.scratch(static_cast<std::size_t>(n) * sizeof(Complex)));
  return std::span<Complex>(reinterpret_cast<Complex*>(bytes.data()), static_cast<std::size_t>(n));
}

// The one integer that input i holds, if it is known.
std::optional<Dim> scalar(const InferContext& ctx, int i) {
  const KnownValue* v = ctx.value(i);
  return v && v->size() == 1 ? std::optional((*v)[0]) : std::nullopt;
}

Status infer_dft(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  MOTE_TRY(check_rank(ctx, 0, 2, 1000));
  bool onesided = ctx.attr_int("onesided") != 0, inverse = ctx.attr_int("inverse") != 0;
  if (!ctx.has_rank(0)) {
    output_maybe(ctx, 0, ctx.dtype(0), std::nullopt);
    return {};
  }
  std::optional<Dim> axis = ctx.has(2) ? scalar(ctx, 2) : std::optional(Dim(-2));
  Shape out = ctx.shape(0);
  if (out.back().is_const() && !out.back().is(1) && !out.back().is(2)) return ctx.error("the last axis is not 1 or 2");
  if (onesided && !inverse && out.back().is(2)) return ctx.error("a one-sided transform takes a real signal");
  out.back() = Dim(inverse && onesided ? 1 : 2);
  if (!axis || !axis->is_const()) {
    for (std::size_t i = 0; i + 1 < out.size(); ++i) out[i] = ctx.fresh();
    ctx.output(0, ctx.dtype(0), std::move(out));
    return {};
  }
  MOTE_ASSIGN(int along, ctx.axis(axis->value(), ctx.rank(0)));
  if (along == ctx.rank(0) - 1) return ctx.error("axis is the last one, which holds the complex numbers");
  Dim& d = out[static_cast<std::size_t>(along)];
  Dim natural = inverse && onesided ? Dim(2) * (d - Dim(1)) : d;
  std::optional<Dim> length = ctx.has(1) ? scalar(ctx, 1) : std::optional(natural);
  if (length && length->is_const() && length->value() < 1) return ctx.error("dft_length is " + length->to_string());
  d = !length ? ctx.fresh() : onesided && !inverse ? floordiv(*length, Dim(2)) + Dim(1) : *length;
  ctx.output(0, ctx.dtype(0), std::move(out));
  return {};
}

Status run_dft(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  bool onesided = ctx.attr_int("onesided") != 0, inverse = ctx.attr_int("inverse") != 0;
  int axis = normal_axis(ctx.has(2) ? load_i64(ctx.in(2), 0) : -2, x.rank);
  std::int64_t parts = x.dims[x.rank - 1], out_parts = y.dims[y.rank - 1];
  AxisView a = around(x.shape().first(static_cast<std::size_t>(x.rank - 1)), axis);
  std::int64_t bins = y.dims[axis];
  std::int64_t length = ctx.has(1) ? load_i64(ctx.in(1), 0) : inverse && onesided ? 2 * (a.n - 1) : a.n;
  MOTE_ASSIGN(std::span<Complex> signal, complex_scratch(ctx, length));
  MOTE_ASSIGN(std::span<Complex> work, complex_scratch(ctx, length));
  for (std::int64_t o : ctx.range(a.outer)) {
    for (std::int64_t i : ctx.range(a.inner)) {
      auto at = [&](std::int64_t k) -> Complex {
        if (k >= a.n) return 0;
        std::int64_t from = ((o * a.n + k) * a.inner + i) * parts;
        return {load_f64(x, from), parts == 2 ? load_f64(x, from + 1) : 0};
      };
      for (std::int64_t k : ctx.range(length)) {
        bool mirrored = inverse && onesided && k > length / 2;
        signal[static_cast<std::size_t>(k)] = mirrored ? std::conj(at(length - k)) : at(k);
      }
      fft(ctx, signal.data(), length, 1, inverse ? 1 : -1, work.data());
      for (std::int64_t k : ctx.range(bins)) {
        Complex v = signal[static_cast<std::size_t>(k)] / (inverse ? static_cast<double>(length) : 1.0);
        std::int64_t to = ((o * bins + k) * a.inner + i) * out_parts;
        store_f64(y, to, v.real());
        if (out_parts == 2) store_f64(y, to + 1, v.imag());
      }
    }
  }
  return {};
}

Status infer_stft(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  MOTE_TRY(check_rank(ctx, 0, 3, 3));
  MOTE_TRY(check_rank(ctx, 2, 1, 1));
  Dim batch = ctx.has_rank(0) ? ctx.shape(0)[0] : ctx.fresh();
  std::optional<Dim> length, frame, step = scalar(ctx, 1);
  if (ctx.has_rank(0)) length = ctx.shape(0)[1];
  if (ctx.has_rank(0) && ctx.shape(0)[2].is_const() && !ctx.shape(0)[2].is(1) && !ctx.shape(0)[2].is(2))
    return ctx.error("the last axis is not 1 or 2");
  if (ctx.has(3)) {
    frame = scalar(ctx, 3);
  } else if (ctx.has(2)) {
    if (ctx.has_rank(2)) frame = ctx.shape(2)[0];
  } else {
    frame = length;
  }
  if (step && step->is_const() && step->value() < 1) return ctx.error("frame_step is " + step->to_string());
  if (frame && frame->is_const() && frame->value() < 1) return ctx.error("frame_length is " + frame->to_string());
  if (frame && ctx.has_rank(2) && ctx.shape(2)[0].is_const() && frame->is_const() && !(ctx.shape(2)[0] == *frame)) {
    return ctx.error("the window has " + ctx.shape(2)[0].to_string() + " elements for frames of " + frame->to_string());
  }
  bool known = length && frame && step;
  if (known && (*length - *frame).is_const() && (*length - *frame).value() < 0) {
    return ctx.error("frames of " + frame->to_string() + " are longer than the signal of " + length->to_string());
  }
  Dim frames = known ? floordiv(*length - *frame, *step) + Dim(1) : ctx.fresh();
  Dim bins = !frame ? ctx.fresh() : ctx.attr_int("onesided") != 0 ? floordiv(*frame, Dim(2)) + Dim(1) : *frame;
  ctx.output(0, ctx.dtype(0), {batch, frames, bins, Dim(2)});
  return {};
}

Status run_stft(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  std::int64_t step = load_i64(ctx.in(1), 0), parts = x.dims[2];
  std::int64_t n = ctx.has(3) ? load_i64(ctx.in(3), 0) : ctx.has(2) ? ctx.in(2).dims[0] : x.dims[1];
  MOTE_ASSIGN(std::span<Complex> frame, complex_scratch(ctx, n));
  MOTE_ASSIGN(std::span<Complex> work, complex_scratch(ctx, n));
  std::int64_t to = 0;
  for (std::int64_t b : ctx.range(y.dims[0])) {
    for (std::int64_t f : ctx.range(y.dims[1])) {
      for (std::int64_t k : ctx.range(n)) {
        std::int64_t from = (b * x.dims[1] + f * step + k) * parts;
        double w = ctx.has(2) ? load_f64(ctx.in(2), k) : 1;
        frame[static_cast<std::size_t>(k)] = {load_f64(x, from) * w, parts == 2 ? load_f64(x, from + 1) * w : 0};
      }
      fft(ctx, frame.data(), n, 1, -1, work.data());
      for (std::int64_t k : ctx.range(y.dims[2])) {
        store_f64(y, to++, frame[static_cast<std::size_t>(k)].real());
        store_f64(y, to++, frame[static_cast<std::size_t>(k)].imag());
      }
    }
  }
  return {};
}

Status infer_window(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kInts));
  std::optional<Dim> n = scalar(ctx, 0);
  if (n && n->is_const() && n->value() < 0) return ctx.error("size is negative");
  ctx.output(0, ctx.attr_dtype("output_datatype"), {n ? *n : ctx.fresh()});
  return {};
}

// a0 - a1 cos(2 pi i / n) + a2 cos(4 pi i / n).
Status run_window(ReferenceContext& ctx, double a0, double a1, double a2) {
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  double n = static_cast<double>(y.dims[0] - (ctx.attr_int("periodic") != 0 ? 0 : 1));
  for (std::int64_t i : ctx.range(y.dims[0])) {
    double angle = n > 0 ? 2 * kPi * static_cast<double>(i) / n : 0;
    store_f64(y, i, n > 0 ? a0 - a1 * std::cos(angle) + a2 * std::cos(2 * angle) : 1);
  }
  return {};
}

Status run_hann(ReferenceContext& ctx) { return run_window(ctx, 0.5, 0.5, 0); }
Status run_hamming(ReferenceContext& ctx) { return run_window(ctx, 25.0 / 46, 21.0 / 46, 0); }
Status run_blackman(ReferenceContext& ctx) { return run_window(ctx, 0.42, 0.5, 0.08); }

Status infer_mel(InferContext& ctx) {
  for (int i = 0; i < 3; ++i) MOTE_TRY(check_dtype(ctx, i, kInts));
  for (int i = 3; i < 5; ++i) MOTE_TRY(check_dtype(ctx, i, kFloats));
  for (int i = 0; i < 5; ++i) MOTE_TRY(check_one(ctx, i));
  std::optional<Dim> bins = scalar(ctx, 0), length = scalar(ctx, 1);
  if ((bins && bins->is_const() && bins->value() < 0) || (length && length->is_const() && length->value() < 0)) {
    return ctx.error("num_mel_bins or dft_length is negative");
  }
  Dim rows = length ? floordiv(*length, Dim(2)) + Dim(1) : ctx.fresh();
  ctx.output(0, ctx.attr_dtype("output_datatype"), {rows, bins ? *bins : ctx.fresh()});
  return {};
}

// Triangles over DFT bins whose corners are equally spaced in mel.
Status run_mel(ReferenceContext& ctx) {
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  std::int64_t bins = y.dims[1], length = load_i64(ctx.in(1), 0), rate = load_i64(ctx.in(2), 0);
  auto mel = [](double hertz) { return 2595 * std::log1p(hertz / 700) / std::log(10.0); };
  double low = mel(load_f64(ctx.in(3), 0)), high = mel(load_f64(ctx.in(4), 0));
  double step = (high - low) / static_cast<double>(bins + 2);
  if (rate <= 0) return invalid("mel_weight_matrix: sample_rate is " + std::to_string(rate));
  zero(ctx, y);
  // Corner i as a DFT bin; out of range only when the edges are.
  auto corner = [&](std::int64_t i) -> std::int64_t {
    double hertz = 700 * std::expm1((static_cast<double>(i) * step + low) / 2595 * std::log(10.0));
    double bin = std::floor(static_cast<double>(length + 1) * hertz / static_cast<double>(rate));
    return std::isnan(bin) ? -1 : static_cast<std::int64_t>(std::clamp(bin, -1.0, 1e9));
  };
  for (std::int64_t i : ctx.range(bins)) {
    std::int64_t left = corner(i), centre = corner(i + 1), right = corner(i + 2);
    for (std::int64_t p : {left, centre, right - 1}) {
      if (p < -(p == right - 1) || p >= y.dims[0]) return out_of_range("mel bin", i, p, 0, y.dims[0] - 1);
    }
    auto put = [&](std::int64_t j, double v) { store_f64(y, j * bins + i, v); };
    if (centre == left) put(centre, 1);
    for (std::int64_t j : ctx.range_from(left, centre > left ? centre + 1 : left)) {
      put(j, static_cast<double>(j - left) / static_cast<double>(centre - left));
    }
    for (std::int64_t j : ctx.range_from<std::int64_t>(centre, right)) {
      put(j, static_cast<double>(right - j) / static_cast<double>(right - centre));
    }
  }
  return {};
}

}  // namespace

#define MOTE_WINDOW(name_, run, doc_text) \
  MOTE_DEFINE_OP(name_##_window) = {      \
      .name = #name_ "_window",           \
      .doc = doc_text,                    \
      .inputs = kWindowInputs,            \
      .outputs = kWindowOutputs,          \
      .attrs = kWindowAttrs,              \
      .infer = infer_window,              \
      .shape_operands = 1u << 0,          \
  };                                      \
  MOTE_DEFINE_REFERENCE(name_##_window) = run;

MOTE_WINDOW(blackman, run_blackman, "The Blackman window: 0.42 - 0.5 cos + 0.08 cos of twice the angle.")
MOTE_WINDOW(hamming, run_hamming, "The Hamming window: 25/46 - 21/46 cos.")
MOTE_WINDOW(hann, run_hann, "The Hann window: 0.5 - 0.5 cos.")
#undef MOTE_WINDOW

MOTE_DEFINE_OP(dft) = {.name = "dft",
                       .doc = "The discrete Fourier transform along an axis, zero-padded or cut to dft_length.",
                       .inputs = kDftInputs,
                       .outputs = kDftOutputs,
                       .attrs = kDftAttrs,
                       .infer = infer_dft,
                       .shape_operands = 0b110};
MOTE_DEFINE_REFERENCE(dft) = run_dft;

MOTE_DEFINE_OP(mel_weight_matrix) = {.name = "mel_weight_matrix",
                                     .doc =
                                         "The matrix that takes a spectrum to mel bands: triangles with a "
                                         "peak of 1.",
                                     .inputs = kMelInputs,
                                     .outputs = kMelOutputs,
                                     .attrs = kMelAttrs,
                                     .infer = infer_mel,
                                     .shape_operands = 0b11};
MOTE_DEFINE_REFERENCE(mel_weight_matrix) = run_mel;

MOTE_DEFINE_OP(stft) = {.name = "stft",
                        .doc = "The discrete Fourier transforms of windowed, overlapping frames of a signal.",
                        .inputs = kStftInputs,
                        .outputs = kStftOutputs,
                        .attrs = kStftAttrs,
                        .infer = infer_stft,
                        .shape_operands = 0b1010};
MOTE_DEFINE_REFERENCE(stft) = run_stft;

}  // namespace mote
