// The audio front end of TensorFlow Lite Micro, exact to the bit: windows, Fourier transforms in 16-bit fixed point,
// filter banks, noise reduction and gain control. Integers wrap where the fixed-point recipes do.
#include <algorithm>
#include <bit>

#include "base/front_end.h"
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

using namespace front_end;

Status check_exactly(const InferContext& ctx, int i, std::initializer_list<DType> types) {
  DType t = ctx.has(i) ? ctx.dtype(i) : DType::none;
  if (t == DType::none || std::find(types.begin(), types.end(), t) != types.end()) return {};
  return ctx.error("input " + std::to_string(i) + " is " + std::string(name_of(t)));
}

// x with its last extent replaced.
void output_last(InferContext& ctx, int i, DType dtype, std::int64_t extent) {
  if (!ctx.has_rank(0)) return ctx.output(i, Type::tensor(dtype));
  Shape s = ctx.shape(0);
  if (!s.empty()) s.back() = extent;
  ctx.output(i, dtype, std::move(s));
}

std::int64_t last_extent(const TensorView& v) { return v.rank == 0 ? 1 : v.dims[v.rank - 1]; }

// ---- signal_window: x * window >> shift, saturated.

constexpr Slot kWindowInputs[] = {{"x", "i16, frames along the last axis"}, {"window", "i16, one weight per element"}};
constexpr Slot kWindowOutputs[] = {{"y", "as x"}};
constexpr AttrSpec kWindowAttrs[] = {{"shift", AttrKind::kInt, "0", "bits that the products lose, rounded down"}};

Status infer_window(InferContext& ctx) {
  for (int i : {0, 1}) MOTE_TRY(check_exactly(ctx, i, {DType::i16}));
  if (ctx.attr_int("shift") < 0 || ctx.attr_int("shift") > 31) return ctx.error("shift: is outside of 0 to 31");
  if (ctx.has_rank(0) && ctx.has_rank(1) && (ctx.rank(0) < 1 || ctx.rank(1) != 1))
    return ctx.error("wants frames and one window");
  ctx.output(0, ctx.type(0));
  return {};
}

Status run_window(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &w = ctx.in(1);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  std::int64_t shift = ctx.attr_int("shift"), n = w.count();
  if (last_extent(x) != n && x.count() > 0) return invalid("the window is of another length than the frames");
  for (std::int64_t i : ctx.range(x.count())) {
    std::int32_t v = (std::int32_t{x.as<std::int16_t>()[i]} * w.as<std::int16_t>()[i % n]) >> shift;
    y.as<std::int16_t>()[i] = static_cast<std::int16_t>(std::clamp(v, -32768, 32767));
  }
  return {};
}

// ---- signal_fft_auto_scale

constexpr Slot kScaleInputs[] = {{"x", "i16"}};
constexpr Slot kScaleOutputs[] = {{"y", "x times 2^bits, the largest power without overflow"}, {"bits", "i32 scalar"}};

Status infer_scale(InferContext& ctx) {
  MOTE_TRY(check_exactly(ctx, 0, {DType::i16}));
  ctx.output(0, ctx.type(0));
  if (ctx.outputs() > 1) ctx.output(1, DType::i32, {});
  return {};
}

Status run_scale(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(std::vector<TensorView> outs, infer_outs(ctx));
  std::int32_t most = 0;
  // The magnitude of -32768 does not fit 16 bits and counts as the number before it.
  for (std::int64_t i : ctx.range(x.count()))
    most = std::max(most, std::min(std::abs(std::int32_t{x.as<std::int16_t>()[i]}), 32767));
  const std::int32_t bits = headroom(most);
  for (std::int64_t i : ctx.range(x.count())) {
    outs[0].as<std::int16_t>()[i] = static_cast<std::int16_t>(x.as<std::int16_t>()[i] * (1 << bits));
  }
  if (outs.size() > 1 && outs[1].data) outs[1].as<std::int32_t>()[0] = bits;
  return {};
}

