// For tests: how many allocations the process has made, by operator new and by Buffer.
#pragma once

#include <cstdint>

namespace mote::testing {

std::int64_t allocations();

}  // namespace mote::testing
