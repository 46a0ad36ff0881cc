// What the machine can do at most, one core: fused multiply-adds in registers, and reading memory in order. Kernels and
// profiles are measured against it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/cpu.h"

namespace mote::kernels::peak {

struct Row {
  std::string_view name;
  Isa isa;
  // Runs `rounds` times twelve independent vector multiply-adds; returns how many that were, lanes counted.
  std::int64_t (*multiply_adds)(std::int64_t rounds) noexcept;
  // Reads `count` floats, a multiple of 512 on a boundary of 64 bytes; the sum keeps the compiler from leaving it out.
  float (*read)(const float* data, std::int64_t count) noexcept;
};

std::span<const Row> kernels();
const Row& select(const CpuFeatures& cpu);
const Row* find(std::string_view name);

}  // namespace mote::kernels::peak
