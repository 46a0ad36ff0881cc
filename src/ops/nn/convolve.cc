#include "ops/nn/convolve.h"

#include <algorithm>

#include "ops/widen.h"

namespace mote {

std::vector<Tap> taps_of(ReferenceContext& ctx, const Convolution& c) {
  std::vector<Tap> taps;
  const std::size_t n = c.window.size(), last = n - 1;
  std::vector<std::int64_t> outer = outputs_of(c.window);
  outer[last] = std::min<std::int64_t>(outer[last], 1);
  for_each_index(ctx, kernels_of(c.window), [&](std::span<const std::int64_t> k) {
    Tap tap{0, {}};
    for (std::size_t a = 0; a < n; ++a) tap.w += k[a] * c.w_space[a];
    for_each_index(ctx, outer, [&](std::span<const std::int64_t> o) {
      Run run{0, 0, 0};
      for (std::size_t a = 0; a < last; ++a) {
        std::int64_t i = c.window[a].source(o[a], k[a]);
        if (i < 0) return;
        run.x += i * c.x_space[a];
        run.y += o[a] * c.y_space[a];
      }
      const WindowAxis& w = c.window[last];
      std::int64_t out = w.out.value(), lo = 0;
      while (lo < out && w.source(lo, k[last]) < 0 && ctx.spend(1)) ++lo;
      std::int64_t hi = lo;
      while (hi < out && w.source(hi, k[last]) >= 0 && ctx.spend(1)) ++hi;
      if (hi == lo) return;
      run.x += w.source(lo, k[last]) * c.x_space[last];
      run.y += lo * c.y_space[last];
      for (std::int64_t left = hi - lo; left > 0 && ctx.spend(1); left -= run.count) {
        run.count = std::min(left, ctx.piece());
        tap.runs.push_back(run);
        run.x += run.count * w.stride * c.x_space[last];
        run.y += run.count * c.y_space[last];
      }
    });
    taps.push_back(std::move(tap));
  });
  return taps;
}

Status check_per_channel(const InferContext& ctx, int i, const Dim& channels, bool scalar) {
  if (!ctx.has_rank(i)) return {};
  Dim n = volume(ctx.shape(i));
  if (!n.is_const() || !channels.is_const() || n == channels || (scalar && n.is(1))) return {};
  return ctx.error(std::string(ctx.op().inputs[static_cast<std::size_t>(i)].name) + " has " + n.to_string() +
                   " values for " + channels.to_string() + " channels");
}

Status infer_convolution(InferContext& ctx, int x, int w, int bias, DType dtype) {
  if (!ctx.has_rank(x) && !ctx.has_rank(w)) return ctx.output(0, Type::tensor(dtype)), Status();
  int rank = ctx.has_rank(x) ? ctx.rank(x) : ctx.rank(w);
  if (ctx.has_rank(w) && ctx.rank(w) != rank) {
    return ctx.error("x has rank " + std::to_string(rank) + ", the weights have rank " + std::to_string(ctx.rank(w)));
  }
  if (rank < 3) return ctx.error("x needs a batch, channels and at least one spatial axis");
  ImageAxes xa = image_axes(ctx.op(), ctx.attrs(), "data_layout", rank);
  ImageAxes wa = image_axes(ctx.op(), ctx.attrs(), "weight_layout", rank);
  Shape xs = ctx.has_rank(x) ? ctx.shape(x) : ctx.fresh_shape(rank);
  Shape ws = ctx.has_rank(w) ? ctx.shape(w) : ctx.fresh_shape(rank);
  std::vector<std::int64_t> stated = ctx.attr_ints("kernel_shape");
  if (!stated.empty() && static_cast<int>(stated.size()) != xa.spatial()) {
    return ctx.error("kernel_shape: expected " + std::to_string(xa.spatial()) + " values, got " +
                     std::to_string(stated.size()));
  }
  for (std::size_t i = 0; i < stated.size(); ++i) {
    Dim& k = ws[static_cast<std::size_t>(wa.space) + i];
    if (k.is_const() && !k.is(stated[i])) {
      return ctx.error("kernel_shape says " + std::to_string(stated[i]) + ", the weights have " + k.to_string());
    }
    k = stated[i];
  }
  std::int64_t group = ctx.attr_int("group");
  if (group <= 0) return ctx.error("group: must be positive, is " + std::to_string(group));
  const Dim& channels = xs[static_cast<std::size_t>(xa.channel)];
  Dim taken = ws[static_cast<std::size_t>(wa.channel)] * group;
  if (channels.is_const() && taken.is_const() && !(channels == taken)) {
    return ctx.error("x has " + channels.to_string() + " channels, the weights take " + taken.to_string());
  }
  if (ws[0].is_const() && ws[0].value() % group != 0) return ctx.error("output channels are no multiple of group");
  if (bias >= 0) MOTE_TRY(check_per_channel(ctx, bias, ws[0], false));
  std::size_t n = static_cast<std::size_t>(xa.spatial());
  auto window = window_of(ctx.op(), ctx.attrs(), std::span(xs).subspan(static_cast<std::size_t>(xa.space), n),
                          std::span(ws).subspan(static_cast<std::size_t>(wa.space), n));
  if (!window.ok()) return ctx.error(std::string(window.status().message()));
  Shape ys = xs;
  ys[static_cast<std::size_t>(xa.channel)] = ws[0];
  for (std::size_t i = 0; i < n; ++i) ys[static_cast<std::size_t>(xa.space) + i] = (*window)[i].out;
  ctx.output(0, dtype, std::move(ys));
  return {};
}

Result<Convolution> convolution_of(const ReferenceContext& ctx, const TensorView& x, const TensorView& w,
                                   const TensorView& y) {
  ImageAxes xa = image_axes(ctx.op(), ctx.attrs(), "data_layout", x.rank);
  ImageAxes wa = image_axes(ctx.op(), ctx.attrs(), "weight_layout", w.rank);
  Convolution c;
  c.group = ctx.attr_int("group");
  c.batch = x.dims[0];
  c.in_channels = x.dims[xa.channel];
  c.out_channels = w.dims[0];
  MOTE_ASSIGN(c.window,
              window_of(ctx.op(), ctx.attrs(), dims_of(x, xa.space, xa.spatial()), dims_of(w, wa.space, wa.spatial())));
  c.x_batch = x.strides[0];
  c.x_channel = x.strides[xa.channel];
  c.y_batch = y.strides[0];
  c.y_channel = y.strides[xa.channel];
  c.w_out = w.strides[0];
  c.w_in = w.strides[wa.channel];
  for (int i = 0; i < xa.spatial(); ++i) {
    c.x_space.push_back(x.strides[xa.space + i]);
    c.y_space.push_back(y.strides[xa.space + i]);
    c.w_space.push_back(w.strides[wa.space + i]);
  }
  return c;
}

void fill_bias(ReferenceContext& ctx, const Convolution& c, const TensorView& bias, std::span<double> y) {
  for (std::size_t i : ctx.range(y.size())) y[i] = load_f64(bias, c.channel_of(static_cast<std::int64_t>(i)));
}

void convolve(ReferenceContext& ctx, const Convolution& c, std::span<const double> x, std::span<const double> w,
              std::span<double> y) {
  const std::vector<Tap> taps = taps_of(ctx, c);
  const std::int64_t in_group = c.in_channels / c.group, out_group = c.out_channels / c.group;
  const std::int64_t x_step = c.window.back().stride * c.x_space.back(), y_step = c.y_space.back();
  for (std::int64_t n : ctx.range(c.batch)) {
    for (std::int64_t m : ctx.range(c.out_channels)) {
      double* out = y.data() + n * c.y_batch + m * c.y_channel;
      for (std::int64_t i : ctx.range(in_group)) {
        const double* in = x.data() + n * c.x_batch + (m / out_group * in_group + i) * c.x_channel;
        for (const Tap& tap : taps) {
          double f = w[static_cast<std::size_t>(m * c.w_out + i * c.w_in + tap.w)];
          for (const Run& run : tap.runs) {
            if (!ctx.spend(run.count)) return;
            for (std::int64_t k = 0; k < run.count; ++k) out[run.y + k * y_step] += f * in[run.x + k * x_step];
          }
        }
      }
    }
  }
}

void subtract_weight_zero(ReferenceContext& ctx, const Convolution& c, std::span<const double> zero,
                          std::span<double> w) {
  for (std::size_t i : ctx.range(w.size())) w[i] -= zero[zero.size() == 1 ? 0 : i / static_cast<std::size_t>(c.w_out)];
}

}  // namespace mote
