// Advice to the system about the pages of large memory.
#pragma once

#include <cstddef>
#include <span>

namespace mote {

// For memory that is about to be written from end to end: large pages stand in for many small ones where the system has
// them, so that writing it takes a fault per large page. Only pages that lie inside of `memory` are concerned.
void will_be_filled(std::span<std::byte> memory);

}  // namespace mote
