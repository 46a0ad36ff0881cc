#include "prepare/layer_cost.h"

#include <algorithm>

#include "kernels/conv/conv.h"
#include "kernels/idot/winograd.h"
#include "ops/macs.h"

namespace mote {
namespace {

namespace kc = kernels::conv;

// Rates of one core. Those of AVX2 are measured (Zen 3, layers of ResNet-18 and MobileNetV2); the others are fractions
// of what the pipes could do: about half in f32, less where integers have to be widened. name, GHz, f32, int8, f32 and
// int8 depthwise (multiply-adds per cycle), GB/s, cycles per requantized element and per converted one, us per step.
const CpuModel kCpus[] = {
    {"cortex-a53", 1.2, 2.2, 3.6, 1.0, 1.4, 2.0, 1.5, 1.0, 2.0},
    {"cortex-a55", 1.8, 3.2, 12.0, 1.4, 2.0, 3.5, 1.2, 0.8, 1.5},  // dot product
    {"cortex-a72", 1.5, 4.0, 6.5, 1.6, 2.2, 3.5, 1.0, 0.7, 1.0},   // no dot product
    {"cortex-a76", 2.4, 8.0, 30.0, 3.0, 4.5, 8.0, 0.6, 0.5, 0.6},  // dot product
    {"neoverse-n1", 2.6, 8.0, 30.0, 3.0, 4.5, 15.0, 0.6, 0.5, 0.5},
    {"x86-avx2", 3.0, 15.0, 23.0, 8.5, 5.2, 12.0, 0.3, 1.5, 0.4},
    {"x86-avx512-vnni", 2.8, 26.0, 90.0, 9.0, 16.0, 12.0, 0.2, 0.15, 0.4},
};

constexpr double kCachedBytes = 1e6;  // of activations
// Winograd's forms make 1/4 and 4/9 of the products; with the transforms they took so much of the time of as many
// multiply-adds in a 1x1 convolution; that of integers, of those in the direct sum.
constexpr double kWinograd43 = 0.38, kWinograd23 = 0.56, kIntegerWinograd23 = 0.55;

// Whether 8 bits are multiplied as words, so that Winograd's form of integers pays: an instruction for four products
// makes more than twice as many as f32.
bool multiplies_words(const CpuModel& cpu) { return cpu.int8_macs_per_cycle < 2 * cpu.f32_macs_per_cycle; }

bool integer_winograd(const kc::Shape& s) {
  kernels::idot::Window w;
  for (std::size_t d = 0; d < kc::kMaxSpatial; ++d) {
    w.in[d] = s.in[d];
    w.out[d] = s.out(static_cast<int>(d));
    w.kernel[d] = s.kernel[d];
    w.stride[d] = s.stride[d];
    w.dilation[d] = s.dilation[d];
    w.pad[d] = s.pad_begin[d];
  }
  w.channels = s.channels / s.groups;
  return kernels::idot::winograd_suits(w, s.out_channels / s.groups);
}

// Elements of a tensor, 0 where an extent is not known.
double elements(const Type& t) {
  if (!t.has_rank()) return 0;
  double n = 1;
  for (const Dim& d : *t.shape) n *= static_cast<double>(d.known().value_or(0));
  return n;
}

// The shape of a convolution by its operands; channels first, extents known.
std::optional<kc::Shape> conv_shape(const NodeView& n, const std::vector<std::int64_t>& w) {
  if (n.attr_string("data_layout") != "NCX" || n.attr_string("weight_layout") != "OIX") return std::nullopt;
  const Shape &x = *n.type(0).shape, &y = *n.out_type(0).shape;
  if (x.size() < 3 || x.size() > 5 || w.size() != x.size() || y.size() != x.size()) return std::nullopt;
  kc::Shape s;
  s.batch = x[0].value();
  s.channels = x[1].value();
  s.out_channels = w[0];
  s.groups = n.attr_int("group");
  const std::vector<std::int64_t> strides = n.attr_ints("strides"), dilations = n.attr_ints("dilations");
  const std::size_t space = x.size() - 2;
  for (std::size_t d = 0; d < space; ++d) {
    const std::size_t at = kc::kMaxSpatial - space + d;
    s.in[at] = x[d + 2].value();
    s.kernel[at] = w[d + 2];
    if (strides.size() == space) s.stride[at] = strides[d];
    if (dilations.size() == space) s.dilation[at] = dilations[d];
    // However the padding is written, this is what it comes to.
    const std::int64_t reach = (y[d + 2].value() - 1) * s.stride[at] + (s.kernel[at] - 1) * s.dilation[at] + 1;
    const std::int64_t pad = std::max<std::int64_t>(reach - s.in[at], 0);
    s.pad_begin[at] = pad / 2;
    s.pad_end[at] = pad - pad / 2;
  }
  const bool fits = s.channels > 0 && s.groups > 0 && s.channels % s.groups == 0 && s.out_channels % s.groups == 0;
  return fits ? std::optional(s) : std::nullopt;
}

}  // namespace

std::span<const CpuModel> cpu_models() { return kCpus; }

std::optional<LayerWork> work_of(const NodeView& n) {
  const std::string_view op = n.node.op->name;
  const bool integer = op == "qlinear_conv" || op == "qlinear_matmul", conv = op == "conv" || op == "qlinear_conv";
  if (!integer && !conv && op != "matmul" && op != "gemm") return std::nullopt;
  const Constant* c = n.constant(integer ? 3 : 1);
  if (!c || !n.has(0) || !c->type.has_rank()) return std::nullopt;
  std::optional<std::vector<std::int64_t>> w = constant_extents(*c->type.shape);
  LayerWork out;
  out.x = elements(n.type(0));
  out.y = elements(n.out_type(0));
  if (!w || !(out.x > 0) || !(out.y > 0)) return std::nullopt;
  out.w = out.f32_w = elements(c->type);
  const Dim macs = count_macs(n.module, n.function, n.node);
  if (!macs.is_const()) return std::nullopt;
  out.macs = out.f32_macs = out.word_macs = static_cast<double>(macs.value());
  if (!conv) return out;
  std::optional<kc::Shape> s = conv_shape(n, *w);
  if (!s) return std::nullopt;
  const kc::Algorithm algorithm = kc::choose(*s);
  out.depthwise = algorithm == kc::Algorithm::kDepthwise;
  if (algorithm == kc::Algorithm::kWinograd43) out.f32_macs *= kWinograd43;
  if (algorithm == kc::Algorithm::kWinograd23) out.f32_macs *= kWinograd23;
  if (!out.depthwise && integer_winograd(*s)) out.word_macs *= kIntegerWinograd23;
  out.f32_w = static_cast<double>(kc::packed_size(algorithm, *s));
  return out;
}

LayerCost cost_of(const LayerWork& work, const CpuModel& cpu) {
  const double mhz = cpu.ghz * 1000;
  auto time = [&](double macs, double rate, double weights, double activations) {
    const double bytes = weights + std::max(0.0, activations - kCachedBytes);
    return std::max(macs / (rate * mhz), bytes / (cpu.gbytes_per_s * 1000)) + cpu.step_us;
  };
  LayerCost c;
  c.f32_us = time(work.f32_macs, work.depthwise ? cpu.f32_depthwise_macs_per_cycle : cpu.f32_macs_per_cycle,
                  4 * work.f32_w, 4 * (work.x + work.y));
  c.int8_us =
      time(multiplies_words(cpu) ? work.word_macs : work.macs,
           work.depthwise ? cpu.int8_depthwise_macs_per_cycle : cpu.int8_macs_per_cycle, work.w, work.x + work.y) +
      work.y * cpu.requantize_cycles / mhz;
  return c;
}

double convert_us(double elements, const CpuModel& cpu) {
  const double bytes = std::max(0.0, 5 * elements - kCachedBytes);
  return std::max(elements * cpu.convert_cycles / (cpu.ghz * 1000), bytes / (cpu.gbytes_per_s * 1000)) + cpu.step_us;
}

const CpuModel* model_of(const CpuFeatures& cpu) {
  auto named = [](std::string_view name) { return &*std::ranges::find(kCpus, name, &CpuModel::name); };
  if (cpu.has(Isa::avx512vnni)) return named("x86-avx512-vnni");
  if (cpu.has(Isa::avx2)) return named("x86-avx2");
  if (cpu.has(Isa::neondot)) return named("cortex-a76");
  if (cpu.has(Isa::neon)) return named("cortex-a72");
  return nullptr;
}

}  // namespace mote
