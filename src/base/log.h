// The log hook. Mote never prints: what it has to say goes to the hook that the program sets, and nowhere without one.
// Any thread may log; the hook must be callable from any thread and must not call back into Mote.
#pragma once

#include <string_view>

namespace mote {

enum class LogLevel : unsigned char { kError, kWarning, kInfo, kDebug };

using LogHook = void (*)(void* user, LogLevel level, std::string_view message);

// Messages up to `most` go to `hook`; a null hook turns logging off. Not while other threads are inside Mote.
void set_log_hook(LogHook hook, void* user, LogLevel most = LogLevel::kInfo);

// To skip putting a message together that nobody reads.
bool log_enabled(LogLevel level);
void log(LogLevel level, std::string_view message);

}  // namespace mote
