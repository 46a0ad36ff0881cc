#include "backends/cpu/cpu.h"
#include "backends/cpu/family.h"

namespace mote {
namespace cpu {

#define MOTE_CPU_FAMILY(name) extern const std::span<const Kernel> name##_kernels;
#include "backends/cpu/families.inc"
#undef MOTE_CPU_FAMILY

}  // namespace cpu

namespace {

#define MOTE_CPU_FAMILY(name) &cpu::name##_kernels,
constexpr const std::span<const Kernel>* kFamilies[] = {
#include "backends/cpu/families.inc"
};
#undef MOTE_CPU_FAMILY

class Provider final : public KernelProvider {
 public:
  const Kernel* find(std::string_view name, std::int32_t version) const override {
    for (const std::span<const Kernel>* family : kFamilies) {
      for (const Kernel& k : *family) {
        if (k.name == name && k.version == version) return &k;
      }
    }
    return nullptr;
  }
};

}  // namespace

const KernelProvider& cpu_kernels() {
  static const Provider provider;
  return provider;
}

}  // namespace mote
