#include "ops/nn/pool.h"

#include <algorithm>

#include "ops/infer_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

Window whole(const TensorView& x, const ImageAxes& axes) {
  Window w;
  for (const Dim& d : dims_of(x, axes.space, axes.spatial())) w.push_back({d, d, 1, 0, 0, 1, 1});
  return w;
}

}  // namespace

Status infer_pool(InferContext& ctx, std::span<const DType> dtypes) {
  std::vector<std::int64_t> kernel = ctx.attr_ints("kernel_shape");
  if (kernel.empty()) return ctx.error("kernel_shape is missing");
  int rank = static_cast<int>(kernel.size()) + 2;
  if (ctx.has_rank(0) && ctx.rank(0) != rank) {
    return ctx.error("kernel_shape has " + std::to_string(kernel.size()) + " values for x of rank " +
                     std::to_string(ctx.rank(0)));
  }
  ImageAxes axes = image_axes(ctx.op(), ctx.attrs(), "data_layout", rank);
  Shape shape = ctx.has_rank(0) ? ctx.shape(0) : ctx.fresh_shape(rank);
  std::vector<Dim> extents(kernel.begin(), kernel.end());
  std::size_t first = static_cast<std::size_t>(axes.space);
  auto window = window_of(ctx.op(), ctx.attrs(), std::span(shape).subspan(first, extents.size()), extents);
  if (!window.ok()) return ctx.error(std::string(window.status().message()));
  for (std::size_t i = 0; i < extents.size(); ++i) shape[first + i] = (*window)[i].out;
  for (std::size_t i = 0; i < dtypes.size(); ++i) ctx.output(static_cast<int>(i), dtypes[i], shape);
  return {};
}

Status infer_global_pool(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kNumbers));
  if (!ctx.has_rank(0)) return ctx.output(0, Type::tensor(ctx.dtype(0))), Status();
  if (ctx.rank(0) < 2) return ctx.error("x needs a batch and channels");
  ImageAxes axes = image_axes(ctx.op(), ctx.attrs(), "data_layout", ctx.rank(0));
  Shape shape = ctx.shape(0);
  const auto space = std::span(shape).subspan(static_cast<std::size_t>(axes.space));
  std::fill_n(space.begin(), axes.spatial(), 1);
  ctx.output(0, ctx.dtype(0), std::move(shape));
  return {};
}

Result<Pooling> pooling_of(const ReferenceContext& ctx, const TensorView& x) {
  ImageAxes axes = image_axes(ctx.op(), ctx.attrs(), "data_layout", x.rank);
  std::vector<std::int64_t> kernel = ctx.attr_ints("kernel_shape");
  MOTE_ASSIGN(Window window, window_of(ctx.op(), ctx.attrs(), dims_of(x, axes.space, axes.spatial()),
                                       std::vector<Dim>(kernel.begin(), kernel.end())));
  return Pooling{axes, std::move(window)};
}

Pooling global_pooling_of(const ReferenceContext& ctx, const TensorView& x) {
  ImageAxes axes = image_axes(ctx.op(), ctx.attrs(), "data_layout", x.rank);
  return {axes, whole(x, axes)};
}

void for_each_window(ReferenceContext& ctx, const Pooling& p, const TensorView& x, const TensorView& y,
                     const std::function<void(const PoolWindow&)>& f) {
  const std::size_t n = p.window.size();
  const int space = p.axes.space;
  PoolWindow w;
  std::vector<std::int64_t> first(n), count(n);
  for_each_index(ctx, outputs_of(p.window), [&](std::span<const std::int64_t> o) {
    w.taken.clear();
    w.counted = 1;
    std::int64_t at = 0;
    for (std::size_t a = 0; a < n; ++a) {
      const WindowAxis& axis = p.window[a];
      // Taps k from `first` on lie in the input while o * stride + k * dilation is in [begin, begin + in).
      std::int64_t taps = axis.kernel.value(), before = axis.begin.value() - o[a] * axis.stride;
      auto reaching = [&](std::int64_t distance) {
        return std::clamp<std::int64_t>(ceildiv(Dim(distance), Dim(axis.dilation)).value(), 0, taps);
      };
      first[a] = reaching(before);
      count[a] = reaching(before + axis.in.value()) - first[a];
      w.counted *= reaching(before + axis.in.value() + axis.end.value());
      at += o[a] * y.strides[space + static_cast<int>(a)];
    }
    for_each_index(ctx, count, [&](std::span<const std::int64_t> k) {
      std::int64_t tap = 0;
      for (std::size_t a = 0; a < n; ++a) {
        tap += p.window[a].source(o[a], first[a] + k[a]) * x.strides[space + static_cast<int>(a)];
      }
      w.taken.push_back(tap);
    });
    for (std::int64_t b : ctx.range(x.dims[0])) {
      for (std::int64_t c : ctx.range(x.dims[p.axes.channel])) {
        w.channel = b * x.strides[0] + c * x.strides[p.axes.channel];
        w.y = at + b * y.strides[0] + c * y.strides[p.axes.channel];
        f(w);
      }
    }
  });
}

}  // namespace mote