constexpr Slot kRfftInputs[] = {
    {"x", "i16, i32 or f32: frames along the last axis, filled up with zeros to fft_length"}};
constexpr Slot kRfftOutputs[] = {{"y", "fft_length / 2 + 1 pairs of real and imaginary part along the last axis"}};
constexpr Slot kIrfftInputs[] = {{"x", "as signal_rfft gives"}};
constexpr Slot kIrfftOutputs[] = {{"y", "fft_length numbers along the last axis"}};
constexpr AttrSpec kFftAttrs[] = {{"fft_length", AttrKind::kInt, "", "a power of two of at least 4", true}};

Result<std::int64_t> fft_length(const InferContext& ctx) {
  std::int64_t n = ctx.attr_int("fft_length");
  if (n < 4 || n > 1 << 20 || !std::has_single_bit(static_cast<std::uint64_t>(n))) {
    return ctx.error("fft_length: must be a power of two from 4 to 2^20");
  }
  return n;
}

Status infer_rfft(InferContext& ctx) {
  MOTE_TRY(check_exactly(ctx, 0, {DType::i16, DType::i32, DType::f32}));
  MOTE_ASSIGN(std::int64_t n, fft_length(ctx));
  if (ctx.has_rank(0) && ctx.rank(0) < 1) return ctx.error("x has no axis");
  if (ctx.has_rank(0) && ctx.shape(0).back().is_const() && ctx.shape(0).back().value() > n)
    return ctx.error("frames are longer than fft_length");
  output_last(ctx, 0, ctx.dtype(0), n + 2);
  return {};
}

Status infer_irfft(InferContext& ctx) {
  MOTE_TRY(check_exactly(ctx, 0, {DType::i16, DType::i32, DType::f32}));
  MOTE_ASSIGN(std::int64_t n, fft_length(ctx));
  if (ctx.has_rank(0) && (ctx.rank(0) < 1 || (ctx.shape(0).back().is_const() && !ctx.shape(0).back().is(n + 2)))) {
    return ctx.error("x does not have fft_length / 2 + 1 pairs along its last axis");
  }
  output_last(ctx, 0, ctx.dtype(0), n);
  return {};
}

template <class T, class W>
void transform_frames(ReferenceContext& ctx, const TensorView& x, const TensorView& y, std::int64_t n, bool inverse) {
  const auto go_on = [&ctx](std::int64_t work) { return ctx.spend(work); };
  using F = Fft<T, W, std::remove_const_t<decltype(go_on)>>;
  F fft(n / 2, inverse, go_on);
  std::vector<typename F::Complex> work(static_cast<std::size_t>(n / 2 + 1)), pairs(work.size());
  std::vector<T> frame(static_cast<std::size_t>(n));
  std::int64_t in = last_extent(x), out = last_extent(y);
  for (std::int64_t f : ctx.range(in > 0 ? x.count() / in : 0)) {
    const T* from = x.as<T>() + f * in;
    T* to = y.as<T>() + f * out;
    if (!inverse) {
      std::fill(std::copy_n(from, std::min(in, n), frame.begin()), frame.end(), T{0});
      fft.forward(frame.data(), pairs.data(), work.data());
      for (std::size_t k : ctx.range(pairs.size())) {
        to[2 * k] = pairs[k].r;
        to[2 * k + 1] = pairs[k].i;
      }
      continue;
    }
    for (std::size_t k : ctx.range(pairs.size())) pairs[k] = {from[2 * k], from[2 * k + 1]};
    fft.backward(pairs.data(), frame.data(), work.data());
    for (std::int64_t k : ctx.range(n)) {
      T v = frame[static_cast<std::size_t>(k)];
      to[k] = F::kFloat ? static_cast<T>(v / static_cast<T>(n)) : v;
    }
  }
}

