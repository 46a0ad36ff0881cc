// count_kernels: runs one layer by the kernels of one ISA, so that something else can count what that takes (arm.py).
//
//   count_kernels                    lists the layers: name, multiply-adds, bits of an operand
//   count_kernels LAYER ISA RUNS     sets the layer up and runs it RUNS times; the scalar kernels are not meant
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "base/cpu.h"
#include "kernels/conv/conv.h"
#include "kernels/dot/dot.h"
#include "kernels/idot/depthwise.h"
#include "kernels/idot/idot.h"
#include "kernels/idot/winograd.h"

namespace {

using namespace mote;
using namespace mote::kernels;

struct Layer {
  const char* name;
  int bits;
  // Of a convolution: kernel x kernel, padded to the same size. Of a product: size rows, `in` by `out`; kernel 0.
  int size, in, out, kernel;
  bool depthwise = false, direct = false;  // direct: also where the shape would choose Winograd's algorithm
};
constexpr Layer kLayers[] = {
    {"gemm", 32, 256, 512, 512, 0},
    {"conv1x1", 32, 28, 128, 128, 1},
    {"conv3x3", 32, 28, 64, 64, 3, false, true},
    {"conv3x3 by its algorithm", 32, 28, 64, 64, 3},
    {"conv3x3 of 3 channels", 32, 56, 3, 32, 3},
    {"depthwise3x3", 32, 56, 96, 96, 3, true},
    {"depthwise5x5", 32, 28, 96, 96, 5, true},
    {"int8 gemm", 8, 256, 512, 512, 0},
    {"int8 conv1x1", 8, 28, 128, 128, 1},
    {"int8 conv3x3", 8, 28, 64, 64, 3, false, true},
    {"int8 conv3x3 by its algorithm", 8, 28, 64, 64, 3},
    {"int8 depthwise3x3", 8, 56, 96, 96, 3, true},
};

std::int64_t macs_of(const Layer& l) {
  if (l.kernel == 0) return std::int64_t{l.size} * l.in * l.out;
  return std::int64_t{l.size} * l.size * l.out * (l.depthwise ? 1 : l.in) * l.kernel * l.kernel;
}

template <class T>
struct Memory {
  explicit Memory(std::int64_t n)
      : data(static_cast<T*>(std::aligned_alloc(64, (static_cast<std::size_t>(n) * sizeof(T) + 127) / 64 * 64))) {
    for (std::int64_t i = 0; i < n; ++i) data[i] = static_cast<T>(i * 7 % 13);
  }
  Memory(const Memory&) = delete;
  ~Memory() { std::free(data); }
  T* data;
};

void run_product(const Layer& l, const CpuFeatures& cpu, int runs) {
  const std::int64_t m = l.size, k = l.in, n = l.out;
  Memory<float> a(m * k), b(k * n), packed(dot::packed_size(k, n)), c(m * n), bias(n);
  dot::pack({b.data, DType::f32, n, 1}, k, n, packed.data, k * dot::kPanel);
  dot::Params p;
  const dot::Kernel& kernel = dot::select(cpu);
  const dot::Work work = dot::setup(kernel, {.m = m, .n = n, .k = k}, &p);
  p.a = a.data;
  p.b = packed.data;
  p.bias = bias.data;
  p.c = c.data;
  for (int i = 0; i < runs; ++i) kernel.run(p, {0, work.tiles, nullptr});
}

void run_convolution(const Layer& l, const CpuFeatures& cpu, int runs) {
  conv::Shape s{.channels = l.in, .out_channels = l.out, .groups = l.depthwise ? l.in : 1};
  for (int d : {1, 2}) {
    s.in[d] = l.size;
    s.kernel[d] = l.kernel;
    s.pad_begin[d] = s.pad_end[d] = l.kernel / 2;
  }
  const conv::Algorithm algorithm = l.direct ? conv::Algorithm::kDirect : conv::choose(s);
  const conv::Kernel& kernel = conv::select(algorithm, cpu);
  const std::int64_t k = s.channels / s.groups * s.taps();
  Memory<float> x(s.in_pixels() * s.channels), w(s.out_channels * k), packed(conv::packed_size(algorithm, s));
  Memory<float> bias(s.out_channels), y(s.out_pixels() * s.out_channels);
  conv::pack(algorithm, s, {w.data, DType::f32, k, s.taps(), 1}, packed.data);
  conv::Params p;
  const conv::Work work = conv::setup(kernel, s, &p);
  Memory<std::byte> scratch(static_cast<std::int64_t>(work.scratch_bytes));
  p.x = x.data;
  p.w = packed.data;
  p.bias = bias.data;
  p.y = y.data;
  for (int i = 0; i < runs; ++i) kernel.run(p, {0, work.tiles, scratch.data});
}

// Of bytes, requantized to bytes.
void run_bytes(const Layer& l, const CpuFeatures& cpu, int runs) {
  const bool conv = l.kernel > 0;
  const std::int64_t taps = conv ? std::int64_t{l.kernel} * l.kernel : 1,
                     pixels = conv ? std::int64_t{l.size} * l.size : l.size;
  idot::Params p;
  p.m = pixels;
  p.groups = l.depthwise ? l.in : 1;
  p.n = l.depthwise ? 1 : l.out;
  p.k = l.depthwise ? taps : taps * l.in;
  Memory<std::uint8_t> a(pixels * l.in), b(p.k * p.n * p.groups), y(pixels * l.out), zero(1);
  Memory<float> one(1);
  one.data[0] = 0.01f;
  p.a = a.data;
  p.a_row = l.in;
  p.gather = conv && l.kernel > 1;
  for (int d : {1, 2}) {
    if (!p.gather) break;
    p.window.in[d] = p.window.out[d] = l.size;
    p.window.kernel[d] = l.kernel;
    p.window.pad[d] = l.kernel / 2;
  }
  p.window.channels = l.depthwise ? 1 : l.in;
  p.c = reinterpret_cast<std::byte*>(y.data);
  p.c_row = l.out;
  p.out = DType::u8;
  p.a_zero = p.y_zero = reinterpret_cast<const std::byte*>(zero.data);
  p.a_scale = p.y_scale = one.data;
  p.b_scale = {reinterpret_cast<const std::byte*>(one.data), 1};
  const idot::Row& row = idot::select(cpu);
  const idot::Segments segments = p.gather ? idot::segments_of(p.window, row.depth) : idot::segments_of(p.k, row.depth);
  p.winograd = row.winograd > 0 && p.gather && !l.depthwise && !l.direct && idot::winograd_suits(p.window, p.n);
  Memory<std::byte> packed(l.depthwise  ? p.k * p.groups
                           : p.winograd ? idot::winograd_size(p.window.channels, p.n)
                                        : idot::packed_size(segments.packed_k(), p.n));
  if (l.depthwise) {
    for (std::int64_t i = 0; i < p.k * p.groups; ++i) packed.data[i] = static_cast<std::byte>(b.data[i]);
  } else if (p.winograd) {
    idot::pack_winograd(b.data, true, p.window.channels, p.n, taps, 1, row.winograd, packed.data);
  } else {
    idot::pack(b.data, true, segments, p.n, p.n, 1, row.depth, packed.data);
  }
  p.b = packed.data;
  const idot::Work work = l.depthwise  ? idot::setup_depthwise(row, &p)
                          : p.winograd ? idot::setup_winograd(&p)
                                       : idot::setup(row, &p);
  Memory<std::byte> scratch(static_cast<std::int64_t>(work.scratch_bytes)),
      shared(static_cast<std::int64_t>(work.shared_bytes));
  p.shared = shared.data;
  l.depthwise ? idot::prepare_depthwise(p, {0, 1, nullptr}) : idot::prepare(p, {0, 1, nullptr});
  const auto run = l.depthwise ? row.depthwise : p.winograd ? row.run_winograd : row.run;
  for (int i = 0; i < runs; ++i) run(p, {0, work.tiles, scratch.data});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 1) {
    for (const Layer& l : kLayers) std::printf("%s\t%lld\t%d\n", l.name, static_cast<long long>(macs_of(l)), l.bits);
    return 0;
  }
  const std::optional<Isa> isa = argc == 4 ? isa_of(argv[2]) : std::nullopt;
  for (const Layer& l : kLayers) {
    if (!isa || std::string_view(argv[1]) != l.name) continue;
    if (!host_cpu().has(*isa)) break;
    const CpuFeatures cpu = capped(host_cpu(), *isa);
    const int runs = std::atoi(argv[3]);
    l.bits == 8 ? run_bytes(l, cpu, runs) : l.kernel == 0 ? run_product(l, cpu, runs) : run_convolution(l, cpu, runs);
    return 0;
  }
  std::fprintf(
      stderr,
      "usage: count_kernels LAYER ISA RUNS, with a layer of those listed without arguments and an ISA of this CPU\n");
  return 2;
}
