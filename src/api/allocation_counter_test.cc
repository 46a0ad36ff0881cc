// Sanitizers bring an operator new of their own: under them only buffers are counted.
#include "api/allocation_counter.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>

#include "base/buffer.h"
#include "mote/hooks.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MOTE_COUNT_NEW 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define MOTE_COUNT_NEW 0
#endif
#endif
#ifndef MOTE_COUNT_NEW
#define MOTE_COUNT_NEW 1
#endif

namespace mote::testing {
namespace {

constinit std::atomic<std::int64_t> count{0};

void* take(void*, std::size_t bytes, std::size_t alignment) {
  count.fetch_add(1, std::memory_order_relaxed);
  void* p = nullptr;
  return posix_memalign(&p, alignment, bytes) == 0 ? p : nullptr;
}
void give(void*, void* memory, std::size_t) { std::free(memory); }

constexpr AllocatorHook kHook = {take, give, nullptr};
const bool installed = (set_allocator(&kHook), true);

}  // namespace

std::int64_t allocations() { return count.load(std::memory_order_relaxed); }

#if MOTE_COUNT_NEW
void* counted(std::size_t bytes) {
  count.fetch_add(1, std::memory_order_relaxed);
  void* p = std::malloc(bytes > 0 ? bytes : 1);
  if (!p) std::abort();
  return p;
}
#endif

namespace {

TEST(AllocationCounter, SeesBothKinds) {
  ASSERT_TRUE(installed);
  std::int64_t before = allocations();
  auto p = std::make_unique<int>(1);
  EXPECT_EQ(allocations(), before + MOTE_COUNT_NEW);
  Result<Buffer> b = Buffer::allocate(100, "test");
  EXPECT_EQ(allocations(), before + MOTE_COUNT_NEW + 1);
}

}  // namespace
}  // namespace mote::testing

#if MOTE_COUNT_NEW
void* operator new(std::size_t bytes) { return mote::testing::counted(bytes); }
void* operator new[](std::size_t bytes) { return mote::testing::counted(bytes); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
#endif
