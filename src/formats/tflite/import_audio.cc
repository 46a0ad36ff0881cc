// AudioSpectrogram and Mfcc: composed of stft and of products with matrices that their options give.
#include <bit>
#include <cmath>
#include <numbers>

#include "base/text.h"
#include "formats/tflite/compose.h"
#include "formats/tflite/flex.h"

namespace mote::tflite {
namespace {

constexpr std::int64_t kMost = 1 << 22;  // elements of a matrix, samples of a window

double mel(double hertz) { return 1127 * std::log1p(hertz / 700); }

struct MelBands {
  std::int64_t bins, channels;
  double rate, low, high;

  double hertz_per_bin() const { return 0.5 * rate / static_cast<double>(bins - 1); }
  // The first bin is never used.
  std::int64_t begin() const { return static_cast<std::int64_t>(1.5 + low / hertz_per_bin()); }
  std::int64_t end() const { return static_cast<std::int64_t>(high / hertz_per_bin()) + 1; }
  bool valid() const {
    return bins >= 2 && bins <= kMost && channels >= 1 && channels <= kMost && bins * channels <= kMost && rate > 0 &&
           low >= 0 && high > low && high < 1e9;
  }
  // Of bins begin() to end() - 1 by channel: triangles whose corners are equally spaced in mel. A bin between two
  // corners is shared by the channels that have their peaks there.
  std::vector<float> weights() const {
    const double spacing = (mel(high) - mel(low)) / static_cast<double>(channels + 1);
    auto peak = [&](std::int64_t c) { return mel(low) + spacing * static_cast<double>(c + 1); };
    std::vector<float> w(static_cast<std::size_t>((end() - begin()) * channels));
    std::int64_t above = 0;  // the first channel whose peak is not below the bin
    for (std::int64_t i = begin(); i < end(); ++i) {
      const double at = mel(static_cast<double>(i) * hertz_per_bin());
      while (above < channels && peak(above) < at) ++above;
      const double below = above == 0 ? mel(low) : peak(above - 1);
      const double share = (peak(above) - at) / (peak(above) - below);
      float* row = w.data() + (i - begin()) * channels;
      if (above > 0) row[above - 1] = static_cast<float>(share);
      if (above < channels) row[above] = static_cast<float>(1 - share);
    }
    return w;
  }
};

// The orthogonal cosine transform, [channels, count].
std::vector<float> cosines(std::int64_t channels, std::int64_t count) {
  std::vector<float> d;
  const double norm = std::sqrt(2.0 / static_cast<double>(channels));
  for (std::int64_t j = 0; j < channels; ++j) {
    for (std::int64_t i = 0; i < count; ++i) {
      const double angle =
          std::numbers::pi / static_cast<double>(channels) * static_cast<double>(i) * (static_cast<double>(j) + 0.5);
      d.push_back(static_cast<float>(norm * std::cos(angle)));
    }
  }
  return d;
}

}  // namespace

// Samples [length, channels] -> [channels, frames, bins]: Hann windows filled up with zeros to a power of two.
Status import_audio_spectrogram(NodeContext& n) {
  FlexOptions options(n);
  const std::int64_t window = options.get_int("window_size", 0), stride = options.get_int("stride", 0);
  ValueId x = n.in(0);
  if (n.need_rank(x) != 2 && !n.failed()) return invalid("its operand is not [samples, channels]");
  if (n.failed()) return {};
  if (n.dtype(x) != DType::f32) return invalid("its operand is not f32");
  if (window < 2 || window > kMost || stride < 1) return invalid("has a window or a stride out of range");
  const auto length = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(window)));
  const Dim samples = n.shape(x)[0];
  if (samples.is_const() && samples.value() < window) {
    n.output(0, filled(n, n.scalar(0, DType::f32), joined(n, {extent(n, x, 1), n.ints({0, length / 2 + 1})})));
    return {};
  }
  std::vector<float> hann(static_cast<std::size_t>(length));
  for (std::int64_t i = 0; i < window; ++i) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(window);
    hann[static_cast<std::size_t>(i)] = static_cast<float>(0.5 - 0.5 * std::cos(angle));
  }
  x = n.transpose(x, {1, 0});
  if (length != window) x = n.emit("pad", {x, n.ints({0, length - window}), kNone, n.ints({1})});
  ValueId s = n.emit("stft", {unsqueezed(n, x, {-1}), n.scalar_int(stride), n.floats(hann)});
  s = n.emit("reduce_sum", {n.emit("mul", {s, s}), n.ints({-1})}, {{"keepdims", std::int64_t{0}}});
  n.output(0, options.get_int("magnitude_squared", 0) != 0 ? s : n.emit("sqrt", {s}));
  return {};
}

// Squared magnitudes [channels, frames, bins], and their sample rate -> [channels, frames, coefficients].
Status import_mfcc(NodeContext& n) {
  FlexOptions options(n);
  ValueId x = n.in(0);
  if (n.need_rank(x) != 3 && !n.failed()) return invalid("its operand is not [channels, frames, bins]");
  const std::vector<std::int64_t> rate = n.need_ints(1, "a sample rate");
  if (n.failed()) return {};
  if (n.dtype(x) != DType::f32 || rate.size() != 1)
    return invalid("its operands are not a spectrogram and a sample rate");
  if (!n.shape(x)[2].is_const()) {
    n.unsupported("Mfcc over bins whose number a run decides");
    return {};
  }
  auto whole = [&](std::string_view name) { return std::trunc(options.get_float(name, 0)); };
  const std::int64_t count = options.get_int("dct_coefficient_count", 0);
  const MelBands bands{n.shape(x)[2].value(), options.get_int("filterbank_channel_count", 0),
                       static_cast<double>(rate[0]), whole("lower_frequency_limit"), whole("upper_frequency_limit")};
  if (!bands.valid() || count < 1 || count > bands.channels || bands.channels * count > kMost)
    return invalid("has options out of range");
  if (bands.end() > bands.bins) {  // the spectrogram does not reach as far: nothing is computed
    n.output(0, filled(n, n.scalar(0, DType::f32), joined(n, {extents(n, x, 0, 2), n.ints({count})})));
    return {};
  }
  ValueId energies;
  if (bands.begin() >= bands.end()) {
    energies = filled(n, n.scalar(0, DType::f32), joined(n, {extents(n, x, 0, 2), n.ints({bands.channels})}));
  } else {
    ValueId w = n.reshape(n.floats(bands.weights()), {bands.end() - bands.begin(), bands.channels});
    energies = n.emit("matmul", {n.emit("sqrt", {sliced(n, x, {bands.begin()}, {bands.end()}, {-1})}), w});
  }
  ValueId logs = n.emit("log", {n.emit("max", {energies, n.scalar(1e-12, DType::f32)})});
  n.output(0, n.emit("matmul", {logs, n.reshape(n.floats(cosines(bands.channels, count)), {bands.channels, count})}));
  return {};
}

}  // namespace mote::tflite
