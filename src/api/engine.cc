#include "api/engine.h"

#include <algorithm>

#include "backends/cpu/cpu.h"
#include "backends/reference/reference.h"
#include "base/file.h"
#include "base/text.h"
#include "formats/onnx/onnx.h"
#include "ops/ops.h"
#include "plan/file.h"

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
  // A protobuf message whose first field is one of ModelProto's.
  if (!bytes.empty()) {
    unsigned tag = std::to_integer<unsigned>(bytes[0]), field = tag >> 3, wire = tag & 7;
    if ((field == 1 || field == 5) ? wire == 0 : (field <= 25 && field >= 2 && wire == 2)) return Format::kOnnx;
  }
  return Format::kUnknown;
}

Result<Module> read_module(std::shared_ptr<const Source> source, const std::string& folder) {
  std::string name = source->name;
  switch (recognise(source->bytes())) {
    case Format::kOnnx: {
      onnx::ImportOptions options;
      options.ops = &builtin_ops();
      if (!folder.empty()) {
        options.external_data = [folder](std::string_view location) {
          return map_file(folder + "/" + std::string(location));
        };
      }
      Result<Module> module = onnx::import_onnx(std::move(source), options);
      if (!module.ok()) return std::move(module).status().at(name);
      return module;
    }
    default:
      break;
  }
  return invalid("the format is not one that Mote reads").at(name).hint("Mote reads ONNX, .mote and Mote IR text");
}

Result<PrepareOptions> prepare_options(const LoadOptions& o) {
  PrepareOptions p;
  // Copies and views of a plan for the reference target are kernels of the CPU.
  p.kernels = {&cpu_target().kernels(), &reference_target().kernels()};
  if (o.target == "reference") {
    p.targets = {&reference_target()};
  } else {
    p.targets = {&cpu_target(), &reference_target()};
    if (!o.target.empty() && o.target != "host") {
      std::optional<Isa> isa = isa_of(o.target);
      if (!isa)
        return invalid("there is no target '" + o.target + "'")
            .hint("host, reference, or an instruction set: mote doctor lists them");
      p.target.cpu = typical_cpu(*isa);
    }
  }
  if (o.precision != Precision::kF32) {
    return unsupported("kernels that keep activations in 16 bits are not there yet")
        .hint("--precision f32; weights of f16 and bf16 files are read as they are");
  }
  p.target.reproducible = o.reproducible;
  p.optimise = o.optimise;
  p.dims = o.dims;
  for (const auto& [name, dims] : o.shapes) p.shapes[name] = Shape(dims.begin(), dims.end());
  p.states = o.states;
  p.extra_outputs = o.extra_outputs;
  return p;
}

Result<std::shared_ptr<const LinkedPlan>> build(Module module, const LoadOptions& options) {
  MOTE_ASSIGN(PrepareOptions prepare_with, prepare_options(options));
  Budget budget(options.max_bytes > 0 ? options.max_bytes : Budget::kUnlimited, Budget::kUnlimited);
  prepare_with.budget = &budget;
  MOTE_ASSIGN(Plan plan, prepare(std::move(module), prepare_with));
  return link(std::move(plan), prepare_with.kernels, builtin_ops());
}

Result<std::shared_ptr<const LinkedPlan>> open_plan(const std::shared_ptr<const Source>& source) {
  std::string name = source->name;
  Result<PlanFile> file = read_plans(source);
  if (!file.ok()) return std::move(file).status().at(name);
  Plan* best = nullptr;
  std::string targets;
  for (Plan& plan : file->plans) {
    targets += (targets.empty() ? "" : ", ") + plan.target;
    std::optional<Isa> isa = isa_of(plan.target);
    if (!isa || !active_cpu().has(*isa)) continue;
    if (!best || *isa_of(best->target) < *isa) best = &plan;
  }
  if (!best) {
    return unsupported("the file holds plans for " + targets + ", this CPU is " +
                       std::string(name_of(active_cpu().best())))
        .at(name)
        .hint("mote convert MODEL -o MODEL.mote on this machine, or with --target");
  }
  const KernelProvider* providers[] = {&cpu_target().kernels(), &reference_target().kernels()};
  return link(std::move(*best), providers, builtin_ops());
}

Status save_plan(const LinkedPlan& linked, const std::string& path) {
  MOTE_ASSIGN(FileWriter out, FileWriter::create(path));
  const Plan* plans[] = {&linked.plan};
  MOTE_TRY(write_plans(plans, [&](std::span<const std::byte> bytes) { return out.write(bytes); }));
  return out.commit();
}

PlanInfo describe(const LinkedPlan& linked) {
  const Plan& plan = linked.plan;
  PlanInfo info;
  info.target = plan.target;
  info.weight_bytes = plan.weight_bytes();
  info.macs = plan.macs;
  const PlanFunction& f = plan.functions[static_cast<std::size_t>(plan.signatures[0].function)];
  info.arena = to_text(f, f.arena_bytes);
  constexpr std::string_view kNumerics[] = {"exact", "chain", "lanes16", "winograd23", "winograd43", "fast"};
  constexpr std::string_view kPlaces[] = {"arena", "constant", "input", "output", "state", "heap", "alias"};
  for (const Step& s : f.steps) {
    StepInfo out;
    out.name = s.name;
    out.op = s.op == kNone ? "" : plan.ops[static_cast<std::size_t>(s.op)].name;
    out.kernel = s.kernel == kNone ? out.op : plan.kernels[static_cast<std::size_t>(s.kernel)].name;
    out.why = s.why;
    out.numerics = kNumerics[static_cast<int>(s.numerics)];
    out.late = s.late;
    if (!s.outputs.empty() && s.outputs[0] != kNone) {
      const PlanValue& v = f.values[static_cast<std::size_t>(s.outputs[0])];
      Dim total(bits_of(v.dtype) / 8);
      for (Extent e : v.dims) {
        out.shape.push_back(to_text(f, e));
        Result<Dim> d = Dim::parse(out.shape.back());
        if (d.ok()) total = total * *d;
      }
      for (std::uint8_t axis : v.perm) out.layout.push_back(std::to_string(axis));
      out.bytes = total.to_string();
      out.place = kPlaces[static_cast<int>(v.place)];
      if (v.place == Place::kArena) out.place += "+" + to_text(f, v.offset);
    }
    info.steps.push_back(std::move(out));
  }
  return info;
}

}  // namespace mote::api
