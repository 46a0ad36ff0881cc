#include "runtime/linked_plan.h"

namespace mote {

Result<std::shared_ptr<const LinkedPlan>> link(Plan plan, std::span<const KernelProvider* const> providers,
                                               const OpLookup& ops) {
  auto linked = std::make_shared<LinkedPlan>();
  std::string missing;
  for (const NamedVersion& k : plan.kernels) {
    const Kernel* found = nullptr;
    for (const KernelProvider* p : providers) {
      if (!found) found = p->find(k.name, k.version);
    }
    if (!found) missing += (missing.empty() ? "" : ", ") + k.name + " version " + std::to_string(k.version);
    linked->kernels.push_back(found);
  }
  if (!missing.empty()) {
    return unsupported("this build lacks the kernels: " + missing)
        .hint("prepare the model again with this build: mote convert MODEL -o MODEL.mote");
  }
  for (const NamedVersion& o : plan.ops) {
    const Op* op = ops.find(o.name);
    linked->ops.push_back(op && op->version == o.version ? op : nullptr);
  }
  for (const PlanFunction& f : plan.functions) {
    for (const Step& s : f.steps) {
      if (s.kind != Step::Kind::kKernel) continue;
      const Kernel& kernel = *linked->kernels[static_cast<std::size_t>(s.kernel)];
      const Op* op = linked->ops[static_cast<std::size_t>(s.op)];
      if (kernel.direct && op && op != kernel.op)
        return invalid("step '" + s.name + "' runs " + std::string(kernel.name) + " for " + std::string(op->name));
    }
  }
  linked->plan = std::move(plan);
  return std::shared_ptr<const LinkedPlan>(std::move(linked));
}

}  // namespace mote
