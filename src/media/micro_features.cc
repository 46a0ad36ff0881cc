#include "media/micro_features.h"

#include "base/front_end.h"

namespace mote::media {
namespace {

using namespace front_end;

constexpr double kPi = std::numbers::pi;

std::vector<std::int16_t> window_of_length(int length) {
  std::vector<std::int16_t> w;
  for (int i = 0; i < length; ++i) {
    const double v = 0.5 - 0.5 * std::cos(2 * kPi * (i + 0.5) / length);
    w.push_back(static_cast<std::int16_t>(std::floor(v * (1 << MicroTables::kWindowBits) + 0.5)));
  }
  return w;
}

double mel(double hertz) { return 1127 * std::log1p(hertz / 700); }

// The gain for a noise estimate x: 2^21 (x / 2^7 + 80)^-0.95, in pieces that gain_of reads.
std::vector<std::int16_t> gain_table() {
  auto gain = [](std::uint32_t x) {
    const double input = static_cast<double>(x) / (1 << (MicroTables::kSmoothingBits - MicroTables::kCorrectionBits));
    return static_cast<std::int32_t>(
        std::min((1 << MicroTables::kGainBits) * std::pow(input + 80, -0.95) + 0.5, 32767.0));
  };
  std::vector<std::int16_t> table = {static_cast<std::int16_t>(gain(0)), static_cast<std::int16_t>(gain(1))};
  for (int k = 2; k <= 32; ++k) {
    const std::uint32_t from = std::uint32_t{1} << (k - 1), middle = from + from / 2, to = from + (from - (k == 32));
    const std::int32_t first = gain(from), half = gain(middle) - first, whole = gain(to) - first;
    const std::int32_t linear = 4 * half - whole;
    for (std::int32_t v : {first, linear, whole - linear, 0}) table.push_back(static_cast<std::int16_t>(v));
  }
  return table;
}

class FrontEnd {
 public:
  explicit FrontEnd(const Features& f)
      : tables_(f),
        fft_(f.fft / 2, false),
        frame_(static_cast<std::size_t>(f.fft)),
        spectrum_(static_cast<std::size_t>(f.bins())),
        work_(spectrum_.size()),
        noise_(static_cast<std::size_t>(f.bands)),
        sums_(noise_.size()) {}

  // The next frame's features into out[0], out[stride], ...
  void run(std::span<const float> samples, float* out, std::size_t stride) {
    const std::int32_t bits = load(samples);
    fft_.forward(frame_.data(), spectrum_.data(), work_.data());
    sum();
    for (std::size_t c = 0; c < noise_.size(); ++c) {
      const Cleaned v = subtract_noise(rounded_root(sums_[c]) >> bits, noise_[c], MicroTables::kSmoothing[c % 2]);
      noise_[c] = v.estimate;
      const auto gain = static_cast<std::uint32_t>(std::int32_t{gain_of(v.estimate, tables_.gains.data())});
      const auto snr = static_cast<std::uint32_t>((std::uint64_t{v.signal} * gain) >> MicroTables::kSnrShift);
      const std::uint32_t x = shrunk(snr) << MicroTables::kCorrectionBits;
      const std::uint32_t log = x > 1 ? std::min(fixed_log(x, MicroTables::kLogScale), 32767u) : 0u;
      out[c * stride] = static_cast<float>(log) * (10.0f / 256);
    }
  }

 private:
  using Transform = Fft<std::int16_t, std::int32_t>;

