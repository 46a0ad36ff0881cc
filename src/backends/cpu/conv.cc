// conv and its fused epilogue on the channels-last kernels of kernels/conv.
#include "kernels/conv/conv.h"

#include <algorithm>

#include "backends/cpu/epilogue.h"
#include "backends/cpu/family.h"
#include "backends/cpu/narrow_weights.h"
#include "backends/cpu/spatial.h"

namespace mote::cpu {
namespace {

namespace kc = kernels::conv;

// What a step needs beyond its operands' shapes.
struct ConvStep {
  std::int64_t groups = 1;
  Spatial window;
  std::int32_t algorithm = 0, isa = 0, has_bias = 0, tiling = 0;
  std::int32_t store = 0, reserved = 0;  // store: a kernels::dot::Store
  EpilogueProgram epilogue;
};

struct ConvState {
  kc::Params params;
  kernels::KernelFn<kc::Params> run;
};

void run_conv(const void* state, kernels::TileRange range) noexcept {
  const ConvState& s = *static_cast<const ConvState*>(state);
  s.run(s.params, range);
}

// Leading spatial dimensions that the tensor lacks are of extent 1.
void fill_shape(const ConvStep& s, const std::int64_t* x_dims, std::int64_t out_channels, kc::Shape& shape) {
  shape.batch = x_dims[0];
  shape.channels = x_dims[1];
  shape.out_channels = out_channels;
  shape.groups = s.groups;
  for (int d = 0; d < 3; ++d) {
    int axis = d - (3 - s.window.rank);
    if (axis >= 0) shape.in[d] = x_dims[2 + axis];
    shape.kernel[d] = s.window.kernel[d];
    shape.stride[d] = s.window.stride[d];
    shape.dilation[d] = s.window.dilation[d];
    shape.pad_begin[d] = s.window.pad_begin[d];
    shape.pad_end[d] = s.window.pad_end[d];
  }
}

// Where the taps that count start in the kernel as given, and its extents.
struct Crop {
  std::int64_t first[3] = {}, kernel[3] = {1, 1, 1};

  bool whole(const Spatial& window) const { return std::equal(kernel, kernel + 3, window.kernel); }
};

// Leaves out the outer taps that meet nothing but padding, as those of large dilations on small images do.
Crop crop_window(const NodeView& n, Spatial& w) {
  Crop crop;
  std::copy_n(w.kernel, 3, crop.kernel);
  for (int a = 0; a < w.rank && n.out_type(0).has_rank(); ++a) {
    int d = 3 - w.rank + a;
    std::size_t axis = 2 + static_cast<std::size_t>(a);
    std::optional<std::int64_t> in = (*n.type(0).shape)[axis].known(), out = (*n.out_type(0).shape)[axis].known();
    if (!in || !out || *in < 1 || *out < 1) continue;
    auto meets = [&](std::int64_t k) {
      std::int64_t at = k * w.dilation[d] - w.pad_begin[d];
      return at < *in && (*out - 1) * w.stride[d] + at >= 0;
    };
    std::int64_t first = 0, last = w.kernel[d] - 1;
    while (first < last && !meets(first)) ++first;
    while (first < last && !meets(last)) --last;
    std::int64_t begin = w.pad_begin[d] - first * w.dilation[d],
                 end = w.pad_end[d] - (w.kernel[d] - 1 - last) * w.dilation[d];
    if (begin < 0 || end < 0) continue;
    crop.first[d] = first;
    w.pad_begin[d] = begin;
    w.pad_end[d] = end;
    w.kernel[d] = last - first + 1;
  }
  return crop;
}

// The taps that `crop` leaves of weights [rows, kernel...], as f32 or 16 bits like the source.
std::vector<std::byte> cropped(const TensorView& plain, const Crop& crop, const Spatial& window, std::int64_t rows) {
  std::size_t width = static_cast<std::size_t>(bits_of(plain.dtype) / 8);
  std::vector<std::byte> out;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t i = 0; i < window.kernel[0]; ++i) {
      for (std::int64_t j = 0; j < window.kernel[1]; ++j) {
        std::int64_t at =
            ((r * crop.kernel[0] + crop.first[0] + i) * crop.kernel[1] + crop.first[1] + j) * crop.kernel[2] +
            crop.first[2];
        const std::byte* from = plain.data + static_cast<std::size_t>(at) * width;
        out.insert(out.end(), from, from + static_cast<std::size_t>(window.kernel[2]) * width);
      }
    }
  }
  return out;
}

