// Reading an image at given coordinates.
#include <algorithm>

#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr double kCubic = -0.75;

constexpr Slot kInputs[] = {{"x", "[N, C, spatial extents]"},
                            {"grid", "[N, output extents, axes of space]: coordinates, last axis of space first"}};
constexpr Slot kOutputs[] = {{"y", "[N, C, output extents], dtype of x"}};
constexpr AttrSpec kAttrs[] = {
    {"align_corners", AttrKind::kInt, "0", "-1 and 1 are the centres (1) or the outer edges (0) of the corner pixels"},
    {"mode", AttrKind::kString, "\"linear\"", "linear, nearest (halves to even) or cubic"},
    {"padding_mode", AttrKind::kString, "\"zeros\"", "outside the image: zeros, border or reflection"}};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kNumbers));
  MOTE_TRY(check_dtype(ctx, 1, kFloats));
  std::string mode = ctx.attr_string("mode"), padding = ctx.attr_string("padding_mode");
  if (mode != "linear" && mode != "nearest" && mode != "cubic") return ctx.error("mode: '" + mode + "' is not known");
  if (padding != "zeros" && padding != "border" && padding != "reflection") {
    return ctx.error("padding_mode: '" + padding + "' is not known");
  }
  if (!ctx.has_rank(0) && !ctx.has_rank(1)) return ctx.output(0, Type::tensor(ctx.dtype(0))), Status();
  int rank = ctx.has_rank(0) ? ctx.rank(0) : ctx.rank(1);
  if (rank < 3 || (ctx.has_rank(1) && ctx.rank(1) != rank))
    return ctx.error("x and grid must have one rank, at least 3");
  Shape x = ctx.has_rank(0) ? ctx.shape(0) : ctx.fresh_shape(rank);
  Shape grid = ctx.has_rank(1) ? ctx.shape(1) : ctx.fresh_shape(rank);
  if (grid.back().is_const() && !grid.back().is(rank - 2)) {
    return ctx.error("grid needs " + std::to_string(rank - 2) + " coordinates, has " + grid.back().to_string());
  }
  if (grid[0].is_const() && x[0].is_const() && !(grid[0] == x[0])) return ctx.error("x and grid differ in their batch");
  Shape y = {x[0], x[1]};
  y.insert(y.end(), grid.begin() + 1, grid.end() - 1);
  ctx.output(0, ctx.dtype(0), std::move(y));
  return {};
}

double reflect(double x, double lo, double hi) {
  double range = hi - lo;
  if (range <= 0) return lo;
  double beyond = x < lo ? lo - x : x > hi ? x - hi : -1;
  if (beyond < 0) return x;
  double turns = std::floor(beyond / range), rest = beyond - turns * range;
  bool from_low = (x < lo) == (std::fmod(turns, 2) == 0);
  return from_low ? lo + rest : hi - rest;
}

// How one axis is read at one coordinate.
struct Axis {
  std::int64_t extent;
  double lo, hi;  // where reflection turns
  std::string_view padding;

  // The element at position i, or -1 for a zero.
  std::int64_t element(double i) const {
    if (padding == "zeros") return i >= 0 && i < static_cast<double>(extent) ? static_cast<std::int64_t>(i) : -1;
    double at = padding == "border" ? i : reflect(i, lo, hi);
    return static_cast<std::int64_t>(std::fmin(std::fmax(at, 0), static_cast<double>(extent - 1)));
  }
  double inside(double x) const {
    if (x >= lo && x <= hi) return x;
    if (padding == "border") return std::fmin(std::fmax(x, 0), static_cast<double>(extent - 1));
    return padding == "reflection" ? reflect(x, lo, hi) : x;
  }
};

struct Taps {
  std::int64_t count = 0, element[4] = {};
  double weight[4] = {};
};

