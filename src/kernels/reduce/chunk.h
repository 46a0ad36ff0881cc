// The sizes that the numerics class `lanes16` and its kernels share.
#pragma once

#include <cstdint>

namespace mote::kernels::reduce {

inline constexpr std::int64_t kChunk = 4096;  // elements of a sequence that are folded on their own
inline constexpr std::int64_t kStrip = 128;   // sequences that are folded side by side
inline constexpr std::int64_t kLong = 16;     // chunks from which on a sequence is shared between tiles
inline constexpr std::int64_t kCombine = 64;  // results per tile of combining

}  // namespace mote::kernels::reduce
