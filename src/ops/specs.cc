#include "ops/ops.h"

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

class Builtin final : public OpLookup {
 public:
  const Op* find(std::string_view name) const override { return find_op(name); }
};

}  // namespace

std::span<const Op* const> all_ops() { return kOps; }

const Op* find_op(std::string_view name) {
  for (const Op* op : kOps) {
    if (op->name == name) return op;
  }
  return nullptr;
}

const OpLookup& builtin_ops() {
  static const Builtin lookup;
  return lookup;
}

}  // namespace mote