  // Windowed, and shifted up as far as 16 bits allow; by how many.
  std::int32_t load(std::span<const float> samples) {
    std::int32_t most = 0;
    for (std::size_t i = 0; i < tables_.window.size(); ++i) {
      const bool known = i < samples.size() && !std::isnan(samples[i]);
      const float s = known ? std::clamp(samples[i] * 32768.0f, -32768.0f, 32767.0f) : 0.0f;
      const std::int32_t v =
          (static_cast<std::int32_t>(std::nearbyint(s)) * tables_.window[i]) >> MicroTables::kWindowBits;
      frame_[i] = static_cast<std::int16_t>(std::clamp(v, -32768, 32767));
      most = std::max(most, std::min(std::abs(v), 32767));
    }
    const std::int32_t bits = headroom(most);
    for (std::size_t i = 0; i < frame_.size(); ++i)
      frame_[i] = i < tables_.window.size() ? static_cast<std::int16_t>(frame_[i] * (1 << bits)) : std::int16_t{0};
    return bits;
  }

  // Channel c's energy into sums_[c].
  void sum() {
    std::uint64_t passed = 0;
    for (std::size_t c = 0; c <= sums_.size(); ++c) {
      std::uint64_t sum = passed;
      passed = 0;
      for (std::size_t i = 0; i < static_cast<std::size_t>(tables_.widths[c]); ++i) {
        const Transform::Complex v = spectrum_[static_cast<std::size_t>(tables_.bins[c]) + i];
        const std::int32_t r = v.r, im = v.i;
        const std::uint64_t energy = static_cast<std::uint32_t>(r * r) + static_cast<std::uint32_t>(im * im);
        const std::size_t at = static_cast<std::size_t>(tables_.starts[c]) + i;
        sum += static_cast<std::uint64_t>(tables_.weights[at]) * energy;
        passed += static_cast<std::uint64_t>(tables_.rests[at]) * energy;
      }
      if (c > 0) sums_[c - 1] = sum;
    }
  }

  MicroTables tables_;
  Transform fft_;
  std::vector<std::int16_t> frame_;
  std::vector<Transform::Complex> spectrum_, work_;
  std::vector<std::uint32_t> noise_;
  std::vector<std::uint64_t> sums_;
};

}  // namespace

MicroTables::MicroTables(const Features& f) : window(window_of_length(f.frame)), gains(gain_table()) {
  const double width = static_cast<double>(f.rate) / f.fft, low = mel(f.fmin),
               step = (mel(f.fmax) - low) / (f.bands + 1);
  const auto filters = static_cast<std::size_t>(f.bands) + 1;
  widths.assign(filters, 0);
  begin = end = static_cast<std::int64_t>(1.5 + f.fmin / width);
  // Of every bin a share goes to the filter whose peak is next above it, the rest to the one above that.
  for (std::size_t c = 0; end < f.bins(); ++end) {
    const double at = mel(static_cast<double>(end) * width);
    while (c < filters && at > low + step * static_cast<double>(c + 1)) ++c;
    if (c == filters) break;
    const double share = (low + step * static_cast<double>(c + 1) - at) / step;
    constexpr double kOne = 1 << kWeightBits;
    weights.push_back(static_cast<std::int16_t>(share * kOne));
    rests.push_back(static_cast<std::int16_t>((1 - share) * kOne));
    ++widths[c];
  }
  std::int64_t start = 0;
  for (std::int32_t w : widths) {
    bins.push_back(static_cast<std::int32_t>(begin + start));
    starts.push_back(static_cast<std::int32_t>(start));
    start += w;
  }
}

std::vector<float> micro_features(std::span<const float> samples, const Features& f, std::int64_t frames) {
  const auto count = static_cast<std::size_t>(frames);
  std::vector<float> out(static_cast<std::size_t>(f.bands) * count);
  FrontEnd front_end(f);
  for (std::size_t t = 0; t < count; ++t) {
    const std::size_t start = std::min(t * static_cast<std::size_t>(f.hop), samples.size());
    front_end.run(samples.subspan(start), out.data() + t, count);
  }
  return out;
}

std::int64_t micro_step(float feature) {
  const auto raw = static_cast<std::int64_t>(std::nearbyint(feature * 25.6f));
  return std::min<std::int64_t>((raw * 256 + 333) / 666, 255);
}

}  // namespace mote::media
