#include "api/engine.h"

#include <algorithm>

#include "api/custom.h"
#include "backends/cpu/cpu.h"
#include "backends/reference/reference.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "ops/ops.h"
#include "plan/file.h"
#if MOTE_ONNX
#include "formats/onnx/onnx.h"
#endif
#if MOTE_TFLITE
#include "formats/tflite/tflite.h"
#endif

namespace mote::api {
namespace {

class FileSource final : public Source {
 public:
  explicit FileSource(FileMap map) : map_(std::move(map)) {}
  std::span<const std::byte> bytes() const override { return map_.bytes(); }
  void drop(std::size_t offset, std::size_t size) const override { map_.drop(offset, size); }

 private:
  FileMap map_;
};

class BorrowedSource final : public Source {
 public:
  explicit BorrowedSource(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::span<const std::byte> bytes() const override { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace

Result<std::shared_ptr<const Source>> map_file(const std::string& path) {
  MOTE_ASSIGN(FileMap map, FileMap::open(path));
  auto source = std::make_shared<FileSource>(std::move(map));
  source->name = path;
  return std::shared_ptr<const Source>(std::move(source));
}

std::shared_ptr<const Source> borrow(std::span<const std::byte> bytes, std::string_view name) {
  auto source = std::make_shared<BorrowedSource>(bytes);
  source->name = name;
  return source;
}

Format recognise(std::span<const std::byte> bytes) {
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), std::min<std::size_t>(bytes.size(), 64));
  if (text.starts_with("MOTEPLAN")) return Format::kMote;
  if (text.starts_with("module ")) return Format::kIrText;
  // A flatbuffer says what it is after the offset of its root.
  if (text.size() >= 8 && text.substr(4, 4) == "TFL3") return Format::kTflite;
  // A protobuf message whose first field is one of ModelProto's.
  if (!bytes.empty()) {
    unsigned tag = std::to_integer<unsigned>(bytes[0]), field = tag >> 3, wire = tag & 7;
    if ((field == 1 || field == 5) ? wire == 0 : (field <= 25 && field >= 2 && wire == 2)) return Format::kOnnx;
  }
  return Format::kUnknown;
}

std::string_view name_of(Format format) {
  constexpr std::string_view kNames[] = {"unknown", "ONNX", "Mote IR text", ".mote", "TensorFlow Lite"};
  return kNames[static_cast<int>(format)];
}

Status in_file(Status status, const std::string& name, Format format) {
  std::string_view hint;
  switch (status.code()) {
    case Code::kInvalid:
    case Code::kOutOfRange:
      hint = format == Format::kOnnx
                 ? "the model is damaged or contradicts itself: export it again; onnx.checker may tell more"
             : format == Format::kTflite ? "the model is damaged or contradicts itself: convert it again"
             : format == Format::kMote   ? "the file is damaged: make it again with mote convert MODEL -o FILE.mote"
                                         : "the text has to be corrected there";
      break;
    case Code::kUnsupported:
      hint = format == Format::kOnnx
                 ? "mote inspect lists all that would not run; exporting for another opset may avoid it"
                 : "mote inspect lists all that would not run";
      break;
    case Code::kResourceExhausted:
      hint = "raise the memory limit if the model is to be trusted";
      break;
    case Code::kNotFound:
    case Code::kIo:
      hint = "a model's other files lie in its folder, readable and under the names that it states";
      break;
    default:
      break;
  }
  return std::move(status).at(name).hint(hint);
}

std::string folder_of(const std::string& path) {
  std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

namespace {

[[maybe_unused]] constexpr std::size_t kNodeBytes = 2048;  // what a node takes from reading to planning, at the most

}  // namespace

#if MOTE_ONNX
namespace {

Result<Module> read_onnx(std::shared_ptr<const Source> source, const std::string& folder, const LoadOptions& o,
                         std::vector<std::string>* missing) {
  onnx::ImportOptions options;
  options.ops = &builtin_ops();
  options.missing = missing;
  options.overrides = o.overrides;
  if (o.max_bytes > 0) {
    std::size_t limit = static_cast<std::size_t>(o.max_bytes);
    options.limits.max_bytes = std::min(options.limits.max_bytes, limit);
    options.max_constants = std::min(options.max_constants, limit);
    options.limits.max_nodes = std::min(options.limits.max_nodes, limit / kNodeBytes);
  }
  if (o.ops) {
    options.custom_op = [&o](std::string_view domain, std::string_view name) {
      return o.ops->impl().find(concat(domain, ".", name));
    };
  }
  if (!folder.empty()) {
    options.external_data = [&folder](std::string_view location) {
      return map_file(folder + "/" + std::string(location));
    };
  }
  return onnx::import_onnx(std::move(source), options);
}

}  // namespace
#endif

#if MOTE_TFLITE
namespace {

Result<Module> read_tflite(std::shared_ptr<const Source> source, const std::string& folder, const LoadOptions& o,
                           std::vector<std::string>* missing) {
  tflite::ImportOptions options;
  options.ops = &builtin_ops();
  options.missing = missing;
  if (o.max_bytes > 0) {
    std::size_t limit = static_cast<std::size_t>(o.max_bytes);
    options.max_constants = std::min(options.max_constants, limit);
    options.limits.max_nodes = std::min(options.limits.max_nodes, limit / kNodeBytes);
  }
  if (o.ops) {
    options.custom_op = [&o](std::string_view name) { return o.ops->impl().find(concat("tflite.", name)); };
  }
  if (!folder.empty()) {
    options.external_data = [&folder](std::string_view location) {
      return map_file(folder + "/" + std::string(location));
    };
  }
  return tflite::import_tflite(std::move(source), options);
}

}  // namespace
#endif

namespace {

Result<Module> read_text(const Source& source, const std::string& folder, const OpRegistry* ops) {
  TextOptions options;
  if (!folder.empty()) {
    options.source = [&folder](std::string_view name) -> Result<std::shared_ptr<const Source>> {
      if (name.find('/') != std::string_view::npos || name == "..") {
        return invalid(concat("constants in ", quoted(name), ": a file beside the model is wanted"));
      }
      return map_file(folder + "/" + std::string(name));
    };
  }
  std::string_view text(reinterpret_cast<const char*>(source.bytes().data()), source.bytes().size());
  MOTE_ASSIGN(Module module, parse(text, CombinedOps(ops), options));
  MOTE_TRY(verify(module));
  return module;
}

Result<Module> read_any(std::shared_ptr<const Source> source, const std::string& folder, const LoadOptions& options,
                        [[maybe_unused]] std::vector<std::string>* missing) {
  constexpr std::string_view kFormats = "Mote reads ONNX, TensorFlow Lite, .mote and Mote IR text";
  if (source->bytes().empty()) return invalid("the file is empty").hint(kFormats);
#if MOTE_ONNX
  if (recognise(source->bytes()) == Format::kOnnx) return read_onnx(std::move(source), folder, options, missing);
#endif
#if MOTE_TFLITE
  if (recognise(source->bytes()) == Format::kTflite) return read_tflite(std::move(source), folder, options, missing);
#endif
  if (recognise(source->bytes()) == Format::kIrText) return read_text(*source, folder, options.ops.get());
  return invalid("the format is not one that Mote reads").hint(kFormats);
}

}  // namespace

Result<Module> read_module(std::shared_ptr<const Source> source, const std::string& folder, const LoadOptions& options,
                           std::vector<std::string>* missing) {
  std::string name = source->name;
  Format format = recognise(source->bytes());
  Result<Module> module = read_any(std::move(source), folder, options, missing);
  if (!module.ok()) return in_file(std::move(module).status(), name, format);
  if (module->signatures.empty() && !module->functions.empty()) module->signatures.push_back({"main", 0, {}});
  if (Status s = prefer_signature(module->signatures, options.signature); !s.ok()) return std::move(s).at(name);
  return module;
}

namespace {

// Copies and views of a plan for the reference target are kernels of the CPU.
std::vector<const KernelProvider*> kernel_providers(const OpRegistry* ops) {
  std::vector<const KernelProvider*> list{&cpu_target().kernels(), &reference_target().kernels()};
  if (ops) list.push_back(&ops->impl());
  return list;
}

}  // namespace

Result<PrepareOptions> prepare_options(const LoadOptions& o) {
  PrepareOptions p;
  p.kernels = kernel_providers(o.ops.get());
  if (o.ops) p.targets.push_back(&o.ops->impl());
  if (o.target == "reference") {
    p.targets.push_back(&reference_target());
  } else {
    p.targets.insert(p.targets.end(), {&cpu_target(), &reference_target()});
    if (!o.target.empty() && o.target != "host") {
      std::optional<Isa> isa = isa_of(o.target == "aarch64" ? "neon" : o.target);
      if (!isa)
        return invalid("there is no target '" + o.target + "'")
            .hint("host, reference, or an instruction set: mote doctor lists them");
      p.target.cpu = typical_cpu(*isa);
    }
  }
  if (o.precision != Precision::kF32) p.weights = o.precision == Precision::kBf16 ? DType::bf16 : DType::f16;
  p.target.precision = p.weights;
  p.target.reproducible = o.reproducible;
  p.optimise = o.optimise;
  p.dims = o.dims;
  for (const auto& [name, dims] : o.shapes) p.shapes[name] = Shape(dims.begin(), dims.end());
  p.states = o.states;
  p.outputs = o.outputs;
  p.extra_outputs = o.extra_outputs;
  return p;
}

Result<std::shared_ptr<const LinkedPlan>> build(Module module, const LoadOptions& options) {
  MOTE_ASSIGN(PrepareOptions prepare_with, prepare_options(options));
  Budget budget(options.max_bytes > 0 ? options.max_bytes : Budget::kUnlimited, Budget::kUnlimited);
  prepare_with.budget = &budget;
  // What reading the file left in memory.
  const Source* last = nullptr;
  for (const Constant& c : module.constants) {
    if (c.source.get() != last) c.source->drop(0, c.source->bytes().size());
    last = c.source.get();
  }
  MOTE_ASSIGN(Plan plan, prepare(std::move(module), prepare_with));
  // What was read around the weights while they were packed; what runs need comes back when it is touched.
  for (const auto& source : plan.sources) source->drop(0, source->bytes().size());
  return link_plan(std::move(plan), options.ops);
}

Result<Module> module_of(const PlanFile& file, const OpRegistry* ops) {
  MOTE_ASSIGN(Module module, file.module(CombinedOps(ops)));
  MOTE_TRY(verify(module));
  return module;
}

namespace {

Result<std::shared_ptr<const LinkedPlan>> saved_plan(const PlanFile& file, std::size_t index,
                                                     const LoadOptions& options) {
  MOTE_ASSIGN(Plan plan, file.plan(index));
  if (options.reproducible && !plan.reproducible) {
    return invalid("the plan was not prepared to give the same bits on every CPU")
        .hint("mote convert MODEL -o MODEL.mote --reproducible");
  }
  MOTE_TRY(prefer_signature(plan.signatures, options.signature));
  Budget budget(options.max_bytes > 0 ? options.max_bytes : Budget::kUnlimited, Budget::kUnlimited);
  MOTE_TRY(budget.charge(static_cast<std::int64_t>(plan.weight_bytes()), "weights"));
  return link_plan(std::move(plan), options.ops);
}

Result<std::shared_ptr<const LinkedPlan>> prepared_again(const PlanFile& file, const std::string& name,
                                                         const LoadOptions& options) {
  log(LogLevel::kWarning, concat(name, ": prepared again, since its plans are for ", join(file.targets())));
  MOTE_ASSIGN(Module module, module_of(file, options.ops.get()));
  MOTE_TRY(prefer_signature(module.signatures, options.signature));
  return build(std::move(module), options);
}

}  // namespace

Result<std::shared_ptr<const LinkedPlan>> open_plan(const std::shared_ptr<const Source>& source,
                                                    const LoadOptions& options) {
  std::string name = source->name;
  Result<PlanFile> file = PlanFile::open(source);
  if (!file.ok()) return in_file(std::move(file).status(), name, Format::kMote);
  bool any = options.target.empty() || options.target == "host";
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < file->targets().size(); ++i) {
    const std::string& target = file->targets()[i];
    std::optional<Isa> isa = isa_of(target);
    if (!isa || !active_cpu().has(*isa) || (!any && target != options.target)) continue;
    if (!best || *isa_of(file->targets()[*best]) < *isa) best = i;
  }
  std::optional<Isa> asked = isa_of(options.target);
  bool known = any || options.target == "reference" || (asked && active_cpu().has(*asked));
  if (!best && (!file->has_module() || !known)) {
    std::string wanted = any ? concat("this CPU is ", name_of(active_cpu().best())) : "not for " + options.target;
    return unsupported(concat("the file holds plans for ", join(file->targets()), ", ", wanted))
        .at(name)
        .hint("mote convert MODEL -o MODEL.mote on this machine, or with --target");
  }
  auto linked = best ? saved_plan(*file, *best, options) : prepared_again(*file, name, options);
  if (!linked.ok()) return in_file(std::move(linked).status(), name, Format::kMote);
  return linked;
}

Status check_fixed(const LoadOptions& o, const std::string& name) {
  bool changes = !o.shapes.empty() || !o.dims.empty() || !o.states.empty() || !o.outputs.empty() ||
                 !o.extra_outputs.empty() || o.precision != Precision::kF32;
  if (!changes) return {};
  return invalid("the file is prepared: its shapes, states, outputs and precision are fixed")
      .at(name)
      .hint("give these options to mote convert, with the model it was made from");
}

Status save_plans(std::span<const Plan* const> plans, const std::string& path, const Module* module) {
  MOTE_ASSIGN(FileWriter out, FileWriter::create(path));
  MOTE_TRY(write_plans(
      plans, [&](std::span<const std::byte> bytes) { return out.write(bytes); }, module));
  return out.commit();
}

Status save_plan(const LinkedPlan& linked, const std::string& path) {
  const Plan* plans[] = {&linked.plan};
  return save_plans(plans, path);
}

Result<std::shared_ptr<const LinkedPlan>> link_plan(Plan plan, std::shared_ptr<const OpRegistry> ops) {
  MOTE_ASSIGN(auto linked, link(std::move(plan), kernel_providers(ops.get()), CombinedOps(ops.get())));
  if (!ops) return linked;
  struct Kept {
    std::shared_ptr<const OpRegistry> ops;
    std::shared_ptr<const LinkedPlan> linked;
  };
  auto kept = std::make_shared<const Kept>(Kept{std::move(ops), std::move(linked)});
  return std::shared_ptr<const LinkedPlan>(kept, kept->linked.get());
}

}  // namespace mote::api