std::optional<Claim> claim(const NodeView& n, const TargetOptions& options) {
  if (n.node.op->name != "conv" || n.attr_string("data_layout") != "NCX" || n.attr_string("weight_layout") != "OIX")
    return std::nullopt;
  const Constant* w = n.constant(1);
  if (!w || !n.type(0).has_rank() || n.type(0).dtype != DType::f32) return std::nullopt;
  if (w->type.dtype != DType::f32 && w->type.dtype != DType::f16 && w->type.dtype != DType::bf16) return std::nullopt;
  const Shape& x = *n.type(0).shape;
  std::vector<std::int64_t> wd = *constant_extents(*w->type.shape);
  if (x.size() < 3 || x.size() > 5 || wd.size() != x.size() || !x[1].is_const()) return std::nullopt;
  ConvStep s;
  s.groups = n.attr_int("group");
  if (!read_spatial(n, std::span(wd).subspan(2), s.window)) return std::nullopt;
  Crop crop = crop_window(n, s.window);
  s.has_bias = n.has(2);
  if (s.has_bias && n.type(2).dtype != DType::f32) return std::nullopt;
  if (!claim_epilogue(n, RowOrder::kChannelsLast, s.epilogue)) return std::nullopt;
  // The algorithm must hold for every shape that can come: unknown extents count as large.
  kc::Shape shape;
  std::int64_t dims[5];
  for (std::size_t i = 0; i < x.size(); ++i) dims[i] = x[i].is_const() ? x[i].value() : 1024;
  if (wd[0] <= 0 || s.groups <= 0 || x[1].value() <= 0 || x[1].value() % s.groups != 0 || wd[0] % s.groups != 0)
    return std::nullopt;
  fill_shape(s, dims, wd[0], shape);
  kc::Algorithm algorithm = computes_in_bf16(options) ? kc::choose_pairs(shape) : kc::choose(shape);
  s.algorithm = static_cast<std::int32_t>(algorithm);
  if (algorithm == kc::Algorithm::kDot) shape.store = store_for(*w);
  s.store = static_cast<std::int32_t>(shape.store);
  const kc::Kernel& kernel = kc::select(algorithm, options.cpu);
  s.isa = static_cast<std::int32_t>(kernel.isa);

  Claim c;
  c.kernel = "conv";
  c.numerics = kernel.numerics;
  c.params = to_params(s);
  c.inputs = {
      {Layout::kChannelsLast, true}, {Layout::kPacked, false}, {Layout::kPlain, false}, {Layout::kChannelsLast, true}};
  c.outputs = {{Layout::kChannelsLast, true}};
  std::int64_t taps = s.window.kernel[0] * s.window.kernel[1] * s.window.kernel[2], in_group = wd[1];
  Packing p;
  p.operand = 1;
  p.name = packing_name("conv." + std::string(kc::name_of(algorithm)), shape.store);
  for (int d = 0; d < 3 && !crop.whole(s.window); ++d) {
    p.name += "." + std::to_string(crop.first[d]) + "+" + std::to_string(s.window.kernel[d]);
  }
  p.bytes = static_cast<std::size_t>(kc::packed_size(algorithm, shape)) * 4;
  auto pack = [=, window = s.window, inputs = wd[1]](const TensorView& plain, std::int64_t begin,
                                                     std::span<std::byte> out) {
    std::vector<std::byte> part;
    if (!crop.whole(window)) part = cropped(plain, crop, window, plain.dims[0] * inputs);
    kc::Weights weights{part.empty() ? plain.data : part.data(), plain.dtype, in_group * taps, taps, 1};
    float* to = reinterpret_cast<float*>(out.data());
    if (begin < 0) return kc::pack(algorithm, shape, weights, to);
    kc::pack_part(algorithm, shape, weights, begin, plain.dims[0], to);
  };
  p.pack = [=](const TensorView& plain, std::span<std::byte> out) { pack(plain, -1, out); };
  if (kc::packs_in_parts(algorithm, shape)) {
    p.pack_part = [=](const TensorView& part, int, std::int64_t begin, std::span<std::byte> out) {
      pack(part, begin, out);
    };
  }
  c.packings.push_back(std::move(p));
  c.why = std::string(kernel.name) + ", " + std::string(kc::name_of(algorithm));
  if (kernel.numerics != Numerics::kFast) c.why += why_store(*w, shape.store);
  return c;
}