Status run_fft(ReferenceContext& ctx, bool inverse) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  std::int64_t n = ctx.attr_int("fft_length");
  if (x.dtype == DType::i16) transform_frames<std::int16_t, std::int32_t>(ctx, x, y, n, inverse);
  if (x.dtype == DType::i32) transform_frames<std::int32_t, std::int64_t>(ctx, x, y, n, inverse);
  if (x.dtype == DType::f32) transform_frames<float, float>(ctx, x, y, n, inverse);
  return {};
}
Status run_rfft(ReferenceContext& ctx) { return run_fft(ctx, false); }
Status run_irfft(ReferenceContext& ctx) { return run_fft(ctx, true); }

// ---- signal_energy

constexpr Slot kEnergyInputs[] = {{"x", "i16: pairs of real and imaginary part along the last axis"}};
constexpr Slot kEnergyOutputs[] = {{"y", "u32: the square of each magnitude; 0 outside of start_index to end_index"}};
constexpr AttrSpec kEnergyAttrs[] = {{"end_index", AttrKind::kInt, "", "behind the last one that is computed", true},
                                     {"start_index", AttrKind::kInt, "0", "the first one"}};

Status infer_energy(InferContext& ctx) {
  MOTE_TRY(check_exactly(ctx, 0, {DType::i16}));
  if (!ctx.has_rank(0)) return ctx.output(0, Type::tensor(DType::u32)), Status();
  if (ctx.rank(0) < 1) return ctx.error("x has no axis");
  Shape s = ctx.shape(0);
  s.back() = floordiv(s.back(), Dim(2));
  ctx.output(0, DType::u32, std::move(s));
  return {};
}

Status run_energy(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  std::int64_t n = last_extent(y), begin = ctx.attr_int("start_index"), end = ctx.attr_int("end_index");
  for (std::int64_t i : ctx.range(y.count(), 2)) {
    bool counts = i % n >= begin && i % n < end;
    std::int32_t r = x.as<std::int16_t>()[2 * i], im = x.as<std::int16_t>()[2 * i + 1];
    y.as<std::uint32_t>()[i] = counts ? static_cast<std::uint32_t>(r * r) + static_cast<std::uint32_t>(im * im) : 0;
  }
  return {};
}

// ---- signal_filter_bank

constexpr Slot kBankInputs[] = {{"x", "u32: energies"},
                                {"weights", "i16"},
                                {"unweights", "i16: what goes to the next channel"},
                                {"frequency_starts", "i16, num_channels + 1"},
                                {"weight_starts", "i16, num_channels + 1"},
                                {"widths", "i16, num_channels + 1"}};
constexpr Slot kBankOutputs[] = {{"y", "u64, num_channels"}};
constexpr AttrSpec kBankAttrs[] = {{"num_channels", AttrKind::kInt, "", "how many filters there are", true}};

Status infer_bank(InferContext& ctx) {
  MOTE_TRY(check_exactly(ctx, 0, {DType::u32}));
  for (int i = 1; i < 6; ++i) MOTE_TRY(check_exactly(ctx, i, {DType::i16}));
  std::int64_t n = ctx.attr_int("num_channels");
  if (n < 0 || n > 1 << 20) return ctx.error("num_channels: is out of range");
  ctx.output(0, DType::u64, {Dim(n)});
  return {};
}

