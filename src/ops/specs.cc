#include "ops/ops.h"

#include <algorithm>
#include <array>

namespace mote {

#define MOTE_OP_REF(name, folder) extern const Op op_##name;
#define MOTE_OP_DEC(name, folder) MOTE_OP_REF(name, folder)
#define MOTE_OP_BOTH(name, folder) MOTE_OP_REF(name, folder)
#define MOTE_OP_NONE(name, folder) MOTE_OP_REF(name, folder)
#include "ops/ops.inc"
#undef MOTE_OP_REF
#undef MOTE_OP_DEC
#undef MOTE_OP_BOTH
#undef MOTE_OP_NONE

namespace {

#define MOTE_OP_REF(name, folder) &op_##name,
#define MOTE_OP_DEC(name, folder) &op_##name,
#define MOTE_OP_BOTH(name, folder) &op_##name,
#define MOTE_OP_NONE(name, folder) &op_##name,
constexpr const Op* kOps[] = {
#include "ops/ops.inc"
};
#undef MOTE_OP_REF
#undef MOTE_OP_DEC
#undef MOTE_OP_BOTH
#undef MOTE_OP_NONE

// The ops by what their names begin with, how long these are and what they end with.
class Names {
 public:
  Names() {
    first_.fill(-1);
    for (std::size_t i = std::size(kOps); i-- > 0;) {
      std::int16_t& first = first_[bucket(kOps[i]->name)];
      next_[i] = first;
      first = static_cast<std::int16_t>(i);
    }
  }
  const Op* find(std::string_view name) const {
    for (std::int16_t i = first_[bucket(name)]; i >= 0; i = next_[static_cast<std::size_t>(i)]) {
      const Op* op = kOps[static_cast<std::size_t>(i)];
      if (op->name == name) return op;
    }
    return nullptr;
  }

 private:
  static std::size_t bucket(std::string_view name) {
    if (name.empty()) return 0;
    const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(name[i])); };
    return (byte(0) * 31 + byte(name.size() / 2) * 7 + byte(name.size() - 1) + name.size() * 13) % kBuckets;
  }

  static constexpr std::size_t kBuckets = 512;
  std::array<std::int16_t, kBuckets> first_;
  std::array<std::int16_t, std::size(kOps)> next_;
};

class Builtin final : public OpLookup {
 public:
  const Op* find(std::string_view name) const override { return find_op(name); }
};

}  // namespace

std::span<const Op* const> all_ops() { return kOps; }

const Op* find_op(std::string_view name) {
  static const Names names;
  return names.find(name);
}

const OpLookup& builtin_ops() {
  static const Builtin lookup;
  return lookup;
}

}  // namespace mote
