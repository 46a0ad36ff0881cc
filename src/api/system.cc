#include "mote/system.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <new>

#include "base/cpu.h"
#include "base/memory_info.h"
#include "base/text.h"
#include "base/thread_pool.h"
#include "kernels/peak/peak.h"
#include "media/libraries.h"
#if MOTE_ONNX
#include "formats/onnx/onnx.h"
#endif

namespace mote {
namespace {

std::string architecture(Arch arch) {
  switch (arch) {
    case Arch::kX86:
      return sizeof(void*) == 8 ? "x86-64" : "x86";
    case Arch::kArm:
      return sizeof(void*) == 8 ? "AArch64" : "Arm";
    case Arch::kRiscv:
      return "RISC-V";
    case Arch::kWasm:
      return "WebAssembly";
    case Arch::kUnknown:
      break;
  }
  return "unknown";
}

std::string compiler() {
#if defined(__clang__)
  return concat("clang ", __clang_major__, ".", __clang_minor__, ".", __clang_patchlevel__);
#elif defined(__GNUC__)
  return concat("gcc ", __GNUC__, ".", __GNUC_MINOR__, ".", __GNUC_PATCHLEVEL__);
#else
  return "unknown";
#endif
}

}  // namespace

SystemInfo system_info() {
  SystemInfo s;
  const CpuFeatures &host = host_cpu(), &active = active_cpu();
  s.cpu = host.model;
  s.architecture = architecture(host.arch);
  for (int i = 0; i < kIsaCount; ++i) {
    Isa isa = static_cast<Isa>(i);
    if (isa == Isa::generic || arch_of(isa) == host.arch)
      s.isas.push_back({std::string(name_of(isa)), host.has(isa), active.has(isa)});
  }
  if (const char* cap = std::getenv("MOTE_CPU")) s.cap = cap;
  s.l1d_bytes = host.l1d_bytes;
  s.l2_bytes = host.l2_bytes;
  s.l3_bytes = host.l3_bytes;
  s.cpus = allowed_cpus().cpus;
  s.mixed_cpus = allowed_cpus().mixed;
  s.threads = allowed_threads();
  s.cgroup_cpus = cgroup_cpus();
  MemoryInfo memory = memory_info();
  s.cgroup_memory_bytes = memory.cgroup_bytes;
  s.memory_bytes = memory.total_bytes;
  s.available_bytes = memory.available_bytes;
  s.page_bytes = memory.page_bytes;
  s.compiler = compiler();
  s.libraries = media::libraries();
#if MOTE_ONNX
  s.libraries.emplace_back("ONNX", concat("opset 1 to ", onnx::kNewestOpset));
#else
  s.libraries.emplace_back("ONNX", "off");
#endif
  s.libraries.emplace_back("TensorFlow Lite", MOTE_TFLITE ? "version 3" : "off");
  return s;
}

namespace {

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The best rate of a few rounds in which all threads do `amount` each.
template <class Work>
double best_rate(int threads, double amount, const Work& work) {
  double best = 0;
  for (double end = seconds_now() + 0.08; seconds_now() < end;) {
    const double start = seconds_now();
    ThreadPool::shared().parallel(threads, threads, [&](std::int64_t begin, std::int64_t stop, int) {
      for (std::int64_t i = begin; i < stop; ++i) work(i);
    });
    best = std::max(best, amount * threads / (seconds_now() - start));
  }
  return best;
}

}  // namespace

Ceilings measure_ceilings(int threads) {
  const kernels::peak::Row& row = kernels::peak::select(active_cpu());
  threads = std::clamp(threads, 1, ThreadPool::kMaxThreads);
  constexpr std::int64_t kRounds = 100000;
  Ceilings c;
  c.macs_per_s = best_rate(threads, static_cast<double>(row.multiply_adds(1) * kRounds),
                           [&](std::int64_t) { row.multiply_adds(kRounds); });
  const std::int64_t bytes = std::max<std::int64_t>(std::int64_t{64} << 20, 4 * host_cpu().l3_bytes);
  const std::int64_t part = bytes / threads / 2048 * 512;  // floats
  struct Aligned {
    void operator()(float* p) const { ::operator delete[](p, std::align_val_t(64)); }
  };
  const std::size_t size = static_cast<std::size_t>(part * threads);
  std::unique_ptr<float, Aligned> data(
      static_cast<float*>(::operator new[](size * sizeof(float), std::align_val_t(64), std::nothrow)));
  if (!data) return c;
  std::fill_n(data.get(), size, 1.0f);
  volatile float sink = 0;
  c.bytes_per_s = best_rate(threads, static_cast<double>(part) * sizeof(float),
                            [&](std::int64_t i) { sink = row.read(data.get() + i * part, part); });
  static_cast<void>(sink);
  return c;
}

std::int64_t peak_resident_bytes() { return memory_info().peak_bytes; }

}  // namespace mote
