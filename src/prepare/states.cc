// States that grow in place: `present = concat(past, new)` of a cache becomes an append to the state's own memory. The
// memory has room for more positions than are used, so past and present are views of it with the same strides; only
// `new` is written. A cache of several layers in one tensor (concat of what was appended to each part) is recognised
// too, by its views: parts that lie where the whole wants them need no copy.
#include <algorithm>

#include "prepare/lower.h"

namespace mote {
namespace {

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

// The concatenations between `v` and what only renames, reshapes or reorders it.
void find_concats(const Function& f, ValueId v, std::set<NodeId>& out, int depth) {
  NodeId producer = f.values[at(v)].producer;
  if (producer == kNone || depth > 64) return;
  const Node& n = f.nodes[at(producer)];
  bool concat = n.op->name == "concat";
  if (concat && !out.insert(producer).second) return;
  if (!concat && !n.op->is(kView) && n.op->name != "identity" && n.op->name != "transpose") return;
  for (std::size_t i = 0; i < (concat ? n.inputs.size() : 1); ++i) {
    if (n.inputs[i] != kNone) find_concats(f, n.inputs[i], out, depth + 1);
  }
}

bool same_strides(const Shape& dims, const std::vector<Dim>& a, const std::vector<Dim>& b) {
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (!(a[i] == b[i]) && !dims[i].is(1)) return false;
  }
  return true;
}

}  // namespace

// What one signature appends in place others would find where they do not look for it.
bool FunctionLowering::is_shared(const State& state) const {
  return std::ranges::any_of(shared_.module_.signatures, [&](const Signature& other) {
    return &other != entry_ && std::ranges::any_of(other.states, [&](const State& s) { return s.name == state.name; });
  });
}

void FunctionLowering::find_growing_states() {
  for (std::size_t s = 0; entry_ && s < entry_->states.size(); ++s) {
    const State& st = entry_->states[s];
    if (copied_.contains(s) || is_shared(st)) continue;
    ValueId in = f_.inputs[at(st.input)], out = f_.outputs[at(st.output)];
    const Type &from = f_.values[at(in)].type, &to = f_.values[at(out)].type;
    if (!from.is_tensor() || !from.has_rank() || !to.has_rank() || from.rank() != to.rank() || from.rank() == 0 ||
        from.dtype != to.dtype || bits_of(from.dtype) < 8 || is_late(from) || is_late(to))
      continue;
    std::vector<std::size_t> changed;
    for (std::size_t i = 0; i < from.shape->size(); ++i) {
      if (!((*from.shape)[i] == (*to.shape)[i])) changed.push_back(i);
    }
    if (changed.size() != 1 || (*from.shape)[changed[0]].symbol_name().empty()) continue;
    GrowingState g{
        s,     changed[0], (*from.shape)[changed[0]], Dim::symbol(f_.values[at(in)].name + ".capacity"), {}, kNone,
        kNone, {}};
    find_concats(f_, out, g.appends, 0);
    if (g.appends.empty()) continue;
    Shape room = *from.shape;
    room[g.axis] = g.capacity;
    g.strides = draft::dense_strides(room, {});
    std::int32_t v = home_[in];
    g.before = val(v).buf;
    std::vector<Dim> strides = g.strides;
    if (!draft::dense_order(*from.shape, strides)) val(v).strides = std::move(strides);
    draft::Buf tail;
    tail.place = Place::kState;
    tail.index = static_cast<std::int32_t>(s);
    d_.bufs.push_back(tail);
    g.tail = static_cast<std::int32_t>(d_.bufs.size()) - 1;
    growing_.push_back(std::move(g));
  }
}

Result<bool> FunctionLowering::append_view(const Node& n, const std::vector<std::int32_t>& parts, std::size_t axis) {
  const Value& out = f_.values[at(n.outputs[0])];
  const Val& first = val(parts[0]);
  for (GrowingState& g : growing_) {
    if (!g.appends.contains(out.producer)) continue;
    if (first.buf == g.before) {
      // All of the state's positions, at the stride of its growing axis.
      std::vector<Dim> strides = draft::strides_of(first);
      if (!(strides[axis] == g.strides[g.axis]) || !((*first.dims)[axis] == g.past)) continue;
      std::int32_t whole = view_val(parts[0], out.name, *out.type.shape, std::move(strides), Dim(0));
      val(whole).buf = g.tail;
      MOTE_TRY(fill_parts(whole, parts, 1, axis));
      home_[n.outputs[0]] = whole;
      return true;
    }
    if (first.buf != g.tail) continue;
    if (std::optional<std::int32_t> whole = stacked_view(n, parts, axis)) {
      home_[n.outputs[0]] = *whole;
      return true;
    }
  }
  return false;
}

// The parts as one view, when they follow each other along `axis` at a stride of the state's memory.
std::optional<std::int32_t> FunctionLowering::stacked_view(const Node& n, const std::vector<std::int32_t>& parts,
                                                           std::size_t axis) {
  const Value& out = f_.values[at(n.outputs[0])];
  const Val& first = val(parts[0]);
  const GrowingState* g = nullptr;
  for (const GrowingState& each : growing_) {
    if (each.tail == first.buf) g = &each;
  }
  if (!g) return std::nullopt;
  Dim width(bits_of(first.dtype) / 8);
  std::vector<Dim> strides = draft::strides_of(first);
  for (const Dim& stride : g->strides) {
    bool fits = (*first.dims)[axis].is(1) || strides[axis] == stride;
    Dim offset = first.offset;
    for (std::size_t p = 0; p < parts.size() && fits; ++p) {
      const Val& v = val(parts[p]);
      Shape dims = *v.dims;
      std::vector<Dim> own = draft::strides_of(v);
      own[axis] = strides[axis] = stride;
      fits = v.buf == first.buf && v.offset == offset && same_strides(dims, own, strides);
      if (p > 0 && !dims[axis].is(1)) fits = fits && draft::strides_of(v)[axis] == stride;
      offset = offset + dims[axis] * stride * width;
    }
    if (!fits) continue;
    strides[axis] = stride;
    return view_val(parts[0], out.name, *out.type.shape, strides, Dim(0));
  }
  return std::nullopt;
}

bool FunctionLowering::is_grown(const GrowingState& g, const Val& v) const {
  return v.buf == g.tail && v.offset.is(0) && v.dims && v.dims->size() == g.strides.size() &&
         same_strides(*v.dims, draft::strides_of(v), g.strides);
}

std::vector<PlanState> FunctionLowering::plan_states(const PlanFunction& f) const {
  std::vector<PlanState> states;
  for (std::size_t s = 0; s < entry_->states.size(); ++s) {
    const State& st = entry_->states[s];
    PlanState p{st.name, st.input, st.output};
    for (const GrowingState& g : growing_) {
      if (g.state != s) continue;
      p.axis = static_cast<std::int32_t>(g.axis);
      auto it = std::find(f.symbols.begin(), f.symbols.end(), g.capacity.symbol_name());
      if (it != f.symbols.end()) p.capacity = static_cast<std::int32_t>(it - f.symbols.begin());
    }
    states.push_back(std::move(p));
  }
  return states;
}

}  // namespace mote
