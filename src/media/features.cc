#include "media/features.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>

#include "base/text.h"
#include "media/micro_features.h"

namespace mote::media {
namespace {

constexpr double kPi = std::numbers::pi;
using Complex = std::complex<double>;

double hz_to_mel(double f, bool htk) {
  if (htk) return 2595.0 * std::log10(1.0 + f / 700.0);
  return f < 1000.0 ? f * 3.0 / 200.0 : 15.0 + std::log(f / 1000.0) / (std::log(6.4) / 27.0);
}

double mel_to_hz(double m, bool htk) {
  if (htk) return 700.0 * (std::pow(10.0, m / 2595.0) - 1.0);
  return m < 15.0 ? m * 200.0 / 3.0 : 1000.0 * std::exp((std::log(6.4) / 27.0) * (m - 15.0));
}

// The discrete Fourier transform of one length: radix 2, or by convolution with a chirp (Bluestein).
class Fourier {
 public:
  explicit Fourier(std::size_t n) : n_(n), size_(1) {
    while (size_ < (is_power(n) ? n : 2 * n - 1)) size_ *= 2;
    for (std::size_t i = 0; i < size_ / 2; ++i) {
      twiddles_.push_back(std::polar(1.0, -2 * kPi * static_cast<double>(i) / static_cast<double>(size_)));
    }
    if (size_ == n) return;
    for (std::size_t i = 0; i < n; ++i) {
      const auto square = static_cast<double>(static_cast<std::uint64_t>(i) * i % (2 * n));
      chirp_.push_back(std::polar(1.0, -kPi * square / static_cast<double>(n)));
    }
    kernel_.assign(size_, 0);
    for (std::size_t i = 0; i < n; ++i) kernel_[i] = kernel_[(size_ - i) % size_] = std::conj(chirp_[i]);
    radix2(kernel_);
  }

  // In place; x has n elements.
  void run(std::vector<Complex>& x) {
    if (chirp_.empty()) return radix2(x);
    work_.assign(size_, 0);
    for (std::size_t i = 0; i < n_; ++i) work_[i] = x[i] * chirp_[i];
    radix2(work_);
    for (std::size_t i = 0; i < size_; ++i) work_[i] = std::conj(work_[i] * kernel_[i]);
    radix2(work_);
    for (std::size_t i = 0; i < n_; ++i) x[i] = std::conj(work_[i]) / static_cast<double>(size_) * chirp_[i];
  }

 private:
  static bool is_power(std::size_t n) { return (n & (n - 1)) == 0; }
  void radix2(std::vector<Complex>& x) const {
    const std::size_t n = size_;
    for (std::size_t i = 1, j = 0; i < n; ++i) {
      std::size_t bit = n >> 1;
      for (; j & bit; bit >>= 1) j ^= bit;
      j ^= bit;
      if (i < j) std::swap(x[i], x[j]);
    }
    for (std::size_t length = 2; length <= n; length *= 2) {
      const std::size_t half = length / 2, step = n / length;
      for (std::size_t i = 0; i < n; i += length) {
        for (std::size_t k = 0; k < half; ++k) {
          const Complex a = x[i + k], b = x[i + k + half], w = twiddles_[k * step];
          const Complex t(b.real() * w.real() - b.imag() * w.imag(), b.real() * w.imag() + b.imag() * w.real());
          x[i + k] = a + t;
          x[i + k + half] = a - t;
        }
      }
    }
  }

  std::size_t n_, size_;
  std::vector<Complex> twiddles_, chirp_, kernel_, work_;
};

// Sample `i` of the padded signal.
double sample_at(std::span<const float> samples, std::int64_t i, FramePad pad) {
  const auto n = static_cast<std::int64_t>(samples.size());
  if (pad == FramePad::kReflect && n > 1) {
    i = std::abs(i) % (2 * (n - 1));
    if (i >= n) i = 2 * (n - 1) - i;
  }
  return i >= 0 && i < n ? static_cast<double>(samples[static_cast<std::size_t>(i)]) : 0.0;
}

// The power of every bin, [bins, frames].
std::vector<double> spectrogram(std::span<const float> samples, const Features& f, std::int64_t frames) {
  const auto fft = static_cast<std::size_t>(f.fft), bins = static_cast<std::size_t>(f.bins());
  const auto count = static_cast<std::size_t>(frames);
  const std::vector<double> window = window_of(f);
  std::vector<double> out(bins * count);
  Fourier fourier(fft);
  std::vector<Complex> x(fft);
  const std::int64_t before = f.pad == FramePad::kNone ? 0 : f.fft / 2;
  for (std::size_t t = 0; t < count; ++t) {
    const std::int64_t start = static_cast<std::int64_t>(t) * f.hop - before;
    for (std::size_t i = 0; i < fft; ++i) {
      x[i] = window[i] * sample_at(samples, start + static_cast<std::int64_t>(i), f.pad);
    }
    fourier.run(x);
    for (std::size_t b = 0; b < bins; ++b) {
      const double energy = std::norm(x[b]);
      out[b * count + t] = f.power == 2 ? energy : std::pow(energy, f.power / 2);
    }
  }
  return out;
}

// [rows, inner] x [inner, columns]; zeros in the left matrix cost nothing.
std::vector<double> product(std::span<const double> a, std::span<const double> b, std::size_t rows,
                            std::size_t columns) {
  const std::size_t inner = a.size() / std::max<std::size_t>(rows, 1);
  std::vector<double> out(rows * columns);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t k = 0; k < inner; ++k) {
      const double w = a[r * inner + k];
      if (w == 0) continue;
      for (std::size_t c = 0; c < columns; ++c) out[r * columns + c] += w * b[k * columns + c];
    }
  }
  return out;
}

