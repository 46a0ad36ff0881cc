// For tests of kernels only: seeded data, and matrices with poisoned gaps.
#pragma once

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "kernels/kernel.h"

namespace mote::kernels::testing {

inline constexpr float kPoison = std::numeric_limits<float>::quiet_NaN();

// Seeded values in [-1, 1] that exercise rounding, at an address that is no multiple of 16 bytes.
class Data {
 public:
  explicit Data(std::int64_t n, unsigned seed = 1) : store_(static_cast<std::size_t>(n) + 1) {
    std::mt19937 gen(seed);
    for (float& x : store_) x = static_cast<float>(static_cast<int>(gen() % 20001) - 10000) * 1.0001e-4f;
  }
  static Data poisoned(std::int64_t n) {
    Data d(n);
    for (float& x : d.store_) x = kPoison;
    return d;
  }
  float* get() { return store_.data() + 1; }
  const float* get() const { return store_.data() + 1; }
  float& operator[](std::int64_t i) { return get()[i]; }
  float operator[](std::int64_t i) const { return get()[i]; }
  std::int64_t size() const { return static_cast<std::int64_t>(store_.size()) - 1; }
  bool same_bits(const Data& o) const { return std::memcmp(get(), o.get(), static_cast<std::size_t>(size()) * 4) == 0; }

 private:
  std::vector<float> store_;
};

// 64-byte aligned bytes, filled with NaN patterns.
class Scratch {
 public:
  explicit Scratch(std::size_t n) : store_(n + 64, std::byte{0xff}) {}
  std::byte* get() { return store_.data() + (64 - reinterpret_cast<std::uintptr_t>(store_.data()) % 64) % 64; }

 private:
  std::vector<std::byte> store_;
};

// Runs all tiles in `parts` ranges, last range first, each with a scratch of its own.
template <class Params>
void run_in_parts(KernelFn<Params> fn, const Params& params, std::int64_t tiles, std::size_t scratch_bytes,
                  int parts = 1) {
  for (int i = parts - 1; i >= 0; --i) {
    Scratch scratch(scratch_bytes);
    fn(params, {tiles * i / parts, tiles * (i + 1) / parts, scratch.get()});
  }
}

}  // namespace mote::kernels::testing
