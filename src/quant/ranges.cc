#include "quant/ranges.h"

#include <algorithm>
#include <cmath>

#include "quant/run.h"

namespace mote::quant {

void Histogram::grow(float magnitude) {
  if (bins_.empty()) {
    bins_.assign(kBins, 0);
    limit_ = std::exp2(std::ceil(std::log2(std::max(magnitude, 1e-20f))));
    if (limit_ < magnitude) limit_ *= 2;
    return;
  }
  while (limit_ < magnitude) {
    std::vector<std::int64_t> merged(kBins, 0);
    for (int i = 0; i < kBins; ++i)
      merged[static_cast<std::size_t>(kBins / 4 + i / 2)] += bins_[static_cast<std::size_t>(i)];
    bins_ = std::move(merged);
    limit_ *= 2;
  }
}

void Histogram::add(const TensorView& v) {
  if (v.dtype != DType::f32 || !v.data) return;
  for_rows(v, [&](const float* x, std::int64_t n, std::int64_t stride, std::int64_t) { add(x, n, stride); });
}

void Histogram::add(const float* values, std::int64_t count, std::int64_t stride) {
  float low = 0, high = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    float x = values[i * stride];
    if (!(std::abs(x) <= 3.0e38f)) continue;  // also NaN
    low = std::min(low, x);
    high = std::max(high, x);
  }
  low_ = std::min(low_, low);
  high_ = std::max(high_, high);
  float most = std::max(-low, high);
  if (bins_.empty() || most > limit_) grow(most);
  const float per = kBins / (2 * limit_);
  for (std::int64_t i = 0; i < count; ++i) {
    float x = values[i * stride];
    if (!(std::abs(x) <= 3.0e38f)) continue;
    ++count_;
    if (x == 0) {
      ++zeros_;
      continue;
    }
    int bin = static_cast<int>((x + limit_) * per);
    ++bins_[static_cast<std::size_t>(std::clamp(bin, 0, kBins - 1))];
  }
}

void Histogram::merge(const Histogram& other) {
  if (other.empty()) return;
  Histogram o = other;
  grow(o.limit_);
  o.grow(limit_);
  for (std::size_t i = 0; i < bins_.size(); ++i) bins_[i] += o.bins_[i];
  low_ = std::min(low_, o.low_);
  high_ = std::max(high_, o.high_);
  count_ += o.count_;
  zeros_ += o.zeros_;
}

Range Histogram::percentile(double percent) const {
  if (empty()) return {};
  double outside = static_cast<double>(count_) * (100 - percent) / 200;
  // Zeros lie between the bins of either side.
  auto edge = [&](bool upper) {
    double seen = 0;
    for (int i = 0; i < kBins; ++i) {
      int bin = upper ? kBins - 1 - i : i;
      if (i == kBins / 2) seen += static_cast<double>(zeros_);
      seen += static_cast<double>(bins_[static_cast<std::size_t>(bin)]);
      if (seen > outside) return centre(bin) + (upper ? 0.5f : -0.5f) * width();
    }
    return 0.0f;
  };
  return {std::clamp(edge(false), low_, 0.0f), std::clamp(edge(true), 0.0f, high_)};
}

Range Histogram::least_square(int levels) const {
  if (empty()) return {};
  auto error = [&](Range r) {
    double step = static_cast<double>(r.high - r.low) / (levels - 1), sum = 0;
    if (!(step > 0)) return HUGE_VAL;
    for (int i = 0; i < kBins; ++i) {
      std::int64_t n = bins_[static_cast<std::size_t>(i)];
      if (n == 0) continue;
      double x = static_cast<double>(centre(i));
      double beyond = std::max({0.0, x - static_cast<double>(r.high), static_cast<double>(r.low) - x});
      sum += static_cast<double>(n) * (beyond > 0 ? beyond * beyond : step * step / 12);
    }
    return sum;
  };
  Range best = min_max();
  double least = error(best);
  for (int round = 0; round < 2; ++round) {
    for (bool upper : {true, false}) {
      Range from = best;
      for (int k = 1; k <= 70; ++k) {
        Range r = from;
        (upper ? r.high : r.low) *= 1 - 0.01f * static_cast<float>(k);
        if (double e = error(r); e < least) {
          least = e;
          best = r;
        }
      }
    }
  }
  return best;
}

