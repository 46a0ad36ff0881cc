// What a program may give to Mote for the whole process: a place for messages, and memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mote {

enum class LogLevel : unsigned char { kError, kWarning, kInfo, kDebug };

// Any thread may log; the hook must be callable from any thread and must not call back into Mote.
using LogHook = void (*)(void* user, LogLevel level, std::string_view message);

// Mote never prints: messages up to `most` go to `hook`, and nowhere without one (null). Not while other threads are
// inside Mote.
void set_log_hook(LogHook hook, void* user, LogLevel most = LogLevel::kInfo);

// Where all large memory comes from. Both functions may be called from any thread; allocate returns null on failure.
struct AllocatorHook {
  void* (*allocate)(void* user, std::size_t bytes, std::size_t alignment);
  void (*release)(void* user, void* memory, std::size_t bytes);
  void* user;
};

// Replaces the allocator, or restores the default where `hook` is null. To be called while no model or session is
// alive.
void set_allocator(const AllocatorHook* hook);

// Bytes now held through the allocator, and the most there ever were.
std::int64_t allocated_bytes();
std::int64_t peak_allocated_bytes();

}  // namespace mote
