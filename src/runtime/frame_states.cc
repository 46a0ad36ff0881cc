// The memory of states: how they begin, the room of those that grow in place, and the memory that a frame will need
// when they are full.
#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "kernels/copy/copy.h"
#include "runtime/context.h"

namespace mote {
namespace {

constexpr std::int64_t kFirstRoom = 32;

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

// The symbol that an extent is, or kNone.
std::int32_t symbol_of(const PlanFunction& f, Extent e) {
  if (e >= 0) return kNone;
  const auto& code = f.exprs[static_cast<std::size_t>(~e)].code;
  return code.size() == 1 && code[0].code == ExprOp::kSymbol ? static_cast<std::int32_t>(code[0].value) : kNone;
}

// A view of a state's memory: strides as if the axis had all its room.
TensorView grown_view(std::byte* data, const TensorView& like, std::int32_t axis, std::int64_t capacity) {
  TensorView v = like;
  v.dims[axis] = capacity;
  v = TensorView::of(data, like.dtype, v.shape());
  v.dims[axis] = like.dims[axis];
  return v;
}

}  // namespace

void copy_view(const TensorView& from, const TensorView& to) {
  kernels::CopyParams p;
  if (std::int64_t tiles = kernels::make_copy(from, to, p); tiles > 0)
    kernels::copy_elements(p, kernels::TileRange{0, tiles, nullptr});
}

Status ContextCore::add_states(const PlanSignature& signature) {
  const PlanFunction& f = plan().functions[at(signature.function)];
  for (const PlanState& st : signature.states) {
    auto it = std::ranges::find_if(shared->states, [&](const auto& m) { return m->state->name == st.name; });
    if (it == shared->states.end()) {
      auto made = std::make_unique<StateMemory>();
      made->function = &f;
      made->state = &st;
      MOTE_TRY(reset_state(*made));
      it = shared->states.insert(it, std::move(made));
    }
    states.push_back(it->get());
  }
  return {};
}

Status ContextCore::reset_state(StateMemory& m) {
  const PlanFunction& f = *m.function;
  const PlanState& state = *m.state;
  const PlanValue& pv = f.values[at(f.inputs[at(state.input)])];
  std::vector<std::int64_t> dims;
  std::int64_t most = options.state_capacity;
  for (Extent e : pv.dims) {
    // A growing axis starts empty, or at the least its symbol allows.
    std::int64_t d = e;
    if (e < 0) {
      d = 0;
      for (const Symbol& s : plan().symbols) {
        if (s.name != to_text(f, e)) continue;
        d = s.min;
        if (most == 0 && static_cast<std::int32_t>(dims.size()) == state.axis && s.max < Symbol().max) most = s.max;
      }
    }
    dims.push_back(d);
  }
  std::optional<std::int64_t> count = usable_count(dims);
  if (!count || dims.size() > kMaxRank) return invalid("state '" + state.name + "' has no usable shape");
  if (state.axis != kNone) {
    if (m.capacity == 0) m.view = TensorView::of(nullptr, pv.dtype, dims);
    std::int64_t start = dims[at(state.axis)];
    m.view.dims[state.axis] = 0;
    MOTE_TRY(reserve_state(m, std::max({start, most, std::int64_t{1}})));
    m.view.dims[state.axis] = start;
    if (start > 0) std::memset(m.memory.data(), 0, static_cast<std::size_t>(m.memory.capacity()));
    return {};
  }
  std::int64_t bytes = bytes_of(pv.dtype, *count);
  MOTE_TRY(m.memory.reserve(budget, std::max<std::int64_t>(bytes, 1), state.name));
  std::memset(m.memory.data(), 0, static_cast<std::size_t>(bytes));
  m.view = TensorView::of(m.memory.data(), pv.dtype, dims);
  return {};
}

Status ContextCore::reserve_state(StateMemory& m, std::int64_t capacity) {
  const PlanState& state = *m.state;
  if (capacity <= m.capacity) return {};
  std::vector<std::int64_t> dims(m.view.dims, m.view.dims + m.view.rank);
  dims[at(state.axis)] = capacity;
  std::optional<std::int64_t> count = usable_count(dims);
  if (!count) return Status(Code::kResourceExhausted, "state '" + state.name + "' is too large");
  HeapBlock room;
  MOTE_TRY(room.reserve(budget, std::max<std::int64_t>(bytes_of(m.view.dtype, *count), 1), state.name));
  TensorView view = grown_view(room.data(), m.view, state.axis, capacity);
  copy_view(m.view, view);
  m.memory = std::move(room);
  m.view = view;
  m.capacity = capacity;
  return {};
}

Status ContextCore::check_grown(std::size_t i, const PlanState& state, const TensorView& out) const {
  const StateMemory& m = *states[i];
  bool fits = out.rank == m.view.rank && out.dims[state.axis] <= m.capacity;
  for (int d = 0; d < out.rank && fits; ++d) fits = d == state.axis || out.dims[d] == m.view.dims[d];
  return fits ? Status() : internal_error("state '" + state.name + "' has not grown along one axis");
}

std::int64_t Frame::input_bytes(std::size_t i) const {
  if (entry_) {
    for (std::size_t s = 0; s < entry_->states.size(); ++s) {
      if (entry_->states[s].input == static_cast<std::int32_t>(i)) return core_.states[s]->memory.capacity();
    }
  }
  const Cell& slot = slots_[at(f_.inputs[i])];
  return slot.present ? reach_of(slot.view) : 0;
}

Status Frame::make_room(std::span<Cell* const> inputs) {
  for (std::size_t s = 0; s < entry_->states.size(); ++s) {
    const PlanState& st = entry_->states[s];
    if (st.axis == kNone) continue;
    StateMemory& m = *core_.states[s];
    std::int64_t total = eval(f_.values[at(f_.outputs[at(st.output)])].dims[at(st.axis)]);
    if (total > m.capacity) {
      MOTE_TRY(core_.reserve_state(m, std::max({total, kFirstRoom, m.capacity * 2})));
      inputs[at(st.input)]->view = m.view;
    }
    if (st.capacity != kNone) symbols_[at(st.capacity)] = m.capacity;
  }
  return {};
}

bool Frame::must_rehearse() const {
  bool grows = false;
  for (const PlanState& st : entry_->states) grows = grows || st.axis != kNone;
  if (!grows) return false;
  if (rehearsed_.empty()) return true;
  for (std::size_t i = 0; i < symbols_.size(); ++i) {
    if (symbols_[i] > rehearsed_[i]) return true;
  }
  return false;
}

// Takes memory only: what does not fit is asked for again, and refused, by the run that really needs it.
Status Frame::rehearse(std::span<Cell* const> inputs) {
  saved_symbols_ = symbols_;
  rehearsed_ = symbols_;
  // Again only when another extent has doubled, such as that of a longer prompt.
  for (std::int64_t& extent : rehearsed_) extent = extent > (std::int64_t{1} << 40) ? extent : extent * 2;
  for (std::size_t s = 0; s < entry_->states.size(); ++s) {
    const PlanState& st = entry_->states[s];
    if (st.axis == kNone) continue;
    const PlanValue &in = f_.values[at(f_.inputs[at(st.input)])], &out = f_.values[at(f_.outputs[at(st.output)])];
    std::int32_t past = symbol_of(f_, in.dims[at(st.axis)]);
    if (past == kNone) continue;
    Checked most = Checked(core_.states[s]->capacity) -
                   (Checked(evaluate(f_, out.dims[at(st.axis)], saved_symbols_)) - saved_symbols_[at(past)]);
    if (!most.ok()) continue;
    symbols_[at(past)] = std::max(saved_symbols_[at(past)], most.value());
    rehearsed_[at(past)] = symbols_[at(past)];
    if (st.capacity != kNone) rehearsed_[at(st.capacity)] = core_.states[s]->capacity;
  }
  auto take = [&]() -> Status {
    for (std::size_t i = 0; i < f_.inputs.size(); ++i) {
      const PlanValue& pv = f_.values[at(f_.inputs[i])];
      if (pv.late || pv.kind != Type::Kind::kTensor) continue;
      // Data only where it is there: setups may read small inputs whose extents stay.
      TensorView view = inputs[i]->view;
      bool same = inputs[i]->present;
      for (int d = 0; d < view.rank; ++d) {
        std::int64_t extent = eval(pv.dims[static_cast<std::size_t>(d)]);
        same = same && extent == view.dims[d];
        view.dims[d] = extent;
      }
      if (!usable_count(view.shape())) return invalid("input '" + pv.name + "' has no usable shape");
      view = TensorView::of(same ? view.data : nullptr, pv.dtype, view.shape());
      for (std::size_t s = 0; s < entry_->states.size(); ++s) {
        if (entry_->states[s].input != static_cast<std::int32_t>(i) || entry_->states[s].axis == kNone) continue;
        const StateMemory& m = *core_.states[s];
        const std::int32_t axis = entry_->states[s].axis;
        // Setups may read what has data: all of it has to be there.
        TensorView full = view;
        full.dims[axis] = m.capacity;
        std::optional<std::int64_t> count = usable_count(full.shape());
        if (!count || view.dims[axis] > m.capacity || bytes_of(view.dtype, *count) > m.memory.capacity())
          return Status(Code::kResourceExhausted, "state '" + m.state->name + "' would need more memory");
        view = grown_view(m.memory.data(), view, axis, m.capacity);
      }
      slots_[at(f_.inputs[i])].view = view;
      slots_[at(f_.inputs[i])].present = inputs[i]->present;
    }
    MOTE_TRY(place_values());
    MOTE_TRY(place_shared({}, true));
    for (std::size_t s = 0; s < f_.steps.size(); ++s) {
      if (f_.steps[s].kind == Step::Kind::kKernel && !f_.steps[s].late) MOTE_TRY(setup(s));
    }
    return {};
  };
  Status taken = take();
  symbols_ = saved_symbols_;
  for (StepState& s : states_) s.stale = true;
  return taken.code() == Code::kInternal ? taken : Status();
}

}  // namespace mote