void take_log(std::vector<double>& values, const Features& f) {
  if (f.log == LogKind::kNatural) {
    for (double& v : values) v = std::log(v + f.offset);
    return;
  }
  double top = -HUGE_VAL;
  for (double& v : values) {
    v = 10.0 * std::log10(std::max(1e-10, v));
    top = std::max(top, v);
  }
  if (f.top_db > 0) {
    for (double& v : values) v = std::max(v, top - f.top_db);
  }
}

}  // namespace

std::int64_t Features::height() const {
  return kind == FeatureKind::kMfcc ? mfcc : kind == FeatureKind::kSpectrogram ? bins() : bands;
}

std::int64_t Features::frames(std::int64_t samples) const {
  const std::int64_t length = samples + (pad == FramePad::kNone ? 0 : fft / 2 * 2);
  return length < span() ? 0 : 1 + (length - span()) / hop;
}

std::int64_t Features::least_samples(std::int64_t count) const {
  return std::max<std::int64_t>(1, (count - 1) * hop + span() - (pad == FramePad::kNone ? 0 : fft / 2 * 2));
}

std::int64_t Features::most_samples(std::int64_t count) const { return least_samples(count) + hop - 1; }

std::vector<double> window_of(const Features& f) {
  std::vector<double> w(static_cast<std::size_t>(f.fft), 0.0);
  const int first = (f.fft - f.frame) / 2;
  for (int i = 0; i < f.frame; ++i) {
    const double c = std::cos(2 * kPi * i / f.frame);
    w[static_cast<std::size_t>(first + i)] = f.window == WindowKind::kHann      ? 0.5 - 0.5 * c
                                             : f.window == WindowKind::kHamming ? 0.54 - 0.46 * c
                                                                                : 1.0;
  }
  return w;
}

std::vector<double> mel_weights(const Features& f) {
  const auto bins = static_cast<std::size_t>(f.bins()), bands = static_cast<std::size_t>(f.bands);
  const double low = hz_to_mel(f.fmin, f.htk), high = hz_to_mel(f.fmax, f.htk);
  std::vector<double> edges, out(bands * bins);
  for (std::size_t i = 0; i < bands + 2; ++i) {
    edges.push_back(mel_to_hz(low + (high - low) * static_cast<double>(i) / static_cast<double>(bands + 1), f.htk));
  }
  for (std::size_t m = 0; m < bands; ++m) {
    for (std::size_t b = 0; b < bins; ++b) {
      const double hz = static_cast<double>(b) * f.rate / f.fft;
      const double up = (hz - edges[m]) / (edges[m + 1] - edges[m]);
      const double down = (edges[m + 2] - hz) / (edges[m + 2] - edges[m + 1]);
      const double w = std::max(0.0, std::min(up, down));
      out[m * bins + b] = f.norm ? w * 2.0 / (edges[m + 2] - edges[m]) : w;
    }
  }
  return out;
}

std::vector<double> dct_weights(int out, int bands) {
  std::vector<double> w;
  for (int k = 0; k < out; ++k) {
    const double scale = std::sqrt((k == 0 ? 1.0 : 2.0) / bands);
    for (int n = 0; n < bands; ++n) w.push_back(scale * std::cos(kPi * k * (2 * n + 1) / (2.0 * bands)));
  }
  return w;
}

Result<std::vector<float>> compute_features(std::span<const float> samples, const Features& f, const Limits& limits) {
  if (f.kind == FeatureKind::kSamples) return internal_error("samples are no spectral feature");
  const std::int64_t frames = f.frames(static_cast<std::int64_t>(samples.size()));
  if (frames < 1) {
    return invalid(concat(samples.size(), " samples are less than one frame of ", f.span()))
        .hint(f.kind == FeatureKind::kMicro ? "a longer file, or a shorter --frame"
                                            : "--pad zeros, or a shorter --frame");
  }
  MOTE_TRY(check_allocation(frames * (2 * f.bins() + 3 * f.height()) * 8, limits, concat(frames, " frames")));
  if (f.kind == FeatureKind::kMicro) return micro_features(samples, f, frames);
  const auto count = static_cast<std::size_t>(frames);
  std::vector<double> values = spectrogram(samples, f, frames);
  if (f.kind != FeatureKind::kSpectrogram) {
    values = product(mel_weights(f), values, static_cast<std::size_t>(f.bands), count);
  }
  if (f.kind == FeatureKind::kLogMel || f.kind == FeatureKind::kMfcc) take_log(values, f);
  if (f.kind == FeatureKind::kMfcc) {
    values = product(dct_weights(f.mfcc, f.bands), values, static_cast<std::size_t>(f.mfcc), count);
  }
  if (f.mean != 0 || f.std != 1) {
    for (double& v : values) v = (v - f.mean) / f.std;
  }
  return std::vector<float>(values.begin(), values.end());
}

}  // namespace mote::media
