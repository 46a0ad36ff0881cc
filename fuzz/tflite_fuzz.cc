// TensorFlow Lite models: import and type inference; small ones are prepared within 32 MB. The file asks for external
// data through a resolver that has 64 bytes of it.
#include <cstdlib>
#include <cstring>

#include "api/engine.h"
#include "formats/emitter.h"
#include "formats/tflite/tflite.h"
#include "ir/infer.h"
#include "ops/ops.h"

using namespace mote;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tflite::ImportOptions options;
  options.ops = &builtin_ops();
  options.limits.max_nodes = 2000;
  options.limits.max_functions = 200;
  options.max_constants = 1 << 24;
  std::vector<std::string> missing;
  // Half of the inputs by their length, so that both ways are taken with the same seed.
  if (size % 2 == 0) options.missing = &missing;
  options.external_data = [](std::string_view location) -> Result<std::shared_ptr<const Source>> {
    if (!check_location(location).ok()) std::abort();
    return std::shared_ptr<const Source>(std::make_shared<const BufferSource>(std::vector<std::byte>(64)));
  };
  std::vector<std::byte> bytes(size);
  if (size != 0) std::memcpy(bytes.data(), data, size);
  Result<Module> module = tflite::import_tflite(std::make_shared<const BufferSource>(std::move(bytes)), options);
  if (!module.ok()) {
    if (module.status().message().empty()) std::abort();
    return 0;
  }
  for (const Constant& c : module->constants) {
    if (c.offset > c.source->bytes().size() || c.size > c.source->bytes().size() - c.offset) std::abort();
  }
  if (!missing.empty()) return 0;
  if (!Inference(*module).run().ok()) return 0;
  std::size_t nodes = 0;
  for (const Function& f : module->functions) nodes += f.nodes.size();
  if (nodes <= 64) (void)api::build(*module, {.max_bytes = 32 << 20});
  return 0;
}
