// For tests of kernels only: seeded data, and matrices with poisoned gaps.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "kernels/kernel.h"

namespace mote::kernels::testing {

inline constexpr float kPoison = std::numeric_limits<float>::quiet_NaN();

// Seeded values in [-1, 1] that exercise rounding. They end at a page that cannot be read, so that a kernel that reads
// or writes beyond them crashes, and start at no particular alignment.
class Data {
 public:
  explicit Data(std::int64_t n, unsigned seed = 1) : size_(n) {
    const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE)), bytes = static_cast<std::size_t>(n) * 4;
    mapped_ = (bytes + page - 1) / page * page + page;
    void* map = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) std::abort();
    map_ = static_cast<std::byte*>(map);
    mprotect(map_ + mapped_ - page, page, PROT_NONE);
    data_ = reinterpret_cast<float*>(map_ + mapped_ - page - bytes);
    std::mt19937 gen(seed);
    for (std::int64_t i = 0; i < n; ++i) {
      data_[i] = static_cast<float>(static_cast<int>(gen() % 20001) - 10000) * 1.0001e-4f;
    }
  }
  ~Data() {
    if (map_) munmap(map_, mapped_);
  }
  Data(Data&& o) noexcept : size_(o.size_), mapped_(o.mapped_), map_(std::exchange(o.map_, nullptr)), data_(o.data_) {}
  Data(const Data& o) : Data(o.size_) { std::memcpy(data_, o.data_, static_cast<std::size_t>(size_) * 4); }
  Data& operator=(Data o) noexcept {
    std::swap(size_, o.size_);
    std::swap(mapped_, o.mapped_);
    std::swap(map_, o.map_);
    std::swap(data_, o.data_);
    return *this;
  }
  static Data poisoned(std::int64_t n) {
    Data d(n);
    for (std::int64_t i = 0; i < n; ++i) d[i] = kPoison;
    return d;
  }
  float* get() { return data_; }
  const float* get() const { return data_; }
  float& operator[](std::int64_t i) { return data_[i]; }
  float operator[](std::int64_t i) const { return data_[i]; }
  std::int64_t size() const { return size_; }
  bool same_bits(const Data& o) const { return std::memcmp(data_, o.data_, static_cast<std::size_t>(size_) * 4) == 0; }

 private:
  std::int64_t size_;
  std::size_t mapped_;
  std::byte* map_;
  float* data_;
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
