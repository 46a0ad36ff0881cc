// Reads the small files by which the kernel describes the machine (/proc, /sys).
#pragma once

#include <string>

namespace mote {

// The first 64 KiB; empty where the file is missing, or in a build without files.
std::string read_system_file(const std::string& path);

}  // namespace mote
