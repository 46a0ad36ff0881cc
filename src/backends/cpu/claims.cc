#include "backends/cpu/cpu.h"
#include "backends/cpu/family.h"

namespace mote {
namespace cpu {

#define MOTE_CPU_FAMILY(name) extern const ClaimFn name##_claim;
#include "backends/cpu/families.inc"
#undef MOTE_CPU_FAMILY

}  // namespace cpu

namespace {

#define MOTE_CPU_FAMILY(name) &cpu::name##_claim,
constexpr const cpu::ClaimFn* kFamilies[] = {
#include "backends/cpu/families.inc"
};
#undef MOTE_CPU_FAMILY

class CpuTarget final : public Target {
 public:
  std::string_view name() const override { return "cpu"; }
  std::optional<Claim> claim(const NodeView& node, const TargetOptions& options) const override {
    for (const cpu::ClaimFn* family : kFamilies) {
      if (!*family) continue;
      if (std::optional<Claim> c = (*family)(node, options)) return c;
    }
    return std::nullopt;
  }
};

}  // namespace

const Target& cpu_target() {
  static const CpuTarget target;
  return target;
}

}  // namespace mote
