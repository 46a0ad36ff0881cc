#include "ops/decompose.h"
#include "ops/ops.h"

namespace mote {

#define MOTE_OP_DEC(name, folder) \
  extern const Op op_##name;      \
  extern const DecomposeFn decompose_##name;
#define MOTE_OP_REF(name, folder)
#define MOTE_OP_BOTH(name, folder) MOTE_OP_DEC(name, folder)
#define MOTE_OP_NONE(name, folder)
#include "ops/ops.inc"
#undef MOTE_OP_DEC

namespace {

struct Row {
  const Op* op;
  const DecomposeFn* fn;
};

#define MOTE_OP_DEC(name, folder) {&op_##name, &decompose_##name},
constexpr Row kRows[] = {
#include "ops/ops.inc"
};
#undef MOTE_OP_DEC
#undef MOTE_OP_REF
#undef MOTE_OP_BOTH
#undef MOTE_OP_NONE

}  // namespace

DecomposeFn find_decomposition(const Op& op) {
  for (const Row& row : kRows) {
    if (row.op == &op) return *row.fn;
  }
  return nullptr;
}

}  // namespace mote
