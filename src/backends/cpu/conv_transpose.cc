// conv_transpose on the channels-last kernels of kernels/conv/transpose.
#include "kernels/conv/transpose.h"

#include <algorithm>

#include "backends/cpu/family.h"
#include "backends/cpu/spatial.h"

namespace mote::cpu {
namespace {

namespace kt = kernels::conv_transpose;

struct TransposeStep {
  Spatial window;
  std::int64_t groups = 1;
  std::int32_t isa = 0, has_bias = 0;
};

struct TransposeState {
  kt::Params params;
  kernels::KernelFn<kt::Params> run;
};

void run_transpose(const void* state, kernels::TileRange range) noexcept {
  const TransposeState& s = *static_cast<const TransposeState*>(state);
  s.run(s.params, range);
}

void fill_shape(const TransposeStep& s, const TensorView& x, const TensorView& y, kt::Shape& shape) {
  shape.batch = x.dims[0];
  shape.channels = x.dims[1];
  shape.out_channels = y.dims[1];
  shape.groups = s.groups;
  for (int d = 0; d < 3; ++d) {
    int axis = d - (3 - s.window.rank) + 2;
    if (axis >= 2) {
      shape.in[d] = x.dims[axis];
      shape.out[d] = y.dims[axis];
    }
    shape.kernel[d] = s.window.kernel[d];
    shape.stride[d] = s.window.stride[d];
    shape.dilation[d] = s.window.dilation[d];
    shape.pad_begin[d] = s.window.pad_begin[d];
  }
}

// The kernel steps through the result by strides from a first pixel that is not before the input's.
bool supported(const Spatial& w) {
  const std::int64_t *k = w.kernel, *d = w.dilation, *s = w.stride;
  bool pads = std::min({w.pad_begin[0], w.pad_begin[1], w.pad_begin[2]}) >= 0;
  // Every phase looks at every tap.
  constexpr std::int64_t kMostVisits = std::int64_t{1} << 30;
  Checked visits = Checked(s[0]) * s[1] * s[2] * k[0] * k[1] * k[2];
  return pads && visits.ok() && visits.value() <= kMostVisits && sizes_fit({k[0], k[1], k[2], d[0], d[1], d[2]});
}

std::optional<Claim> claim(const NodeView& n, const TargetOptions& options) {
  if (n.node.op->name != "conv_transpose" || n.attr_string("data_layout") != "NCX" ||
      n.attr_string("weight_layout") != "IOX")
    return std::nullopt;
  const Constant* w = n.constant(1);
  std::string pad = n.attr_string("auto_pad");
  if (!w || !n.type(0).has_rank() || n.type(0).dtype != DType::f32 || !n.attr_ints("output_shape").empty() ||
      (pad != "NOTSET" && pad != "VALID"))
    return std::nullopt;
  if (w->type.dtype != DType::f32 && w->type.dtype != DType::f16 && w->type.dtype != DType::bf16) return std::nullopt;
  std::vector<std::int64_t> wd = *constant_extents(*w->type.shape);
  const Shape& x = *n.type(0).shape;
  TransposeStep s;
  s.groups = n.attr_int("group");
  if (wd.size() != x.size() || x.size() < 3 || x.size() > 5 || !x[1].is(wd[0]) || s.groups < 1 || wd[0] < 1 ||
      wd[1] < 1 || wd[0] % s.groups != 0)
    return std::nullopt;
  if (!read_spatial(n, std::span(wd).subspan(2), s.window) || !supported(s.window)) return std::nullopt;
  s.has_bias = n.has(2);
  if (s.has_bias && n.type(2).dtype != DType::f32) return std::nullopt;
  const kt::Kernel& kernel = kt::select(options.cpu);
  s.isa = static_cast<std::int32_t>(kernel.isa);
  kt::Shape shape;
  shape.channels = wd[0];
  shape.out_channels = wd[1] * s.groups;
  shape.groups = s.groups;
  for (int d = 0; d < 3; ++d) {
    shape.kernel[d] = s.window.kernel[d];
    shape.stride[d] = s.window.stride[d];
    shape.dilation[d] = s.window.dilation[d];
    shape.pad_begin[d] = s.window.pad_begin[d];
  }
  Claim c;
  c.kernel = "conv_transpose";
  c.numerics = kernel.numerics;
  c.params = to_params(s);
  c.inputs = {{Layout::kChannelsLast, true}, {Layout::kPacked, false}, {Layout::kPlain, false}};
  c.outputs = {{Layout::kChannelsLast, true}};
  Packing p;
  p.operand = 1;
  p.name = "conv_transpose";
  p.bytes = static_cast<std::size_t>(kt::packed_size(shape)) * 4;
  std::int64_t taps = shape.taps(), out_group = wd[1];
  p.pack = [shape, taps, out_group](const TensorView& plain, std::span<std::byte> out) {
    kt::Weights weights{plain.data, plain.dtype, taps, out_group * taps, 1};
    kt::pack(shape, weights, reinterpret_cast<float*>(out.data()));
  };
  // The packed form depends on the stride, which splits the taps into phases.
  for (int d = 0; d < 3; ++d)
    p.name += "." + std::to_string(s.window.stride[d]) + "," + std::to_string(s.window.dilation[d]) + "," +
              std::to_string(s.window.pad_begin[d]);
  c.packings.push_back(std::move(p));
  c.why = kernel.name;
  return c;
}

Status setup(const KernelCall& call, void* state, KernelWork& work) {
  TransposeStep s = from_params<TransposeStep>(call.params);
  if (call.inputs.size() < 2 || !call.inputs[0] || !call.inputs[1] || call.outputs.empty() || !call.outputs[0])
    return invalid("conv_transpose needs its operands");
  const TensorView &x = *call.inputs[0], &y = *call.outputs[0];
  if (!s.window.valid() || !supported(s.window) || x.rank != s.window.rank + 2 || y.rank != x.rank ||
      x.dtype != DType::f32 || y.dtype != DType::f32 || x.dims[0] != y.dims[0] || !dense(call.inputs.subspan(1)) ||
      (y.count() > 0 && !(has_pixels(x) && has_pixels(y)))) {
    return invalid("conv_transpose got operands of the wrong kind");
  }
  kt::Shape shape;
  fill_shape(s, x, y, shape);
  if (!sizes_fit({shape.channels, shape.out_channels, shape.kernel[0], shape.kernel[1], shape.kernel[2]}) ||
      s.groups < 1 || shape.channels < 1 || shape.out_channels < 1 || shape.channels % s.groups != 0 ||
      shape.out_channels % s.groups != 0)
    return invalid("conv_transpose has bad groups");
  // What a tile's copy of the input may reach to.
  auto reach = [&](int d) { return (shape.kernel[d] - 1) * shape.dilation[d] + shape.out[d] + 2; };
  if (!sizes_fit({reach(0), reach(1), reach(2), shape.channels + 32}) ||
      !sizes_fit({shape.batch, s.groups, shape.out[0], shape.out[1], shape.out[2], shape.channels / s.groups + 32,
                  shape.out_channels / s.groups + 32, shape.kernel[0], shape.kernel[1], shape.kernel[2]}))
    return invalid("conv_transpose has too large a window");
  if (!holds_packed(call.inputs[1], kt::packed_size(shape) * 4))
    return invalid("conv_transpose got too few packed weights");
  shape.x_pixel = pixel_pitch(x);
  shape.y_pixel = pixel_pitch(y);
  if (y.count() == 0) return {};
  auto* st = new (state) TransposeState();
  kt::Params& p = st->params;
  p.x = x.as<float>();
  p.w = call.inputs[1]->as<float>();
  p.y = y.as<float>();
  if (s.has_bias && call.inputs.size() > 2 && call.inputs[2]) {
    if (call.inputs[2]->dtype != DType::f32 || call.inputs[2]->count() != y.dims[1])
      return invalid("conv_transpose got a bias of the wrong size");
    p.bias = call.inputs[2]->as<float>();
  }
  const kt::Kernel& kernel = kt::select(capped(active_cpu(), static_cast<Isa>(s.isa)));
  kernels::conv::Work w = kt::setup(kernel, shape, &p);
  work.thread_scratch = w.scratch_bytes;
  st->run = kernel.run;
  if (w.tiles > 0) work.add(run_transpose, w.tiles);
  return {};
}

constexpr Kernel kKernels[] = {{.name = "conv_transpose", .state_bytes = sizeof(TransposeState), .setup = setup}};

}  // namespace

MOTE_DEFINE_CPU_FAMILY(conv_transpose, claim, kKernels);

}  // namespace mote::cpu
