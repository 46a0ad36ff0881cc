#include "runtime/frame.h"

#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "runtime/context.h"
#include "runtime/overlap.h"

namespace mote {
namespace {

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

}  // namespace

Frame::Frame(ContextCore& core, const PlanFunction& function, const PlanSignature* entry)
    : core_(core), f_(function), entry_(entry) {
  symbols_.assign(f_.symbols.size(), 0);
  slots_.resize(f_.values.size());
  states_.resize(f_.steps.size());
  children_.resize(f_.steps.size());
  std::vector<std::vector<std::int32_t>> by_value(f_.values.size());
  for (std::size_t s = 0; s < f_.steps.size(); ++s) {
    for (const auto* list : {&f_.steps[s].inputs, &f_.steps[s].outputs}) {
      for (std::int32_t v : *list) {
        if (v != kNone) by_value[at(v)].push_back(static_cast<std::int32_t>(s));
      }
    }
  }
  for (const auto& steps : by_value) {
    readers_begin_.push_back(static_cast<std::int32_t>(readers_.size()));
    readers_.insert(readers_.end(), steps.begin(), steps.end());
  }
  readers_begin_.push_back(static_cast<std::int32_t>(readers_.size()));
  for (std::size_t v = 0; v < f_.values.size(); ++v) {
    slots_[v].view.dtype = f_.values[v].dtype;
    if (f_.values[v].kind != Type::Kind::kTensor) slots_[v].list = std::make_unique<OwnedList>();
    if (f_.values[v].place == Place::kAlias) views_.push_back(static_cast<std::int32_t>(v));
  }
  find_last_uses();
}

std::int64_t Frame::total_arena_bytes() const {
  std::int64_t total = arena_.capacity();
  for (const Cell& c : slots_) total += c.heap.capacity();
  for (const auto& per_step : children_) {
    for (const auto& c : per_step) total += c ? c->total_arena_bytes() : 0;
  }
  return total;
}

std::int64_t Frame::tiles(std::size_t step) const {
  const KernelWork& work = states_[step].work;
  std::int64_t total = 0;
  for (int p = 0; p < work.phase_count; ++p) total += work.phases[p].tiles;
  return total;
}

// Symbols get their values from the inputs' extents: first those that are a bare symbol, then every other extent is
// checked.
Status Frame::bind(std::span<Cell* const> inputs) {
  bool same = bound_;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const PlanValue& pv = f_.values[at(f_.inputs[i])];
    const Cell& in = *inputs[i];
    if (pv.kind != Type::Kind::kTensor) continue;
    // What was set up without an operand is no good with it, whatever it was set up for before.
    same = same && in.present == slots_[at(f_.inputs[i])].present;
    if (!in.present) continue;
    if (in.list || (pv.dtype != DType::none && in.view.dtype != pv.dtype)) {
      return invalid("input '" + pv.name + "' is not the " + std::string(name_of(pv.dtype)) +
                     " tensor that was planned");
    }
    if (pv.rank >= 0 && in.view.rank != pv.rank) {
      return invalid("input '" + pv.name + "' has rank " + std::to_string(in.view.rank) + ", expected " +
                     std::to_string(pv.rank));
    }
    const TensorView& now = slots_[at(f_.inputs[i])].view;
    same = same && now.rank == in.view.rank && std::equal(now.dims, now.dims + now.rank, in.view.dims);
    for (std::size_t d = 0; d < pv.dims.size(); ++d) {
      Extent e = pv.dims[d];
      if (e >= 0) continue;
      const auto& code = f_.exprs[at(static_cast<std::int32_t>(~e))].code;
      if (code.size() == 1 && code[0].code == ExprOp::kSymbol)
        symbols_[static_cast<std::size_t>(code[0].value)] = in.view.dims[d];
    }
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const PlanValue& pv = f_.values[at(f_.inputs[i])];
    if (pv.kind != Type::Kind::kTensor || !inputs[i]->present || pv.late) continue;
    for (std::size_t d = 0; d < pv.dims.size(); ++d) {
      if (std::int64_t want = eval(pv.dims[d]); want != inputs[i]->view.dims[d]) {
        return invalid("input '" + pv.name + "': extent " + std::to_string(d) + " is " +
                       std::to_string(inputs[i]->view.dims[d]) + ", expected " + std::to_string(want) +
                       (pv.dims[d] < 0 ? " (" + to_text(f_, pv.dims[d]) + ")" : ""));
      }
    }
  }
  if (same) return {};
  bound_ = false;
  for (StepState& s : states_) s.stale = true;
  return {};
}

