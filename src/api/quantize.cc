#include "mote/quantize.h"

#include "api/engine.h"
#include "quant/prune.h"
#include "quant/quantize.h"

namespace mote {
namespace {

// A model read, with its shapes and states standing in the module, and what runs modules like it.
struct Opened {
  Module module;
  quant::Link link;
};

Result<Opened> open(const std::string& from, const LoadOptions& options) {
  Opened o;
  MOTE_ASSIGN(o.module, api::read_source(from, options));
  MOTE_ASSIGN(PrepareOptions with, api::prepare_options(options));
  if (Status s = bind(o.module, with); !s.ok()) return std::move(s).at(from);
  LoadOptions run_as = options;
  run_as.shapes.clear();
  run_as.dims.clear();
  run_as.states.clear();
  run_as.signature.clear();
  o.link = [run_as](Module m) { return api::build(std::move(m), run_as); };
  return o;
}

Status write(Module& module, const std::string& to, FileFormat format) {
  if (format == FileFormat::kMote) api::note_quantization(module);
  Status s = api::write_module(module, to, format);
  return s.ok() ? Status() : std::move(s).at(to);
}

}  // namespace

Result<QuantizeReport> quantize(const std::string& from, const std::string& to, FileFormat format,
                                SampleSource* samples, const QuantizeOptions& options) {
  MOTE_ASSIGN(Opened o, open(from, options.load));
  Result<quant::Outcome> made = quant::quantize(std::move(o.module), samples, options, o.link);
  if (!made.ok()) return std::move(made).status().at(from);
  if (made->report.met) MOTE_TRY(write(made->module, to, format));
  return std::move(made->report);
}

Result<PruneReport> prune(const std::string& from, const std::string& to, FileFormat format, SampleSource* samples,
                          const PruneOptions& options) {
  MOTE_ASSIGN(Opened o, open(from, options.load));
  Result<quant::Pruned> made = quant::prune(std::move(o.module), samples, options, o.link);
  if (!made.ok()) return std::move(made).status().at(from);
  if (made->report.met) MOTE_TRY(write(made->module, to, format));
  return std::move(made->report);
}

}  // namespace mote
