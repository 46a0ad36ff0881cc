// Runs a frame's steps: kernels over the thread pool, references, control flow.
#include <algorithm>
#include <cstring>
#include <functional>

#include "base/checked.h"
#include "ir/infer.h"
#include "ir/verify.h"
#include "ops/run_util.h"
#include "runtime/context.h"
#include "runtime/reference_call.h"

namespace mote {
namespace {

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

struct PhaseCall {
  const KernelWork::Phase* phase;
  const void* state;
  std::byte* scratch;
  std::int64_t stride, first;
};

bool is_scalar(const Cell& cell, DType dtype) {
  return cell.present && !cell.list && cell.view.dtype == dtype && cell.view.data && cell.view.count() == 1;
}

void run_tiles(void* arg, std::int64_t begin, std::int64_t end, int thread) {
  const PhaseCall& c = *static_cast<PhaseCall*>(arg);
  c.phase->run(c.state, kernels::TileRange{c.first + begin, c.first + end, c.scratch + thread * c.stride});
}

}  // namespace

Status Frame::run() {
  // A view of the last run may name memory that is gone.
  for (std::int32_t v : views_) slot(v).present = false;
  for (std::size_t s = 0; s < f_.steps.size(); ++s) {
    if (core_.profile == nullptr && !core_.after_step) {
      MOTE_TRY(run_step(s));
      release_dead(s);
      continue;
    }
    std::int64_t start = Stop::now_ns();
    MOTE_TRY(run_step(s));
    const Step& step = f_.steps[s];
    std::vector<Cell*> outs;
    for (std::int32_t v : step.outputs) outs.push_back(v == kNone ? nullptr : &slot(v));
    if (core_.profile) {
      StepTime t{&step, start, Stop::now_ns() - start, {}, operand_bytes(step)};
      if (!outs.empty() && outs[0]) t.shape.assign(outs[0]->view.shape().begin(), outs[0]->view.shape().end());
      core_.profile->push_back(std::move(t));
    }
    if (core_.after_step) MOTE_TRY(core_.after_step(step, outs));
    release_dead(s);
  }
  return {};
}

std::int64_t Frame::operand_bytes(const Step& step) {
  const auto size = [&](std::int32_t v) -> std::int64_t {
    if (v == kNone) return 0;
    const PlanValue& value = f_.values[at(v)];
    if (value.place == Place::kConstant) return static_cast<std::int64_t>(core_.plan().constants[at(value.index)].size);
    return slot(v).present && !slot(v).list ? slot(v).view.bytes() : 0;
  };
  std::int64_t read = 0, written = 0;
  for (std::int32_t v : step.inputs) read += size(v);
  for (std::int32_t v : step.outputs) written += size(v);
  // What is picked out of a table by index is no more than what comes out.
  const bool picks = step.op != kNone && core_.plan().ops[at(step.op)].name.starts_with("gather");
  return picks && !step.inputs.empty() ? read - size(step.inputs[0]) + 2 * written : read + written;
}

Status Frame::run_step(std::size_t s) {
  if (core_.stop.requested()) return stopped(core_.stop);
  switch (f_.steps[s].kind) {
    case Step::Kind::kKernel:
      return run_kernel(s);
    case Step::Kind::kIf:
      return locate(s, run_if(s));
    case Step::Kind::kLoop:
      return locate(s, run_loop(s));
    case Step::Kind::kCall:
      return locate(s, run_call(s));
  }
  return {};
}

Status Frame::run_kernel(std::size_t s) {
  const Step& step = f_.steps[s];
  const Kernel& kernel = *core_.linked->kernels[at(step.kernel)];
  if (kernel.direct) return locate(s, run_direct(s));
  StepState& state = states_[s];
  if (step.late) {
    if (Status st = late_outputs(s); !st.ok()) return locate(s, std::move(st));
    state.stale = true;
  }
  if (state.stale || (state.work.shared_scratch > 0 && state.scratch_generation != core_.scratch_generation)) {
    if (Status st = setup(s); !st.ok()) return locate(s, std::move(st));
  }
  if (core_.plan().foreign) {
    if (Status st = check_memory(step); !st.ok()) return locate(s, std::move(st));
  }
  for (int p = 0; p < state.work.phase_count; ++p) {
    PhaseCall call{&state.work.phases[p], state.state, core_.scratch.data() + core_.shared_scratch,
                   core_.thread_scratch, 0};
    for (std::int64_t round = 0; round < call.phase->rounds; ++round, call.first += call.phase->tiles) {
      if (!ThreadPool::shared().parallel(core_.threads, call.phase->tiles, run_tiles, &call, &core_.stop,
                                         call.phase->chunks)) {
        return locate(s, stopped(core_.stop));
      }
    }
  }
  if (core_.fault != 0) {
    std::string message(kernel.fault_message.empty() ? "a value is out of range" : kernel.fault_message);
    message += " (position " + std::to_string(core_.fault - 1) + ")";
    core_.fault = 0;
    return locate(s, Status(Code::kOutOfRange, std::move(message)));
  }
  return {};
}

// Whether the step is a call of its op at all; inference may not be asked before.
Status Frame::check_call(const Step& step, const Op& op) const {
  std::vector<std::uint8_t> present;
  for (std::int32_t v : step.inputs) {
    bool may_be_list = present.size() < 32 && (op.list_operands >> present.size() & 1u) != 0;
    present.push_back(v != kNone && slots_[at(v)].present);
    if (present.back() && slots_[at(v)].list && !may_be_list)
      return invalid("operand '" + f_.values[at(v)].name + "' is a list");
  }
  return verify_call(op, present, step.outputs.size(), step.attrs);
}

// A file may let a step read a late value before another has given it memory.
Status Frame::check_memory(const Step& step) const {
  for (const auto* list : {&step.inputs, &step.outputs}) {
    for (std::int32_t v : *list) {
      if (v == kNone || !slots_[at(v)].present || slots_[at(v)].list) continue;
      const TensorView& view = slots_[at(v)].view;
      if (!view.data && view.count() != 0) return invalid("operand '" + f_.values[at(v)].name + "' has no memory");
    }
  }
  return {};
}

// References may read an operand again after they have written a result.
Status Frame::check_apart(const Step& step) const {
  for (std::size_t o = 0; o < step.outputs.size(); ++o) {
    std::int32_t v = step.outputs[o];
    if (v == kNone || f_.values[at(v)].late || slots_[at(v)].list) continue;
    const std::byte* begin = slots_[at(v)].view.data;
    const std::byte* end = begin + slots_[at(v)].view.bytes();
    auto meets = [&](std::int32_t other) {
      if (other == kNone || !slots_[at(other)].present || slots_[at(other)].list) return false;
      const TensorView& view = slots_[at(other)].view;
      return std::less<>()(view.data, end) && std::less<>()(begin, view.data + view.bytes());
    };
    if (std::any_of(step.inputs.begin(), step.inputs.end(), meets) ||
        std::any_of(step.outputs.begin(), step.outputs.begin() + static_cast<std::ptrdiff_t>(o), meets))
      return invalid("output '" + f_.values[at(v)].name + "' lies in the memory of another operand");
  }
  return {};
}

// Inference holds for every step of a plan that prepare made; a file may say anything, and references rely on it.
Status Frame::check_types(const ReferenceContext& call, const Step& step) {
  MOTE_TRY(check_call(step, call.op()));
  MOTE_ASSIGN(std::vector<Type> types, infer_now(call));
  for (std::size_t i = 0; i < step.outputs.size(); ++i) {
    std::int32_t v = step.outputs[i];
    if (v == kNone || f_.values[at(v)].late || slot(v).list) continue;
    const PlanValue& pv = f_.values[at(v)];
    auto dims = types[i].has_rank() ? constant_extents(*types[i].shape) : std::nullopt;
    if ((types[i].dtype != DType::none && types[i].dtype != pv.dtype) ||
        (dims && !std::ranges::equal(*dims, slot(v).view.shape())))
      return invalid("output '" + pv.name + "' has another type than the op gives");
  }
  return {};
}

Status Frame::run_direct(std::size_t s) {
  const Step& step = f_.steps[s];
  if (core_.linked->ops[at(step.op)] == nullptr) {
    return unsupported("this build lacks the op " + core_.plan().ops[at(step.op)].name);
  }
  for (const auto* list : {&step.inputs, &step.outputs}) {
    for (std::int32_t v : *list) {
      // A late output gets its memory from the call.
      bool tensor = v != kNone && slot(v).present && !slot(v).list && !(list == &step.outputs && f_.values[at(v)].late);
      if (tensor && !(slot(v).view.dense() && slot(v).view.dtype != DType::none))
        return invalid("operand '" + f_.values[at(v)].name + "' is not dense");
    }
  }
  StepCall call(*this, s, *core_.linked->ops[at(step.op)]);
  if (core_.plan().foreign) {
    MOTE_TRY(check_memory(step));
    MOTE_TRY(check_apart(step));
    MOTE_TRY(check_types(call, step));
  }
  return run_reference(core_.linked->kernels[at(step.kernel)]->direct, call);
}

Status Frame::run_if(std::size_t s) {
  const Step& step = f_.steps[s];
  const Cell& cond = slot(step.inputs[0]);
  if (!is_scalar(cond, DType::boolean)) return invalid("the condition is not one boolean");
  std::size_t branch = cond.view.as<std::uint8_t>()[0] ? 0 : 1;
  Frame& body = child(s, branch);
  std::vector<Cell*> args;
  for (std::size_t i = 1; i < step.inputs.size(); ++i) args.push_back(&slot(step.inputs[i]));
  MOTE_TRY(body.enter(args, {}));
  MOTE_TRY(body.run());
  for (std::size_t i = 0; i < step.outputs.size(); ++i) {
    if (step.outputs[i] != kNone) MOTE_TRY(copy_into(step.outputs[i], body.output(i)));
  }
  return {};
}

Status Frame::run_call(std::size_t s) {
  const Step& step = f_.steps[s];
  Frame& body = child(s, 0);
  std::vector<Cell*> args;
  for (std::int32_t v : step.inputs) args.push_back(&slot(v));
  MOTE_TRY(body.enter(args, {}));
  MOTE_TRY(body.run());
  for (std::size_t i = 0; i < step.outputs.size(); ++i) {
    if (step.outputs[i] != kNone) MOTE_TRY(copy_into(step.outputs[i], body.output(i)));
  }
  return {};
}

namespace {

// A copy of a slot that outlives the frame it came from.
Status keep(Budget& budget, const Cell& from, Cell& to, std::string_view who) {
  to.present = from.present;
  if (from.list) {
    OwnedList copy;
    for (const OwnedTensor& t : *from.list) {
      copy.emplace_back();
      MOTE_TRY(copy.back().assign(budget, t.view, who));
    }
    if (!to.list) to.list = std::make_unique<OwnedList>();
    *to.list = std::move(copy);
    return {};
  }
  if (!from.present) return {};
  if (!gapless(from.view)) return invalid("a carried value is not dense").at(std::string(who));
  std::int64_t bytes = from.view.bytes();
  MOTE_TRY(to.heap.reserve(budget, std::max<std::int64_t>(bytes, 1), who));
  to.view = from.view;
  to.view.data = to.heap.data();
  if (bytes > 0) std::memcpy(to.view.data, from.view.data, static_cast<std::size_t>(bytes));
  return {};
}

// The stacked results of a loop: equal tensors, one per iteration.
struct Stack {
  HeapBlock memory;
  TensorView first;
  std::int64_t bytes = 0;

