// Opening what is prepared: `.mote` files, and plans with their kernels.
#include <algorithm>

#include "api/custom.h"
#include "api/engine.h"
#include "api/preparing.h"
#include "backends/cpu/cpu.h"
#include "backends/reference/reference.h"
#include "base/file.h"
#include "base/text.h"

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

bool is_prepared(std::span<const std::byte> bytes) {
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), std::min<std::size_t>(bytes.size(), 8));
  return text == "MOTEPLAN";
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

// Copies and views of a plan for the reference target are kernels of the CPU.
std::vector<const KernelProvider*> kernel_providers(const OpRegistry* ops) {
  std::vector<const KernelProvider*> list{&cpu_kernels(), &reference_kernels()};
  if (ops) list.push_back(&ops->impl());
  return list;
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
        .hint(
            concat("mote convert MODEL -o MODEL.mote --target ", any ? name_of(active_cpu().best()) : options.target));
  }
  auto linked = best ? saved_plan(*file, *best, options) : prepare_again(*file, name, options);
  if (!linked.ok()) return in_file(std::move(linked).status(), name, Format::kMote);
  return linked;
}

Status check_fixed(const LoadOptions& o, const std::string& name) {
  bool changes = !o.shapes.empty() || !o.dims.empty() || !o.states.empty() || !o.outputs.empty() ||
                 !o.extra_outputs.empty() || o.precision != Precision::kF32 || o.tune;
  if (!changes) return {};
  return invalid("the file is prepared: its shapes, states, outputs, precision and tiles are fixed")
      .at(name)
      .hint("give these options to mote convert, with the model it was made from");
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
