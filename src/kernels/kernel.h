// The one ABI of every compute kernel: a free noexcept function of (params, tile range).
//
// `Params` is a plain struct of the kernel's family (pointers, sizes, strides), filled once per shape by a `setup` that
// runs outside the hot path. The work is cut into `tiles` independent pieces in [0, tiles); any partition of that range
// over any number of threads gives the same bits. A tile is at most about 100 microseconds of work, so that a caller
// that checks a deadline between tiles stops within a millisecond. A kernel does not allocate, does not fail, reads no
// globals, and touches only what params point to, plus the scratch of the thread it runs on.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mote::kernels {

struct TileRange {
  std::int64_t begin, end;
  std::byte* scratch;  // the calling thread's own scratch, 64-byte aligned, of the size `setup` asked for
};

// How a result may depend on the machine; design section 5.
enum class Numerics : std::uint8_t { kExact, kChain, kLanes16, kWinograd23, kWinograd43, kFast };

template <class Params>
using KernelFn = void (*)(const Params& params, TileRange range) noexcept;

}  // namespace mote::kernels
