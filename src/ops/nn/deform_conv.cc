// Convolution whose taps are moved by offsets and weighted by a mask, both given for every output position.
#include "ops/infer_util.h"
#include "ops/nn/convolve.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {
    {"x", "[N, C, spatial extents]"},
    {"w", "[M, C / group, kernel extents]"},
    {"offset", "[N, offset_group * taps * axes, output extents]: how far each tap is moved along each axis"},
    {"b", "one value per output channel", Arity::kOptional},
    {"mask", "[N, offset_group * taps, output extents]: weight of each tap; default 1", Arity::kOptional}};
constexpr Slot kOutputs[] = {{"y", "[N, M, output extents]; taps between elements are linear, 0 outside x"}};
constexpr AttrSpec kAttrs[] = {
    kDilationsAttr,
    kGroupAttr,
    kKernelShapeAttr,
    {"offset_group", AttrKind::kInt, "1", "channels of x are cut into this many groups of equal offsets"},
    kPadsAttr,
    kStridesAttr};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  for (int i = 1; i < 5; ++i) MOTE_TRY(check_same_dtype(ctx, 0, i));
  MOTE_TRY(infer_convolution(ctx, 0, 1, 3, ctx.dtype(0)));
  std::int64_t groups = ctx.attr_int("offset_group");
  if (groups <= 0) return ctx.error("offset_group: must be positive");
  const Type& y = ctx.out_types_[0];
  if (ctx.has_rank(0) && ctx.shape(0)[1].is_const() && ctx.shape(0)[1].value() % groups != 0) {
    return ctx.error("offset_group does not divide the channels of x");
  }
  for (int i : {2, 4}) {
    if (!y.has_rank() || !ctx.has_rank(i)) continue;
    Shape expected = *y.shape;
    std::optional<Dim> taps;
    if (ctx.has_rank(1)) taps = volume(Shape(ctx.shape(1).begin() + 2, ctx.shape(1).end())) * groups;
    if (taps) expected[1] = i == 2 ? *taps * (y.rank() - 2) : *taps;
    const Shape& got = ctx.shape(i);
    bool fits = got.size() == expected.size();
    for (std::size_t a = 0; fits && a < got.size(); ++a) {
      if (a == 1 && !taps) continue;
      fits = !got[a].is_const() || !expected[a].is_const() || got[a] == expected[a];
    }
    if (!fits) {
      return ctx.error(std::string(ctx.op().inputs[static_cast<std::size_t>(i)].name) + " has shape " + to_string(got) +
                       ", expected " + to_string(expected));
    }
  }
  return {};
}

// Linear interpolation of a plane at a point; elements outside are 0.
double interpolate(ReferenceContext& ctx, const TensorView& x, std::span<const double> plane,
                   std::span<const double> point) {
  double sum = 0;
  std::vector<std::int64_t> corners(point.size(), 2);
  for_each_index(ctx, corners, [&](std::span<const std::int64_t> corner) {
    double weight = 1;
    std::int64_t at = 0;
    for (std::size_t a = 0; a < point.size(); ++a) {
      double base = std::floor(point[a]), i = base + static_cast<double>(corner[a]);
      if (!(i >= 0 && i < static_cast<double>(x.dims[a + 2]))) return;
      weight *= corner[a] ? point[a] - base : 1 - (point[a] - base);
      at += static_cast<std::int64_t>(i) * x.strides[a + 2];
    }
    if (weight != 0) sum += weight * plane[static_cast<std::size_t>(at)];
  });
  return sum;
}

Status run(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &w = ctx.in(1), &offset = ctx.in(2);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  MOTE_ASSIGN(Convolution c, convolution_of(ctx, x, w, y));
  MOTE_ASSIGN(auto xs, widen(ctx, x));
  MOTE_ASSIGN(auto ys, wide_scratch(ctx, y.count()));
  if (ctx.has(3)) fill_bias(ctx, c, ctx.in(3), ys);
  const std::size_t space = c.window.size();
  const std::int64_t groups = ctx.attr_int("offset_group"), in_group = c.in_channels / c.group,
                     out_group = c.out_channels / c.group, inner = y.strides[1];
  const std::vector<std::int64_t> kernel = kernels_of(c.window);
  std::int64_t taps = 1;
  for (std::int64_t k : kernel) taps *= k;
  std::vector<double> point(space);
  for (std::int64_t n : ctx.range(c.batch)) {
    std::int64_t position = 0;
    for_each_index(ctx, outputs_of(c.window), [&](std::span<const std::int64_t> o) {
      std::int64_t tap = 0;
      for_each_index(ctx, kernel, [&](std::span<const std::int64_t> k) {
        for (std::int64_t channel : ctx.range(c.in_channels)) {
          std::int64_t row = (n * groups + channel / (c.in_channels / groups)) * taps + tap;
          double mask = ctx.has(4) ? load_f64(ctx.in(4), row * inner + position) : 1;
          for (std::size_t a = 0; a < space; ++a) {
            const WindowAxis& axis = c.window[a];
            double moved = load_f64(
                offset, (row * static_cast<std::int64_t>(space) + static_cast<std::int64_t>(a)) * inner + position);
            point[a] = static_cast<double>(o[a] * axis.stride + k[a] * axis.dilation - axis.begin.value()) + moved;
          }
          double v =
              mask *
              interpolate(ctx, x, xs.subspan(static_cast<std::size_t>(n * c.x_batch + channel * c.x_channel)), point);
          std::int64_t group = channel / in_group;
          for (std::int64_t m : ctx.range_from<std::int64_t>(group * out_group, (group + 1) * out_group)) {
            double weight = load_f64(w, m * c.w_out + channel % in_group * c.w_in + tap);
            ys[static_cast<std::size_t>(n * c.y_batch + m * c.y_channel + position)] += weight * v;
          }
        }
        ++tap;
      });
      ++position;
    });
  }
  narrow(ctx, ys, y);
  return {};
}

}  // namespace

MOTE_DEFINE_OP(deform_conv) = {.name = "deform_conv",
                               .doc = "Convolution whose taps are moved by offsets and weighted by a mask.",
                               .inputs = kInputs,
                               .outputs = kOutputs,
                               .attrs = kAttrs,
                               .infer = infer};
MOTE_DEFINE_REFERENCE(deform_conv) = run;

}  // namespace mote
