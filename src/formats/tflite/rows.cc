#include "formats/tflite/rows.h"

#include <algorithm>
#include <initializer_list>
#include <iterator>

namespace mote::tflite {

#define TFL_SAME(op, newest, to, accepts)
#define TFL_FUNCTION(op, newest, function, accepts) Status function(NodeContext& n);
#define TFL_QUANTIZED(op, function) Status function(NodeContext& n);
#define TFL_CUSTOM(name, function) Status function(NodeContext& n);
#include "formats/tflite/custom.inc"
#include "formats/tflite/ops.inc"
#include "formats/tflite/quantized.inc"
#undef TFL_SAME
#undef TFL_FUNCTION
#undef TFL_QUANTIZED
#undef TFL_CUSTOM

namespace {

constexpr Row kRows[] = {
#define TFL_SAME(op, newest, to, accepts) {fbs::BuiltinOperator::op, newest, #to, nullptr, Accepts::accepts},
#define TFL_FUNCTION(op, newest, function, accepts) {fbs::BuiltinOperator::op, newest, {}, function, Accepts::accepts},
#include "formats/tflite/ops.inc"
#undef TFL_SAME
#undef TFL_FUNCTION
};

struct Quantized {
  fbs::BuiltinOperator op;
  ConvertFn convert;
};
constexpr Quantized kQuantized[] = {
#define TFL_QUANTIZED(op, function) {fbs::BuiltinOperator::op, function},
#include "formats/tflite/quantized.inc"
#undef TFL_QUANTIZED
};

struct Custom {
  std::string_view name;
  ConvertFn convert;
};
const std::initializer_list<Custom> kCustom = {
#define TFL_CUSTOM(name, function) {name, function},
#include "formats/tflite/custom.inc"
#undef TFL_CUSTOM
};

template <class List, class Matches>
auto find(const List& list, const Matches& matches) {
  auto it = std::find_if(std::begin(list), std::end(list), matches);
  return it == std::end(list) ? nullptr : &*it;
}

}  // namespace

const Row* find_row(fbs::BuiltinOperator op) {
  return find(kRows, [&](const Row& r) { return r.op == op; });
}

ConvertFn find_quantized(fbs::BuiltinOperator op) {
  const Quantized* q = find(kQuantized, [&](const Quantized& r) { return r.op == op; });
  return q ? q->convert : nullptr;
}

ConvertFn find_custom(std::string_view name) {
  const Custom* c = find(kCustom, [&](const Custom& r) { return r.name == name; });
  return c ? c->convert : nullptr;
}

}  // namespace mote::tflite