Status run_bank(ReferenceContext& ctx) {
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  const TensorView& x = ctx.in(0);
  std::int64_t channels = ctx.attr_int("num_channels");
  for (int i : {3, 4, 5}) {
    if (ctx.in(i).count() != channels + 1) return invalid("the filters' tables do not have num_channels + 1 entries");
  }
  std::uint64_t sum = 0, next = 0;
  for (std::int64_t c : ctx.range(channels + 1)) {
    auto entry = [&](int i) { return std::int64_t{ctx.in(i).as<std::int16_t>()[c]}; };
    std::int64_t from = entry(3), weight = entry(4), width = entry(5);
    bool inside = from >= 0 && weight >= 0 &&
                  (width <= 0 || (from + width <= x.count() && weight + width <= ctx.in(1).count() &&
                                  weight + width <= ctx.in(2).count()));
    if (!inside)
      return Status(Code::kOutOfRange, "filter " + std::to_string(c) + " reaches beyond the energies or the weights");
    for (std::int64_t j : ctx.range(width)) {
      std::uint64_t e = x.as<std::uint32_t>()[from + j];
      sum += static_cast<std::uint64_t>(std::int64_t{ctx.in(1).as<std::int16_t>()[weight + j]}) * e;
      next += static_cast<std::uint64_t>(std::int64_t{ctx.in(2).as<std::int16_t>()[weight + j]}) * e;
    }
    if (c > 0) y.as<std::uint64_t>()[c - 1] = sum;
    sum = next;
    next = 0;
  }
  return {};
}

// ---- signal_filter_bank_square_root

constexpr Slot kRootInputs[] = {{"x", "u64"}, {"bits", "i32 scalar: how far the roots are shifted down"}};
constexpr Slot kRootOutputs[] = {{"y", "u32: the roots, rounded to nearest, shifted"}};

Status infer_root(InferContext& ctx) {
  MOTE_TRY(check_exactly(ctx, 0, {DType::u64}));
  MOTE_TRY(check_exactly(ctx, 1, {DType::i32}));
  ctx.output(0, Type::tensor(DType::u32, ctx.type(0).shape));
  return {};
}

Status run_root(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  if (ctx.in(1).count() != 1) return invalid("bits is no scalar");
  std::int32_t bits = ctx.in(1).as<std::int32_t>()[0];
  if (bits < 0 || bits > 31)
    return Status(Code::kOutOfRange, "bits is " + std::to_string(bits) + ", outside of 0 to 31");
  for (std::int64_t i : ctx.range(x.count())) y.as<std::uint32_t>()[i] = rounded_root(x.as<std::uint64_t>()[i]) >> bits;
  return {};
}

// ---- signal_spectral_subtraction

constexpr Slot kNoiseInputs[] = {{"x", "u32: one number per channel"}, {"noise", "u32: the estimate so far"}};
constexpr Slot kNoiseOutputs[] = {{"y", "u32: x without the noise"}, {"estimate", "u32: the estimate with x"}};
constexpr AttrSpec kNoiseAttrs[] = {
    {"alternate_one_minus_smoothing", AttrKind::kInt, "0", "as one_minus_smoothing, for odd channels"},
    {"alternate_smoothing", AttrKind::kInt, "0", "as smoothing, for odd channels"},
    {"clamping", AttrKind::kInt, "0", "1: the estimate is at most the signal"},
    {"min_signal_remaining", AttrKind::kInt, "0", "the least share of x that stays"},
    {"one_minus_smoothing", AttrKind::kInt, "0", "weight of the estimate so far"},
    {"smoothing", AttrKind::kInt, "0", "weight of x"},
    {"smoothing_bits", AttrKind::kInt, "0", "fraction bits of the estimate"},
    {"spectral_subtraction_bits", AttrKind::kInt, "0", "fraction bits of weights and shares"}};

Status infer_noise(InferContext& ctx) {
  for (int i : {0, 1}) MOTE_TRY(check_exactly(ctx, i, {DType::u32}));
  for (const char* bits : {"smoothing_bits", "spectral_subtraction_bits"}) {
    if (ctx.attr_int(bits) < 0 || ctx.attr_int(bits) > 31)
      return ctx.error(std::string(bits) + ": is outside of 0 to 31");
  }
  ctx.output(0, ctx.type(0));
  if (ctx.outputs() > 1) ctx.output(1, ctx.type(0));
  return {};
}

