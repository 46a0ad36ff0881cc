// .npz: no archive may cost more than its limit or read outside its bytes.
#include <cstdlib>

#include "media/npz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mote::media;
  Limits limits;
  limits.max_bytes = 1 << 22;
  auto arrays = read_npz({reinterpret_cast<const std::byte*>(data), size}, limits);
  if (!arrays.ok()) return 0;
  std::int64_t total = 0;
  for (const Array& a : *arrays) total += static_cast<std::int64_t>(a.data.size());
  if (total > limits.max_bytes) std::abort();
  return 0;
}
