// Resampling along any axes: nearest, linear and cubic, with every convention of coordinates that ONNX has had.
#include "ops/image/resize.h"

#include <algorithm>

#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {
    {"x", "any tensor; linear and cubic need numbers"},
    {"roi", "begin of every axis, then end, in units of the extent; tf_crop_and_resize only", Arity::kOptional},
    {"scales", "factor of every axis", Arity::kOptional},
    {"sizes", "i64 extent of every axis", Arity::kOptional}};
constexpr Slot kOutputs[] = {{"y", "dtype of x; extents are sizes, or floor(extent * scale)"}};
constexpr AttrSpec kAttrs[] = {
    {"antialias", AttrKind::kInt, "0", "1: widen the filter when shrinking"},
    {"axes", AttrKind::kInts, "ints:[]", "the axes that roi, scales and sizes speak of; empty: all"},
    {"coordinate_transformation_mode", AttrKind::kString, "\"half_pixel\"",
     "half_pixel, half_pixel_symmetric, pytorch_half_pixel, align_corners, asymmetric, tf_crop_and_resize or "
     "tf_half_pixel_for_nn"},
    {"cubic_coeff_a", AttrKind::kFloat, "-0.75", "the cubic filter's parameter"},
    {"exclude_outside", AttrKind::kInt, "0", "1: taps outside x weigh nothing"},
    {"extrapolation_value", AttrKind::kFloat, "0.0", "result outside x under tf_crop_and_resize"},
    {"keep_aspect_ratio_policy", AttrKind::kString, "\"stretch\"", "stretch, not_larger or not_smaller"},
    {"mode", AttrKind::kString, "\"nearest\"", "nearest, linear or cubic"},
    {"nearest_mode", AttrKind::kString, "\"round_prefer_floor\"",
     "round_prefer_floor, round_prefer_ceil, floor or ceil"}};

constexpr double kMaxExtent = 0x1p40;

bool one_of(std::string_view value, std::initializer_list<std::string_view> choices) {
  return std::find(choices.begin(), choices.end(), value) != choices.end();
}

Status check_attrs(const Op& op, const Attrs& attrs) {
  struct Choice {
    std::string_view name;
    std::initializer_list<std::string_view> values;
  };
  const Choice choices[] = {{"mode", {"nearest", "linear", "cubic"}},
                            {"nearest_mode", {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}},
                            {"keep_aspect_ratio_policy", {"stretch", "not_larger", "not_smaller"}},
                            {"coordinate_transformation_mode",
                             {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
                              "tf_crop_and_resize", "tf_half_pixel_for_nn"}}};
  for (const Choice& c : choices) {
    std::string v = attr_string(op, attrs, c.name);
    if (!one_of(v, c.values)) return invalid(std::string(c.name) + ": '" + v + "' is not known");
  }
  return {};
}

// The axes that the operands speak of, non-negative and distinct.
Result<std::vector<std::size_t>> listed_axes(const Op& op, const Attrs& attrs, std::size_t rank) {
  std::vector<std::size_t> axes;
  for (std::int64_t a : attr_ints(op, attrs, "axes")) {
    std::int64_t n = static_cast<std::int64_t>(rank);
    if (a < -n || a >= n) return invalid("axes: " + std::to_string(a) + " is out of range");
    std::size_t axis = static_cast<std::size_t>(a < 0 ? a + n : a);
    if (std::find(axes.begin(), axes.end(), axis) != axes.end()) return invalid("axes: an axis is named twice");
    axes.push_back(axis);
  }
  if (!axes.empty()) return axes;
  for (std::size_t i = 0; i < rank; ++i) axes.push_back(i);
  return axes;
}

// floor(in * scale) where it can be told for every value of the symbols in `in`.
std::optional<Dim> scaled(const Dim& in, double scale) {
  if (!(scale > 0) || scale > kMaxExtent) return std::nullopt;
  if (in.is_const()) return Dim(static_cast<std::int64_t>(std::floor(static_cast<double>(in.value()) * scale)));
  // Every float is some p / 2^k.
  for (std::int64_t q = 1; q <= std::int64_t{1} << 32; q *= 2) {
    double p = scale * static_cast<double>(q);
    if (p == std::floor(p) && p <= 0x1p32) return floordiv(in * static_cast<std::int64_t>(p), Dim(q));
  }
  return std::nullopt;
}

