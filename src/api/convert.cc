#include "mote/convert.h"

#include <limits>

#include "api/engine.h"
#include "base/file.h"
#include "base/text.h"
#include "front/front.h"
#include "ir/text.h"
#include "ops/ops.h"
#include "passes/passes.h"
#include "plan/file.h"
#include "prepare/precision.h"
#if MOTE_ONNX
#include "formats/onnx/onnx.h"
#endif

namespace mote {
namespace {

std::string base_name(const std::string& path) {
  std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

Status write_whole(const std::string& path, std::span<const std::byte> bytes) {
  MOTE_ASSIGN(FileWriter file, FileWriter::create(path));
  MOTE_TRY(file.write(bytes));
  return file.commit();
}

#if MOTE_ONNX
// Weights go to PATH.data only when the file would be too large for protobuf.
Status write_onnx(const Module& module, const std::string& path) {
  std::int64_t constants = 0;
  for (const Constant& c : module.constants) constants += static_cast<std::int64_t>(c.size);
  constexpr std::int64_t kMost = std::int64_t{1900} << 20;
  onnx::ExportOptions options;
  FileWriter weights;
  if (constants > kMost) {
    MOTE_ASSIGN(weights, FileWriter::create(path + ".data"));
    options.external_name = base_name(path) + ".data";
    options.write_external = [&](std::span<const std::byte> bytes) -> Result<std::uint64_t> {
      std::uint64_t offset = static_cast<std::uint64_t>(weights.position());
      MOTE_TRY(weights.write(bytes));
      return offset;
    };
  }
  MOTE_ASSIGN(std::string text, onnx::export_onnx(module, options));
  if (constants > kMost) MOTE_TRY(weights.commit());
  return write_whole(path, std::as_bytes(std::span(text)));
}
#endif

// Which instruction sets a list of targets stands for; "" is this CPU.
Result<std::vector<std::string>> isas_of(const std::vector<std::string>& targets) {
  std::vector<std::string> out;
  for (const std::string& t : targets) {
    if (t == "host") {
      out.emplace_back();
    } else if (t == "all") {
      out.insert(out.end(), {"generic", "avx2", "avx512", "neon"});
    } else if (t == "aarch64") {
      out.emplace_back("neon");
    } else if (isa_of(t)) {
      out.push_back(t);
    } else {
      return invalid("there is no target " + mote::quoted(t))
          .hint("host, avx2, avx512, aarch64, all, or an instruction set that mote doctor lists");
    }
  }
  if (out.empty()) out.emplace_back();
  return out;
}

Status write_mote(Module module, const std::string& path, const ConvertOptions& options) {
  MOTE_ASSIGN(std::vector<std::string> isas, isas_of(options.targets));
  Budget budget(options.load.max_bytes > 0 ? options.load.max_bytes : Budget::kUnlimited, Budget::kUnlimited);
  std::vector<Plan> plans;
  for (const std::string& isa : isas) {
    LoadOptions load = options.load;
    load.target = isa;
    MOTE_ASSIGN(PrepareOptions with, api::prepare_options(load));
    with.budget = &budget;
    MOTE_ASSIGN(Plan plan, prepare(module, with));
    MOTE_TRY(api::tune_plan(plan, load));
    plans.push_back(std::move(plan));
  }
  std::vector<const Plan*> list;
  for (const Plan& p : plans) list.push_back(&p);
  if (!options.keep_module) return api::save_plans(list, path);
  MOTE_ASSIGN(PrepareOptions with, api::prepare_options(options.load));
  MOTE_TRY(fix(module, with));
  return api::save_plans(list, path, &module);
}

// The preprocessing that `options` ask for, in front of the main function.
Status add_preprocessing(Module& module, const ConvertOptions& options) {
  using Kind = ConvertOptions::Preprocessing;
  if (options.preprocessing == Kind::kNone) return {};
  api::note_quantization(module);
  const OpLookup& ops = builtin_ops();
  // Of the first input, which is the one that pixels or samples go into in all but exotic models.
  const auto quantization = [&]() -> media::Quantization {
    if (module.functions.empty()) return {};
    const Function& f =
        module.functions[static_cast<std::size_t>(module.signatures.empty() ? 0 : module.signatures[0].function)];
    if (f.inputs.empty()) return {};
    const Value& v = f.values[static_cast<std::size_t>(f.inputs[0])];
    Port port;
    port.name = v.name;
    port.dtype = v.type.dtype;
    api::set_quantization(module.metadata, port);
    return {port.scale, port.zero_point};
  };
  if (options.preprocessing == Kind::kAudio) {
    MOTE_ASSIGN(const media::FeatureSettings from_file, media::features_from_metadata(module.metadata));
    media::FeatureSettings asked;
    for (const bool rates : {true, false}) {  // times are counted in the rate
      for (const auto& [key, value] : options.settings) {
        if ((key == "rate") == rates) MOTE_TRY(media::set_feature(asked, key, value));
      }
    }
    return front::prepend_audio(module, ops, media::overlay(from_file, asked), quantization());
  }
  MOTE_ASSIGN(const media::Preprocess from_file, media::preprocess_from_metadata(module.metadata));
  media::Preprocess asked, size;
  for (const auto& [key, value] : options.settings) MOTE_TRY(media::set_preprocess(asked, key, value));
  if (!options.source_size.empty()) {
    MOTE_TRY(media::set_preprocess(size, "crop", options.source_size).at("the size of images"));
  }
  return front::prepend_image(module, ops, media::overlay(from_file, asked), size.crop.value_or(media::Size{}),
                              quantization());
}

}  // namespace

Result<Module> api::read_source(const std::string& path, const LoadOptions& options) {
  MOTE_ASSIGN(auto source, api::map_file(path));
  if (api::recognise(source->bytes()) != api::Format::kMote)
    return api::read_module(std::move(source), api::folder_of(path), options);
  Result<PlanFile> file = PlanFile::open(std::move(source));
  if (!file.ok()) return api::in_file(std::move(file).status(), path, api::Format::kMote);
  if (!file->has_module()) {
    return unsupported("the file holds no module, only plans").at(path).hint("convert the model it was made from");
  }
  Result<Module> module = api::module_of(*file, options.ops.get());
  if (!module.ok()) return api::in_file(std::move(module).status(), path, api::Format::kMote);
  if (Status s = api::prefer_signature(module->signatures, options.signature); !s.ok()) return std::move(s).at(path);
  return module;
}

Result<FileFormat> file_format(const std::string& path) {
  if (path.ends_with(".onnx")) return FileFormat::kOnnx;
  if (path.ends_with(".mote")) return FileFormat::kMote;
  if (path.ends_with(".ir")) return FileFormat::kIr;
  if (path.ends_with(".tflite")) {
    return unsupported("TensorFlow Lite files are read, not written").at(path).hint("end it with .mote, .onnx or .ir");
  }
  return invalid("the name says no format that Mote writes").at(path).hint("end it with .mote, .onnx or .ir");
}

Status convert(const std::string& from, const std::string& to, FileFormat format, const ConvertOptions& options) {
  MOTE_ASSIGN(Module module, api::read_source(from, options.load));
  if (Status s = add_preprocessing(module, options); !s.ok()) return std::move(s).at(from);
  if (format == FileFormat::kMote) {
    api::note_quantization(module);
    Status s = write_mote(std::move(module), to, options);
    return s.ok() ? Status() : std::move(s).at(from);
  }
  MOTE_ASSIGN(PrepareOptions with, api::prepare_options(options.load));
  bool changes = !with.dims.empty() || !with.shapes.empty() || !with.states.empty();
  if (changes) {
    if (Status s = bind(module, with); !s.ok()) return std::move(s).at(from);
  }
  if (with.fastest)
    return unsupported("which layers are fastest in f32 is decided when a plan is made")
        .at(to)
        .hint("--precision fastest is for .mote files");
  if (with.weights != DType::f32) {
    if (format == FileFormat::kOnnx)
      return unsupported("weights are written to ONNX as they are")
          .at(to)
          .hint("--precision is for .mote and .ir files");
    round_weights(module, with.weights);
  }
  return api::write_module(module, to, format);
}

#if MOTE_ONNX
namespace {

bool channels_come_last(const Module& module) {
  for (const Function& f : module.functions) {
    for (const Node& n : f.nodes) {
      const AttrValue* layout = n.attrs.find("data_layout");
      if (layout && *layout == AttrValue(std::string("NXC"))) return true;
    }
  }
  return false;
}

// ONNX knows images with channels first alone.
Status write_channels_first(Module module, const std::string& to) {
  MOTE_TRY(run_passes(module, builtin_ops(), {.only = {"channels_first"}}));
  if (channels_come_last(module)) {
    return unsupported("images whose channels come last, on an op that cannot be turned").at(to);
  }
  return write_onnx(module, to);
}

}  // namespace
#endif

Status api::write_module(const Module& module, const std::string& to, FileFormat format) {
  if (format == FileFormat::kMote) return write_mote(module, to, {});
  if (format == FileFormat::kIr) {
    PrintOptions whole;
    whole.hex_bytes = std::numeric_limits<std::size_t>::max();
    std::string text = print(module, whole);
    return write_whole(to, std::as_bytes(std::span(text)));
  }
#if MOTE_ONNX
  if (format == FileFormat::kOnnx) {
    Status s = channels_come_last(module) ? write_channels_first(module, to) : write_onnx(module, to);
    return s.ok() ? Status() : std::move(s).at(to);
  }
#endif
  return unsupported("this build does not write that format").at(to);
}

namespace {

Result<std::string> verify_plans(std::shared_ptr<const Source> source, const LoadOptions& options) {
  MOTE_TRY(api::check_fixed(options, source->name));
  MOTE_TRY(verify_data(source->bytes()));
  std::size_t bytes = source->bytes().size();
  MOTE_ASSIGN(PlanFile file, PlanFile::open(std::move(source)));
  for (std::size_t i = 0; i < file.targets().size(); ++i) {
    MOTE_ASSIGN(Plan plan, file.plan(i));
    MOTE_TRY(api::prefer_signature(plan.signatures, options.signature));
  }
  std::string module = ", no module";
  if (file.has_module()) {
    MOTE_ASSIGN(Module m, api::module_of(file, options.ops.get()));
    std::size_t nodes = 0;
    for (const Function& f : m.functions) nodes += f.nodes.size();
    module = concat(" and a module of ", nodes, " nodes");
  }
  return concat(".mote: ", bytes, " bytes, all hashes agree; plans for ", join(file.targets()), module);
}

}  // namespace

Result<std::string> verify_file(const std::string& path, const LoadOptions& options) {
  MOTE_ASSIGN(auto source, api::map_file(path));
  api::Format format = api::recognise(source->bytes());
  if (format == api::Format::kMote) {
    Result<std::string> checked = verify_plans(std::move(source), options);
    if (!checked.ok()) return std::move(checked).status().at(path);
    return checked;
  }
  MOTE_ASSIGN(Module module, api::read_module(source, api::folder_of(path), options));
  MOTE_ASSIGN(PrepareOptions with, api::prepare_options(options));
  std::size_t nodes = 0;
  for (const Function& f : module.functions) nodes += f.nodes.size();
  std::size_t functions = module.functions.size(), constants = module.constants.size();
  if (Status s = bind(module, with); !s.ok()) return std::move(s).at(path);
  return concat(name_of(format), ": ", nodes, " nodes in ", functions, " functions, ", constants,
                " constants, types agree");
}

}  // namespace mote
