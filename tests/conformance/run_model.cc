#include "run_model.h"

#include "ir/infer.h"
#include "ops/ops.h"

namespace mote::conformance {

Result<Module> load_module(const std::shared_ptr<const Source>& file) {
  onnx::ImportOptions options;
  options.ops = &builtin_ops();
  MOTE_ASSIGN(Module module, onnx::import_onnx(file, options));
  Inference inference(module);
  MOTE_TRY(inference.run());
  return module;
}

Result<std::vector<TestValue>> run_model(const std::shared_ptr<const Source>& file, const std::vector<NamedValue>&,
                                         const std::string&) {
  MOTE_ASSIGN(Module module, load_module(file));
  return unsupported("no runtime");
}

}  // namespace mote::conformance
