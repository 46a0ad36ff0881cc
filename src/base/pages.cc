#include "base/pages.h"

#include <cstdint>

#if MOTE_FILES && defined(__linux__)
#include <sys/mman.h>
#endif

namespace mote {

#if MOTE_FILES && defined(__linux__) && defined(MADV_HUGEPAGE)

void will_be_filled(std::span<std::byte> memory) {
  constexpr std::uintptr_t kLarge = std::uintptr_t{2} << 20;
  auto begin = reinterpret_cast<std::uintptr_t>(memory.data());
  std::uintptr_t first = (begin + kLarge - 1) & ~(kLarge - 1), last = (begin + memory.size()) & ~(kLarge - 1);
  // Advice alone: where it is not taken, small pages do as well.
  if (first < last) (void)madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
}

#else

void will_be_filled(std::span<std::byte>) {}

#endif

}  // namespace mote
