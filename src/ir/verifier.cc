#include <algorithm>
#include <limits>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/text.h"
#include "ir/verify.h"

namespace mote {
namespace {

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

template <class T>
bool in_range(std::int32_t i, const std::vector<T>& v) {
  return i >= 0 && at(i) < v.size();
}

constexpr int kMaxCallDepth = 64;

// How many operands (or outputs) `slots` asks for, at least and at most.
struct Count {
  std::size_t least = 0, most = 0;
};
Count count_of(std::span<const Slot> slots) {
  Count c;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (slots[i].arity == Arity::kVariadic) return {c.least, std::numeric_limits<std::size_t>::max()};
    if (slots[i].arity == Arity::kOne) c.least = i + 1;
    c.most = i + 1;
  }
  return c;
}

std::string wanted(const Count& c) {
  if (c.most == std::numeric_limits<std::size_t>::max()) return concat("at least ", c.least);
  return c.least == c.most ? concat(c.least) : concat(c.least, " to ", c.most);
}

// An op that declares no attributes takes any: custom ops may leave theirs open.
Status verify_attributes(const Op& op, const Attrs& attrs) {
  for (const auto& [name, value] : attrs.items()) {
    const AttrSpec* spec = op.attr(name);
    if (!spec && !op.attrs.empty()) return invalid("has no attribute " + quoted(name));
    if (spec && spec->kind != kind_of(value)) {
      return invalid(concat("attribute ", quoted(name), " is of kind ", name_of(kind_of(value)), ", wanted is ",
                            name_of(spec->kind)));
    }
  }
  for (const AttrSpec& spec : op.attrs) {
    if (spec.required && !attrs.has(spec.name)) return invalid("lacks attribute " + quoted(spec.name));
  }
  return {};
}

class FunctionVerifier {
 public:
  FunctionVerifier(const Module& m, const Function& f) : m_(m), f_(f), made_(f.values.size(), false) {}

  Status run() {
    MOTE_TRY(inputs());
    MOTE_TRY(values());
    for (std::size_t i = 0; i < f_.nodes.size(); ++i) {
      const Node& n = f_.nodes[i];
      std::string op = n.op ? std::string(n.op->name) : std::string("node");
      if (Status s = node(n, static_cast<NodeId>(i)); !s.ok()) return std::move(s).at(op + " " + quoted(n.name));
    }
    return outputs();
  }

 private:
  Status inputs() {
    std::unordered_set<std::string_view> names;
    for (ValueId v : f_.inputs) {
      if (!in_range(v, f_.values)) return invalid(concat("input is value ", v, ", which is none"));
      const Value& value = f_.values[at(v)];
      if (value.producer != kNone || value.constant != kNone || made_[at(v)]) {
        return invalid("input " + quoted(value.name) + " is made elsewhere too");
      }
      if (!names.insert(value.name).second) return invalid("two inputs are named " + quoted(value.name));
      made_[at(v)] = true;
    }
    return {};
  }

  Status values() {
    for (std::size_t i = 0; i < f_.values.size(); ++i) {
      const Value& v = f_.values[i];
      if (v.constant == kNone) continue;
      if (!in_range(v.constant, m_.constants))
        return invalid("value " + quoted(v.name) + " is of a constant that is none");
      if (v.producer != kNone) return invalid("value " + quoted(v.name) + " is of a constant and of a node");
      if (!(v.type == m_.constants[at(v.constant)].type)) {
        return invalid("value " + quoted(v.name) + " has another type than its constant");
      }
      made_[i] = true;
    }
    return {};
  }

  Status node(const Node& n, NodeId id) {
    if (!n.op) return invalid("has no op");
    std::vector<std::uint8_t> present;
    for (ValueId v : n.inputs) present.push_back(v != kNone);
    MOTE_TRY(verify_call(*n.op, present, n.outputs.size(), n.attrs));
    MOTE_TRY(operands(n));
    MOTE_TRY(bodies(n));
    for (ValueId v : n.outputs) {
      if (v == kNone) continue;
      if (!in_range(v, f_.values)) return invalid(concat("makes value ", v, ", which is none"));
      if (made_[at(v)])
        return invalid("makes value " + quoted(f_.values[at(v)].name) + ", which is made elsewhere too");
      if (f_.values[at(v)].producer != id) {
        return invalid("makes value " + quoted(f_.values[at(v)].name) + ", which names another node");
      }
      made_[at(v)] = true;
    }
    return {};
  }

