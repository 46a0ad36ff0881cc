// UTF-8 as code points. A byte that is not part of well-formed UTF-8 stands for itself, as the code point 0x110000 plus
// its value, so that every string can be read and written back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mote {

// The code point at s[at], which must exist; moves `at` behind it.
std::uint32_t next_code_point(std::string_view s, std::size_t& at);
void append_code_point(std::string& s, std::uint32_t c);

// Simple case mapping, one code point to one, of Latin, Greek and Cyrillic letters.
std::uint32_t upper(std::uint32_t c);
std::uint32_t lower(std::uint32_t c);
std::string change_case(std::string_view s, bool to_upper);

}  // namespace mote