// Whether the work of all tiles, and what one of them copies, are numbers to compute with: for any algorithm.
bool bounded(const kc::Shape& s) {
  std::int64_t channels = s.channels / s.groups + 32, columns = s.out_channels / s.groups + 32, line[3];
  for (int d = 0; d < 3; ++d) {
    std::int64_t outputs = s.out(d), span = s.in[d] + s.pad_begin[d] + s.pad_end[d];
    if (!sizes_fit({outputs, s.kernel[d]})) return false;
    line[d] = std::max(outputs * s.kernel[d], span) + 1;
  }
  return sizes_fit({64, s.batch, s.groups, s.out(0), s.out(1), s.out(2), channels, columns, s.kernel[0], s.kernel[1],
                    s.kernel[2]}) &&
         sizes_fit({s.kernel[0], line[1], line[2], channels}) && sizes_fit({s.in[0], s.in[1], s.in[2], s.out_channels});
}

Status setup(const KernelCall& call, void* state, KernelWork& work) {
  ConvStep s = from_params<ConvStep>(call.params);
  if (call.inputs.size() < 2 || !call.inputs[0] || !call.inputs[1] || call.outputs.empty() || !call.outputs[0])
    return invalid("conv needs its operands");
  const TensorView &x = *call.inputs[0], &y = *call.outputs[0];
  if (!s.window.valid() || x.rank != s.window.rank + 2 || y.rank != x.rank || x.dtype != DType::f32 ||
      y.dtype != DType::f32 || x.dims[0] != y.dims[0] ||
      !dense(call.inputs.subspan(1, std::min<std::size_t>(call.inputs.size(), 3) - 1)) ||
      (y.count() > 0 && !(has_pixels(x) && has_pixels(y)))) {
    return invalid("conv got operands of the wrong kind");
  }
  auto* st = new (state) ConvState();
  kc::Params& p = st->params;
  kc::Shape shape;
  fill_shape(s, x.dims, y.dims[1], shape);
  bool positive = sizes_fit({shape.channels, shape.out_channels, shape.kernel[0], shape.kernel[1], shape.kernel[2]}) &&
                  shape.channels > 0 && shape.out_channels > 0 && s.groups > 0 && shape.channels % s.groups == 0 &&
                  shape.out_channels % s.groups == 0;
  if (!positive || s.algorithm < 0 || s.algorithm > 255) return invalid("conv has bad parameters");
  if (!kc::supports(static_cast<kc::Algorithm>(s.algorithm), shape))
    return invalid("conv names an algorithm that cannot do its shape");
  shape.store = static_cast<kernels::dot::Store>(s.store);
  if (s.store < 0 || s.store > static_cast<std::int32_t>(kernels::dot::Store::kBf16) ||
      (s.store != 0 && s.algorithm != static_cast<std::int32_t>(kc::Algorithm::kDot)))
    return invalid("conv names weights that there are not");
  shape.x_pixel = pixel_pitch(x);
  shape.y_pixel = pixel_pitch(y);
  if (s.tiling < 0 || s.tiling >= kernels::kTilingCount) return invalid("conv names tiles that there are not");
  shape.tiling = static_cast<kernels::Tiling>(s.tiling);
  kc::Algorithm algorithm = static_cast<kc::Algorithm>(s.algorithm);
  if (!holds_packed(call.inputs[1], kc::packed_size(algorithm, shape) * 4))
    return invalid("conv got too few packed weights");
  for (int d = 0; d < s.window.rank; ++d) {
    if (y.dims[2 + d] != shape.out(3 - s.window.rank + d)) return invalid("conv got an output of the wrong extent");
  }
  if (y.count() == 0) return {};
  if (!bounded(shape)) return invalid("conv got operands that are too large");
  const kc::Kernel& kernel = kc::select(algorithm, capped(active_cpu(), static_cast<Isa>(s.isa)));
  p.x = x.as<float>();
  p.w = call.inputs[1]->as<float>();
  p.bias = s.has_bias && call.inputs.size() > 2 && call.inputs[2] ? call.inputs[2]->as<float>() : nullptr;
  if (p.bias && (call.inputs[2]->dtype != DType::f32 || call.inputs[2]->count() != y.dims[1]))
    return invalid("conv got a bias of the wrong size");
  p.y = y.as<float>();
  MOTE_TRY(bind_epilogue(s.epilogue, call, y, RowOrder::kChannelsLast, p.epilogue));
  kc::Work w = kc::setup(kernel, shape, &p);
  work.thread_scratch = w.scratch_bytes;
  if (w.tiles == 0) return {};
  st->run = kernel.run;
  work.add(run_conv, w.tiles);
  return {};
}

constexpr Kernel kKernels[] = {
    {.name = "conv", .state_bytes = sizeof(ConvState), .setup = setup, .tiling = offsetof(ConvStep, tiling)}};

}  // namespace

MOTE_DEFINE_CPU_FAMILY(conv, claim, kKernels);

}  // namespace mote::cpu