Status Frame::place_value(std::size_t v) {
  const PlanValue& pv = f_.values[v];
  Cell& slot = slots_[v];
  TensorView& view = slot.view;
  if (pv.kind != Type::Kind::kTensor) return {};
  if (pv.place == Place::kConstant) {
    view = core_.constants[at(pv.index)].view;
    slot.present = true;
  }
  if (pv.late || (pv.place == Place::kInput && f_.inputs[at(pv.index)] == static_cast<std::int32_t>(v))) return {};
  view.dtype = pv.dtype;
  view.rank = pv.rank;
  for (int d = 0; d < view.rank; ++d) {
    view.dims[d] = eval(pv.dims[static_cast<std::size_t>(d)]);
    if (view.dims[d] < 0) return invalid("tensor '" + pv.name + "' has a negative extent");
  }
  if (!usable_count(view.shape())) {
    return Status(Code::kResourceExhausted, "the tensor is too large")
        .at("value '" + pv.name + "'")
        .hint("no machine has so much memory: give smaller shapes");
  }
  if (!pv.strides.empty()) {
    for (int d = 0; d < view.rank; ++d) view.strides[d] = eval(pv.strides[static_cast<std::size_t>(d)]);
  } else {
    std::int64_t stride = 1;
    for (int k = view.rank - 1; k >= 0; --k) {
      int d = pv.perm.empty() ? k : pv.perm[static_cast<std::size_t>(k)];
      view.strides[d] = stride;
      stride *= view.dims[d];
    }
  }
  std::int64_t offset = eval(pv.offset);
  switch (pv.place) {
    case Place::kArena:
      if (Status bad = check_extent(pv, view, offset, arena_.capacity()); !bad.ok()) {
        // What folding left over has no memory, and nobody who asks for it.
        if (readers_begin_[v] == readers_begin_[v + 1] &&
            std::ranges::find(f_.outputs, static_cast<std::int32_t>(v)) == f_.outputs.end()) {
          slot.present = false;
          view.data = nullptr;
          return {};
        }
        return bad;
      }
      view.data = arena_.data() + offset;
      break;
    case Place::kConstant: {
      const Cell& constant = core_.constants[at(pv.index)];
      bool text = pv.dtype == DType::string;
      if (text != (constant.view.dtype == DType::string))
        return invalid("constant '" + pv.name + "' has another dtype");
      std::int64_t bytes =
          text ? constant.view.bytes() : static_cast<std::int64_t>(core_.plan().constants[at(pv.index)].size);
      MOTE_TRY(check_extent(pv, view, offset, bytes));
      view.data = constant.view.data + offset;
      break;
    }
    default:  // with the outputs, inputs and states, in enter()
      break;
  }
  slot.present = true;
  return {};
}

// Every byte that the view can reach lies inside of `capacity` bytes behind its place.
Status Frame::check_extent(const PlanValue& pv, const TensorView& view, std::int64_t offset,
                           std::int64_t capacity) const {
  if (offset < 0 || offset % std::max(1, std::min(8, bits_of(view.dtype) / 8)) != 0)
    return internal_error("value '" + pv.name + "' is misplaced");
  Checked last = 0;
  bool empty = std::ranges::count(view.shape(), 0) > 0;
  // What an empty view says is read nowhere, but kernels compute with it.
  const std::int64_t most = empty ? std::int64_t{1} << 31 : kMaxElements;
  for (int d = 0; d < view.rank; ++d) {
    if (view.dims[d] < 0 || view.strides[d] < 0 || view.dims[d] > most || view.strides[d] > most)
      return internal_error("value '" + pv.name + "' is misplaced");
    last += Checked(view.dims[d] - 1) * view.strides[d];
  }
  if (empty) return {};
  std::int64_t bits = bits_of(view.dtype);
  Checked end = Checked(offset) + (bits >= 8 ? (last + 1) * (bits / 8) : Checked(bytes_of(view.dtype, view.count())));
  if (!end.ok() || end.value() > capacity) return internal_error("value '" + pv.name + "' lies outside of its memory");
  return {};
}

Status Frame::place_values() {
  std::int64_t arena = std::max<std::int64_t>(eval(f_.arena_bytes), 0);
  if (arena > arena_.capacity()) MOTE_TRY(arena_.reserve(core_.budget, arena, "arena of '" + f_.name + "'"));
  for (std::size_t v = 0; v < f_.values.size(); ++v) MOTE_TRY(place_value(v));
  return {};
}

void Frame::moved(std::int32_t value) {
  for (std::int32_t r = readers_begin_[at(value)]; r < readers_begin_[at(value) + 1]; ++r)
    states_[at(readers_[at(r)])].stale = true;
}

