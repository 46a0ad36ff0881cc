// A font of 5 x 7 dots for the printable ASCII characters: seven rows from the top, the leftmost dot in bit 4.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace mote::media {

inline constexpr int kGlyphWidth = 5, kGlyphHeight = 7;

// The dots of a character; a box for one outside of ASCII 32 to 126.
const std::array<std::uint8_t, kGlyphHeight>& glyph(char c);

}  // namespace mote::media
