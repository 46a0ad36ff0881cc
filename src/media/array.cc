#include "media/array.h"

#include <cstdlib>
#include <limits>

#include "base/text.h"

namespace mote::media {

std::string numpy_shape(std::span<const std::int64_t> shape) {
  std::string s = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) s += ", ";
    s += std::to_string(shape[i]);
  }
  return s + (shape.size() == 1 ? ",)" : ")");
}

Status check_allocation(std::int64_t bytes, const Limits& limits, std::string_view what) {
  bool fits = bytes >= 0 && bytes <= limits.max_bytes &&
              static_cast<std::uint64_t>(bytes) <= std::numeric_limits<std::size_t>::max() / 2;
  if (fits && bytes > (1 << 20)) {
    void* probe = std::malloc(static_cast<std::size_t>(bytes));
    fits = probe != nullptr;
    std::free(probe);
  }
  if (fits) return {};
  return Status(Code::kResourceExhausted,
                concat(what, " needs ", bytes, " bytes, more than the ", limits.max_bytes, " allowed or available"))
      .hint("raise --max-ram if the file is to be trusted");
}

}  // namespace mote::media
