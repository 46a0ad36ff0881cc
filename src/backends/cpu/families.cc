#include "backends/cpu/cpu.h"
#include "backends/cpu/family.h"

namespace mote {
namespace {

constexpr const cpu::Family* kFamilies[] = {&cpu::attention_family,   &cpu::conv_family,    &cpu::conv_transpose_family,
                                            &cpu::gather_family,      &cpu::dot_family,     &cpu::pool_family,
                                            &cpu::elementwise_family, &cpu::convert_family, &cpu::reduce_family,
                                            &cpu::norm_family,        &cpu::rnn_family,     &cpu::resize_family,
                                            &cpu::quantized_family,   &cpu::qmap_family,    &cpu::pad_family,
                                            &cpu::index_family,       &cpu::made_family,    &cpu::sample_family,
                                            &cpu::move_family,        &cpu::along_family,   &cpu::detect_family,
                                            &cpu::copy_family};

class Provider final : public KernelProvider {
 public:
  const Kernel* find(std::string_view name, std::int32_t version) const override {
    for (const cpu::Family* f : kFamilies) {
      for (const Kernel& k : f->kernels) {
        if (k.name == name && k.version == version) return &k;
      }
    }
    return nullptr;
  }
};

class CpuTarget final : public Target {
 public:
  std::string_view name() const override { return "cpu"; }
  std::optional<Claim> claim(const NodeView& node, const TargetOptions& options) const override {
    for (const cpu::Family* f : kFamilies) {
      if (!f->claim) continue;
      if (std::optional<Claim> c = f->claim(node, options)) return c;
    }
    return std::nullopt;
  }
  const KernelProvider& kernels() const override {
    static const Provider provider;
    return provider;
  }
};

}  // namespace

const Target& cpu_target() {
  static const CpuTarget target;
  return target;
}

}  // namespace mote
