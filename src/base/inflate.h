// Decompression of deflate (RFC 1951), as zip archives hold it.
#pragma once

#include <cstddef>
#include <span>

#include "mote/status.h"

namespace mote {

// Fills `out`, no more and no less, from a deflate stream, and fails where the stream is damaged or holds another
// number of bytes. What follows the stream is left alone.
Status inflate(std::span<const std::byte> from, std::span<std::byte> out);

}  // namespace mote