Status infer(InferContext& ctx) {
  if (Status s = check_attrs(ctx.op(), ctx.attrs()); !s.ok()) return ctx.error(std::string(s.message()));
  if (ctx.attr_string("mode") != "nearest") MOTE_TRY(check_dtype(ctx, 0, kNumbers));
  if (!ctx.has_rank(0)) return ctx.output(0, Type::tensor(ctx.dtype(0))), Status();
  const Shape& x = ctx.shape(0);
  auto listed = listed_axes(ctx.op(), ctx.attrs(), x.size());
  if (!listed.ok()) return ctx.error(std::string(listed.status().message()));
  const std::vector<double>*scales = ctx.float_value(2), *roi = ctx.float_value(1);
  const KnownValue* sizes = ctx.value(3);
  auto empty = [&](int i) { return !ctx.has(i) || (ctx.has_rank(i) && volume(ctx.shape(i)).is(0)); };
  bool by_scale = !empty(2);
  if (by_scale == !empty(3)) return ctx.error("needs exactly one of scales and sizes");
  bool crop = ctx.attr_string("coordinate_transformation_mode") == "tf_crop_and_resize";
  bool stretch = ctx.attr_string("keep_aspect_ratio_policy") == "stretch";
  std::optional<std::vector<std::int64_t>> extents = constant_extents(x), targets;
  if (sizes) targets = constant_extents(*sizes);
  if (by_scale ? scales && scales->size() != listed->size() : sizes && sizes->size() != listed->size()) {
    return ctx.error((by_scale ? "scales" : "sizes") + std::string(" needs one value per axis"));
  }
  if (extents && (by_scale ? scales != nullptr && (!crop || roi) : targets.has_value())) {
    auto axes =
        resize_axes(ctx.op(), ctx.attrs(), *extents, roi ? *roi : std::vector<double>(),
                    by_scale ? *scales : std::vector<double>(), by_scale ? std::vector<std::int64_t>() : *targets);
    if (!axes.ok()) return ctx.error(std::string(axes.status().message()));
    Shape y;
    for (const ResizeAxis& a : *axes) y.emplace_back(a.out);
    ctx.output(0, ctx.dtype(0), std::move(y));
    return {};
  }
  Shape y = x;
  for (std::size_t i = 0; i < listed->size(); ++i) {
    Dim& out = y[(*listed)[i]];
    std::optional<Dim> known;
    if (by_scale && scales && !crop) known = scaled(out, (*scales)[i]);
    if (!by_scale && sizes && stretch) known = (*sizes)[i];
    out = known ? *known : ctx.fresh();
  }
  ctx.output(0, ctx.dtype(0), std::move(y));
  return {};
}

// The input coordinate of output position `o`.
double source(std::int32_t mode, const ResizeAxis& a, double o) {
  double in = static_cast<double>(a.in), out = static_cast<double>(a.out), width = a.by_size ? out : a.scale * in;
  auto shrunk = [&](double x) { return a.by_size ? x * in / out : x / a.scale; };
  switch (mode) {
    case ResizeRule::kAlignCorners:
      return width == 1 ? 0 : o * (in - 1) / (width - 1);
    case ResizeRule::kAsymmetric:
      return shrunk(o);
    case ResizeRule::kTfNearest:
      return shrunk(o + 0.5);
    case ResizeRule::kCrop: {
      double x = width == 1 ? (a.end - a.begin) * (in - 1) / 2 : o * (a.end - a.begin) * (in - 1) / (width - 1);
      return x + a.begin * (in - 1);
    }
    default:
      break;
  }
  if (mode == ResizeRule::kPytorch && width == 1) return 0;
  double x = shrunk(o + 0.5) - 0.5;
  if (mode == ResizeRule::kSymmetric) x += in / 2 * (1 - out / width);
  return x;
}

bool is_identity(const ResizeAxis& a) { return a.in == a.out && a.scale == 1 && a.begin == 0 && a.end == 1; }

double linear_filter(double x) { return std::fmax(0, 1 - std::fabs(x)); }

