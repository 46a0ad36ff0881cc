#include "prepare/widen.h"

#include <algorithm>

#include "ir/builder.h"
#include "ops/ops.h"

namespace mote {
namespace {

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

bool is_narrow(const Type& t) { return t.is_tensor() && (t.dtype == DType::f16 || t.dtype == DType::bf16); }

// Ops that say which type they make, or keep bits.
bool names_a_type(const Node& n) {
  for (std::string_view op : {"cast", "cast_like", "bitcast", "identity"}) {
    if (n.op->name == op) return true;
  }
  return std::any_of(n.attrs.items().begin(), n.attrs.items().end(), [](const Attrs::Item& a) {
    const DType* t = std::get_if<DType>(&a.second);
    return t && a.first != "stash_type" && (*t == DType::f16 || *t == DType::bf16);
  });
}

}  // namespace

const Type& Widening::type(ValueId v) const { return module_.functions[at(function_)].values[at(v)].type; }

bool Widening::concerns(const Node& n, bool is_slow) const {
  if (!n.bodies.empty() || names_a_type(n)) return false;
  bool reads = false, follows = false;
  for (ValueId v : n.inputs) {
    if (v == kNone || !is_narrow(type(v))) continue;
    reads = true;
    follows = follows || wide_.count(v) != 0;
  }
  return reads && (is_slow || follows);
}

Result<std::optional<Widening::Replacement>> Widening::replace(const Node& n, bool is_slow) {
  if (!concerns(n, is_slow)) return std::optional<Replacement>();
  std::size_t values = module_.functions[at(function_)].values.size(), constants = module_.constants.size();
  Builder b(module_, function_, builtin_ops(), n.name + "/");
  std::vector<ValueId> inputs = n.inputs;
  for (ValueId& v : inputs) {
    if (v == kNone || !is_narrow(type(v))) continue;
    if (auto it = wide_.find(v); it != wide_.end()) {
      v = it->second;
      continue;
    }
    ConstantId id = b.fn().values[at(v)].constant;
    if (id == kNone) {
      v = b.add("cast", {v}, {{"to", DType::f32}});
      continue;
    }
    Constant c = module_.constants[at(id)];
    c.transforms.push_back({Transform::Kind::kCast, {}, DType::f32, {}});
    c.type = Type::tensor(DType::f32, c.type.shape);
    ConstantId wide = module_.add_constant(std::move(c));
    v = b.fn().add_value(module_.constants[at(wide)].name, module_.constants[at(wide)].type);
    b.fn().values[at(v)].constant = wide;
  }
  std::vector<ValueId> made =
      b.add_multi(n.op->name, std::move(inputs), static_cast<int>(n.outputs.size()), n.attrs.items());
  bool good = b.status().ok() && !b.nodes().empty() &&
              std::all_of(b.nodes().begin(), b.nodes().end(), [&](const Node& part) { return is_fast_(part); });
  if (good) b.nodes().back().name = n.name;
  std::vector<ValueId> outputs = made;
  std::map<ValueId, ValueId> wide;
  for (std::size_t i = 0; good && i < outputs.size(); ++i) {
    if (n.outputs[i] == kNone || !is_narrow(type(n.outputs[i]))) continue;
    good = type(made[i]).dtype == DType::f32;
    if (!good) break;
    outputs[i] = b.add("cast", {made[i]}, {{"to", type(n.outputs[i]).dtype}});
    wide[outputs[i]] = made[i];
  }
  if (!good || !b.status().ok()) {
    module_.functions[at(function_)].values.resize(values);
    module_.constants.resize(constants);
    return std::optional<Replacement>();
  }
  wide_.insert(wide.begin(), wide.end());
  return std::optional(Replacement{std::move(b.nodes()), std::move(outputs)});
}

}  // namespace mote
