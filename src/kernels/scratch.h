// Sizes of scratch memory, which setups compute from extents that a file may name.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mote::kernels {

// Bytes as a size of this machine. What its address space cannot hold becomes the largest size, which no allocation
// gives: on 32-bit machines sizes must not wrap to small ones.
constexpr std::size_t scratch_size(std::int64_t bytes) {
  return bytes >= 0 && static_cast<std::uint64_t>(bytes) <= SIZE_MAX ? static_cast<std::size_t>(bytes) : SIZE_MAX;
}
static_assert(scratch_size(-1) == SIZE_MAX && (sizeof(void*) == 8 || scratch_size(std::int64_t{1} << 32) == SIZE_MAX));

}  // namespace mote::kernels
