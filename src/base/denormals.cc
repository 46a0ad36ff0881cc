#include "base/denormals.h"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace mote {

#if defined(__SSE2__)
std::uint64_t float_mode() { return _mm_getcsr() & ~0x3fu; }  // without the sticky exception flags
void set_float_mode(std::uint64_t mode) { _mm_setcsr(static_cast<unsigned>(mode)); }
std::uint64_t with_flushing(std::uint64_t mode, bool flush) {
  constexpr std::uint64_t kFlushResults = 0x8000, kZeroInputs = 0x40;
  return flush ? mode | kFlushResults | kZeroInputs : mode & ~(kFlushResults | kZeroInputs);
}
#elif defined(__aarch64__)
std::uint64_t float_mode() {
  std::uint64_t mode = 0;
  __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
void set_float_mode(std::uint64_t mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode)); }
std::uint64_t with_flushing(std::uint64_t mode, bool flush) {
  constexpr std::uint64_t kFlush = 1u << 24;
  return flush ? mode | kFlush : mode & ~kFlush;
}
#else
std::uint64_t float_mode() { return 0; }
void set_float_mode(std::uint64_t) {}
std::uint64_t with_flushing(std::uint64_t mode, bool) { return mode; }
#endif

}  // namespace mote
