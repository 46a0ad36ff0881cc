#include <algorithm>
#include <vector>

#include "backends/reference/reference.h"
#include "ops/ops.h"
#include "ops/reference.h"

namespace mote {
namespace {

// In the order of all_ops().
#define MOTE_OP_REF(name, folder) "reference." #name,
#define MOTE_OP_DEC(name, folder) "",
#define MOTE_OP_BOTH(name, folder) MOTE_OP_REF(name, folder)
#define MOTE_OP_NONE(name, folder) MOTE_OP_DEC(name, folder)
constexpr std::string_view kNames[] = {
#include "ops/ops.inc"
};
#undef MOTE_OP_REF
#undef MOTE_OP_DEC
#undef MOTE_OP_BOTH
#undef MOTE_OP_NONE

class Provider final : public KernelProvider {
 public:
  Provider() {
    kernels_.reserve(std::size(kNames));
    for (std::size_t i = 0; i < std::size(kNames); ++i) {
      const Op* op = all_ops()[i];
      if (!kNames[i].empty())
        kernels_.push_back({.name = kNames[i], .version = op->version, .direct = find_reference(*op), .op = op});
    }
  }
  const Kernel* find(std::string_view name, std::int32_t version) const override {
    auto it = std::find_if(kernels_.begin(), kernels_.end(),
                           [&](const Kernel& k) { return k.name == name && k.version == version; });
    return it == kernels_.end() ? nullptr : &*it;
  }

 private:
  std::vector<Kernel> kernels_;
};

}  // namespace

const KernelProvider& reference_kernels() {
  static const Provider provider;
  return provider;
}

}  // namespace mote
