// The file in which tuning keeps its answers: what is read prints as it was, lines in order.
#include "prepare/tune_cache.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto cache = mote::TuneCache::parse({reinterpret_cast<const char*>(data), size});
  if (!cache.ok()) return 0;
  auto again = mote::TuneCache::parse(cache->print());
  if (!again.ok() || again->answers != cache->answers) std::abort();
  return 0;
}
