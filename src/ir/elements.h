// Elements of constants as text, in a form that gives the same bytes back.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/module.h"

namespace mote {

// "1, 2.5, nan" or "\"a\", \"b\""; nothing when there are more than `limit` elements or the text would lose something.
std::optional<std::string> elements_text(const Constant& c, std::size_t limit);
// Appends the bytes of one element that elements_text printed. False when `text` is not an element of that type.
bool append_element(std::string_view text, DType dtype, std::vector<std::byte>& out);

std::string hex_text(std::span<const std::byte> bytes);
std::optional<std::vector<std::byte>> parse_hex(std::string_view text);

}  // namespace mote
