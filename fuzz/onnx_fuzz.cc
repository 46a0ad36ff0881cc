// ONNX models: import, type inference, writing what was read and reading that again; small ones are prepared within 32
// MB. The file asks for external data through a resolver that has 64 bytes of it.
#include <cstdlib>
#include <cstring>

#include "api/engine.h"
#include "formats/emitter.h"
#include "formats/onnx/onnx.h"
#include "ir/infer.h"
#include "ops/ops.h"

using namespace mote;

static std::shared_ptr<const Source> source(const void* data, std::size_t size) {
  std::vector<std::byte> bytes(size);
  if (size != 0) std::memcpy(bytes.data(), data, size);
  return std::make_shared<const BufferSource>(std::move(bytes));
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  onnx::ImportOptions options;
  options.ops = &builtin_ops();
  options.limits.max_nodes = 2000;
  options.limits.max_bytes = 1 << 24;
  options.max_constants = 1 << 24;
  options.external_data = [](std::string_view location) -> Result<std::shared_ptr<const Source>> {
    if (!check_location(location).ok()) std::abort();
    return source(std::string(64, 'x').data(), 64);
  };
  Result<Module> module = onnx::import_onnx(source(data, size), options);
  if (!module.ok()) {
    if (module.status().message().empty()) std::abort();
    return 0;
  }
  for (const Constant& c : module->constants) {
    if (c.offset > c.source->bytes().size() || c.size > c.source->bytes().size() - c.offset) std::abort();
  }
  Status inferred = Inference(*module).run();
  if (!inferred.ok()) return 0;
  std::size_t nodes = 0;
  for (const Function& f : module->functions) nodes += f.nodes.size();
  if (nodes <= 64) (void)api::build(*module, {.max_bytes = 32 << 20});
  Result<std::string> written = onnx::export_onnx(*module);
  if (!written.ok()) return 0;
  Result<Module> again = onnx::import_onnx(source(written->data(), written->size()), options);
  (void)again;
  return 0;
}
