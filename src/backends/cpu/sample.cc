// grid_sample of images and roi_align, on kernels/sample.
#include "kernels/sample/sample.h"

#include <algorithm>

#include "backends/cpu/family.h"

namespace mote::cpu {
namespace {

namespace ks = kernels::sample;

struct SampleStep {
  double scale = 1;
  std::int64_t ratio = 0;
  std::int32_t mode = 0, padding = 0, flag = 0, isa = 0;
};

std::optional<Claim> claim(const NodeView& n, const TargetOptions& options) {
  std::string_view op = n.node.op->name;
  bool grid = op == "grid_sample";
  if ((!grid && op != "roi_align") || !n.type(0).has_rank() || n.type(0).rank() != 4 || n.type(0).dtype != DType::f32 ||
      n.type(1).dtype != DType::f32)
    return std::nullopt;
  SampleStep s;
  std::string mode = n.attr_string("mode");
  if (grid) {
    std::string padding = n.attr_string("padding_mode");
    s.mode = static_cast<std::int32_t>(mode == "linear"    ? ks::Mode::kLinear
                                       : mode == "nearest" ? ks::Mode::kNearest
                                                           : ks::Mode::kCubic);
    s.padding = static_cast<std::int32_t>(padding == "zeros"    ? ks::Padding::kZeros
                                          : padding == "border" ? ks::Padding::kBorder
                                                                : ks::Padding::kReflection);
    s.flag = n.attr_int("align_corners") != 0;
  } else {
    if (n.type(2).dtype != DType::i64) return std::nullopt;
    s.mode = mode == "avg";
    s.flag = n.attr_string("coordinate_transformation_mode") == "half_pixel";
    s.scale = n.attr_float("spatial_scale");
    s.ratio = n.attr_int("sampling_ratio");
  }
  const ks::Row& row = ks::select(options.cpu);
  s.isa = static_cast<std::int32_t>(row.isa);
  Claim c;
  c.kernel = grid ? "grid_sample" : "roi_align";
  c.numerics = row.numerics;
  c.params = to_params(s);
  c.inputs = {{Layout::kChannelsLast, false}, {Layout::kPlain, false}};
  c.outputs = {{Layout::kChannelsLast, false}};
  c.why = row.name;
  return c;
}

// Whether v [n, c, h, w] lies channels-last without gaps.
bool channels_last(const TensorView& v) {
  std::int64_t expect = 1;
  for (int axis : {1, 3, 2, 0}) {
    if (v.dims[axis] != 1 && v.strides[axis] != expect) return false;
    expect *= v.dims[axis];
  }
  return true;
}

Status check(const KernelCall& call, std::size_t inputs) {
  if (call.inputs.size() < inputs || call.outputs.empty() || !call.outputs[0]) return invalid("an operand is missing");
  for (std::size_t i = 0; i < inputs; ++i) {
    if (!call.inputs[i]) return invalid("an operand is missing");
  }
  const TensorView &x = *call.inputs[0], &at = *call.inputs[1], &y = *call.outputs[0];
  if (x.rank != 4 || y.rank != 4 || x.dtype != DType::f32 || y.dtype != DType::f32 || at.dtype != DType::f32 ||
      x.dims[1] != y.dims[1])
    return invalid("operands of the wrong kind");
  if (y.count() == 0) return {};
  if (x.count() == 0) return invalid("the image is empty");
  return channels_last(x) && channels_last(y) && at.dense() ? Status() : invalid("operands in another layout");
}

Status setup_grid(const KernelCall& call, void* state, KernelWork& work) {
  SampleStep s = from_params<SampleStep>(call.params);
  MOTE_TRY(check(call, 2));
  const TensorView &x = *call.inputs[0], &grid = *call.inputs[1], &y = *call.outputs[0];
  if (y.count() == 0) return {};
  if (x.dims[0] != y.dims[0] || grid.count() != y.dims[0] * y.dims[2] * y.dims[3] * 2)
    return invalid("grid_sample got a grid of the wrong shape");
  auto* p = new (state) ks::GridParams();
  p->x = x.as<float>();
  p->grid = grid.as<float>();
  p->y = y.as<float>();
  p->mode = static_cast<ks::Mode>(s.mode);
  p->padding = static_cast<ks::Padding>(s.padding);
  p->corners = s.flag != 0;
  p->batch = x.dims[0];
  p->channels = x.dims[1];
  p->height = x.dims[2];
  p->width = x.dims[3];
  p->pixels = y.dims[2] * y.dims[3];
  p->combine = ks::select(capped(active_cpu(), static_cast<Isa>(s.isa))).combine;
  if (std::int64_t tiles = ks::setup(p); tiles > 0) work.add(run_kernel<ks::GridParams, ks::run_grid>, tiles);
  return {};
}

Status setup_regions(const KernelCall& call, void* state, KernelWork& work) {
  SampleStep s = from_params<SampleStep>(call.params);
  MOTE_TRY(check(call, 3));
  const TensorView &x = *call.inputs[0], &regions = *call.inputs[1], &image = *call.inputs[2], &y = *call.outputs[0];
  if (y.count() == 0) return {};
  if (image.dtype != DType::i64 || image.count() != y.dims[0] || regions.count() != y.dims[0] * 4 || !image.dense())
    return invalid("roi_align got regions of the wrong shape");
  auto* p = new (state) ks::RegionParams();
  p->x = x.as<float>();
  p->regions = regions.as<float>();
  p->image = image.as<std::int64_t>();
  p->y = y.as<float>();
  p->mean = s.mode != 0;
  p->half_pixel = s.flag != 0;
  p->scale = s.scale;
  p->ratio = std::min<std::int64_t>(s.ratio, 1 << 20);
  p->count = y.dims[0];
  p->batch = x.dims[0];
  p->channels = x.dims[1];
  p->height = x.dims[2];
  p->width = x.dims[3];
  p->out_height = y.dims[2];
  p->out_width = y.dims[3];
  p->fault = call.fault;
  p->combine = ks::select(capped(active_cpu(), static_cast<Isa>(s.isa))).combine;
  if (std::int64_t tiles = ks::setup(p); tiles > 0) work.add(run_kernel<ks::RegionParams, ks::run_regions>, tiles);
  return {};
}

constexpr Kernel kKernels[] = {{.name = "grid_sample", .state_bytes = sizeof(ks::GridParams), .setup = setup_grid},
                               {.name = "roi_align",
                                .state_bytes = sizeof(ks::RegionParams),
                                .setup = setup_regions,
                                .fault_message = "a region lies in no image of the batch, or is too large to sample"}};

}  // namespace

MOTE_DEFINE_CPU_FAMILY(sample, claim, kKernels);

}  // namespace mote::cpu