  Status push(Budget& budget, const Cell& from, std::int64_t iteration, std::string_view who) {
    const TensorView& v = from.view;
    if (!from.present || from.list || !gapless(v))
      return invalid("'" + std::string(who) + "' is no dense tensor, so it cannot be stacked");
    if (iteration == 0) {
      first = v;
    } else if (v.dtype != first.dtype || v.rank != first.rank || !std::equal(v.dims, v.dims + v.rank, first.dims)) {
      return invalid("'" + std::string(who) + "' changes its shape between iterations, so it cannot be stacked");
    }
    std::int64_t more = v.bytes();
    MOTE_TRY(memory.reserve(budget, std::max<std::int64_t>(bytes + more, 1), who, bytes));
    if (more > 0) std::memcpy(memory.data() + bytes, v.data, static_cast<std::size_t>(more));
    bytes += more;
    return {};
  }
};

}  // namespace

// Inputs: trip count, condition, carried..., captured.... The body takes (iteration, condition, carried...,
// captured...) and gives (condition, carried..., stacked...).
Status Frame::run_loop(std::size_t s) {
  const Step& step = f_.steps[s];
  const PlanFunction& bf = core_.plan().functions[at(step.bodies[0])];
  const AttrValue* carried_attr = step.attrs.find("carried");
  std::size_t carried = carried_attr ? static_cast<std::size_t>(std::get<std::int64_t>(*carried_attr)) : 0;
  std::size_t stacked = bf.outputs.size() - 1 - carried;
  auto scalar = [&](std::size_t i) {
    return step.inputs[i] != kNone && slot(step.inputs[i]).present ? &slot(step.inputs[i]) : nullptr;
  };
  std::int64_t trips = INT64_MAX, iteration = 0;
  if (Cell* t = scalar(0)) {
    if (!is_scalar(*t, DType::i64)) return invalid("the trip count is not one number");
    trips = t->view.as<std::int64_t>()[0];
  }
  std::uint8_t cond = 1;
  if (Cell* c = scalar(1)) {
    if (!is_scalar(*c, DType::boolean)) return invalid("the condition is not one boolean");
    cond = c->view.as<std::uint8_t>()[0];
  }

  Frame& body = child(s, 0);
  Cell iter_slot, cond_slot;
  iter_slot.view = TensorView::of(reinterpret_cast<std::byte*>(&iteration), DType::i64, {});
  cond_slot.view = TensorView::of(reinterpret_cast<std::byte*>(&cond), DType::boolean, {});
  iter_slot.present = cond_slot.present = true;
  std::vector<Cell> now(carried), next(carried);
  std::vector<Cell*> args{&iter_slot, &cond_slot};
  for (std::size_t i = 2; i < step.inputs.size(); ++i) args.push_back(&slot(step.inputs[i]));
  std::vector<Stack> stacks(stacked);

  for (; iteration < trips && cond; ++iteration) {
    if (core_.stop.requested()) return stopped(core_.stop);
    MOTE_TRY(body.enter(args, {}));
    MOTE_TRY(body.run());
    const Cell& c = body.output(0);
    if (!is_scalar(c, DType::boolean)) return invalid("the condition is not one boolean");
    std::uint8_t go_on = c.view.as<std::uint8_t>()[0];
    for (std::size_t i = 0; i < carried; ++i) {
      MOTE_TRY(keep(core_.budget, body.output(1 + i), next[i], bf.values[at(bf.outputs[1 + i])].name));
    }
    std::swap(now, next);
    for (std::size_t i = 0; i < carried; ++i) args[2 + i] = &now[i];
    for (std::size_t i = 0; i < stacked; ++i) {
      MOTE_TRY(stacks[i].push(core_.budget, body.output(1 + carried + i), iteration,
                              bf.values[at(bf.outputs[1 + carried + i])].name));
    }
    cond = go_on;
  }

  for (std::size_t i = 0; i < carried && i < step.outputs.size(); ++i) {
    if (step.outputs[i] != kNone) MOTE_TRY(copy_into(step.outputs[i], *args[2 + i]));
  }
  for (std::size_t i = 0; i < stacked && carried + i < step.outputs.size(); ++i) {
    std::int32_t v = step.outputs[carried + i];
    if (v == kNone) continue;
    Cell whole;
    whole.present = true;
    std::vector<std::int64_t> dims{iteration};
    const PlanValue& element = bf.values[at(bf.outputs[1 + carried + i])];
    if (iteration > 0) {
      dims.insert(dims.end(), stacks[i].first.dims, stacks[i].first.dims + stacks[i].first.rank);
    } else {
      // No iteration: the body's planned extents, as far as they are known.
      for (Extent e : element.dims) dims.push_back(element.late || e < 0 ? 0 : e);
    }
    if (dims.size() > kMaxRank) return unsupported("a stacked result has a rank above 8");
    if (!usable_count(dims)) return Status(Code::kResourceExhausted, "a stacked result is too large");
    whole.view = TensorView::of(stacks[i].memory.data(), iteration > 0 ? stacks[i].first.dtype : element.dtype, dims);
    MOTE_TRY(copy_into(v, whole));
  }
  return {};
}

}  // namespace mote
