// What reductions share: their axes, and the shape they leave.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "ops/infer_util.h"
#include "ops/run_util.h"

namespace mote::reduced {

// Which axes of a tensor of `rank` the given ones mean.
inline std::vector<int> axes_of(const std::vector<int>& given, int rank, bool noop) {
  if (!given.empty() || noop) return given;
  std::vector<int> all;
  for (int i = 0; i < rank; ++i) all.push_back(i);
  return all;
}

inline bool contains(const std::vector<int>& axes, int axis) {
  return std::find(axes.begin(), axes.end(), axis) != axes.end();
}

// Output 0 is input 0 over the axes that input 1 names, by the attributes keepdims and noop_with_empty_axes, of
// `dtype`. Gives the axes where they are known.
inline Result<std::optional<std::vector<int>>> infer(InferContext& ctx, DType dtype) {
  const bool keep = ctx.attr_int("keepdims") != 0, noop = ctx.attr_int("noop_with_empty_axes") != 0;
  std::optional<std::vector<std::int64_t>> given = std::vector<std::int64_t>();
  if (ctx.has(1)) given = ctx.const_value(1);
  if (!ctx.has_rank(0)) {
    const bool scalar = given && given->empty() && !noop && !keep;
    output_maybe(ctx, 0, dtype, scalar ? std::optional(Shape()) : std::nullopt);
    return std::optional<std::vector<int>>();
  }
  const int rank = ctx.rank(0);
  if (!given) {
    const std::int64_t n = ctx.has_rank(1) ? known_count(ctx.shape(1)) : -1;
    const bool ranked = keep || (n > 0 && n <= rank);
    output_maybe(ctx, 0, dtype,
                 ranked ? std::optional(ctx.fresh_shape(keep ? rank : rank - static_cast<int>(n))) : std::nullopt);
    return std::optional<std::vector<int>>();
  }
  MOTE_ASSIGN(std::vector<int> axes, normal_axes(ctx, *given, rank));
  axes = axes_of(axes, rank, noop);
  Shape out;
  for (int i = 0; i < rank; ++i) {
    if (!contains(axes, i)) {
      out.push_back(ctx.shape(0)[static_cast<std::size_t>(i)]);
    } else if (keep) {
      out.emplace_back(1);
    }
  }
  ctx.output(0, dtype, std::move(out));
  return std::optional(std::move(axes));
}

// The axes of this run.
inline std::vector<int> axes_now(const ReferenceContext& ctx) {
  std::vector<int> given;
  const int rank = ctx.in(0).rank;
  if (ctx.has(1)) {
    for (std::int64_t a : read_ints(ctx.in(1))) given.push_back(normal_axis(a, rank));
  }
  return axes_of(given, rank, ctx.attr_int("noop_with_empty_axes") != 0);
}

}  // namespace mote::reduced