  Status operands(const Node& n) {
    for (std::size_t i = 0; i < n.inputs.size(); ++i) {
      ValueId v = n.inputs[i];
      if (v == kNone) continue;
      if (!in_range(v, f_.values)) return invalid(concat("operand ", i, " is value ", v, ", which is none"));
      if (!made_[at(v)]) return invalid("reads " + quoted(f_.values[at(v)].name) + ", which nothing before it makes");
    }
    return {};
  }

  // See Inference::control for what each control op passes to its bodies.
  Status bodies(const Node& n) {
    if (!n.op->is(kControl)) return n.bodies.empty() ? Status() : invalid("has bodies");
    bool is_if = n.op->name == "if", is_loop = n.op->name == "loop";
    if (n.bodies.size() != (is_if ? 2u : 1u)) return invalid(concat("has ", n.bodies.size(), " bodies"));
    std::size_t skip = is_if ? 1 : is_loop ? 2 : 0;
    if (n.inputs.size() < skip) return invalid("lacks operands");
    for (std::size_t i = skip; i < n.inputs.size(); ++i) {
      if (n.inputs[i] == kNone) return invalid("passes an absent value to its body");
    }
    std::int64_t carried = is_loop ? attr_int(*n.op, n.attrs, "carried") : 0;
    if (carried < 0 || static_cast<std::uint64_t>(carried) > n.inputs.size() - skip) {
      return invalid(concat("carries ", carried, " values, more than it has"));
    }
    std::size_t takes = n.inputs.size() - (is_if ? 1 : 0);
    std::size_t gives = std::max(n.outputs.size(), static_cast<std::size_t>(carried)) + (is_loop ? 1 : 0);
    for (FunctionId b : n.bodies) {
      if (!in_range(b, m_.functions)) return invalid(concat("has body ", b, ", which is none"));
      const Function& body = m_.functions[at(b)];
      if (body.inputs.size() != takes || body.outputs.size() < gives) {
        return invalid(concat("wants a body of ", takes, " inputs and at least ", gives, " outputs, ",
                              quoted(body.name), " has ", body.inputs.size(), " and ", body.outputs.size()));
      }
    }
    return {};
  }

  Status outputs() {
    for (ValueId v : f_.outputs) {
      if (!in_range(v, f_.values)) return invalid(concat("output is value ", v, ", which is none"));
      if (!made_[at(v)]) return invalid("output " + quoted(f_.values[at(v)].name) + " is made by nothing");
    }
    return {};
  }

