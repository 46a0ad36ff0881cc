#include "formats/tflite/sequence.h"

#include <algorithm>
#include <limits>

#include "formats/tflite/compose.h"

namespace mote::tflite {
namespace {

// The element of x at `index` along the axis, without it.
ValueId element(NodeContext& n, ValueId x, ValueId index, std::int64_t axis) {
  return x == kNone ? kNone : n.emit("gather", {x, index}, {{"axis", axis}});
}

std::vector<ValueId> elements(NodeContext& n, const std::vector<ValueId>& x, ValueId index, std::int64_t axis) {
  std::vector<ValueId> out;
  for (ValueId v : x) out.push_back(element(n, v, index, axis));
  return out;
}

// A value of the outer function as an input of the body.
ValueId carry(NodeContext& n, FunctionId body, ValueId outer, std::vector<ValueId>& captured) {
  if (outer == kNone) return kNone;
  captured.push_back(outer);
  const Value& v = n.importer().value(n.frame().function, outer);
  return n.importer().add_input(body, v.name, v.type);
}

}  // namespace

ValueId Operands::get(int i) {
  if (auto it = carried.find(i); it != carried.end()) return it->second;
  ValueId v = n_.in(i);
  if (v == kNone || &n_.frame() == outer_) return v;
  ConstantId c = n_.importer().value(outer_->function, v).constant;
  if (c == kNone) {
    n_.fail(unsupported("operand " + std::to_string(i) + " is computed by the model, not a constant"));
    return kNone;
  }
  Result<ValueId> here = n_.importer().constant_value(n_.frame().function, c);
  if (here.ok()) return *here;
  n_.fail(std::move(here).status());
  return kNone;
}

ValueId Products::operator()(ValueId x, int weights) {
  if (n_.failed() || x == kNone) return kNone;
  ValueId w = operands_.get(weights);
  if (n_.failed() || w == kNone) return kNone;
  if (!is_float(n_.dtype(w))) {
    w = hybrid_weights(n_, weights, w);
    auto [it, is_new] = rounded_.emplace(std::pair(n_.frame().function, x), kNone);
    if (is_new) it->second = n_.rounded_rows(x, -1, asymmetric_);
    x = it->second;
  }
  return n_.emit("matmul", {x, n_.transpose(w, {1, 0})});
}

Stepped over_time(NodeContext& n, Operands& operands, const std::vector<ValueId>& x, std::int64_t axis, bool backwards,
                  const std::vector<ValueId>& states, const StepFn& step) {
  if (n.failed() || !n.has_rank(x[0]) || n.rank(x[0]) <= axis) {
    n.fail(invalid("its operand has no time axis"));
    return {states, kNone};
  }
  const Dim length = n.shape(x[0])[static_cast<std::size_t>(axis)];
  if (length.is(1)) {
    Stepped s = step(elements(n, x, n.scalar_int(0), axis), states);
    s.y = n.emit("unsqueeze", {s.y, n.ints({axis})});
    return s;
  }
  Importer& importer = n.importer();
  ValueId extents = n.emit("shape", {x[0]});
  ValueId trips = n.emit("gather", {extents, n.scalar_int(axis)}, {{"axis", std::int64_t{0}}});
  ValueId last = backwards ? n.emit("sub", {trips, n.scalar_int(1)}) : kNone;
  Result<FunctionId> f = importer.add_function(n.name() + "/step");
  if (n.failed() || !f.ok()) return {states, kNone};
  Frame body;
  body.function = *f;
  ValueId index = importer.add_input(*f, "iteration", Type::tensor(DType::i64, Shape()));
  ValueId condition = importer.add_input(*f, "condition", Type::tensor(DType::boolean, Shape()));
  std::vector<ValueId> inner, captured, whole;
  for (ValueId s : states) inner.push_back(importer.add_input(*f, "state", n.type(s)));
  for (ValueId v : x) whole.push_back(carry(n, *f, v, captured));
  ValueId end = carry(n, *f, last, captured);
  for (int i = 0; i < n.inputs(); ++i) {
    // States and x are carried as such; weights that are no constants come along.
    bool is_weight =
        n.has(i) && !n.is_constant(n.in(i)) && !n.is_variable(i) && std::find(x.begin(), x.end(), n.in(i)) == x.end();
    if (is_weight) operands.carried[i] = carry(n, *f, n.in(i), captured);
  }
  Frame* outer = n.enter(body);
  if (backwards) index = n.emit("sub", {end, index});
  Stepped stepped = step(elements(n, whole, index, axis), inner);
  std::vector<ValueId> outputs = {n.emit("identity", {condition})};
  for (ValueId v : stepped.states) outputs.push_back(n.emit("identity", {v}));
  outputs.push_back(n.emit("identity", {stepped.y}));
  n.enter(*outer);
  operands.carried.clear();
  if (n.failed()) return {states, kNone};
  importer.fn(*f).outputs = std::move(outputs);
  std::vector<ValueId> inputs = {trips, kNone};
  inputs.insert(inputs.end(), states.begin(), states.end());
  inputs.insert(inputs.end(), captured.begin(), captured.end());
  std::int64_t carried = static_cast<std::int64_t>(states.size());
  std::vector<ValueId> made = n.emit_multi("loop", std::move(inputs), static_cast<int>(carried) + 1,
                                           {{"carried", carried}, {"counted", std::int64_t{1}}}, {*f});
  Stepped out{{made.begin(), made.end() - 1}, made.back()};
  constexpr std::int64_t kBegin = std::numeric_limits<std::int64_t>::min();
  if (backwards) out.y = n.emit("slice", {out.y, n.ints({-1}), n.ints({kBegin}), n.ints({0}), n.ints({-1})});
  if (axis == 1) out.y = n.transpose(out.y, {1, 0, 2});
  return out;
}

}  // namespace mote::tflite
