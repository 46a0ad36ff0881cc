#include "mote/system.h"

#include <cstdlib>

#include "base/cpu.h"
#include "base/memory_info.h"
#include "base/text.h"
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
  return s;
}

std::int64_t peak_resident_bytes() { return memory_info().peak_bytes; }

}  // namespace mote
