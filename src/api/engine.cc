#include "api/engine.h"

#include <algorithm>
#include <cstdlib>

#include "api/custom.h"
#include "api/preparing.h"
#include "backends/cpu/cpu.h"
#include "backends/reference/reference.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory_info.h"
#include "base/text.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "ops/ops.h"
#include "plan/file.h"
#include "prepare/tune.h"
#if MOTE_ONNX
#include "formats/onnx/onnx.h"
#endif
#if MOTE_TFLITE
#include "formats/tflite/tflite.h"
#endif

namespace mote::api {

Format recognise(std::span<const std::byte> bytes) {
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), std::min<std::size_t>(bytes.size(), 64));
  if (is_prepared(bytes)) return Format::kMote;
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
  options.signature = o.signature;
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
  if (o.precision == Precision::kBf16) p.weights = DType::bf16;
  if (o.precision == Precision::kF16) p.weights = DType::f16;
  p.fastest = o.precision == Precision::kFastest;
  if (p.fastest && o.reproducible) {
    return invalid("--precision fastest decides by the CPU, which --reproducible must not depend on")
        .hint("leave one of the two out");
  }
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

namespace {

// Where answers of tuning are kept; "" where there is no such place.
std::string tune_cache() {
  if (const char* path = std::getenv("MOTE_TUNE_CACHE")) return path;
  if (const char* folder = std::getenv("XDG_CACHE_HOME"); folder && *folder) return concat(folder, "/mote/tuning");
  if (const char* home = std::getenv("HOME"); home && *home) return concat(home, "/.cache/mote/tuning");
  return {};
}

}  // namespace

Status tune_plan(Plan& plan, const LoadOptions& options) {
  if (!options.tune) return {};
  if (options.reproducible) {
    return invalid("--tune decides by measurements, which --reproducible must not depend on")
        .hint("leave one of the two out");
  }
  const std::optional<Isa> isa = isa_of(plan.target);
  if (!isa || !active_cpu().has(*isa)) {
    return unsupported(concat("a plan for ", plan.target, " cannot be measured on this machine"))
        .hint("tune on the machine that it is for");
  }
  TuneOptions with;
  with.cache = tune_cache();
  with.link = [&](Plan p) { return link_plan(std::move(p), options.ops); };
  MOTE_ASSIGN(TuneReport report, tune(plan, with));
  log(LogLevel::kInfo,
      concat("tuned: ", report.departed, " of ", report.steps, " steps depart from their usual tiles, ", report.known,
             " were known from ", with.cache.empty() ? "no file" : with.cache));
  return {};
}

namespace {

// Bytes of the arena of a plan's first signature; nothing where a symbol decides them.
std::optional<std::int64_t> arena_of(const Plan& plan) {
  if (plan.signatures.empty()) return std::nullopt;
  const Extent bytes = plan.functions[static_cast<std::size_t>(plan.signatures[0].function)].arena_bytes;
  return bytes < 0 ? std::nullopt : std::optional<std::int64_t>(bytes);
}

// What the plan takes besides inputs and outputs.
std::int64_t needed(const Plan& plan, std::int64_t arena) {
  return static_cast<std::int64_t>(plan.weight_bytes()) + arena;
}

// `plan` where it fits in `most` bytes; else one that computes more of the module by strips of rows: as little more as
// makes it fit, or what takes the least memory.
Result<Plan> fitting(Plan plan, const Module& module, PrepareOptions with, std::int64_t most) {
  const std::optional<std::int64_t> before = arena_of(plan);
  if (!before || needed(plan, *before) <= most) return plan;
  std::int64_t least = *before;
  StripTrade chosen, trade;
  with.strips = &trade;
  for (std::int64_t from : {1 << 20, 1 << 18, 1 << 16, 0}) {
    Budget budget(most, Budget::kUnlimited);
    with.budget = &budget;
    with.sizes_only = true;
    trade = {.from = from};
    MOTE_ASSIGN(Plan sizes, prepare(module, with));
    const std::optional<std::int64_t> arena = arena_of(sizes);
    if (!arena || *arena >= least) continue;
    least = *arena;
    chosen = trade;
    if (needed(sizes, least) <= most) break;
  }
  if (chosen.steps == 0) return plan;
  log(LogLevel::kWarning,
      concat("to fit in memory, ", chosen.steps, chosen.steps == 1 ? " step more runs" : " steps more run",
             " by strips of rows: an arena of ", human_bytes(least), " instead of ", human_bytes(*before), ", for ",
             chosen.repeated_macs, " multiply-adds more for each thread beyond the first",
             plan.macs > 0 ? concat(" (of ", plan.macs, ")") : ""));
  plan = Plan();
  Budget budget(most, Budget::kUnlimited);
  with.budget = &budget;
  with.sizes_only = false;
  trade = {.from = chosen.from};
  return prepare(module, with);
}

}  // namespace

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
  drop_code_of_stage(module.constant_bytes());
  const Module kept = options.max_bytes > 0 ? module : Module();
  MOTE_ASSIGN(Plan plan, prepare(std::move(module), prepare_with));
  if (options.max_bytes > 0) {
    MOTE_ASSIGN(plan, fitting(std::move(plan), kept, prepare_with, options.max_bytes));
  }
  MOTE_TRY(tune_plan(plan, options));
  // What was read around the weights while they were packed; what runs need comes back when it is touched.
  for (const auto& source : plan.sources) source->drop(0, source->bytes().size());
  return link_plan(std::move(plan), options.ops);
}

Result<Module> module_of(const PlanFile& file, const OpRegistry* ops) {
  MOTE_ASSIGN(Module module, file.module(CombinedOps(ops)));
  MOTE_TRY(verify(module));
  return module;
}

Result<std::shared_ptr<const LinkedPlan>> prepare_source(std::shared_ptr<const Source> source,
                                                         const std::string& folder, const LoadOptions& options,
                                                         LoadTimes& times) {
  std::int64_t start = Stop::now_ns();
  std::string name = source->name;
  Format format = recognise(source->bytes());
  MOTE_ASSIGN(Module module, read_module(std::move(source), folder, options));
  note_quantization(module);
  times.load_ms = ms_since(start);
  start = Stop::now_ns();
  Result<std::shared_ptr<const LinkedPlan>> linked = build(std::move(module), options);
  if (!linked.ok()) return in_file(std::move(linked).status(), name, format);
  times.prepare_ms = ms_since(start);
  return linked;
}

Result<std::shared_ptr<const LinkedPlan>> prepare_again(const PlanFile& file, const std::string& name,
                                                        const LoadOptions& options) {
  log(LogLevel::kWarning, concat(name, ": prepared again, since its plans are for ", join(file.targets())));
  MOTE_ASSIGN(Module module, module_of(file, options.ops.get()));
  MOTE_TRY(prefer_signature(module.signatures, options.signature));
  return build(std::move(module), options);
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

}  // namespace mote::api
