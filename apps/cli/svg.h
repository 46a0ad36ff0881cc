// The memory of a plan as a picture: steps from left to right, addresses from bottom to top, one box per value.
#pragma once

#include <string>

#include "mote/model.h"

namespace mote::cli {

// Foreign text inside of markup.
std::string escaped(std::string_view s);

std::string memory_svg(const PlanInfo& plan, const std::string& title);

}  // namespace mote::cli
