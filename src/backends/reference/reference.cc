#include "backends/reference/reference.h"

#include <vector>

#include "ops/ops.h"
#include "ops/reference.h"

namespace mote {
namespace {

constexpr std::string_view kPrefix = "reference.";

class Provider final : public KernelProvider {
 public:
  Provider() {
    for (const Op* op : all_ops()) {
      if (ReferenceFn fn = find_reference(*op)) {
        names_.push_back(std::string(kPrefix) + std::string(op->name));
        kernels_.push_back({.name = {}, .version = op->version, .direct = fn, .op = op});
      }
    }
    for (std::size_t i = 0; i < names_.size(); ++i) kernels_[i].name = names_[i];
  }
  const Kernel* find(std::string_view name, std::int32_t version) const override {
    for (const Kernel& k : kernels_) {
      if (k.name == name && k.version == version) return &k;
    }
    return nullptr;
  }

 private:
  std::vector<std::string> names_;
  std::vector<Kernel> kernels_;
};

class ReferenceTarget final : public Target {
 public:
  std::string_view name() const override { return "reference"; }
  bool is_fallback() const override { return true; }
  std::optional<Claim> claim(const NodeView& node, const TargetOptions&) const override {
    if (!find_reference(*node.node.op)) return std::nullopt;
    Claim c;
    c.kernel = std::string(kPrefix) + std::string(node.node.op->name);
    c.version = node.node.op->version;
    c.why = "no faster kernel takes this op with these types";
    return c;
  }
  const KernelProvider& kernels() const override {
    static const Provider provider;
    return provider;
  }
};

}  // namespace

const Target& reference_target() {
  static const ReferenceTarget target;
  return target;
}

}  // namespace mote
