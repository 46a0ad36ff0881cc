#include "ir/operand_values.h"

namespace mote {
namespace {

std::size_t most(const Op& op, std::size_t i, const Constant& c) {
  const bool shapes = i < 32 && (op.shape_operands >> i & 1u) != 0;
  return shapes || c.stored_dtype == DType::i64 ? kMaxKnown : 64;
}

}  // namespace

std::optional<KnownValue> operand_ints(const Op& op, std::size_t i, const Constant& c) {
  std::optional<std::vector<std::int64_t>> ints = small_ints(c, most(op, i, c));
  return ints ? std::optional<KnownValue>(std::in_place, ints->begin(), ints->end()) : std::nullopt;
}

std::optional<std::vector<double>> operand_floats(const Op& op, std::size_t i, const Constant& c) {
  return small_floats(c, most(op, i, c));
}

}  // namespace mote
