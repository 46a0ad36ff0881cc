// The one place that states Mote's version; CMake reads it from here.
#pragma once

namespace mote {
inline constexpr const char* kVersion = "0.1.0";
}
