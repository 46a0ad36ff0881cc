// The floating-point mode of the calling thread, as far as it concerns denormals.
#pragma once

#include <cstdint>

namespace mote {

// The mode as an opaque word, to be carried to other threads. 0 on CPUs without one.
std::uint64_t float_mode();
void set_float_mode(std::uint64_t mode);
// `mode` with flushing of denormals (inputs and results) turned on or off.
std::uint64_t with_flushing(std::uint64_t mode, bool flush);

// Flushes denormals, or keeps them, in the calling thread until the end of the scope. A ThreadPool runs its tasks in
// the mode of the thread that called parallel().
class ScopedDenormals {
 public:
  explicit ScopedDenormals(bool flush) : before_(float_mode()) { set_float_mode(with_flushing(before_, flush)); }
  ~ScopedDenormals() { set_float_mode(before_); }
  ScopedDenormals(const ScopedDenormals&) = delete;
  ScopedDenormals& operator=(const ScopedDenormals&) = delete;

 private:
  std::uint64_t before_;
};

}  // namespace mote
