// Transposed convolution: every input spreads its window over the output.
#include "ops/infer_util.h"
#include "ops/nn/convolve.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "image: batch, channels and one or more spatial axes"},
                            {"w", "weights: C input channels, M / group output channels, kernel extents"},
                            {"b", "one value per output channel", Arity::kOptional}};
constexpr Slot kOutputs[] = {{"y", "layout and dtype of x, with M channels"}};
constexpr AttrSpec kAttrs[] = {
    kAutoPadAttr,
    kDataLayoutAttr,
    kDilationsAttr,
    kGroupAttr,
    kKernelShapeAttr,
    {"output_padding", AttrKind::kInts, "ints:[]", "added to the end of every spatial axis; empty: 0"},
    {"output_shape", AttrKind::kInts, "ints:[]", "spatial extents of y; where set, pads follow from them"},
    kPadsAttr,
    kStridesAttr,
    {"weight_layout", AttrKind::kString, "\"IOX\"",
     "IOX (input, output / group, space) or OXI (output, space, input / group)"}};

struct WeightAxes {
  int in, out, space;
};

WeightAxes weight_axes(const Op& op, const Attrs& attrs, int rank) {
  return attr_string(op, attrs, "weight_layout") == "OXI" ? WeightAxes{rank - 1, 0, 1} : WeightAxes{0, 1, 2};
}

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  for (int i : {1, 2}) MOTE_TRY(check_same_dtype(ctx, 0, i));
  DType dtype = ctx.dtype(0);
  if (!ctx.has_rank(0) && !ctx.has_rank(1)) return ctx.output(0, Type::tensor(dtype)), Status();
  int rank = ctx.has_rank(0) ? ctx.rank(0) : ctx.rank(1);
  if (ctx.has_rank(1) && ctx.rank(1) != rank) return ctx.error("x and the weights have different ranks");
  if (rank < 3) return ctx.error("x needs a batch, channels and at least one spatial axis");
  std::int64_t group = ctx.attr_int("group");
  if (group <= 0) return ctx.error("group: must be positive, is " + std::to_string(group));
  ImageAxes xa = image_axes(ctx.op(), ctx.attrs(), "data_layout", rank);
  WeightAxes wa = weight_axes(ctx.op(), ctx.attrs(), rank);
  Shape xs = ctx.has_rank(0) ? ctx.shape(0) : ctx.fresh_shape(rank);
  Shape ws = ctx.has_rank(1) ? ctx.shape(1) : ctx.fresh_shape(rank);
  std::size_t n = static_cast<std::size_t>(xa.spatial());
  auto window =
      transposed_window_of(ctx.op(), ctx.attrs(), std::span(xs).subspan(static_cast<std::size_t>(xa.space), n),
                           std::span(ws).subspan(static_cast<std::size_t>(wa.space), n));
  if (!window.ok()) return ctx.error(std::string(window.status().message()));
  bool oxi = wa.out == 0;
  const Dim &in = ws[static_cast<std::size_t>(wa.in)], &out = ws[static_cast<std::size_t>(wa.out)];
  const Dim& channels = xs[static_cast<std::size_t>(xa.channel)];
  Dim taken = oxi ? in * group : in;
  if (channels.is_const() && taken.is_const() && !(channels == taken)) {
    return ctx.error("x has " + channels.to_string() + " channels, the weights take " + taken.to_string());
  }
  MOTE_TRY(check_per_channel(ctx, 2, oxi ? out : out * group, false));
  if ((taken.is_const() && taken.value() % group != 0) || (oxi && out.is_const() && out.value() % group != 0)) {
    return ctx.error("channels are no multiple of group");
  }
  Shape ys = xs;
  ys[static_cast<std::size_t>(xa.channel)] = oxi ? out : out * group;
  for (std::size_t i = 0; i < n; ++i) ys[static_cast<std::size_t>(xa.space) + i] = (*window)[i].out;
  ctx.output(0, dtype, std::move(ys));
  return {};
}

struct Geometry {
  Convolution mirror;  // the convolution that this one transposes: its x is our output, its y our input
  std::int64_t w_group;
};

