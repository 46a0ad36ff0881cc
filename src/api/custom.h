// Custom ops as the rest of Mote sees them: ops to look up, kernels to link, a target that claims them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mote/custom.h"
#include "plan/target.h"

namespace mote {

// Op and Kernel made at run time. `op.name` is "domain.name", the kernel's "custom.domain.name".
struct CustomDefinition : Op {
  CustomOp custom;
  std::string full_name, kernel_name;
  std::vector<Slot> input_slots, output_slots;
  Kernel kernel;
};

struct OpRegistry::Impl final : public OpLookup, public KernelProvider, public Target {
  ~Impl();
  const Op* find(std::string_view name) const override;
  const Kernel* find(std::string_view name, std::int32_t version) const override;
  std::string_view name() const override { return "custom"; }
  std::optional<Claim> claim(const NodeView& node, const TargetOptions& options) const override;

  std::map<std::string, std::unique_ptr<CustomDefinition>, std::less<>> definitions;
  std::vector<void*> libraries;
};

namespace api {

// Custom ops first, then the built-in ones. `registry` may be null.
class CombinedOps final : public OpLookup {
 public:
  explicit CombinedOps(const OpRegistry* registry) : registry_(registry) {}
  const Op* find(std::string_view name) const override;

 private:
  const OpRegistry* registry_;
};

}  // namespace api
}  // namespace mote