double cubic_filter(double x, double a) {
  x = std::fabs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

std::int64_t nearest(std::int32_t mode, double x) {
  double floor = std::floor(x), ratio = x - floor;
  bool up = mode == ResizeRule::kCeil || (mode == ResizeRule::kPreferFloor && ratio > 0.5) ||
            (mode == ResizeRule::kPreferCeil && ratio >= 0.5);
  return static_cast<std::int64_t>(floor) + (ratio > 0 && up);
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  auto floats = [&](int i) {
    std::vector<double> v;
    for (std::int64_t k = 0; ctx.has(i) && k < ctx.in(i).count(); ++k) v.push_back(load_f64(ctx.in(i), k));
    return v;
  };
  MOTE_ASSIGN(std::vector<ResizeAxis> axes,
              resize_axes(ctx.op(), ctx.attrs(), x.shape(), floats(1), floats(2),
                          ctx.has(3) ? read_ints(ctx.in(3)) : std::vector<std::int64_t>()));
  std::vector<std::int64_t> shape;
  for (const ResizeAxis& a : axes) shape.push_back(a.out);
  MOTE_ASSIGN(TensorView y, ctx.out(0, x.dtype, shape));
  if (y.count() == 0) return {};
  std::vector<ResizeTaps> taps;
  ResizeRule rule = resize_rule(ctx.op(), ctx.attrs());
  double tables = 0;
  for (const ResizeAxis& a : axes) tables += resize_tap_count(rule, a);
  if (!(tables <= kMostResizeTaps)) return Status(Code::kResourceExhausted, "the filters of all axes are too large");
  for (const ResizeAxis& a : axes) taps.push_back(resize_taps(rule, a, &ctx));
  auto outside = [&](std::span<const std::int64_t> at) {
    for (std::size_t a = 0; a < at.size(); ++a) {
      if (!taps[a].outside.empty() && taps[a].outside[static_cast<std::size_t>(at[a])]) return true;
    }
    return false;
  };
  double extrapolated = ctx.attr_float("extrapolation_value");
  std::int64_t to = 0;
  if (rule.mode == ResizeRule::kNearest) {
    for_each_index(ctx, shape, [&](std::span<const std::int64_t> at) {
      std::int64_t from = 0;
      for (std::size_t a = 0; a < at.size(); ++a) {
        from += taps[a].index[static_cast<std::size_t>(at[a])] * x.strides[a];
      }
      copy_elements(x, from, y, to, 1);
      if (outside(at)) store_f64(y, to, extrapolated);
      ++to;
    });
    return {};
  }
  MOTE_ASSIGN(auto values, widen(ctx, x));
  std::vector<std::int64_t> extents(x.dims, x.dims + x.rank);
  for (std::size_t a = 0; a < axes.size(); ++a) {
    if (taps[a].identity) continue;
    AxisView v = around(extents, static_cast<int>(a));
    extents[a] = axes[a].out;
    MOTE_ASSIGN(auto next, wide_scratch(ctx, count_of(extents)));
    for (std::int64_t o : ctx.range(v.outer * axes[a].out)) {
      std::int64_t position = o % axes[a].out * taps[a].width;
      for (std::int64_t t : ctx.range(taps[a].width)) {
        double weight = taps[a].weight[static_cast<std::size_t>(position + t)];
        std::int64_t row = o / axes[a].out * v.n + taps[a].index[static_cast<std::size_t>(position + t)];
        for (std::int64_t i : ctx.range(v.inner)) {
          next[static_cast<std::size_t>(o * v.inner + i)] +=
              weight * values[static_cast<std::size_t>(row * v.inner + i)];
        }
      }
    }
    values = next;
  }
  bool integers = !is_float(x.dtype);
  for_each_index(ctx, shape, [&](std::span<const std::int64_t> at) {
    double value = outside(at) ? extrapolated : values[static_cast<std::size_t>(to)];
    store_f64(y, to++, integers ? std::nearbyint(value) : value);
  });
  return {};
}

}  // namespace

Result<std::vector<ResizeAxis>> resize_axes(const Op& op, const Attrs& attrs, std::span<const std::int64_t> x_shape,
                                            std::span<const double> roi, std::span<const double> scales,
                                            std::span<const std::int64_t> sizes) {
  MOTE_ASSIGN(std::vector<std::size_t> listed, listed_axes(op, attrs, x_shape.size()));
  std::size_t n = listed.size();
  bool crop = attr_string(op, attrs, "coordinate_transformation_mode") == "tf_crop_and_resize";
  if ((scales.empty() ? sizes.size() : scales.size()) != n) return invalid("needs one scale or size per axis");
  if (crop && roi.size() != 2 * n) return invalid("roi needs a begin and an end per axis");
  std::vector<ResizeAxis> axes(x_shape.size());
  for (std::size_t i = 0; i < axes.size(); ++i) axes[i].in = axes[i].out = x_shape[i];
  std::string policy = attr_string(op, attrs, "keep_aspect_ratio_policy");
  double common = policy == "not_larger" ? INFINITY : 0;
  for (std::size_t i = 0; i < n; ++i) {
    ResizeAxis& a = axes[listed[i]];
    double in = static_cast<double>(a.in);
    if (crop) {
      a.begin = roi[i];
      a.end = roi[n + i];
    }
    double out = scales.empty() ? static_cast<double>(sizes[i]) : std::floor(in * scales[i]);
    if (!(out >= 0 && out < kMaxExtent) || (!scales.empty() && !(scales[i] > 0))) {
      return invalid("the resized extent of axis " + std::to_string(listed[i]) + " is out of range");
    }
    if (a.in == 0 && out > 0) return invalid("an axis of extent 0 has nothing to resize");
    a.out = static_cast<std::int64_t>(out);
    a.by_size = scales.empty() && policy == "stretch";
    a.scale = !scales.empty() ? scales[i] : in > 0 ? out / in : 1;
    common = policy == "not_larger" ? std::fmin(common, a.scale) : std::fmax(common, a.scale);
  }
  for (std::size_t i = 0; scales.empty() && policy != "stretch" && i < n; ++i) {
    ResizeAxis& a = axes[listed[i]];
    a.scale = common;
    double out = common * static_cast<double>(a.in) + 0.5;
    if (!(out >= 0 && out < kMaxExtent))
      return invalid("the resized extent of axis " + std::to_string(listed[i]) + " is out of range");
    a.out = static_cast<std::int64_t>(out);
  }
  return axes;
}