Result<Geometry> geometry_of(const ReferenceContext& ctx, const TensorView& x, const TensorView& w,
                             const TensorView& y) {
  ImageAxes xa = image_axes(ctx.op(), ctx.attrs(), "data_layout", x.rank);
  WeightAxes wa = weight_axes(ctx.op(), ctx.attrs(), w.rank);
  bool oxi = wa.out == 0;
  Geometry g;
  Convolution& c = g.mirror;
  c.group = ctx.attr_int("group");
  c.batch = x.dims[0];
  c.in_channels = x.dims[xa.channel];
  c.out_channels = w.dims[wa.out] * (oxi ? 1 : c.group);
  MOTE_ASSIGN(c.window, transposed_window_of(ctx.op(), ctx.attrs(), dims_of(x, xa.space, xa.spatial()),
                                             dims_of(w, wa.space, xa.spatial())));
  c.y_batch = x.strides[0];
  c.y_channel = x.strides[xa.channel];
  c.x_batch = y.strides[0];
  c.x_channel = y.strides[xa.channel];
  c.w_out = w.strides[wa.out];
  c.w_in = w.strides[wa.in];
  g.w_group = oxi ? c.out_channels / c.group * c.w_out : c.in_channels / c.group * c.w_in;
  for (int i = 0; i < xa.spatial(); ++i) {
    c.y_space.push_back(x.strides[xa.space + i]);
    c.x_space.push_back(y.strides[xa.space + i]);
    c.w_space.push_back(w.strides[wa.space + i]);
    WindowAxis& a = c.window[static_cast<std::size_t>(i)];
    std::swap(a.in, a.out);
  }
  return g;
}

void scatter(ReferenceContext& ctx, const Geometry& g, std::span<const double> x, std::span<const double> w,
             std::span<double> y) {
  const Convolution& c = g.mirror;
  const std::vector<Tap> taps = taps_of(ctx, c);
  const std::int64_t in_group = c.in_channels / c.group, out_group = c.out_channels / c.group;
  const std::int64_t y_step = c.window.back().stride * c.x_space.back(), x_step = c.y_space.back();
  for (std::int64_t n : ctx.range(c.batch)) {
    for (std::int64_t m : ctx.range(c.out_channels)) {
      double* out = y.data() + n * c.x_batch + m * c.x_channel;
      std::int64_t group = m / out_group;
      for (std::int64_t i : ctx.range(in_group)) {
        const double* in = x.data() + n * c.y_batch + (group * in_group + i) * c.y_channel;
        std::int64_t base = group * g.w_group + m % out_group * c.w_out + i * c.w_in;
        for (const Tap& tap : taps) {
          double f = w[static_cast<std::size_t>(base + tap.w)];
          for (const Run& run : tap.runs) {
            if (!ctx.spend(run.count)) return;
            for (std::int64_t k = 0; k < run.count; ++k) out[run.x + k * y_step] += f * in[run.y + k * x_step];
          }
        }
      }
    }
  }
}

Status run(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &w = ctx.in(1);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  MOTE_ASSIGN(Geometry g, geometry_of(ctx, x, w, y));
  MOTE_ASSIGN(auto xs, widen(ctx, x));
  MOTE_ASSIGN(auto ws, widen(ctx, w));
  MOTE_ASSIGN(auto ys, wide_scratch(ctx, y.count()));
  std::int64_t inner = std::max<std::int64_t>(g.mirror.x_channel, 1);
  for (std::size_t i : ctx.range(ctx.has(2) ? ys.size() : 0)) {
    ys[i] = load_f64(ctx.in(2), static_cast<std::int64_t>(i) / inner % g.mirror.out_channels);
  }
  scatter(ctx, g, xs, ws, ys);
  narrow(ctx, ys, y);
  return {};
}

}  // namespace

MOTE_DEFINE_OP(conv_transpose) = {
    .name = "conv_transpose",
    .doc = "Transposed convolution: the gradient of conv with respect to its input, used to enlarge images.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attrs = kAttrs,
    .infer = infer};
MOTE_DEFINE_REFERENCE(conv_transpose) = run;

}  // namespace mote
