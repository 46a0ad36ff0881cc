#include <algorithm>
#include <functional>
#include <vector>

#include "ops/ops.h"
#include "ops/reference.h"

namespace mote {

#define MOTE_OP_REF(name, folder) \
  extern const Op op_##name;      \
  extern const ReferenceFn reference_##name;
#define MOTE_OP_DEC(name, folder)
#define MOTE_OP_BOTH(name, folder) MOTE_OP_REF(name, folder)
#define MOTE_OP_NONE(name, folder)
#include "ops/ops.inc"
#undef MOTE_OP_REF

namespace {

struct Row {
  const Op* op;
  const ReferenceFn* fn;
};

#define MOTE_OP_REF(name, folder) {&op_##name, &reference_##name},
constexpr Row kRows[] = {
#include "ops/ops.inc"
};
#undef MOTE_OP_REF
#undef MOTE_OP_DEC
#undef MOTE_OP_BOTH
#undef MOTE_OP_NONE

}  // namespace

ReferenceFn find_reference(const Op& op) {
  constexpr auto kBefore = [](const Row& a, const Row& b) { return std::less<>()(a.op, b.op); };
  static const std::vector<Row> rows = [&] {
    std::vector<Row> sorted(std::begin(kRows), std::end(kRows));
    std::sort(sorted.begin(), sorted.end(), kBefore);
    return sorted;
  }();
  const auto at = std::lower_bound(rows.begin(), rows.end(), Row{&op, nullptr}, kBefore);
  return at != rows.end() && at->op == &op ? *at->fn : nullptr;
}

}  // namespace mote
