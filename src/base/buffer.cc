#include "base/buffer.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/text.h"

#if MOTE_FILES
#include <sys/mman.h>
#include <unistd.h>
#endif

// Whether AddressSanitizer watches the heap.
#if defined(__SANITIZE_ADDRESS__)
#define MOTE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MOTE_ASAN 1
#endif
#endif

namespace mote {
namespace {

// Large buffers are pages of their own, given back to the system at once: from the heap, what weights leave behind
// while they are packed would stay with the process. Under AddressSanitizer all come from the heap, which it watches.
#if MOTE_FILES && !defined(MOTE_ASAN)
constexpr std::size_t kOwnPages = 32 << 10;
#else
constexpr std::size_t kOwnPages = SIZE_MAX;
#endif

#if MOTE_FILES
void* map_pages(std::size_t bytes) {
  void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return pages == MAP_FAILED ? nullptr : pages;
}

// Pages that begin where a large page may, so that the system can use those (see base/pages.h).
void* map_aligned(std::size_t bytes) {
  constexpr std::uintptr_t kLarge = std::uintptr_t{2} << 20;
  auto* pages = static_cast<std::byte*>(map_pages(bytes + kLarge));
  if (!pages) return nullptr;
  std::size_t before = (kLarge - reinterpret_cast<std::uintptr_t>(pages) % kLarge) % kLarge;
  std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE)), used = before + (bytes + page - 1) / page * page;
  if (before > 0) munmap(pages, before);
  if (used < bytes + kLarge) munmap(pages + used, bytes + kLarge - used);
  return pages + before;
}
#endif

void* default_allocate(void*, std::size_t bytes, std::size_t alignment) {
#if MOTE_FILES
  constexpr std::size_t kAlignedFrom = 4 << 20;
  if (bytes >= kOwnPages) return bytes >= kAlignedFrom ? map_aligned(bytes) : map_pages(bytes);
#endif
  void* p = nullptr;
  return posix_memalign(&p, alignment, bytes) == 0 ? p : nullptr;
}

void default_release(void*, void* memory, [[maybe_unused]] std::size_t bytes) {
#if MOTE_FILES
  if (bytes >= kOwnPages) {
    munmap(memory, bytes);
    return;
  }
#endif
  std::free(memory);
}

constexpr AllocatorHook kDefault = {default_allocate, default_release, nullptr};
constinit AllocatorHook allocator = kDefault;
constinit std::atomic<std::int64_t> held{0}, peak{0};

void count(std::int64_t bytes) {
  std::int64_t now = held.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  std::int64_t top = peak.load(std::memory_order_relaxed);
  while (now > top && !peak.compare_exchange_weak(top, now, std::memory_order_relaxed)) {
  }
}

}  // namespace

void set_allocator(const AllocatorHook* hook) { allocator = hook ? *hook : kDefault; }
std::int64_t allocated_bytes() { return held.load(std::memory_order_relaxed); }
std::int64_t peak_allocated_bytes() { return peak.load(std::memory_order_relaxed); }

Buffer::Buffer(Buffer&& o) noexcept : data_(std::exchange(o.data_, nullptr)), size_(std::exchange(o.size_, 0)) {}

Buffer& Buffer::operator=(Buffer&& o) noexcept {
  std::swap(data_, o.data_);
  std::swap(size_, o.size_);
  return *this;
}

Buffer::~Buffer() {
  if (!data_) return;
  allocator.release(allocator.user, data_, static_cast<std::size_t>(size_));
  count(-size_);
}

Result<Buffer> Buffer::allocate(std::int64_t bytes, std::string_view who, bool zeroed) {
  if (bytes < 0) return internal_error(concat(who, ": negative size"));
  Buffer b;
  if (bytes == 0) return b;
  constexpr std::uint64_t kLargest = std::min<std::uint64_t>(std::uint64_t{1} << 39, SIZE_MAX / 2);
  auto size = static_cast<std::uint64_t>(bytes);
  void* p = size <= kLargest ? allocator.allocate(allocator.user, static_cast<std::size_t>(size), kAlignment) : nullptr;
  if (!p) {
    return Status(Code::kResourceExhausted, concat(who, ": no memory for ", human_bytes(bytes)))
        .hint("a smaller batch or shape needs less memory");
  }
  b.data_ = static_cast<std::byte*>(p);
  b.size_ = bytes;
  count(bytes);
  bool fresh = allocator.allocate == default_allocate && size >= kOwnPages;  // pages that are zero until written
  if (zeroed && !fresh) std::memset(p, 0, static_cast<std::size_t>(bytes));
  return b;
}

std::byte* Arena::take(std::int64_t bytes, std::size_t alignment) {
  auto base = reinterpret_cast<std::uintptr_t>(memory_.data());
  std::size_t start =
      static_cast<std::size_t>(((base + used_ + alignment - 1) & ~(std::uintptr_t{alignment} - 1)) - base);
  if (bytes < 0 || start > memory_.size() || static_cast<std::uint64_t>(bytes) > memory_.size() - start) return nullptr;
  used_ = start + static_cast<std::size_t>(bytes);
  return memory_.data() + start;
}

}  // namespace mote