Status Frame::place_shared(std::span<const TensorView> outputs, bool check) {
  for (std::size_t v = 0; v < f_.values.size(); ++v) {
    const PlanValue& pv = f_.values[v];
    if (pv.late || pv.kind != Type::Kind::kTensor) continue;
    std::byte* base = nullptr;
    std::int64_t capacity = 0;
    if (pv.place == Place::kOutput) {
      std::size_t o = at(pv.index);
      std::int64_t bytes = slots_[at(f_.outputs[o])].view.bytes();
      base = o < outputs.size() ? outputs[o].data : nullptr;
      if (base && outputs[o].bytes() < bytes) {
        return invalid("the caller's memory of " + std::to_string(outputs[o].bytes()) + " bytes is too small for " +
                       std::to_string(bytes))
            .at("output '" + pv.name + "'");
      }
      capacity = bytes;
      if (!base) {
        const std::int64_t from = eval(f_.results[o]);
        if (check && (from < 0 || from % 8 != 0 || from > arena_.capacity() - bytes))
          return internal_error("output '" + pv.name + "' lies outside of the arena");
        base = arena_.data() + from;
      }
    } else if (pv.place == Place::kState) {
      base = core_.states[at(pv.index)]->memory.data();
      capacity = core_.states[at(pv.index)]->memory.capacity();
    } else if (pv.place == Place::kInput && f_.inputs[at(pv.index)] != static_cast<std::int32_t>(v)) {
      const Cell& input = slots_[at(f_.inputs[at(pv.index)])];
      base = input.present ? input.view.data : nullptr;
      capacity = input_bytes(at(pv.index));
    } else {
      continue;
    }
    std::int64_t offset = eval(pv.offset);
    if (check) MOTE_TRY(check_extent(pv, slots_[v].view, offset, capacity));
    if (check && !base && capacity > 0) return internal_error("value '" + pv.name + "' has no memory");
    std::byte* data = base ? base + offset : nullptr;
    if (slots_[v].view.data != data) {
      slots_[v].view.data = data;
      moved(static_cast<std::int32_t>(v));
    }
  }
  return {};
}

Status Frame::enter(std::span<Cell* const> inputs, std::span<const TensorView> outputs) {
  bool was_bound = bound_;
  MOTE_TRY(bind(inputs));
  bool fresh = !bound_;
  if (fresh && entry_) {
    MOTE_TRY(make_room(inputs));
    if (must_rehearse()) MOTE_TRY(rehearse(inputs));
  }
  if (fresh) MOTE_TRY(place_values());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Cell& slot = slots_[at(f_.inputs[i])];
    if (slot.list) {
      slot.list->clear();
      slot.present = inputs[i]->present;
      if (!inputs[i]->list) continue;
      for (const OwnedTensor& t : *inputs[i]->list) {
        slot.list->emplace_back();
        MOTE_TRY(slot.list->back().assign(core_.budget, t.view, f_.values[at(f_.inputs[i])].name));
      }
      continue;
    }
    const TensorView& view = inputs[i]->view;
    if (slot.view.data != view.data || !was_bound ||
        !std::equal(view.strides, view.strides + view.rank, slot.view.strides))
      moved(f_.inputs[i]);
    slot.view = inputs[i]->view;
    slot.present = inputs[i]->present;
  }
  MOTE_TRY(place_shared(outputs, fresh || core_.plan().foreign));
  bound_ = true;
  if (!fresh) return {};
  for (std::size_t s = 0; s < f_.steps.size(); ++s) {
    if (f_.steps[s].kind == Step::Kind::kKernel && !f_.steps[s].late) MOTE_TRY(locate(s, setup(s)));
  }
  return {};
}