double cubic(double x) {
  x = std::fabs(x);
  if (x <= 1) return ((kCubic + 2) * x - (kCubic + 3)) * x * x + 1;
  return ((kCubic * x - 5 * kCubic) * x + 8 * kCubic) * x - 4 * kCubic;
}

Taps taps_at(const Axis& axis, double x, std::string_view mode) {
  Taps t;
  if (!std::isfinite(x)) x = -1;
  if (mode == "nearest") {
    t.count = 1;
    t.element[0] = axis.element(axis.inside(std::nearbyint(x)));
    t.weight[0] = 1;
    return t;
  }
  // The cubic filter reads beyond the border where its centre lies beyond.
  if (mode != "cubic") x = axis.inside(x);
  double base = std::floor(x), first = mode == "cubic" ? -1 : 0;
  t.count = mode == "cubic" ? 4 : 2;
  for (std::int64_t k = 0; k < t.count; ++k) {
    double i = base + first + static_cast<double>(k);
    t.element[k] = axis.element(i);
    t.weight[k] = mode == "cubic" ? cubic(x - i) : 1 - std::fabs(x - i);
  }
  return t;
}

Status run(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &grid = ctx.in(1);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  if (y.count() == 0) return {};
  MOTE_ASSIGN(auto xs, widen(ctx, x));
  std::string mode = ctx.attr_string("mode"), padding = ctx.attr_string("padding_mode");
  bool corners = ctx.attr_int("align_corners") != 0, single = grid.dtype == DType::f32, integers = !is_float(x.dtype);
  std::size_t space = static_cast<std::size_t>(x.rank - 2);
  std::vector<Axis> axes;
  for (std::size_t a = 0; a < space; ++a) {
    double n = static_cast<double>(x.dims[a + 2]);
    axes.push_back({x.dims[a + 2], corners ? 0 : -0.5, corners ? n - 1 : n - 0.5, padding});
  }
  std::vector<std::int64_t> positions(grid.dims, grid.dims + grid.rank - 1), counts(space);
  std::vector<Taps> taps(space);
  std::int64_t row = 0, inner = y.strides[1];
  for_each_index(ctx, positions, [&](std::span<const std::int64_t> at) {
    for (std::size_t a = 0; a < space; ++a) {
      double g = load_f64(grid, row * static_cast<std::int64_t>(space) + static_cast<std::int64_t>(space - 1 - a));
      double n = static_cast<double>(axes[a].extent);
      double at_axis = corners ? (g + 1) / 2 * (n - 1) : ((g + 1) * n - 1) / 2;
      taps[a] = taps_at(axes[a], single ? static_cast<float>(at_axis) : at_axis, mode);
      counts[a] = taps[a].count;
    }
    for (std::int64_t c : ctx.range(x.dims[1])) {
      double sum = 0;
      for_each_index(ctx, counts, [&](std::span<const std::int64_t> k) {
        std::int64_t from = at[0] * x.strides[0] + c * x.strides[1];
        double weight = 1;
        for (std::size_t a = 0; a < space; ++a) {
          std::int64_t i = taps[a].element[k[a]];
          if (i < 0) return;
          from += i * x.strides[a + 2];
          weight *= taps[a].weight[k[a]];
        }
        sum += weight * xs[static_cast<std::size_t>(from)];
      });
      std::int64_t to = at[0] * y.strides[0] + c * inner + row % std::max<std::int64_t>(inner, 1);
      store_f64(y, to, integers && mode == "nearest" ? std::nearbyint(sum) : sum);
    }
    ++row;
  });
  return {};
}

}  // namespace

MOTE_DEFINE_OP(grid_sample) = {.name = "grid_sample",
                               .doc = "Reads an image or a volume at coordinates in [-1, 1].",
                               .inputs = kInputs,
                               .outputs = kOutputs,
                               .attrs = kAttrs,
                               .infer = infer};
MOTE_DEFINE_REFERENCE(grid_sample) = run;

}  // namespace mote
