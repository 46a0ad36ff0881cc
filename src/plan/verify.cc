#include "plan/verify.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "base/checked.h"
#include "tensor/view.h"

namespace mote {
namespace {

template <class List>
bool inside(std::int64_t i, const List& list) {
  return i >= 0 && i < static_cast<std::int64_t>(list.size());
}

Status check_expr(const PlanFunction& f, const Expr& e) {
  int depth = 0;
  for (const ExprOp& op : e.code) {
    if (op.code == ExprOp::kConst || op.code == ExprOp::kSymbol) {
      if (op.code == ExprOp::kSymbol && !inside(op.value, f.symbols))
        return invalid("an expression uses a symbol that does not exist");
      if (++depth > kExprStack) return invalid("an expression is nested too deeply");
    } else if (--depth < 1) {
      return invalid("an expression lacks an operand");
    }
  }
  return depth == 1 ? Status() : invalid("an expression does not give one value");
}

Status check_extent(const PlanFunction& f, Extent e) {
  if (e < 0 && !inside(~e, f.exprs)) return invalid("an extent names an expression that does not exist");
  return {};
}

Status check_value(const Plan& plan, const PlanFunction& f, const PlanSignature* entry, std::size_t index) {
  const PlanValue& v = f.values[index];
  if (v.rank < -1 || v.rank > kMaxRank) return invalid("its rank is out of range");
  std::size_t rank = v.rank < 0 ? 0 : static_cast<std::size_t>(v.rank);
  if (v.dims.size() != rank || (!v.strides.empty() && v.strides.size() != rank))
    return invalid("its shape does not have its rank");
  if (!v.perm.empty()) {
    std::uint32_t seen = 0;
    for (std::uint8_t axis : v.perm) seen |= axis < 32 ? 1u << axis : 0;
    if (v.perm.size() != rank || seen != (1u << rank) - 1) return invalid("its axis order is not one");
  }
  for (Extent e : v.dims) MOTE_TRY(check_extent(f, e));
  for (Extent e : v.strides) MOTE_TRY(check_extent(f, e));
  MOTE_TRY(check_extent(f, v.offset));
  bool tensor = v.kind == Type::Kind::kTensor;
  if (tensor && !v.late && (v.rank < 0 || v.dtype == DType::none)) return invalid("a planned tensor has no type");
  if (tensor && !v.late && (v.place == Place::kHeap || v.place == Place::kAlias))
    return invalid("a planned tensor has no place");
  if ((!tensor || v.late) && v.place != Place::kHeap && v.place != Place::kAlias && v.place != Place::kInput)
    return invalid("a late value has a planned place");
  switch (v.place) {
    case Place::kConstant:
      if (!inside(v.index, plan.constants)) return invalid("it names a constant that does not exist");
      break;
    case Place::kInput:
      if (!inside(v.index, f.inputs)) return invalid("it names an input that does not exist");
      if ((v.late || !tensor) && f.inputs[static_cast<std::size_t>(v.index)] != static_cast<std::int32_t>(index))
        return invalid("a late view of an input");
      break;
    case Place::kOutput:
      if (!entry || !inside(v.index, f.outputs)) return invalid("it names an output that does not exist");
      break;
    case Place::kState:
      if (!entry || !inside(v.index, entry->states)) return invalid("it names a state that does not exist");
      break;
    case Place::kAlias:
      if (!inside(v.index, f.values) || v.index >= static_cast<std::int32_t>(index) ||
          f.values[static_cast<std::size_t>(v.index)].kind != Type::Kind::kTensor) {
        return invalid("it is a view of a value that does not come before it");
      }
      break;
    default:
      break;
  }
  return {};
}

Status check_step(const Plan& plan, const PlanFunction& f, const Step& s) {
  for (const auto* list : {&s.inputs, &s.outputs}) {
    for (std::int32_t v : *list) {
      if (v != kNone && !inside(v, f.values)) return invalid("an operand does not exist");
    }
  }
  for (std::int32_t v : s.outputs) {
    if (v == kNone) continue;
    const PlanValue& out = f.values[static_cast<std::size_t>(v)];
    if (out.place == Place::kConstant || out.place == Place::kInput)
      return invalid("it writes to an input or a constant");
    // Of what is behind a view, nobody says who may write to it.
    if (out.place == Place::kAlias && !(s.kind == Step::Kind::kKernel && inside(s.kernel, plan.kernels) &&
                                        plan.kernels[static_cast<std::size_t>(s.kernel)].name == "view"))
      return invalid("it writes to a view");
    // What is late on one side makes the step late.
    if (out.late && !s.late && s.kind == Step::Kind::kKernel) return invalid("it has a late result but is not late");
  }
  for (std::int32_t v : s.inputs) {
    if (v != kNone && f.values[static_cast<std::size_t>(v)].late && !s.late && s.kind == Step::Kind::kKernel)
      return invalid("it has a late operand but is not late");
  }
  if (s.op != kNone && !inside(s.op, plan.ops)) return invalid("its op does not exist");
  if (s.kernel != kNone && !inside(s.kernel, plan.kernels)) return invalid("its kernel does not exist");
  for (const PackedType& p : s.packed) {
    if (!inside(p.operand, s.inputs) || p.dtype == DType::none || p.dims.size() > kMaxRank || !usable_count(p.dims))
      return invalid("what it says of a packed operand is no type");
  }
  for (std::int32_t b : s.bodies) {
    if (!inside(b, plan.functions)) return invalid("its body does not exist");
  }
  auto gives = [&](std::size_t body) {
    return plan.functions[static_cast<std::size_t>(s.bodies[body])].outputs.size();
  };
  auto takes = [&](std::size_t body) { return plan.functions[static_cast<std::size_t>(s.bodies[body])].inputs.size(); };
  switch (s.kind) {
    case Step::Kind::kKernel:
      if (!inside(s.kernel, plan.kernels) || s.op == kNone) return invalid("its kernel does not exist");
      return {};
    case Step::Kind::kIf:
      if (s.bodies.size() != 2 || s.inputs.empty() || s.inputs[0] == kNone)
        return invalid("an if needs a condition and two bodies");
      for (std::size_t b : {0, 1}) {
        if (takes(b) != s.inputs.size() - 1 || gives(b) < s.outputs.size())
          return invalid("a body takes or gives another number of values");
      }
      break;
    case Step::Kind::kLoop: {
      const AttrValue* carried = s.attrs.find("carried");
      const std::int64_t* n = carried ? std::get_if<std::int64_t>(carried) : nullptr;
      if (s.bodies.size() != 1 || !n || *n < 0 || s.inputs.size() < 2 + static_cast<std::size_t>(*n))
        return invalid("a loop needs a body and its carried values");
      if (takes(0) != s.inputs.size() || gives(0) < 1 + static_cast<std::size_t>(*n))
        return invalid("a body takes or gives another number of values");
      if (s.outputs.size() > gives(0) - 1) return invalid("a body takes or gives another number of values");
      break;
    }
    case Step::Kind::kCall:
      if (s.bodies.size() != 1 || takes(0) != s.inputs.size() || gives(0) < s.outputs.size())
        return invalid("a body takes or gives another number of values");
      break;
  }
  std::size_t skip = s.kind == Step::Kind::kIf ? 1 : s.kind == Step::Kind::kLoop ? 2 : 0;
  for (std::size_t i = skip; i < s.inputs.size(); ++i) {
    if (s.inputs[i] == kNone) return invalid("a body is passed an absent value");
  }
  return {};
}

// A late value comes from one step, before those that read it: the memory behind a view of it stays where it is.
Status check_order(const PlanFunction& f) {
  std::vector<bool> known;
  for (const PlanValue& v : f.values)
    known.push_back(v.kind != Type::Kind::kTensor || !v.late || v.place == Place::kInput);
  for (const Step& s : f.steps) {
    for (std::int32_t v : s.inputs) {
      if (v != kNone && !known[static_cast<std::size_t>(v)])
        return invalid("it reads a value that no step before it gives").at("step '" + s.name + "'");
    }
    for (std::int32_t v : s.outputs) {
      if (v == kNone) continue;
      const PlanValue& out = f.values[static_cast<std::size_t>(v)];
      if (out.kind != Type::Kind::kTensor || !out.late) continue;
      if (known[static_cast<std::size_t>(v)] ||
          (out.place == Place::kAlias && !known[static_cast<std::size_t>(out.index)]))
        return invalid("it gives a value a second time, or a view of one that no step before it gives")
            .at("step '" + s.name + "'");
      known[static_cast<std::size_t>(v)] = true;
    }
  }
  for (std::int32_t v : f.outputs) {
    if (!known[static_cast<std::size_t>(v)]) return invalid("no step gives an output");
  }
  return {};
}

// Bodies may not reach themselves.
Status check_calls(const Plan& plan, std::int32_t function, std::vector<std::uint8_t>& state, int depth) {
  std::uint8_t& mark = state[static_cast<std::size_t>(function)];
  if (mark == 1 || depth > 64) return invalid("functions call each other without end");
  if (mark == 2) return {};
  mark = 1;
  for (const Step& s : plan.functions[static_cast<std::size_t>(function)].steps) {
    for (std::int32_t b : s.bodies) {
      for (const PlanSignature& entry : plan.signatures) {
        if (entry.function == b && !entry.states.empty()) return invalid("a function with states is called");
      }
    }
    for (std::int32_t b : s.bodies) MOTE_TRY(check_calls(plan, b, state, depth + 1));
  }
  mark = 2;
  return {};
}

Status check_function(const Plan& plan, std::size_t index) {
  const PlanFunction& f = plan.functions[index];
  const PlanSignature* entry = nullptr;
  for (const PlanSignature& s : plan.signatures) {
    if (s.function != static_cast<std::int32_t>(index)) continue;
    if (entry) return invalid("two signatures share it");
    entry = &s;
  }
  for (const Expr& e : f.exprs) MOTE_TRY(check_expr(f, e));
  MOTE_TRY(check_extent(f, f.arena_bytes));
  if (f.results.size() != (entry ? f.outputs.size() : 0)) return invalid("its results have no places");
  for (Extent e : f.results) MOTE_TRY(check_extent(f, e));
  for (const auto* list : {&f.inputs, &f.outputs}) {
    for (std::int32_t v : *list) {
      if (!inside(v, f.values)) return invalid("an input or output does not exist");
    }
  }
  for (std::size_t i = 0; i < f.inputs.size(); ++i) {
    const PlanValue& v = f.values[static_cast<std::size_t>(f.inputs[i])];
    if (v.place != Place::kInput || v.index != static_cast<std::int32_t>(i))
      return invalid("input " + std::to_string(i) + " is not one");
  }
  for (std::size_t v = 0; v < f.values.size(); ++v) {
    if (Status s = check_value(plan, f, entry, v); !s.ok()) return std::move(s).at("value '" + f.values[v].name + "'");
  }
  for (const Step& s : f.steps) {
    if (Status bad = check_step(plan, f, s); !bad.ok()) return std::move(bad).at("step '" + s.name + "'");
  }
  return check_order(f);
}

// A state that several signatures have is one tensor, which no one of them appends to in place.
Status check_shared_states(const Plan& plan) {
  struct First {
    const PlanSignature* signature;
    const PlanState* state;
    const PlanValue* value;
  };
  std::unordered_map<std::string_view, First> states;
  for (const PlanSignature& s : plan.signatures) {
    const PlanFunction& f = plan.functions[static_cast<std::size_t>(s.function)];
    for (const PlanState& st : s.states) {
      const PlanValue& in = f.values[static_cast<std::size_t>(f.inputs[static_cast<std::size_t>(st.input)])];
      auto [it, made] = states.try_emplace(st.name, First{&s, &st, &in});
      const First& first = it->second;
      if (made || first.signature == &s) continue;
      auto same = [](Extent a, Extent b) { return a == b || a < 0 || b < 0; };
      if (st.axis != kNone || first.state->axis != kNone || in.dtype != first.value->dtype ||
          in.rank != first.value->rank ||
          !std::equal(in.dims.begin(), in.dims.end(), first.value->dims.begin(), first.value->dims.end(), same))
        return invalid("state '" + st.name + "' is not the same in signatures '" + first.signature->name + "' and '" +
                       s.name + "'");
    }
  }
  return {};
}

}  // namespace

Status verify(const Plan& plan) {
  if (plan.signatures.empty()) return invalid("the plan has no entry point");
  for (const PlanConstant& c : plan.constants) {
    std::optional<std::int64_t> count = usable_count(c.dims);
    if (!count || c.dims.size() > kMaxRank || c.dtype == DType::none)
      return invalid("constant '" + c.name + "' has no usable shape");
    if (!inside(c.source, plan.sources)) return invalid("constant '" + c.name + "' has no source");
    std::size_t have = plan.sources[static_cast<std::size_t>(c.source)]->bytes().size();
    if (c.offset > have || c.size > have - c.offset)
      return invalid("constant '" + c.name + "' lies outside of its source");
    if (c.dtype != DType::string && static_cast<std::uint64_t>(bytes_of(c.dtype, *count)) > c.size)
      return invalid("constant '" + c.name + "' is cut short");
  }
  for (const PlanSignature& s : plan.signatures) {
    if (!inside(s.function, plan.functions)) return invalid("signature '" + s.name + "' has no function");
  }
  for (std::size_t i = 0; i < plan.functions.size(); ++i) {
    if (Status s = check_function(plan, i); !s.ok())
      return std::move(s).at("function '" + plan.functions[i].name + "'");
  }
  for (const PlanSignature& s : plan.signatures) {
    const PlanFunction& f = plan.functions[static_cast<std::size_t>(s.function)];
    for (const PlanState& st : s.states) {
      if (!inside(st.input, f.inputs) || !inside(st.output, f.outputs))
        return invalid("state '" + st.name + "' is not an input and an output");
      const PlanValue &in = f.values[static_cast<std::size_t>(f.inputs[static_cast<std::size_t>(st.input)])],
                      &out = f.values[static_cast<std::size_t>(f.outputs[static_cast<std::size_t>(st.output)])];
      if (in.kind != Type::Kind::kTensor || out.kind != Type::Kind::kTensor || in.dtype != out.dtype ||
          in.rank != out.rank || in.rank < 0) {
        return invalid("state '" + st.name + "' goes out as another type than it comes in");
      }
      for (const PlanState* other = s.states.data(); other != &st; ++other) {
        if (other->input == st.input || other->name == st.name)
          return invalid("state '" + st.name + "' shares its input or name with another");
      }
      if (st.axis == kNone) continue;
      if (st.axis < 0 || st.axis >= in.rank || in.late || out.late || bits_of(in.dtype) < 8 ||
          (st.capacity != kNone && !inside(st.capacity, f.symbols)))
        return invalid("state '" + st.name + "' cannot grow in place");
    }
  }
  MOTE_TRY(check_shared_states(plan));
  std::vector<std::uint8_t> state(plan.functions.size(), 0);
  for (std::size_t i = 0; i < plan.functions.size(); ++i)
    MOTE_TRY(check_calls(plan, static_cast<std::int32_t>(i), state, 0));
  return {};
}

}  // namespace mote
