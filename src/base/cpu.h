// What the CPU can do, as data: found once for this machine, capped by the environment variable MOTE_CPU, or made up
// for another machine that a plan is prepared for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mote {

// Instruction sets that kernels are written for, per architecture from the least to the most. Names and order are part
// of
// `.mote` files: append only.
#define MOTE_ISAS(X) \
  X(generic)         \
  X(avx2)            \
  X(avxvnni) X(avx512) X(avx512vnni) X(avx512bf16) X(amx) X(neon) X(neonfp16) X(neondot) X(i8mm) X(rvv) X(simd128)

enum class Isa : std::uint8_t {
#define MOTE_X(name) name,
  MOTE_ISAS(MOTE_X)
#undef MOTE_X
};
#define MOTE_X(name) +1
inline constexpr int kIsaCount = 0 MOTE_ISAS(MOTE_X);
#undef MOTE_X

std::string_view name_of(Isa isa);
std::optional<Isa> isa_of(std::string_view name);

enum class Arch : std::uint8_t { kUnknown, kX86, kArm, kRiscv, kWasm };
Arch arch_of(Isa isa);  // kUnknown for generic

struct CpuFeatures {
  Arch arch = Arch::kUnknown;
  std::uint32_t isas = 1;                                                 // bit i: Isa i; generic always
  std::int64_t l1d_bytes = 32 << 10, l2_bytes = 512 << 10, l3_bytes = 0;  // of one core; l3 shared, 0 for none
  std::string model = "unknown";

  bool has(Isa isa) const { return (isas >> static_cast<int>(isa) & 1u) != 0; }
  Isa best() const;  // the greatest of its ISAs
};

// This machine, with everything the operating system lets us use.
const CpuFeatures& host_cpu();
// This machine below the cap MOTE_CPU (an ISA's name), if that is set and known.
const CpuFeatures& active_cpu();
// `cpu` without the ISAs above `cap`. A cap of another architecture leaves generic alone.
CpuFeatures capped(CpuFeatures cpu, Isa cap);
// A typical CPU whose best ISA is `isa`, to prepare plans for.
CpuFeatures typical_cpu(Isa isa);

// The CPUs this process may run on, fastest first (performance cores before efficiency cores).
struct CpuSet {
  std::vector<int> cpus;
  bool mixed = false;  // cores differ in speed
};
const CpuSet& allowed_cpus();
// How many threads are worth having: the affinity mask, cut by the cgroup's quota, at least 1.
int allowed_threads();
// The cgroup's quota in CPUs, 0 where there is none.
double cgroup_cpus();

}  // namespace mote
