// Memory: aligned buffers that say no instead of aborting, and a bump arena over one of them.
// All large memory of Mote comes from here, through the process-wide allocator hook.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "mote/hooks.h"
#include "mote/status.h"

namespace mote {

inline constexpr std::size_t kAlignment = 64;

// Owns `size()` bytes aligned to kAlignment. The contents of a new buffer are undefined, or zero where asked for.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& o) noexcept;
  Buffer& operator=(Buffer&& o) noexcept;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer();

  // `who` names the purpose in the error ("arena", "weights of 'conv1'"). 0 bytes give an empty buffer.
  static Result<Buffer> allocate(std::int64_t bytes, std::string_view who, bool zeroed = false);

  std::byte* data() const { return data_; }
  std::int64_t size() const { return size_; }
  std::span<std::byte> bytes() const { return {data_, static_cast<std::size_t>(size_)}; }
  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data_);
  }

 private:
  std::byte* data_ = nullptr;
  std::int64_t size_ = 0;
};

// Hands out pieces of a caller's memory, front to back; take() gives null when it does not fit.
class Arena {
 public:
  explicit Arena(std::span<std::byte> memory) : memory_(memory) {}
  std::byte* take(std::int64_t bytes, std::size_t alignment = kAlignment);
  void reset() { used_ = 0; }
  std::int64_t used() const { return static_cast<std::int64_t>(used_); }

 private:
  std::span<std::byte> memory_;
  std::size_t used_ = 0;
};

}  // namespace mote
