#include "prepare/lower.h"

#include <algorithm>

#include "ops/macs.h"
#include "ops/ops.h"
#include "prepare/fastest.h"

namespace mote {
namespace {

using draft::Perm;

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

std::string key_of(const OperandWant& w) { return std::to_string(static_cast<int>(w.layout)) + (w.pitch ? "p" : ""); }

}  // namespace

std::int32_t Lowering::kernel_index(const std::string& name, std::int32_t version) {
  NamedVersion k{name, version};
  auto it = std::find(plan_.kernels.begin(), plan_.kernels.end(), k);
  if (it == plan_.kernels.end()) it = plan_.kernels.insert(it, k);
  return static_cast<std::int32_t>(it - plan_.kernels.begin());
}

std::int32_t Lowering::op_index(const Op& op) {
  NamedVersion k{std::string(op.name), op.version};
  auto it = std::find(plan_.ops.begin(), plan_.ops.end(), k);
  if (it == plan_.ops.end()) it = plan_.ops.insert(it, k);
  return static_cast<std::int32_t>(it - plan_.ops.begin());
}

Result<std::int32_t> Lowering::function(FunctionId id, const Signature* entry, std::vector<PlanState>* states) {
  // The place is taken first: bodies come behind their callers.
  std::size_t index = plan_.functions.size();
  std::uint64_t macs = plan_.macs;
  std::set<std::size_t> copied;
  while (true) {
    plan_.functions.resize(index + 1);
    plan_.macs = macs;
    FunctionLowering lowering(*this, id, entry, copied);
    MOTE_ASSIGN(PlanFunction f, lowering.run());
    if (!lowering.failed_states().empty()) {
      copied.insert(lowering.failed_states().begin(), lowering.failed_states().end());
      continue;
    }
    if (states) *states = lowering.plan_states(f);
    plan_.functions[index] = std::move(f);
    return static_cast<std::int32_t>(index);
  }
}

bool FunctionLowering::is_late(const Type& t) const {
  if (!t.is_tensor()) return false;
  if (!t.has_rank()) return true;
  std::vector<std::string> symbols;
  for (const Dim& d : *t.shape) d.collect_symbols(symbols);
  return std::any_of(symbols.begin(), symbols.end(), [&](const std::string& s) {
    return std::find(d_.bound.begin(), d_.bound.end(), s) == d_.bound.end();
  });
}

std::int32_t FunctionLowering::new_val(const std::string& name, const Type& type) {
  Val v;
  v.name = name;
  v.kind = type.kind;
  // At run time an optional list is a list, empty where it is absent.
  if (v.kind == Type::Kind::kOptional && type.of->kind == Type::Kind::kList) v.kind = Type::Kind::kList;
  v.dtype = type.dtype;
  v.dims = type.shape;
  v.late = is_late(type);
  d_.vals.push_back(std::move(v));
  return static_cast<std::int32_t>(d_.vals.size()) - 1;
}

std::int32_t FunctionLowering::fresh_val(const std::string& name, const Type& type, Perm perm) {
  std::int32_t id = new_val(name, type);
  val(id).perm = std::move(perm);
  if (type.is_tensor() && !val(id).late) {
    draft::Buf b;
    std::int64_t bits = bits_of(type.dtype);
    b.bytes = bits >= 8 ? volume(*type.shape) * Dim(bits / 8) : floordiv(volume(*type.shape) * Dim(bits) + Dim(7), 8);
    d_.bufs.push_back(std::move(b));
    val(id).buf = static_cast<std::int32_t>(d_.bufs.size()) - 1;
  }
  return id;
}

std::int32_t FunctionLowering::view_val(std::int32_t base, const std::string& name, Shape dims,
                                        std::vector<Dim> strides, const Dim& offset) {
  Val v = val(base);
  v.name = name;
  v.offset = v.offset + offset * Dim(bits_of(v.dtype) / 8);
  v.perm.clear();
  v.strides.reset();
  v.needs_dense = false;
  v.producer = kNone;
  if (std::optional<Perm> order = draft::dense_order(dims, strides)) {
    v.perm = *order;
  } else {
    v.strides = std::move(strides);
  }
  v.dims = std::move(dims);
  d_.vals.push_back(std::move(v));
  return static_cast<std::int32_t>(d_.vals.size()) - 1;
}

Result<std::int32_t> FunctionLowering::value(ValueId v) {
  if (auto it = home_.find(v); it != home_.end()) return it->second;
  const Value& value = f_.values[at(v)];
  if (value.constant == kNone) return internal_error("value '" + value.name + "' is read before it is made");
  MOTE_ASSIGN(std::int32_t k, shared_.constants_.plain(value.constant, {}));
  std::int32_t id = new_val(value.name, shared_.module_.constants[at(value.constant)].type);
  draft::Buf b;
  b.place = Place::kConstant;
  b.index = k;
  d_.bufs.push_back(b);
  val(id).buf = static_cast<std::int32_t>(d_.bufs.size()) - 1;
  val(id).late = false;
  home_[v] = id;
  return id;
}

bool FunctionLowering::satisfies(const Val& v, const OperandWant& want) const {
  if (v.kind != Type::Kind::kTensor || v.late || bits_of(v.dtype) < 8) {
    // Late values and packed types are dense; their order must be right without knowing the extents.
    if (v.kind != Type::Kind::kTensor || !v.dims) return true;
    if (want.layout == Layout::kChannelsLast && v.rank() > 2) return v.perm == draft::channels_last(v.rank());
    if (want.layout == Layout::kStrided || want.layout == Layout::kSame || want.layout == Layout::kLike) return true;
    return v.perm.empty() || v.perm == draft::spelt({}, v.rank());
  }
  switch (want.layout) {
    case Layout::kStrided:
    case Layout::kIgnored:
    case Layout::kPacked:
      return true;
    case Layout::kSame:
    case Layout::kLike:
      return want.pitch || !v.strides;
    case Layout::kPlain:
      return !v.strides && draft::same_order(*v.dims, v.perm, {});
    case Layout::kRows: {
      if (!v.strides) {
        Perm p = draft::spelt(v.perm, v.rank());
        return p.empty() || p.back() == v.rank() - 1 || v.dims->back().is(1);
      }
      return v.rank() == 0 || v.strides->back().is(1) || v.dims->back().is(1);
    }
    case Layout::kChannelsLast: {
      if (!v.strides) return draft::same_order(*v.dims, v.perm, draft::channels_last(v.rank()));
      if (!want.pitch || v.rank() < 3) return false;
      // Channels contiguous; every other axis dense on top of one pitch between pixels.
      const std::vector<Dim>& s = *v.strides;
      if (!s[1].is(1) && !(*v.dims)[1].is(1)) return false;
      Dim expect = s[at(v.rank() - 1)];
      for (int axis = v.rank() - 1; axis >= 0; --axis) {
        if (axis == 1) continue;
        if (!(s[at(axis)] == expect) && !(*v.dims)[at(axis)].is(1)) return false;
        expect = expect * (*v.dims)[at(axis)];
      }
      return true;
    }
  }
  return false;
}

void FunctionLowering::add_step(Step step, std::int32_t in_place) {
  for (const auto* list : {&step.inputs, &step.outputs}) {
    for (std::int32_t v : *list) {
      if (v != kNone && (val(v).late || (val(v).kind != Type::Kind::kTensor))) step.late = true;
    }
  }
  for (std::int32_t v : step.outputs) {
    if (v != kNone) val(v).producer = static_cast<std::int32_t>(d_.steps.size());
  }
  d_.steps.push_back({std::move(step), in_place, false});
}

Result<std::int32_t> FunctionLowering::copy_to(std::int32_t from, std::int32_t to, const std::string& why) {
  Step step;
  step.kernel = shared_.kernel_index("copy", 1);
  step.op = shared_.op_index(*find_op("identity"));
  step.inputs = {from};
  step.outputs = {to};
  step.name = val(from).name;
  step.why = why;
  add_step(std::move(step), kNone);
  return to;
}

Result<std::int32_t> FunctionLowering::convert(std::int32_t v, const OperandWant& want) {
  if (satisfies(val(v), want)) {
    bool strided_ok = want.layout == Layout::kStrided || want.layout == Layout::kRows ||
                      want.layout == Layout::kIgnored || want.pitch;
    if (!strided_ok) val(v).needs_dense = true;
    return v;
  }
  auto key = std::make_pair(v, key_of(want));
  if (auto it = converted_.find(key); it != converted_.end()) return it->second;
  Perm perm = want.layout == Layout::kChannelsLast ? draft::channels_last(val(v).rank()) : Perm();
  if (want.layout == Layout::kSame) perm = val(v).perm;
  Type type = Type::tensor(val(v).dtype, val(v).dims);
  // A whole constant is laid out now, not at run time.
  draft::Buf* buf = val(v).buf == kNone ? nullptr : &d_.bufs[at(val(v).buf)];
  std::int32_t to = kNone;
  if (buf && buf->place == Place::kConstant && !val(v).strides && val(v).perm.empty()) {
    for (std::size_t i = 0; i < f_.values.size() && to == kNone; ++i) {
      auto it = home_.find(static_cast<ValueId>(i));
      if (f_.values[i].constant == kNone || it == home_.end() || it->second != v) continue;
      MOTE_ASSIGN(std::int32_t k, shared_.constants_.plain(f_.values[i].constant, perm));
      to = new_val(val(v).name, type);
      draft::Buf b;
      b.place = Place::kConstant;
      b.index = k;
      d_.bufs.push_back(b);
      val(to).buf = static_cast<std::int32_t>(d_.bufs.size()) - 1;
      val(to).perm = perm;
      val(to).late = false;
    }
  }
  if (to == kNone) {
    to = fresh_val(val(v).name, type, perm);
    MOTE_TRY(copy_to(v, to, want.layout == Layout::kChannelsLast ? "to channels-last" : "to row-major").status());
  }
  converted_[key] = to;
  return to;
}

const KnownValue* FunctionLowering::known(ValueId v) const {
  const auto& k = shared_.inference_.known(id_, v);
  return k ? &*k : nullptr;
}

// The axis order in which v is wanted: a transpose that is v's only reader wants its own result row-major.
FunctionLowering::Perm FunctionLowering::preferred_perm(ValueId v) {
  const Node* reader = nullptr;
  for (const Node& n : f_.nodes) {
    for (ValueId i : n.inputs) {
      if (i != v) continue;
      if (reader) return {};
      reader = &n;
    }
  }
  if (!reader || reader->op->name != "transpose") return {};
  const Type& t = f_.values[at(v)].type;
  if (!t.has_rank() || is_late(t)) return {};
  Perm p;
  for (std::int64_t axis : attr_ints(*reader->op, reader->attrs, "perm")) p.push_back(static_cast<std::uint8_t>(axis));
  if (p.size() != t.shape->size()) return {};
  return p;
}

Status FunctionLowering::kernel_node(const Node& n, const Claim& claim) {
  Step step;
  step.kernel = shared_.kernel_index(claim.kernel, claim.version);
  step.op = shared_.op_index(*n.op);
  step.params = claim.params;
  step.attrs = n.attrs;
  step.numerics = claim.numerics;
  step.name = n.name;
  step.why = claim.why + slow_in_integers({shared_.module_, f_, n}, shared_.options_.target.cpu);
  auto want_of = [](const std::vector<OperandWant>& wants, std::size_t i) {
    return wants.empty() ? OperandWant() : wants[std::min(i, wants.size() - 1)];
  };
  for (std::size_t i = 0; i < n.inputs.size(); ++i) {
    OperandWant want = want_of(claim.inputs, i);
    auto packing = std::find_if(claim.packings.begin(), claim.packings.end(),
                                [&](const Packing& p) { return p.operand == static_cast<std::int32_t>(i); });
    if (n.inputs[i] == kNone || want.layout == Layout::kIgnored) {
      step.inputs.push_back(kNone);
    } else if (packing != claim.packings.end()) {
      ConstantId c = f_.values[at(n.inputs[i])].constant;
      MOTE_ASSIGN(std::int32_t k, shared_.constants_.packed(c, *packing));
      const Constant& plain = shared_.module_.constants[at(c)];
      step.packed.push_back({static_cast<std::int32_t>(i), plain.type.dtype, *constant_extents(*plain.type.shape)});
      std::int32_t v = new_val(f_.values[at(n.inputs[i])].name,
                               Type::tensor(DType::u8, Shape{Dim(static_cast<std::int64_t>(packing->bytes))}));
      draft::Buf b;
      b.place = Place::kConstant;
      b.index = k;
      d_.bufs.push_back(b);
      val(v).buf = static_cast<std::int32_t>(d_.bufs.size()) - 1;
      step.inputs.push_back(v);
    } else {
      MOTE_ASSIGN(std::int32_t v, value(n.inputs[i]));
      MOTE_ASSIGN(v, convert(v, want));
      step.inputs.push_back(v);
    }
  }
  for (std::size_t i = 0; i < n.outputs.size(); ++i) {
    if (n.outputs[i] == kNone) {
      step.outputs.push_back(kNone);
      continue;
    }
    const Value& out = f_.values[at(n.outputs[i])];
    OperandWant want = want_of(claim.outputs, i);
    Perm perm;
    if (out.type.has_rank()) {
      if (want.layout == Layout::kChannelsLast) perm = draft::channels_last(out.type.rank());
      if (want.layout == Layout::kStrided) perm = preferred_perm(n.outputs[i]);
      if (want.layout == Layout::kRows) {
        perm = preferred_perm(n.outputs[i]);
        if (!perm.empty() && perm.back() + 1 != out.type.rank()) perm.clear();
      }
      if (want.layout == Layout::kLike && step.inputs[0] != kNone && val(step.inputs[0]).dims &&
          val(step.inputs[0]).rank() == out.type.rank()) {
        perm = val(step.inputs[0]).strides ? Perm() : val(step.inputs[0]).perm;
      }
      if (want.layout == Layout::kSame) {
        // The order of the operand with the same extents, the first one that says something.
        for (std::int32_t iv : step.inputs) {
          if (iv == kNone || !val(iv).dims || val(iv).rank() != out.type.rank()) continue;
          if (!(*val(iv).dims == *out.type.shape) && !(val(iv).late && iv == step.inputs[0])) continue;
          if (val(iv).strides) {
            perm = draft::spelt({}, val(iv).rank());
            continue;
          }
          perm = val(iv).perm;
          break;
        }
      }
    }
    std::int32_t v = fresh_val(out.name, out.type, perm);
    val(v).producer_takes_strides = want.layout == Layout::kStrided || want.layout == Layout::kRows || want.pitch;
    home_[n.outputs[i]] = v;
    step.outputs.push_back(v);
  }
  bool is_inferred =
      std::any_of(step.outputs.begin(), step.outputs.end(), [&](std::int32_t v) { return v != kNone && val(v).late; });
  if (!is_inferred) step.packed.clear();
  std::optional<std::int64_t> macs = count_macs(shared_.module_, f_, n).known();
  step.macs = static_cast<std::uint64_t>(std::max<std::int64_t>(macs.value_or(0), 0));
  if (entry_) shared_.plan_.macs += step.macs;
  add_step(std::move(step), claim.in_place);
  return {};
}

Status FunctionLowering::control_node(const Node& n) {
  Step step;
  step.kind = n.op->name == "if" ? Step::Kind::kIf : n.op->name == "loop" ? Step::Kind::kLoop : Step::Kind::kCall;
  step.op = shared_.op_index(*n.op);
  step.attrs = n.attrs;
  step.name = n.name;
  step.why = "runs its body";
  for (FunctionId b : n.bodies) {
    MOTE_ASSIGN(std::int32_t index, shared_.function(b, nullptr));
    step.bodies.push_back(index);
  }
  for (ValueId v : n.inputs) {
    if (v == kNone) {
      step.inputs.push_back(kNone);
      continue;
    }
    MOTE_ASSIGN(std::int32_t id, value(v));
    MOTE_ASSIGN(id, convert(id, OperandWant()));
    step.inputs.push_back(id);
  }
  for (ValueId v : n.outputs) {
    if (v == kNone) {
      step.outputs.push_back(kNone);
      continue;
    }
    std::int32_t id = fresh_val(f_.values[at(v)].name, f_.values[at(v)].type, {});
    home_[v] = id;
    step.outputs.push_back(id);
  }
  add_step(std::move(step), kNone);
  return {};
}

Status FunctionLowering::node(const Node& n) {
  if (n.op->is(kControl)) return control_node(n);
  MOTE_ASSIGN(bool viewed, view_node(n));
  if (viewed) return {};
  NodeView view{shared_.module_, f_, n};
  for (const Target* t : shared_.options_.targets) {
    if (std::optional<Claim> claim = t->claim(view, shared_.options_.target)) {
      if (claim->why.empty()) claim->why = std::string(t->name());
      return kernel_node(n, *claim);
    }
  }
  return unsupported("no backend runs " + std::string(n.op->name)).at("node '" + n.name + "'");
}

// Main outputs lie row-major in the caller's memory or in the arena: in place when the value has memory of its own,
// else by a copy.
Status FunctionLowering::place_outputs() {
  if (entry_) d_.results.resize(f_.outputs.size());
  for (std::size_t i = 0; i < f_.outputs.size(); ++i) {
    MOTE_ASSIGN(std::int32_t v, value(f_.outputs[i]));
    bool grown = false;
    for (const GrowingState& g : growing_) {
      if (entry_->states[g.state].output != static_cast<std::int32_t>(i)) continue;
      grown = is_grown(g, val(v));
      if (!grown) failed_.insert(g.state);
    }
    if (!grown) {
      MOTE_ASSIGN(v, convert(v, OperandWant()));
    }
    if (entry_ && !grown && val(v).kind == Type::Kind::kTensor && !val(v).late) {
      draft::Buf& b = d_.bufs[at(val(v).buf)];
      bool whole = val(v).offset.is(0) && b.bytes == volume(*val(v).dims) * Dim(bits_of(val(v).dtype) / 8);
      if (b.place != Place::kArena || !whole) {
        std::int32_t to = fresh_val(val(v).name, Type::tensor(val(v).dtype, val(v).dims), {});
        MOTE_ASSIGN(v, copy_to(v, to, "to the caller's memory"));
      }
      draft::Buf& own = d_.bufs[at(val(v).buf)];
      own.place = Place::kOutput;
      own.index = static_cast<std::int32_t>(i);
    }
    std::int32_t named = v;
    if (val(v).name != f_.values[at(f_.outputs[i])].name) {
      Val copy = val(v);
      copy.name = f_.values[at(f_.outputs[i])].name;
      if (val(v).late || val(v).kind != Type::Kind::kTensor) {
        val(v).name = copy.name;
      } else {
        d_.vals.push_back(std::move(copy));
        named = static_cast<std::int32_t>(d_.vals.size()) - 1;
      }
    }
    d_.outputs.push_back(named);
  }
  return {};
}

Result<PlanFunction> FunctionLowering::run() {
  d_.name = f_.name;
  for (ValueId v : f_.inputs) {
    const Type& t = f_.values[at(v)].type;
    if (!t.has_rank()) continue;
    for (const Dim& d : *t.shape) {
      if (!d.symbol_name().empty()) d_.bound.emplace_back(d.symbol_name());
    }
  }
  for (std::size_t i = 0; i < f_.inputs.size(); ++i) {
    const Value& in = f_.values[at(f_.inputs[i])];
    std::int32_t id = new_val(in.name, in.type);
    draft::Buf b;
    b.place = Place::kInput;
    b.index = static_cast<std::int32_t>(i);
    d_.bufs.push_back(b);
    if (in.type.is_tensor() && !val(id).late) val(id).buf = static_cast<std::int32_t>(d_.bufs.size()) - 1;
    home_[f_.inputs[i]] = id;
    d_.inputs.push_back(id);
  }
  find_growing_states();
  for (const Node& n : f_.nodes) MOTE_TRY(node(n));
  MOTE_TRY(place_outputs());
  draft::plan_memory(d_);
  return finish();
}

PlanFunction FunctionLowering::finish() {
  PlanFunction out;
  out.name = d_.name;
  for (const Val& v : d_.vals) {
    PlanValue p;
    p.name = v.name;
    p.kind = v.kind;
    p.dtype = v.dtype;
    p.late = v.late;
    p.rank = v.dims ? static_cast<std::int8_t>(v.dims->size()) : std::int8_t{-1};
    if (v.dims) {
      for (const Dim& d : *v.dims) p.dims.push_back(add_extent(out, d));
    }
    p.perm = v.perm;
    if (v.strides) {
      for (const Dim& d : *v.strides) p.strides.push_back(add_extent(out, d));
    }
    if (v.alias != kNone) {
      p.place = Place::kAlias;
      p.index = v.alias;
    } else if (v.buf != kNone) {
      const draft::Buf& b = d_.bufs[at(v.buf)];
      p.place = b.place;
      p.index = b.index;
      p.offset = add_extent(out, b.offset + v.offset);
    }
    out.values.push_back(std::move(p));
  }
  for (std::size_t i = 0; i < d_.inputs.size(); ++i) {
    PlanValue& p = out.values[at(d_.inputs[i])];
    p.place = Place::kInput;
    p.index = static_cast<std::int32_t>(i);
  }
  for (draft::DraftStep& s : d_.steps) out.steps.push_back(std::move(s.step));
  out.inputs = d_.inputs;
  out.outputs = d_.outputs;
  out.arena_bytes = add_extent(out, d_.arena);
  for (const Dim& d : d_.results) out.results.push_back(add_extent(out, d));
  return out;
}

}  // namespace mote
