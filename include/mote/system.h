// What Mote found on this machine, what it may use of it, and what this build holds.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace mote {

struct SystemInfo {
  struct Isa {
    std::string name;
    bool found = false;  // the CPU and the operating system offer it
    bool used = false;   // not above the cap
  };
  std::string cpu, architecture;
  std::vector<Isa> isas;  // of this architecture, from the least to the most
  std::string cap;        // the environment variable MOTE_CPU; empty: none
  std::int64_t l1d_bytes = 0, l2_bytes = 0, l3_bytes = 0;
  std::vector<int> cpus;                               // that this process may run on, fastest first
  bool mixed_cpus = false;                             // cores differ in speed
  int threads = 1;                                     // used by default
  double cgroup_cpus = 0;                              // quota, 0: none
  std::int64_t cgroup_memory_bytes = 0;                // limit, 0: none
  std::int64_t memory_bytes = 0, available_bytes = 0;  // 0: unknown
  std::int64_t page_bytes = 0;
  std::string compiler;
  std::vector<std::pair<std::string, std::string>> libraries;  // name, version; "off" where left out of the build
};

SystemInfo system_info();

// What this machine can do, measured: the yardstick of `mote profile --roofline`.
struct Ceilings {
  double macs_per_s = 0;   // f32 multiply-adds in registers, by the best instruction set in use
  double bytes_per_s = 0;  // read from memory, beyond all caches
};

// Takes about a fifth of a second and memory of four times the last cache. All `threads` at once.
Ceilings measure_ceilings(int threads);

// The most memory this process has held so far, as the system counts it; 0 where it does not tell.
std::int64_t peak_resident_bytes();

}  // namespace mote
