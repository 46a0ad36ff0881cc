// The block: how many elements go through a program at once. All of its buffers stay in the first-level cache.
#pragma once

#include <cstdint>

namespace mote::kernels::elementwise {

inline constexpr std::int64_t kBlock = 1024;
inline constexpr std::int64_t kShortRow = 128;  // strided rows shorter than this are gathered into blocks

}  // namespace mote::kernels::elementwise
