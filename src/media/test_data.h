// Finds the committed test files from the source tree, for the tests of this folder.
#pragma once

#include <cstddef>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace mote::media {

inline std::vector<std::byte> read_test_image(const std::string& name) {
  std::ifstream file(MOTE_SOURCE_DIR "/tests/data/images/" + name, std::ios::binary);
  const std::vector<char> chars((std::istreambuf_iterator<char>(file)), {});
  const auto* p = reinterpret_cast<const std::byte*>(chars.data());
  return {p, p + chars.size()};
}

inline std::vector<std::byte> to_bytes(std::string_view text) {
  const auto* p = reinterpret_cast<const std::byte*>(text.data());
  return {p, p + text.size()};
}

}  // namespace mote::media
