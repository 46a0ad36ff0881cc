#include "base/log.h"

#include <atomic>

namespace mote {
namespace {

constinit std::atomic<LogHook> log_hook{nullptr};
constinit std::atomic<void*> log_user{nullptr};
constinit std::atomic<LogLevel> log_most{LogLevel::kInfo};

}  // namespace

void set_log_hook(LogHook hook, void* user, LogLevel most) {
  log_hook.store(nullptr, std::memory_order_release);
  log_user.store(user, std::memory_order_relaxed);
  log_most.store(most, std::memory_order_relaxed);
  log_hook.store(hook, std::memory_order_release);
}

bool log_enabled(LogLevel level) {
  return log_hook.load(std::memory_order_acquire) != nullptr && level <= log_most.load(std::memory_order_relaxed);
}

void log(LogLevel level, std::string_view message) {
  LogHook hook = log_hook.load(std::memory_order_acquire);
  if (hook && level <= log_most.load(std::memory_order_relaxed))
    hook(log_user.load(std::memory_order_relaxed), level, message);
}

}  // namespace mote