Status run_noise(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &noise = ctx.in(1);
  MOTE_ASSIGN(std::vector<TensorView> outs, infer_outs(ctx));
  if (noise.count() != x.count()) return invalid("the estimate is of another size than x");
  auto number = [&](std::string_view n) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(ctx.attr_int(n)));
  };
  const Smoothing even = {number("smoothing"),
                          number("one_minus_smoothing"),
                          number("min_signal_remaining"),
                          ctx.attr_int("smoothing_bits"),
                          ctx.attr_int("spectral_subtraction_bits"),
                          ctx.attr_int("clamping") != 0};
  Smoothing odd = even;
  odd.share = number("alternate_smoothing");
  odd.rest = number("alternate_one_minus_smoothing");
  for (std::int64_t i : ctx.range(x.count())) {
    const Cleaned c = subtract_noise(x.as<std::uint32_t>()[i], noise.as<std::uint32_t>()[i], i % 2 == 0 ? even : odd);
    outs[0].as<std::uint32_t>()[i] = c.signal;
    if (outs.size() > 1 && outs[1].data) outs[1].as<std::uint32_t>()[i] = c.estimate;
  }
  return {};
}

// ---- signal_pcan: automatic gain control.

constexpr Slot kGainInputs[] = {
    {"x", "u32: one number per channel"},
    {"noise", "u32: the noise estimates"},
    {"gains", "i16: pieces of parabolas, two values and then four numbers per power of two"}};
constexpr Slot kGainOutputs[] = {{"y", "u32: x * gain(noise), compressed, with 6 fraction bits"}};
constexpr AttrSpec kGainAttrs[] = {
    {"snr_shift", AttrKind::kInt, "0", "bits that the products lose to have 12 fraction bits"}};

Status infer_gain(InferContext& ctx) {
  for (int i : {0, 1}) MOTE_TRY(check_exactly(ctx, i, {DType::u32}));
  MOTE_TRY(check_exactly(ctx, 2, {DType::i16}));
  if (ctx.attr_int("snr_shift") < 0 || ctx.attr_int("snr_shift") > 63)
    return ctx.error("snr_shift: is outside of 0 to 63");
  ctx.output(0, ctx.type(0));
  return {};
}

Status run_gain(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &noise = ctx.in(1), &gains = ctx.in(2);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  if (noise.count() != x.count() || gains.count() < 125)
    return invalid("the estimate is of another size than x, or there are fewer than 125 gains");
  std::int64_t shift = ctx.attr_int("snr_shift");
  for (std::int64_t i : ctx.range(x.count())) {
    auto gain =
        static_cast<std::uint32_t>(std::int32_t{gain_of(noise.as<std::uint32_t>()[i], gains.as<std::int16_t>())});
    y.as<std::uint32_t>()[i] =
        shrunk(static_cast<std::uint32_t>((std::uint64_t{x.as<std::uint32_t>()[i]} * gain) >> shift));
  }
  return {};
}

// ---- signal_log

constexpr Slot kLogInputs[] = {{"x", "u32"}};
constexpr Slot kLogOutputs[] = {
    {"y", "i16: output_scale * log(x * 2^input_correction_bits), in fixed point; at most 32767"}};
constexpr AttrSpec kLogAttrs[] = {{"input_correction_bits", AttrKind::kInt, "0", "how far x is shifted up"},
                                  {"output_scale", AttrKind::kInt, "1", "the factor of the logarithm"}};

Status infer_log(InferContext& ctx) {
  MOTE_TRY(check_exactly(ctx, 0, {DType::u32}));
  std::int64_t bits = ctx.attr_int("input_correction_bits");
  if (bits < 0 || bits > 31) return ctx.error("input_correction_bits: is outside of 0 to 31");
  ctx.output(0, Type::tensor(DType::i16, ctx.type(0).shape));
  return {};
}

