// bench_kernels: how near the f32 kernels come to the peak of the machine, one pinned thread.
//
// For every ISA of this CPU: the rate of an FMA loop in registers, then GEMM 1024^3 and the 1x1 and 3x3 layers of
// ResNet-50, as per cent of that rate. The loop is timed next to every layer; each figure is the best of several
// repeats, so that other work on the machine disturbs little. Exit code 1 where a floor is missed: GEMM 90 %, layers 85
// % (geometric mean) and 70 % (each).
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "kernels/conv/conv.h"
#include "kernels/dot/dot.h"
#include "kernels/peak/peak.h"

namespace {

using namespace mote;
using namespace mote::kernels;

// Time that this thread ran, so that other processes on the core do not count.
double now() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

struct Floats {
  explicit Floats(std::size_t n) : data(static_cast<float*>(std::aligned_alloc(64, (n * 4 + 127) / 64 * 64))) {
    for (std::size_t i = 0; i < n; ++i) data[i] = static_cast<float>((i * 2654435761u >> 16) % 2000) * 1e-3f - 1;
  }
  Floats(const Floats&) = delete;
  ~Floats() { std::free(data); }
  float* data;
};

// Multiply-adds per second.
double peak_rate(const peak::Row& row) {
  const double t = now();
  const std::int64_t macs = row.multiply_adds(200000);
  return static_cast<double>(macs) / (now() - t);
}

struct Figure {
  double rate, peak;
  double percent() const { return 100 * rate / peak; }
};

// The best of `repeats` samples of a few milliseconds each.
template <class Run>
Figure measure(double macs, const peak::Row& top, Run run) {
  Figure best{0, 0};
  run();
  double t = now();
  run();
  const int per_sample = std::max(1, static_cast<int>(2e-3 / std::max((now() - t), 1e-7)));
  for (int i = 0; i < 25; ++i) {
    best.peak = std::max(best.peak, peak_rate(top));
    t = now();
    for (int j = 0; j < per_sample; ++j) run();
    best.rate = std::max(best.rate, macs * per_sample / (now() - t));
  }
  return best;
}

Figure measure_dot(const dot::Kernel& kernel, const peak::Row& top, std::int64_t m, std::int64_t k, std::int64_t n) {
  Floats a(m * k), b(k * n), packed(dot::packed_size(k, n)), c(m * n), bias(n);
  dot::pack({b.data, DType::f32, n, 1}, k, n, packed.data, k * dot::kPanel);
  dot::Params p;
  p.epilogue.count = 1;
  p.epilogue.ops[0] = unary(UnaryOp::relu);
  const dot::Work work = dot::setup(kernel, {.m = m, .n = n, .k = k}, &p);
  p.a = a.data;
  p.b = packed.data;
  p.bias = bias.data;
  p.c = c.data;
  return measure(static_cast<double>(m) * k * n, top, [&] { kernel.run(p, {0, work.tiles, nullptr}); });
}

struct Layer {
  int size, in, out, kernel, stride;  // size: of the input
};
constexpr Layer kResNet50[] = {
    {56, 64, 64, 1, 1},    {56, 64, 256, 1, 1},   {56, 256, 64, 1, 1},    {56, 256, 128, 1, 1},  {56, 256, 512, 1, 2},
    {28, 128, 512, 1, 1},  {28, 512, 128, 1, 1},  {28, 512, 256, 1, 1},   {28, 512, 1024, 1, 2}, {14, 256, 1024, 1, 1},
    {14, 1024, 256, 1, 1}, {14, 1024, 512, 1, 1}, {14, 1024, 2048, 1, 2}, {7, 512, 2048, 1, 1},  {7, 2048, 512, 1, 1},
    {56, 64, 64, 3, 1},    {56, 128, 128, 3, 2},  {28, 128, 128, 3, 1},   {28, 256, 256, 3, 2},  {14, 256, 256, 3, 1},
    {14, 512, 512, 3, 2},  {7, 512, 512, 3, 1},
};

// Others: the stem and depthwise layers; no floor.
constexpr Layer kOthers[] = {
    {224, 3, 64, 7, 2},   {224, 3, 32, 3, 2},   {112, 32, 32, 3, 1}, {112, 96, 96, 3, 2},  {56, 144, 144, 3, 1},
    {28, 192, 192, 3, 1}, {14, 384, 384, 3, 1}, {7, 960, 960, 3, 1}, {28, 120, 120, 5, 1}, {14, 672, 672, 5, 1},
};

conv::Shape shape_of(const Layer& l, bool depthwise) {
  conv::Shape s{.channels = l.in, .out_channels = l.out, .groups = depthwise ? l.in : 1};
  for (int d : {1, 2}) {
    s.in[d] = l.size;
    s.kernel[d] = l.kernel;
    s.stride[d] = l.stride;
    s.pad_begin[d] = s.pad_end[d] = l.kernel / 2;
  }
  return s;
}

// Multiply-adds are those of the direct algorithm, whichever runs.
Figure measure_conv(Isa isa, const peak::Row& top, const conv::Shape& s, conv::Algorithm algorithm) {
  const conv::Kernel& kernel = conv::select(algorithm, typical_cpu(isa));
  const std::int64_t k = s.channels / s.groups * s.taps();
  Floats x(s.in_pixels() * s.channels), w(s.out_channels * k), packed(conv::packed_size(algorithm, s)),
      bias(s.out_channels);
  Floats y(s.out_pixels() * s.out_channels);
  conv::pack(algorithm, s, {w.data, DType::f32, k, s.taps(), 1}, packed.data);
  conv::Params p;
  p.epilogue.count = 1;
  p.epilogue.ops[0] = unary(UnaryOp::relu);
  const conv::Work work = conv::setup(kernel, s, &p);
  Floats scratch(work.scratch_bytes / 4);
  p.x = x.data;
  p.w = packed.data;
  p.bias = bias.data;
  p.y = y.data;
  const double macs = static_cast<double>(s.out_pixels()) * s.out_channels * k;
  return measure(macs, top, [&] { kernel.run(p, {0, work.tiles, reinterpret_cast<std::byte*>(scratch.data)}); });
}

bool bench_isa(const dot::Kernel& kernel, const peak::Row& top) {
  const Figure gemm = measure_dot(kernel, top, 1024, 1024, 1024);
  std::printf("%s\n  peak                 %7.1f GFLOP/s\n", kernel.name, gemm.peak * 2e-9);
  std::printf("  gemm 1024^3          %7.1f  %5.1f %%\n", gemm.rate * 2e-9, gemm.percent());
  double log_sum = 0, least = 1e9;
  int count = 0;
  // The layer by the algorithm that its shape chooses; the figure that counts is the direct one.
  const auto layer = [&](const Layer& l, bool depthwise) {
    const conv::Shape shape = shape_of(l, depthwise);
    const conv::Algorithm chosen = conv::choose(shape);
    const bool winograd = chosen == conv::Algorithm::kWinograd23 || chosen == conv::Algorithm::kWinograd43;
    const conv::Algorithm direct = winograd ? conv::Algorithm::kDirect : chosen;
    const Figure f = measure_conv(kernel.isa, top, shape, direct);
    std::printf("  %dx%d /%d %4d -> %4d @%-3d %6.1f  %5.1f %%  %s", l.kernel, l.kernel, l.stride, l.in, l.out, l.size,
                f.rate * 2e-9, f.percent(), std::string(conv::name_of(direct)).c_str());
    if (winograd) {
      const Figure w = measure_conv(kernel.isa, top, shape, chosen);
      std::printf(", %s: %.1f %% of the direct algorithm's work", std::string(conv::name_of(chosen)).c_str(),
                  w.percent());
    }
    std::printf("\n");
    return f.percent();
  };
  for (const Layer& l : kResNet50) {
    const double percent = layer(l, false);
    log_sum += std::log(percent);
    least = std::min(least, percent);
    ++count;
  }
  const double mean = std::exp(log_sum / count);
  std::printf("  layers: geometric mean %.1f %%, least %.1f %%\n", mean, least);
  for (const Layer& l : kOthers) layer(l, l.in == l.out);
  return gemm.percent() >= 90 && mean >= 85 && least >= 70;
}

}  // namespace

int main() {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(1, &set);
  sched_setaffinity(0, sizeof set, &set);
  bool ok = true;
#if defined(__x86_64__)
  if (host_cpu().has(Isa::avx512)) ok = bench_isa(*dot::find("dot_f32_avx512"), *peak::find("peak_avx512")) && ok;
  if (host_cpu().has(Isa::avx2)) ok = bench_isa(*dot::find("dot_f32_avx2"), *peak::find("peak_avx2")) && ok;
#endif
  std::printf("%s\n", ok ? "all floors hold" : "a floor is missed");
  return ok ? 0 : 1;
}