  const Module& m_;
  const Function& f_;
  std::vector<bool> made_;  // by an input, a constant or a node so far
};

// Depth-first over bodies: 1 is on the way, 2 is done.
Status check_calls(const Module& m, FunctionId id, std::vector<char>& state, int depth) {
  if (state[at(id)] == 2) return {};
  if (state[at(id)] == 1) return invalid("function " + quoted(m.functions[at(id)].name) + " calls itself");
  if (depth > kMaxCallDepth) return invalid(concat("functions are nested more than ", kMaxCallDepth, " deep"));
  state[at(id)] = 1;
  for (const Node& n : m.functions[at(id)].nodes) {
    for (FunctionId b : n.bodies) MOTE_TRY(check_calls(m, b, state, depth + 1));
  }
  state[at(id)] = 2;
  return {};
}

Status check_symbols(const Module& m) {
  std::unordered_set<std::string_view> names;
  for (const Symbol& s : m.symbols) {
    if (Result<Dim> d = Dim::parse(s.name);
        !d.ok() || d->symbol_name() != s.name || s.name.find_first_of("[]\"") != std::string::npos) {
      return invalid(quoted(s.name) + " is no name of a symbol");
    }
    if (!names.insert(s.name).second) return invalid("two symbols are named " + quoted(s.name));
    if (s.min < 0 || s.min > s.max)
      return invalid(concat("symbol ", quoted(s.name), " goes from ", s.min, " to ", s.max));
  }
  return {};
}

// Extents may differ: a cache grows.
bool may_follow(const Type& before, const Type& after) {
  if (before.kind != after.kind) return false;
  if (!before.is_tensor()) return may_follow(*before.of, *after.of);
  bool unknown = before.dtype == DType::none || after.dtype == DType::none;
  if (!unknown && before.dtype != after.dtype) return false;
  return !before.has_rank() || !after.has_rank() || before.rank() == after.rank();
}

// Whether a tensor of the one type can be of the other: what both say is the same.
bool agree(const Type& a, const Type& b) {
  if (a.kind != b.kind) return false;
  if (!a.is_tensor()) return agree(*a.of, *b.of);
  if (a.dtype != DType::none && b.dtype != DType::none && a.dtype != b.dtype) return false;
  if (!a.has_rank() || !b.has_rank()) return true;
  return std::equal(a.shape->begin(), a.shape->end(), b.shape->begin(), b.shape->end(),
                    [](const Dim& x, const Dim& y) { return x == y || !x.is_const() || !y.is_const(); });
}

// A state that several signatures have is one tensor.
Status check_shared_states(const Module& m) {
  std::unordered_map<std::string_view, std::pair<const Signature*, const Type*>> types;
  for (const Signature& s : m.signatures) {
    const Function& f = m.functions[at(s.function)];
    for (const State& t : s.states) {
      const Type& type = f.values[at(f.inputs[at(t.input)])].type;
      auto [known, first] = types.try_emplace(t.name, &s, &type);
      if (first || agree(*known->second.second, type)) continue;
      return invalid(concat("state ", quoted(t.name), " is ", known->second.second->to_string(), " in signature ",
                            quoted(known->second.first->name), " and ", type.to_string(), " in signature ",
                            quoted(s.name)));
    }
  }
  return {};
}

Status check_signature(const Module& m, const Signature& s) {
  if (!in_range(s.function, m.functions)) return invalid("is of a function that is none");
  const Function& f = m.functions[at(s.function)];
  std::unordered_set<std::string_view> names;
  for (ValueId v : f.outputs) {
    if (!names.insert(f.values[at(v)].name).second)
      return invalid("two outputs are named " + quoted(f.values[at(v)].name));
  }
  std::unordered_set<std::int32_t> inputs, outputs;
  std::unordered_set<std::string_view> states;
  for (const State& t : s.states) {
    if (!states.insert(t.name).second) return invalid("two states are named " + quoted(t.name));
    if (!in_range(t.input, f.inputs))
      return invalid(concat("state ", quoted(t.name), " is input ", t.input, ", which is none"));
    if (!in_range(t.output, f.outputs))
      return invalid(concat("state ", quoted(t.name), " is output ", t.output, ", which is none"));
    if (!inputs.insert(t.input).second || !outputs.insert(t.output).second) {
      return invalid("state " + quoted(t.name) + " shares its input or output with another");
    }
    const Type &before = f.values[at(f.inputs[at(t.input)])].type, &after = f.values[at(f.outputs[at(t.output)])].type;
    if (!may_follow(before, after)) {
      return invalid(
          concat("state ", quoted(t.name), " is read as ", before.to_string(), " and written as ", after.to_string()));
    }
  }
  return {};
}

}  // namespace

Status verify_call(const Op& op, std::span<const std::uint8_t> present, std::size_t outputs, const Attrs& attrs) {
  Count c = count_of(op.inputs);
  if (present.size() < c.least || present.size() > c.most) {
    return invalid(concat("has ", present.size(), " operands, and the op ", wanted(c)));
  }
  for (std::size_t i = 0; i < present.size(); ++i) {
    const Slot& slot = op.inputs[std::min(i, op.inputs.size() - 1)];
    if (!present[i] && slot.arity != Arity::kOptional) return invalid("lacks operand " + quoted(slot.name));
  }
  MOTE_TRY(verify_attributes(op, attrs));
  c = count_of(op.outputs);
  if (outputs < c.least || outputs > c.most) {
    return invalid(concat("has ", outputs, " outputs, and the op ", wanted(c)));
  }
  return {};
}

Status verify(const Module& m) {
  if (m.functions.empty()) return invalid("the module has no function");
  MOTE_TRY(check_symbols(m));
  for (const Constant& c : m.constants) {
    if (Status s = verify_constant(c); !s.ok()) return std::move(s).at("constant " + quoted(c.name));
  }
  for (const Function& f : m.functions) {
    if (Status s = FunctionVerifier(m, f).run(); !s.ok()) return std::move(s).at("function " + quoted(f.name));
  }
  std::vector<char> state(m.functions.size(), 0);
  for (std::size_t f = 0; f < m.functions.size(); ++f) MOTE_TRY(check_calls(m, static_cast<FunctionId>(f), state, 0));
  std::unordered_set<std::string_view> names;
  for (const Signature& s : m.signatures) {
    if (!names.insert(s.name).second) return invalid("two signatures are named " + quoted(s.name));
    if (Status status = check_signature(m, s); !status.ok()) return std::move(status).at("signature " + quoted(s.name));
  }
  return check_shared_states(m);
}

}  // namespace mote
