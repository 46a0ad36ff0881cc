// .npy: anything that is read must be written and read back to the same array.
#include <cstdlib>

#include "media/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mote::media;
  Limits limits;
  limits.max_bytes = 1 << 24;
  auto array = read_npy({reinterpret_cast<const std::byte*>(data), size}, limits);
  if (!array.ok()) return 0;
  auto file = write_npy(*array, limits);
  if (!file.ok()) {
    // Byte strings need not be UTF-8, and fixed width may cost more than the limit.
    if (array->dtype != mote::DType::string) std::abort();
    return 0;
  }
  auto back = read_npy(*file);
  if (!back.ok() || back->dtype != array->dtype || back->shape != array->shape || back->data != array->data)
    std::abort();
  return 0;
}
