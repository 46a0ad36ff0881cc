// How much memory this machine has, and how much of it this process may use.
#pragma once

#include <cstdint>

namespace mote {

struct MemoryInfo {
  std::int64_t total_bytes = 0, available_bytes = 0;  // 0: unknown
  std::int64_t cgroup_bytes = 0;                      // the tightest limit of the process's control groups; 0: none
  std::int64_t page_bytes = 0;
  std::int64_t peak_bytes = 0;  // the most this process has held so far; 0: unknown
};
MemoryInfo memory_info();

// Files and models below this are not given back between stages: touching them again takes longer than a stage.
inline constexpr std::uint64_t kWorthDropping = 512 << 10;

// Gives back what the code and constants of the program and its libraries take: they come from the file system's cache
// again when they are next touched (microseconds for 64 KiB). For a program that has done something large it will not
// do again. Breakpoints that a debugger has set are lost. Nothing where the system cannot say what is code.
void drop_code();
// For programs that do nothing else while they prepare a model: code is also dropped between the stages of that, by
// drop_code_of_stage, which does nothing otherwise, nor for a model below kWorthDropping.
void set_drop_code_early();
void drop_code_of_stage(std::uint64_t model_bytes);

}  // namespace mote
