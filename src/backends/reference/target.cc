#include "backends/reference/reference.h"
#include "ops/ops.h"
#include "ops/reference.h"

namespace mote {
namespace {

class ReferenceTarget final : public Target {
 public:
  std::string_view name() const override { return "reference"; }
  bool is_fallback() const override { return true; }
  std::optional<Claim> claim(const NodeView& node, const TargetOptions&) const override {
    const Op& op = *node.node.op;
    if (!find_reference(op)) return std::nullopt;
    Claim c;
    c.kernel = "reference." + std::string(op.name);
    c.version = op.version;
    c.why = "no faster kernel takes this op with these types";
    return c;
  }
};

}  // namespace

const Target& reference_target() {
  static const ReferenceTarget target;
  return target;
}

}  // namespace mote
