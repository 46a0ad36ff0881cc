#include "base/cpu.h"

#include <cstdlib>
#include <iterator>

#if defined(__x86_64__)
#include <cpuid.h>
#define MOTE_CPU_X86 1
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#define MOTE_CPU_ARM64 1
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#endif
#include <unistd.h>

#include "base/system_files.h"
#include "base/text.h"

namespace mote {
namespace {

constexpr std::uint32_t bit(Isa isa) { return 1u << static_cast<int>(isa); }

constexpr std::string_view kIsaNames[] = {
#define MOTE_X(name) #name,
    MOTE_ISAS(MOTE_X)
#undef MOTE_X
};

// What this build has no kernels for: the build option MOTE_ISA.
constexpr std::uint32_t kLeftOut = 0
#if defined(MOTE_WITHOUT_avx2)
                                   | bit(Isa::avx2)
#endif
#if defined(MOTE_WITHOUT_avxvnni)
                                   | bit(Isa::avxvnni)
#endif
#if defined(MOTE_WITHOUT_avx512)
                                   | bit(Isa::avx512)
#endif
#if defined(MOTE_WITHOUT_avx512vnni)
                                   | bit(Isa::avx512vnni)
#endif
#if defined(MOTE_WITHOUT_avx512bf16)
                                   | bit(Isa::avx512bf16)
#endif
#if defined(MOTE_WITHOUT_neon)
                                   | bit(Isa::neon)
#endif
#if defined(MOTE_WITHOUT_neondot)
                                   | bit(Isa::neondot)
#endif
#if defined(MOTE_WITHOUT_i8mm)
                                   | bit(Isa::i8mm)
#endif
    ;

#if defined(MOTE_CPU_X86)

struct Cpuid {
  unsigned a = 0, b = 0, c = 0, d = 0;
  Cpuid(unsigned leaf, unsigned sub) {
    if (!__get_cpuid_count(leaf, sub, &a, &b, &c, &d)) a = b = c = d = 0;
  }
};

std::uint64_t enabled_state() {
  unsigned lo = 0, hi = 0;
  __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
  return static_cast<std::uint64_t>(hi) << 32 | lo;
}

// Linux hands out the tile registers on request only; the permission holds for the whole process.
bool request_tiles() {
#if defined(__linux__) && defined(SYS_arch_prctl)
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

std::uint32_t detect_isas() {
  std::uint32_t isas = bit(Isa::generic);
  Cpuid one(1, 0), seven(7, 0), seven1(7, 1);
  auto has = [](unsigned word, int i) { return (word >> i & 1u) != 0; };
  if (!has(one.c, 27)) return isas;  // OSXSAVE
  std::uint64_t state = enabled_state();
  bool ymm = (state & 0x6) == 0x6, zmm = (state & 0xe6) == 0xe6, tiles = (state & 0x60000) == 0x60000;
  bool avx2 = ymm && has(one.c, 28) && has(one.c, 12) && has(one.c, 29) && has(seven.b, 5) && has(seven.b, 8);
  if (!avx2) return isas;
  isas |= bit(Isa::avx2);
#if defined(MOTE_EMULATE)
  return isas | bit(Isa::avx512) | bit(Isa::avx512vnni);  // simd/emulated_avx512.h
#endif
  if (has(seven1.a, 4)) isas |= bit(Isa::avxvnni);
  bool avx512 = zmm && has(seven.b, 16) && has(seven.b, 17) && has(seven.b, 30) && has(seven.b, 31);
  if (!avx512) return isas;
  isas |= bit(Isa::avx512);
  if (!has(seven.c, 11)) return isas;
  isas |= bit(Isa::avx512vnni);
  if (!has(seven1.a, 5)) return isas;
  isas |= bit(Isa::avx512bf16);
  bool amx = tiles && has(seven.d, 22) && has(seven.d, 24) && has(seven.d, 25);
  if (amx && request_tiles()) isas |= bit(Isa::amx);
  return isas;
}

std::string detect_model() {
  if (Cpuid(0x80000000u, 0).a < 0x80000004u) return "x86";
  std::string s;
  for (unsigned leaf = 0x80000002u; leaf <= 0x80000004u; ++leaf) {
    Cpuid id(leaf, 0);
    for (unsigned word : {id.a, id.b, id.c, id.d}) {
      for (int i = 0; i < 4; ++i) {
        if (char c = static_cast<char>(word >> (8 * i))) s += c;
      }
    }
  }
  return std::string(trim(s));
}

#elif defined(MOTE_CPU_ARM64)

std::uint32_t detect_isas() {
  std::uint32_t isas = bit(Isa::generic) | bit(Isa::neon);
  unsigned long caps = getauxval(AT_HWCAP), caps2 = getauxval(AT_HWCAP2);
  bool half = (caps >> 10 & 1) != 0, dot = (caps >> 20 & 1) != 0, i8mm = (caps2 >> 13 & 1) != 0,
       bf16 = (caps2 >> 14 & 1) != 0;
  if (half) isas |= bit(Isa::neonfp16);
  if (dot) isas |= bit(Isa::neondot);
  if (half && dot && i8mm && bf16) isas |= bit(Isa::i8mm);
  return isas;
}

std::string detect_model() {
  constexpr struct {
    std::string_view part, name;
  } kParts[] = {{"0xd03", "Cortex-A53"}, {"0xd05", "Cortex-A55"},  {"0xd07", "Cortex-A57"}, {"0xd08", "Cortex-A72"},
                {"0xd09", "Cortex-A73"}, {"0xd0a", "Cortex-A75"},  {"0xd0b", "Cortex-A76"}, {"0xd0c", "Neoverse-N1"},
                {"0xd0d", "Cortex-A77"}, {"0xd40", "Neoverse-V1"}, {"0xd41", "Cortex-A78"}, {"0xd49", "Neoverse-N2"}};
  std::string name = "AArch64";
  std::string info = read_system_file("/proc/cpuinfo");
  split(info, '\n', [&](std::string_view line) {
    if (!line.starts_with("CPU part")) return;
    std::string_view part = trim(line.substr(line.find(':') + 1));
    for (auto& p : kParts) {
      if (p.part == part) name = p.name;
    }
  });
  return name;
}

#else

std::uint32_t detect_isas() { return bit(Isa::generic); }
std::string detect_model() { return "unknown"; }

#endif

constexpr Arch kHostArch =
#if defined(MOTE_CPU_X86)
    Arch::kX86;
#elif defined(__aarch64__) || defined(__arm__)
    Arch::kArm;
#elif defined(__riscv)
    Arch::kRiscv;
#elif defined(__wasm__)
    Arch::kWasm;
#else
    Arch::kUnknown;
#endif

void detect_caches(CpuFeatures& cpu) {
  for (int i = 0; i < 8; ++i) {
    std::string dir = concat("/sys/devices/system/cpu/cpu0/cache/index", i, "/");
    std::string type(trim(read_system_file(dir + "type"))), level(trim(read_system_file(dir + "level")));
    std::string size(trim(read_system_file(dir + "size")));
    auto bytes = parse_size(size);
    if (!bytes || *bytes <= 0 || type == "Instruction") continue;
    if (level == "1") cpu.l1d_bytes = *bytes;
    if (level == "2") cpu.l2_bytes = *bytes;
    if (level == "3") cpu.l3_bytes = *bytes;
  }
}

CpuFeatures detect() {
  CpuFeatures cpu;
  cpu.arch = kHostArch;
  cpu.isas = detect_isas();
  cpu.model = detect_model();
  detect_caches(cpu);
  return cpu;
}

}  // namespace

std::string_view name_of(Isa isa) { return kIsaNames[static_cast<int>(isa)]; }

std::optional<Isa> isa_of(std::string_view name) {
  for (int i = 0; i < kIsaCount; ++i) {
    if (kIsaNames[i] == name) return static_cast<Isa>(i);
  }
  return std::nullopt;
}

Arch arch_of(Isa isa) {
  if (isa == Isa::generic) return Arch::kUnknown;
  if (isa <= Isa::amx) return Arch::kX86;
  if (isa <= Isa::i8mm) return Arch::kArm;
  return isa == Isa::rvv ? Arch::kRiscv : Arch::kWasm;
}

Isa CpuFeatures::best() const {
  int best = 0;
  for (int i = 0; i < kIsaCount; ++i) {
    if (has(static_cast<Isa>(i))) best = i;
  }
  return static_cast<Isa>(best);
}

CpuFeatures capped(CpuFeatures cpu, Isa cap) {
  std::uint32_t below = arch_of(cap) == cpu.arch ? (bit(cap) << 1) - 1u : 0u;
  cpu.isas &= below | bit(Isa::generic);
  return cpu;
}

CpuFeatures typical_cpu(Isa isa) {
  CpuFeatures cpu;
  cpu.arch = arch_of(isa);
  for (int i = 0; i <= static_cast<int>(isa); ++i) {
    if (i == 0 || arch_of(static_cast<Isa>(i)) == cpu.arch) cpu.isas |= 1u << i;
  }
  cpu.model = concat("any ", name_of(isa));
  if (isa >= Isa::avx512 && isa <= Isa::amx) {
    cpu.l1d_bytes = 48 << 10;
    cpu.l2_bytes = 1 << 20;
  }
  return cpu;
}

const CpuFeatures& host_cpu() {
  static const CpuFeatures cpu = detect();
  return cpu;
}

const CpuFeatures& active_cpu() {
  static const CpuFeatures cpu = [] {
    const char* name = std::getenv("MOTE_CPU");
    auto cap = name ? isa_of(name) : std::nullopt;
    CpuFeatures active = cap ? capped(host_cpu(), *cap) : host_cpu();
    active.isas &= ~kLeftOut;
    return active;
  }();
  return cpu;
}

}  // namespace mote