namespace {

// Divergence of the bins [first, last) with what lies beyond added at the ends, from the same in `levels` levels.
double divergence(const std::vector<std::int64_t>& bins, int first, int last, int levels) {
  std::vector<double> p(bins.begin() + first, bins.begin() + last);
  double total = 0, inside = 0;
  for (std::int64_t n : bins) total += static_cast<double>(n);
  for (double n : p) inside += n;
  if (inside <= 0) return HUGE_VAL;
  std::vector<double> q(p.size(), 0);
  int n = static_cast<int>(p.size());
  for (int level = 0; level < levels; ++level) {
    int from = static_cast<int>(static_cast<std::int64_t>(level) * n / levels);
    int to = static_cast<int>(static_cast<std::int64_t>(level + 1) * n / levels);
    double sum = 0;
    int used = 0;
    for (int i = from; i < to; ++i) {
      sum += p[static_cast<std::size_t>(i)];
      used += p[static_cast<std::size_t>(i)] > 0;
    }
    for (int i = from; i < to; ++i) {
      if (p[static_cast<std::size_t>(i)] > 0) q[static_cast<std::size_t>(i)] = sum / used;
    }
  }
  double below = 0, above = 0;
  for (int i = 0; i < first; ++i) below += static_cast<double>(bins[static_cast<std::size_t>(i)]);
  for (int i = last; i < static_cast<int>(bins.size()); ++i)
    above += static_cast<double>(bins[static_cast<std::size_t>(i)]);
  p.front() += below;
  p.back() += above;
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (p[i] <= 0) continue;
    double a = p[i] / total, b = std::max(q[i] / inside, 1e-9);
    sum += a * std::log(a / b);
  }
  return sum;
}

}  // namespace

Range Histogram::least_divergence(int levels) const {
  if (empty()) return {};
  Range whole = min_max(), best = whole;
  double least = HUGE_VAL;
  for (int k = 0; k < 64; ++k) {
    float share = 1 - static_cast<float>(k) / 80;
    Range r{whole.low * share, whole.high * share};
    int first = std::clamp(static_cast<int>(std::floor((r.low + limit_) / width())), 0, kBins - 1);
    int last = std::clamp(static_cast<int>(std::ceil((r.high + limit_) / width())), first + 1, kBins);
    if (last - first < levels / 2) break;
    if (double d = divergence(bins_, first, last, std::min(levels, last - first)); d < least) {
      least = d;
      best = r;
    }
  }
  return best;
}

Range range_of(const Histogram& h, Calibration method, double percentile, int levels) {
  switch (method) {
    case Calibration::kPercentile:
      return h.percentile(percentile);
    case Calibration::kEntropy:
      return h.least_divergence(levels);
    case Calibration::kMse:
      return h.least_square(levels);
    case Calibration::kMinMax:
      break;
  }
  return h.min_max();
}

std::pair<std::int32_t, std::int32_t> limits_of(DType dtype) {
  if (dtype == DType::u8) return {0, 255};
  if (dtype == DType::i8) return {-128, 127};
  return {-32768, 32767};
}

Scale scale_of(Range range, DType dtype, bool symmetric) {
  const auto [least, most] = limits_of(dtype);
  float low = std::min(range.low, 0.0f), high = std::max(range.high, 0.0f);
  Scale s;
  if (!(high - low > 1e-30f)) return {1.0f, least + (symmetric ? (most - least + 1) / 2 : 0)};
  if (symmetric) {
    s.zero = least + (most - least + 1) / 2;
    s.scale = std::max(high, -low) / static_cast<float>(most - s.zero);
    return s;
  }
  s.scale = (high - low) / static_cast<float>(most - least);
  s.zero = static_cast<std::int32_t>(std::nearbyint(static_cast<float>(least) - low / s.scale));
  s.zero = std::clamp(s.zero, least, most);
  while (low == 0 && high > 0 && s.scale * static_cast<float>(most - s.zero) > high)
    s.scale = std::nextafter(s.scale, 0.0f);
  return s;
}

}  // namespace mote::quant