Status Frame::setup(std::size_t s) {
  const Step& step = f_.steps[s];
  const Kernel* kernel = core_.linked->kernels[at(step.kernel)];
  StepState& state = states_[s];
  if (!state_memory_.data()) {
    std::int64_t total = 0;
    for (const Step& each : f_.steps) {
      if (each.kind != Step::Kind::kKernel) continue;
      total += round_up(static_cast<std::int64_t>(core_.linked->kernels[at(each.kernel)]->state_bytes), 64);
    }
    MOTE_ASSIGN(state_memory_, Buffer::allocate(std::max<std::int64_t>(total, 64), "kernel states", true));
    std::byte* p = state_memory_.data();
    for (std::size_t i = 0; i < f_.steps.size(); ++i) {
      if (f_.steps[i].kind != Step::Kind::kKernel) continue;
      states_[i].state = p;
      p += round_up(static_cast<std::int64_t>(core_.linked->kernels[at(f_.steps[i].kernel)]->state_bytes), 64);
    }
  }
  if (kernel->direct) {
    state.stale = false;
    return {};
  }
  for (const auto* list : {&step.inputs, &step.outputs}) {
    for (std::int32_t v : *list) {
      if (v != kNone && slot(v).list) return invalid("operand '" + f_.values[at(v)].name + "' is a list");
    }
  }
  call_inputs_.clear();
  call_outputs_.clear();
  for (std::int32_t v : step.inputs) call_inputs_.push_back(v == kNone || !slot(v).present ? nullptr : &slot(v).view);
  for (std::int32_t v : step.outputs) call_outputs_.push_back(v == kNone ? nullptr : &slot(v).view);
  KernelCall call{step.params,          call_inputs_,        call_outputs_, core_.threads,
                  core_.scratch.data(), state.table.bytes(), &core_.fault};
  state.work = KernelWork();
  MOTE_TRY(kernel->setup(call, state.state, state.work));
  const std::uint64_t shared = state.work.shared_scratch, thread = state.work.thread_scratch,
                      table = state.work.table_bytes;
  bool more_scratch = shared > static_cast<std::uint64_t>(core_.shared_scratch) ||
                      thread > static_cast<std::uint64_t>(core_.thread_scratch);
  bool more_table = table > static_cast<std::uint64_t>(state.table.capacity());
  if (more_scratch || more_table) {
    if (table > kMostKernelBytes) return Status(Code::kResourceExhausted, "a kernel wants too much memory");
    if (more_scratch) MOTE_TRY(core_.reserve_scratch(shared, thread));
    if (more_table) MOTE_TRY(state.table.reserve(core_.budget, static_cast<std::int64_t>(table), step.name));
    call.shared_scratch = core_.scratch.data();
    call.table = state.table.bytes();
    state.work = KernelWork();
    MOTE_TRY(kernel->setup(call, state.state, state.work));
  }
  if (core_.plan().foreign && state.work.phase_count > 0) MOTE_TRY(check_results(step, *kernel));
  state.scratch_generation = core_.scratch_generation;
  state.stale = false;
  return {};
}

// A file may let a step write where it reads; kernels copy as if it could not be.
Status Frame::check_results(const Step& step, const Kernel& kernel) const {
  for (std::size_t o = 0; o < call_outputs_.size(); ++o) {
    for (const TensorView* in : call_inputs_) {
      const TensorView* out = call_outputs_[o];
      if (!out || !in || !out->data || !in->data || !views_meet(*in, *out)) continue;
      if (!kernel.in_place || !same_view(*in, *out))
        return invalid("output '" + f_.values[at(step.outputs[o])].name + "' lies in the memory of an operand");
    }
  }
  return {};
}

Frame& Frame::child(std::size_t step, std::size_t body) {
  auto& list = children_[step];
  if (list.size() < f_.steps[step].bodies.size()) list.resize(f_.steps[step].bodies.size());
  if (!list[body]) {
    list[body] = std::make_unique<Frame>(core_, core_.plan().functions[at(f_.steps[step].bodies[body])]);
  }
  return *list[body];
}

Status Frame::copy_into(std::int32_t value, Cell& from) {
  Cell& to = slot(value);
  const PlanValue& pv = f_.values[at(value)];
  if (to.list) {
    OwnedList copy;
    if (from.list) {
      for (const OwnedTensor& t : *from.list) {
        copy.emplace_back();
        MOTE_TRY(copy.back().assign(core_.budget, t.view, pv.name));
      }
    } else if (from.present) {
      copy.emplace_back();
      MOTE_TRY(copy.back().assign(core_.budget, from.view, pv.name));
    }
    *to.list = std::move(copy);
    to.present = from.present;
    return {};
  }
  to.present = from.present;
  if (!from.present) return {};
  if (from.list || !gapless(from.view) || (pv.dtype != DType::none && from.view.dtype != pv.dtype))
    return invalid("value '" + pv.name + "' is not the tensor that was planned");
  if (pv.late) {
    if (pv.place != Place::kHeap) return invalid("value '" + pv.name + "' has no memory of its own");
    MOTE_TRY(take_heap(value, from.view.shape(), from.view.dtype));
  } else if (!gapless(to.view)) {
    return invalid("value '" + pv.name + "' has gaps");
  } else if (to.view.rank != from.view.rank || !std::equal(to.view.dims, to.view.dims + to.view.rank, from.view.dims)) {
    return invalid("value '" + pv.name + "' has another shape at run time than was planned");
  }
  if (std::int64_t bytes = from.view.bytes(); bytes > 0)
    std::memmove(to.view.data, from.view.data, static_cast<std::size_t>(bytes));
  return {};
}

Status Frame::locate(std::size_t step, Status s) const {
  if (s.ok()) return s;
  const std::string& name = f_.steps[step].name;
  return std::move(s).at(name.empty() ? "step " + std::to_string(step) : "node '" + name + "'");
}

}  // namespace mote