Status run_log(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  auto scale = static_cast<std::uint32_t>(ctx.attr_int("output_scale"));
  for (std::int64_t i : ctx.range(x.count())) {
    std::uint32_t v = x.as<std::uint32_t>()[i] << ctx.attr_int("input_correction_bits");
    y.as<std::int16_t>()[i] = static_cast<std::int16_t>(v > 1 ? std::min(fixed_log(v, scale), 32767u) : 0u);
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(signal_window) = {.name = "signal_window",
                                 .doc = "Frames weighted by a window, in 16-bit fixed point.",
                                 .inputs = kWindowInputs,
                                 .outputs = kWindowOutputs,
                                 .attrs = kWindowAttrs,
                                 .infer = infer_window};
MOTE_DEFINE_REFERENCE(signal_window) = run_window;
MOTE_DEFINE_OP(signal_fft_auto_scale) = {.name = "signal_fft_auto_scale",
                                         .doc = "x shifted up as far as 16 bits allow.",
                                         .inputs = kScaleInputs,
                                         .outputs = kScaleOutputs,
                                         .infer = infer_scale};
MOTE_DEFINE_REFERENCE(signal_fft_auto_scale) = run_scale;
MOTE_DEFINE_OP(signal_rfft) = {.name = "signal_rfft",
                               .doc = "The Fourier transform of real frames, divided by its length in fixed point.",
                               .inputs = kRfftInputs,
                               .outputs = kRfftOutputs,
                               .attrs = kFftAttrs,
                               .infer = infer_rfft};
MOTE_DEFINE_REFERENCE(signal_rfft) = run_rfft;
MOTE_DEFINE_OP(signal_irfft) = {.name = "signal_irfft",
                                .doc = "The real frames whose transforms x holds.",
                                .inputs = kIrfftInputs,
                                .outputs = kIrfftOutputs,
                                .attrs = kFftAttrs,
                                .infer = infer_irfft};
MOTE_DEFINE_REFERENCE(signal_irfft) = run_irfft;
MOTE_DEFINE_OP(signal_energy) = {.name = "signal_energy",
                                 .doc = "Squares of magnitudes.",
                                 .inputs = kEnergyInputs,
                                 .outputs = kEnergyOutputs,
                                 .attrs = kEnergyAttrs,
                                 .infer = infer_energy};
MOTE_DEFINE_REFERENCE(signal_energy) = run_energy;
MOTE_DEFINE_OP(signal_filter_bank) = {.name = "signal_filter_bank",
                                      .doc = "Energies summed by overlapping triangular filters.",
                                      .inputs = kBankInputs,
                                      .outputs = kBankOutputs,
                                      .attrs = kBankAttrs,
                                      .infer = infer_bank};
MOTE_DEFINE_REFERENCE(signal_filter_bank) = run_bank;
MOTE_DEFINE_OP(signal_square_root) = {.name = "signal_square_root",
                                      .doc = "Integer square roots, shifted.",
                                      .inputs = kRootInputs,
                                      .outputs = kRootOutputs,
                                      .infer = infer_root};
MOTE_DEFINE_REFERENCE(signal_square_root) = run_root;
MOTE_DEFINE_OP(signal_spectral_subtraction) = {.name = "signal_spectral_subtraction",
                                               .doc = "x without a smoothed estimate of its noise.",
                                               .inputs = kNoiseInputs,
                                               .outputs = kNoiseOutputs,
                                               .attrs = kNoiseAttrs,
                                               .infer = infer_noise};
MOTE_DEFINE_REFERENCE(signal_spectral_subtraction) = run_noise;
MOTE_DEFINE_OP(signal_pcan) = {.name = "signal_pcan",
                               .doc = "Per-channel automatic gain control by the noise.",
                               .inputs = kGainInputs,
                               .outputs = kGainOutputs,
                               .attrs = kGainAttrs,
                               .infer = infer_gain};
MOTE_DEFINE_REFERENCE(signal_pcan) = run_gain;
MOTE_DEFINE_OP(signal_log) = {.name = "signal_log",
                              .doc = "Natural logarithms in fixed point.",
                              .inputs = kLogInputs,
                              .outputs = kLogOutputs,
                              .attrs = kLogAttrs,
                              .infer = infer_log};
MOTE_DEFINE_REFERENCE(signal_log) = run_log;

}  // namespace mote
