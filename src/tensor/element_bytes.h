// One element as it lies in memory.
#pragma once

#include <cstddef>
#include <vector>

#include "mote/dtype.h"

namespace mote {

// `value` in a dtype of at least 8 bits; integers are truncated, and 0 where |value| is 9e18 or more.
std::vector<std::byte> element_bytes(double value, DType dtype);

}  // namespace mote
