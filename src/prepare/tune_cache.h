// The file in which tuning keeps its answers: text, a first line that names the format, then one answer per line,
//   KEY TILING
// a key of 16 hexadecimal digits and the number of a tiling. Whatever else is refused with its line.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "mote/status.h"

namespace mote {

class TuneCache {
 public:
  static Result<TuneCache> parse(std::string_view text);
  std::string print() const;

  // An empty cache where there is no such file.
  static Result<TuneCache> read(const std::string& path);
  // Adds the answers to those that the file has by now, through a temporary file; makes the folder it lies in.
  Status write(const std::string& path) const;

  std::map<std::uint64_t, std::int32_t> answers;
};

}  // namespace mote