ResizeRule resize_rule(const Op& op, const Attrs& attrs) {
  auto choice = [&](std::string_view name, std::initializer_list<std::string_view> values) {
    std::string v = attr_string(op, attrs, name);
    return static_cast<std::int32_t>(std::find(values.begin(), values.end(), v) - values.begin());
  };
  ResizeRule r;
  r.mode = choice("mode", {"nearest", "linear", "cubic"});
  r.nearest = choice("nearest_mode", {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"});
  r.coordinates = choice("coordinate_transformation_mode",
                         {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
                          "tf_crop_and_resize", "tf_half_pixel_for_nn"});
  r.antialias = attr_int(op, attrs, "antialias") != 0;
  r.exclude_outside = attr_int(op, attrs, "exclude_outside") != 0;
  r.cubic_a = attr_float(op, attrs, "cubic_coeff_a");
  return r;
}

double resize_tap_count(const ResizeRule& rule, const ResizeAxis& axis) {
  double shrink = rule.antialias ? std::fmin(axis.scale, 1) : 1, radius = rule.mode == ResizeRule::kLinear ? 1 : 2;
  bool one = rule.mode == ResizeRule::kNearest || is_identity(axis);
  return static_cast<double>(axis.out) * (one ? 1 : 2 * std::ceil(radius / shrink));
}

ResizeTaps resize_taps(const ResizeRule& rule, const ResizeAxis& axis, ReferenceContext* ctx) {
  ResizeTaps taps;
  taps.identity = is_identity(axis);
  bool is_nearest = rule.mode == ResizeRule::kNearest, exclude = rule.exclude_outside != 0,
       crop = rule.coordinates == ResizeRule::kCrop;
  double shrink = rule.antialias ? std::fmin(axis.scale, 1) : 1;
  double radius = is_nearest ? 0 : rule.mode == ResizeRule::kLinear ? 1 : 2;
  std::int64_t first = is_nearest ? 0 : static_cast<std::int64_t>(std::floor(-radius / shrink)) + 1;
  taps.width = is_nearest ? 1 : 2 - 2 * first;
  if (taps.identity) first = 0, taps.width = 1;
  for (std::int64_t o = 0; o < axis.out && (!ctx || ctx->spend(taps.width)); ++o) {
    double x = taps.identity ? static_cast<double>(o) : source(rule.coordinates, axis, static_cast<double>(o));
    x = std::fmin(std::fmax(x, -kMaxExtent), kMaxExtent);
    if (crop) taps.outside.push_back(x < 0 || x > static_cast<double>(axis.in - 1));
    std::int64_t base = static_cast<std::int64_t>(std::floor(x));
    if (taps.width == 1) base = taps.identity ? o : nearest(rule.nearest, x);
    double sum = 0;
    for (std::int64_t t = 0; t < taps.width; ++t) {
      std::int64_t i = base + first + t;
      double d = (static_cast<double>(i) - x) * shrink;
      double w = taps.width == 1                    ? 1
                 : rule.mode == ResizeRule::kLinear ? linear_filter(d)
                                                    : cubic_filter(d, rule.cubic_a);
      if (exclude && taps.width > 1 && (i < 0 || i >= axis.in)) w = 0;
      taps.index.push_back(std::clamp<std::int64_t>(i, 0, axis.in - 1));
      taps.weight.push_back(w);
      sum += w;
    }
    if ((!exclude && shrink == 1) || sum == 0) continue;
    for (std::int64_t t = 0; t < taps.width; ++t)
      taps.weight[taps.weight.size() - 1 - static_cast<std::size_t>(t)] /= sum;
  }
  return taps;
}

MOTE_DEFINE_OP(resize) = {.name = "resize",
                          .doc = "Resamples a tensor along any of its axes.",
                          .inputs = kInputs,
                          .outputs = kOutputs,
                          .attrs = kAttrs,
                          .infer = infer,
                          .shape_operands = 0b1110};
MOTE_DEFINE_REFERENCE(resize) = run;

}  // namespace mote
