#include "base/budget.h"

#include "base/text.h"

namespace mote {
namespace {

bool take(std::atomic<std::int64_t>& used, std::int64_t max, std::int64_t amount) {
  std::int64_t now = used.load(std::memory_order_relaxed);
  do {
    if (amount < 0 || amount > max - now) return false;
  } while (!used.compare_exchange_weak(now, now + amount, std::memory_order_relaxed));
  return true;
}

}  // namespace

Status Budget::charge(std::int64_t bytes, std::string_view who) {
  if (take(bytes_, max_bytes_, bytes)) return {};
  return Status(Code::kResourceExhausted, concat("needs ", human_bytes(bytes), ", but the memory limit leaves ",
                                                 human_bytes(left()), " of ", human_bytes(max_bytes_)))
      .at(who)
      .hint("raise the memory limit if the model is to be trusted");
}

Status Budget::charge_nodes(std::int64_t nodes, std::string_view who) {
  if (take(nodes_, max_nodes_, nodes)) return {};
  return Status(Code::kResourceExhausted,
                concat(who, ": the model has more than ", max_nodes_, " nodes, values and attributes"));
}

}  // namespace mote
