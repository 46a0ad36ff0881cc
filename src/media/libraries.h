// The libraries behind the readers of this folder.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace mote::media {

// Name and version, "off" for one that the build left out.
std::vector<std::pair<std::string, std::string>> libraries();

}  // namespace mote::media
