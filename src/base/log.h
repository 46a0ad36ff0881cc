// Messages for the log hook of mote/hooks.h.
#pragma once

#include <string_view>

#include "mote/hooks.h"

namespace mote {

// To skip putting a message together that nobody reads.
bool log_enabled(LogLevel level);
void log(LogLevel level, std::string_view message);

}  // namespace mote
