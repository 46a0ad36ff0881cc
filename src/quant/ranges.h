// Ranges of activations from any number of values, in bounded memory.
//
// A Histogram counts values in 2,048 bins of equal width over [-limit, limit]; where a value lies beyond, the width
// doubles and bins merge in pairs, so that one pass over the data is enough. Zero counts are kept apart from the bins:
// relu makes many of them, and they are exact whatever the scale.
#pragma once

#include <cstdint>
#include <vector>

#include "mote/quantize.h"
#include "mote/tensor.h"

namespace mote::quant {

struct Range {
  float low = 0, high = 0;
};

class Histogram {
 public:
  static constexpr int kBins = 2048;

  // Adds all elements of a view of f32. Values that are not finite are left out.
  void add(const TensorView& v);
  void add(const float* values, std::int64_t count, std::int64_t stride);
  bool empty() const { return count_ == 0; }
  std::int64_t count() const { return count_; }
  // Widened to hold what `other` has seen.
  void merge(const Histogram& other);

  Range min_max() const { return {low_, high_}; }
  // What is left without the outermost (100 - percent) / 2 per cent at either end.
  Range percentile(double percent) const;
  // With the least mean square error of `levels` levels.
  Range least_square(int levels) const;
  // With the least divergence between the values and their form in `levels` levels.
  Range least_divergence(int levels) const;

 private:
  void grow(float magnitude);
  float width() const { return 2 * limit_ / kBins; }
  float centre(int bin) const { return (static_cast<float>(bin) + 0.5f) * width() - limit_; }

  float limit_ = 0, low_ = 0, high_ = 0;
  std::int64_t count_ = 0, zeros_ = 0;
  std::vector<std::int64_t> bins_;
};

Range range_of(const Histogram& h, Calibration method, double percentile, int levels);

// An activation's scale and zero point.
struct Scale {
  float scale = 1;
  std::int32_t zero = 0;
};

// Of a range widened to hold 0. The highest value that the scale gives does not pass `high`, so that a clip to it has
// nothing left to do.
Scale scale_of(Range range, DType dtype, bool symmetric);

// The least and greatest integer of u8, i8, i16.
std::pair<std::int32_t, std::int32_t> limits_of(DType dtype);

}  // namespace mote::quant
