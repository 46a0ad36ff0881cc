// What the normalisations share: moments of runs of elements, in references and in decompositions.
#pragma once

#include <cmath>
#include <span>

#include "ir/builder.h"
#include "ops/infer_util.h"
#include "ops/reference.h"

namespace mote {

inline constexpr AttrSpec kEpsilonAttr = {"epsilon", AttrKind::kFloat, "1e-5", "added to the variance"};
inline constexpr AttrSpec kStashAttr = {"stash_type", AttrKind::kDType, "dtype:f32", "dtype of the statistics"};

struct Moments {
  double mean, variance;  // the variance divides by the count
};
inline Moments moments_of(ReferenceContext& ctx, std::span<const double> v) {
  double n = static_cast<double>(v.size()), sum = 0, square = 0;
  for (std::size_t i : ctx.range(v.size())) sum += v[i];
  double mean = sum / n;
  for (std::size_t i : ctx.range(v.size())) square += (v[i] - mean) * (v[i] - mean);
  return {mean, square / n};
}

// In a decomposition: x cast to `to`, unless it has that dtype.
inline ValueId cast_to(Builder& b, ValueId x, DType to) {
  return b.dtype(x) == to ? x : b.add("cast", {x}, {{"to", to}});
}

// In a decomposition: (x - mean) / sqrt(variance + epsilon) over `axes`, with the mean and 1 / sqrt(...).
struct Standardized {
  ValueId y, mean, inverse;
};
inline Standardized standardize(Builder& b, ValueId x, std::vector<std::int64_t> axes, double epsilon) {
  ValueId over = b.ints(std::move(axes));
  ValueId mean = b.add("reduce_mean", {x, over});
  ValueId centred = b.add("sub", {x, mean});
  ValueId variance = b.add("reduce_mean", {b.add("mul", {centred, centred}), over});
  ValueId deviation = b.add("sqrt", {b.add("add", {variance, b.scalar(epsilon, b.dtype(x))})});
  ValueId inverse = b.add("reciprocal", {deviation});
  return {b.add("mul", {centred, inverse}), mean, inverse};
}

// In a decomposition: a vector of C values shaped [C,1,...,1] to meet the channels of an NCX tensor of `rank` axes.
inline ValueId per_channel(Builder& b, ValueId v, int rank) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(rank - 1), 1);
  shape[0] = -1;
  return b.add("reshape", {v, b.ints(shape)});
}

// Fails unless input i has one value per channel of input 0 (NCX).
inline Status check_channels(const InferContext& ctx, int i) {
  if (!ctx.has_rank(0) || !ctx.has_rank(i)) return {};
  if (ctx.rank(0) < 2) return ctx.error("x needs a batch and channels");
  Dim n = volume(ctx.shape(i));
  const Dim& channels = ctx.shape(0)[1];
  if (!n.is_const() || !channels.is_const() || n == channels) return {};
  return ctx.error(std::string(ctx.op().inputs[static_cast<std::size_t>(i)].name) + " has " + n.to_string() +
                   " values for " + channels.to_string() + " channels");
}

}  // namespace mote
