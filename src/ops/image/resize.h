// Resize one axis at a time: which input elements an output position reads, with what weights. All in double, as a
// float coordinate would move the nearest neighbour.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ir/op.h"
#include "ops/reference.h"

namespace mote {

struct ResizeAxis {
  std::int64_t in = 0, out = 0;
  double scale = 1;           // as given; out / in where sizes were
  bool by_size = false;       // the scale is out / in: coordinates are exact fractions
  double begin = 0, end = 1;  // the region of interest, tf_crop_and_resize only
};

// The axes of x under operands roi, scales and sizes; absent ones are empty, exactly one of scales and sizes is not.
Result<std::vector<ResizeAxis>> resize_axes(const Op& op, const Attrs& attrs, std::span<const std::int64_t> x_shape,
                                            std::span<const double> roi, std::span<const double> scales,
                                            std::span<const std::int64_t> sizes);

// What the attributes say of every axis. Plain data: part of the params of plan steps.
struct ResizeRule {
  enum Mode : std::int32_t { kNearest, kLinear, kCubic };
  enum Nearest : std::int32_t { kPreferFloor, kPreferCeil, kFloor, kCeil };
  enum Coordinates : std::int32_t { kHalfPixel, kSymmetric, kPytorch, kAlignCorners, kAsymmetric, kCrop, kTfNearest };
  std::int32_t mode = kNearest, nearest = kPreferFloor, coordinates = kHalfPixel;
  std::int32_t antialias = 0, exclude_outside = 0, reserved = 0;
  double cubic_a = -0.75;
};
ResizeRule resize_rule(const Op& op, const Attrs& attrs);

struct ResizeTaps {
  std::int64_t width = 1;           // taps of every output position
  std::vector<std::int64_t> index;  // [out, width], inside the axis
  std::vector<double> weight;       // [out, width]
  std::vector<bool> outside;        // [out]: gets extrapolation_value; empty: none does
  bool identity = false;            // the axis stays as it is
};

inline constexpr double kMostResizeTaps = 1 << 26;  // of all axes together

// How many a table for the axis holds at most; infinite or NaN for a scale that is no scale.
double resize_tap_count(const ResizeRule& rule, const ResizeAxis& axis);
// In a reference with its context: a table that ends early where the run shall stop.
ResizeTaps resize_taps(const ResizeRule& rule, const ResizeAxis& axis, ReferenceContext* ctx = nullptr);

}  // namespace mote
