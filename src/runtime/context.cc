#include "runtime/context.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/checked.h"
#include "base/cpu.h"
#include "base/denormals.h"

namespace mote {
namespace {

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

// String constants are stored as length-prefixed bytes; elements become references into the heap.
Status load_strings(ContextCore& core, const PlanConstant& c, Cell& slot) {
  std::span<const std::byte> bytes = core.plan().bytes(c);
  std::optional<std::int64_t> count = usable_count(c.dims);
  if (!count || *count > static_cast<std::int64_t>(bytes.size() / 4))
    return invalid("string constant '" + c.name + "' is cut short");
  MOTE_TRY(slot.heap.reserve(core.budget, std::max<std::int64_t>(*count * 16, 1), c.name));
  std::size_t pos = 0;
  for (std::int64_t i = 0; i < *count; ++i) {
    std::uint32_t length = 0;
    if (bytes.size() - pos < 4) return invalid("string constant '" + c.name + "' is cut short");
    std::memcpy(&length, bytes.data() + pos, 4);
    pos += 4;
    if (bytes.size() - pos < length) return invalid("string constant '" + c.name + "' is cut short");
    MOTE_ASSIGN(StringRef r,
                core.strings.add(core.budget, {reinterpret_cast<const char*>(bytes.data()) + pos, length}));
    std::memcpy(slot.heap.data() + i * 16, &r, 16);
    pos += length;
  }
  slot.view = TensorView::of(slot.heap.data(), DType::string, c.dims);
  return {};
}

}  // namespace

Status ContextCore::reserve_scratch(std::uint64_t shared, std::uint64_t per_thread) {
  if (shared > kMostKernelBytes || per_thread > kMostKernelBytes)
    return Status(Code::kResourceExhausted, "a kernel wants too much memory");
  std::int64_t all = std::max(shared_scratch, round_up(static_cast<std::int64_t>(shared), 64)),
               each = std::max(thread_scratch, round_up(static_cast<std::int64_t>(per_thread), 64));
  MOTE_TRY(scratch.reserve(budget, all + threads * each, "scratch memory of kernels"));
  shared_scratch = all;
  thread_scratch = each;
  ++scratch_generation;
  return {};
}

Context::Context(std::shared_ptr<const LinkedPlan> plan, ContextOptions options, std::shared_ptr<SharedStates> shared)
    : core_(std::move(shared)) {
  core_.linked = std::move(plan);
  core_.options = options;
  core_.threads = options.threads > 0 ? options.threads : allowed_threads();
  main_ = std::make_unique<Frame>(core_, function(), &signature());
  inputs_.resize(function().inputs.size());
  outputs_.resize(function().outputs.size());
  dense_.resize(function().outputs.size());
  for (Cell& input : inputs_) args_.push_back(&input);
}

Result<std::unique_ptr<Context>> Context::create(std::shared_ptr<const LinkedPlan> plan, ContextOptions options,
                                                 std::shared_ptr<SharedStates> shared) {
  if (options.signature < 0 || options.signature >= static_cast<std::int32_t>(plan->plan.signatures.size())) {
    return invalid("the plan has no signature " + std::to_string(options.signature));
  }
  if (!shared) shared = std::make_shared<SharedStates>(options.max_bytes);
  std::unique_ptr<Context> c(new Context(std::move(plan), options, std::move(shared)));
  ContextCore& core = c->core_;
  core.constants.resize(core.plan().constants.size());
  for (std::size_t i = 0; i < core.constants.size(); ++i) {
    const PlanConstant& k = core.plan().constants[i];
    if (k.dtype == DType::string) {
      MOTE_TRY(load_strings(core, k, core.constants[i]));
    } else {
      // Kernels read constants only; the plan's bytes are never written through this view.
      core.constants[i].view = TensorView::of(const_cast<std::byte*>(core.plan().bytes(k).data()), k.dtype, k.dims);
    }
    core.constants[i].present = true;
  }
  core.strings.keep();
  MOTE_TRY(core.add_states(c->signature()));
  return c;
}

Result<std::unique_ptr<Context>> Context::sibling(std::int32_t signature) const {
  ContextOptions options = core_.options;
  options.signature = signature;
  return create(core_.linked, options, core_.shared);
}

const PlanSignature& Context::signature() const { return core_.plan().signatures[at(core_.options.signature)]; }
const PlanFunction& Context::function() const { return core_.plan().functions[at(signature().function)]; }
int Context::input_count() const { return static_cast<int>(function().inputs.size()); }
int Context::output_count() const { return static_cast<int>(function().outputs.size()); }
const PlanValue& Context::input_info(int i) const { return function().values[at(function().inputs[at(i)])]; }
const PlanValue& Context::output_info(int i) const { return function().values[at(function().outputs[at(i)])]; }

int Context::find_input(std::string_view name) const {
  for (int i = 0; i < input_count(); ++i) {
    if (input_info(i).name == name) return i;
  }
  return kNone;
}

int Context::find_output(std::string_view name) const {
  for (int i = 0; i < output_count(); ++i) {
    if (output_info(i).name == name) return i;
  }
  return kNone;
}

bool Context::is_state_input(int i) const {
  return std::any_of(signature().states.begin(), signature().states.end(),
                     [&](const PlanState& s) { return s.input == i; });
}
bool Context::is_state_output(int i) const {
  return std::any_of(signature().states.begin(), signature().states.end(),
                     [&](const PlanState& s) { return s.output == i; });
}

Status Context::check_input(int i, const TensorView& view) const {
  const PlanValue& pv = input_info(i);
  auto place = [&] { return "input '" + pv.name + "'"; };
  if (pv.kind != Type::Kind::kTensor) return invalid("expects a list, got a tensor").at(place());
  if (pv.dtype != DType::none && view.dtype != pv.dtype) {
    return invalid("expects " + std::string(name_of(pv.dtype)) + ", got " + std::string(name_of(view.dtype)))
        .at(place());
  }
  if (pv.rank >= 0 && view.rank != pv.rank) {
    return invalid("expects rank " + std::to_string(pv.rank) + ", got " +
                   to_string(Shape(view.dims, view.dims + view.rank)))
        .at(place());
  }
  if (!view.dense()) return invalid("must be dense and row-major").at(place());
  for (std::size_t d = 0; d < pv.dims.size(); ++d) {
    if (pv.dims[d] >= 0 && pv.dims[d] != view.dims[d]) {
      return invalid("expects extent " + std::to_string(pv.dims[d]) + " on axis " + std::to_string(d) + ", got " +
                     to_string(Shape(view.dims, view.dims + view.rank)))
          .at(place());
    }
  }
  return {};
}

Status Context::set_input(int i, const TensorView& view) {
  if (i < 0 || i >= input_count()) return invalid("the model has no input " + std::to_string(i));
  if (input_info(i).kind == Type::Kind::kOptional) return set_input_list(i, {&view, 1});
  MOTE_TRY(check_input(i, view));
  inputs_[at(i)].view = view;
  inputs_[at(i)].present = true;
  return {};
}

Status Context::set_input_list(int i, std::span<const TensorView> items) {
  if (i < 0 || i >= input_count()) return invalid("the model has no input " + std::to_string(i));
  if (input_info(i).kind == Type::Kind::kTensor)
    return invalid("expects a tensor, got a list").at("input '" + input_info(i).name + "'");
  Cell& s = inputs_[at(i)];
  s.list = std::make_unique<OwnedList>();
  for (const TensorView& v : items) {
    s.list->emplace_back();
    MOTE_TRY(s.list->back().assign(core_.budget, v, input_info(i).name));
  }
  s.present = true;
  return {};
}

Status Context::set_input_absent(int i) {
  if (i < 0 || i >= input_count() || input_info(i).kind == Type::Kind::kTensor)
    return invalid("input " + std::to_string(i) + " is not optional");
  inputs_[at(i)].list = std::make_unique<OwnedList>();
  inputs_[at(i)].present = true;
  return {};
}

Status Context::set_input_strings(int i, std::span<const std::int64_t> shape, std::span<const std::string> elements) {
  if (i < 0 || i >= input_count()) return invalid("the model has no input " + std::to_string(i));
  std::optional<std::int64_t> count = usable_count(shape);
  if (!count || shape.size() > kMaxRank || *count != static_cast<std::int64_t>(elements.size())) {
    return invalid("the strings do not fill the shape").at("input '" + input_info(i).name + "'");
  }
  Cell& s = inputs_[at(i)];
  MOTE_TRY(s.heap.reserve(core_.budget, std::max<std::int64_t>(*count * 16, 1), input_info(i).name));
  for (std::size_t k = 0; k < elements.size(); ++k) {
    MOTE_ASSIGN(StringRef r, core_.strings.add(core_.budget, elements[k]));
    std::memcpy(s.heap.data() + k * 16, &r, 16);
  }
  TensorView view = TensorView::of(s.heap.data(), DType::string, shape);
  MOTE_TRY(check_input(i, view));
  s.view = view;
  s.present = true;
  core_.strings.keep();
  return {};
}

Status Context::set_output(int i, const TensorView& view) {
  if (i < 0 || i >= output_count()) return invalid("the model has no output " + std::to_string(i));
  if (view.data && !view.dense())
    return invalid("must be dense and row-major").at("output '" + output_info(i).name + "'");
  if (view.data && output_info(i).dtype != view.dtype)
    return invalid("has another dtype").at("output '" + output_info(i).name + "'");
  outputs_[at(i)] = view;
  return {};
}

Status Context::run(const ContextRun& options) {
  ScopedDenormals mode(!core_.plan().reproducible);
  core_.stop = Stop{options.cancel, options.deadline_ns};
  core_.strings.reset();
  for (const PlanState& st : signature().states) {
    std::size_t index = static_cast<std::size_t>(&st - signature().states.data());
    inputs_[at(st.input)].view = core_.states[index]->view;
    inputs_[at(st.input)].present = true;
  }
  for (int i = 0; i < input_count(); ++i) {
    if (!inputs_[at(i)].present) {
      return invalid("input '" + input_info(i).name + "' was not given").hint("set every input before running");
    }
    if (main_->in_arena(inputs_[at(i)].view.data)) {
      return invalid("lies in memory that this run writes to: it is a result of an earlier one")
          .at("input '" + input_info(i).name + "'")
          .hint("copy the result, let it be made in memory of your own, or make the pair a state");
    }
  }
  MOTE_TRY(main_->enter(args_, outputs_));
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    if (!outputs_[i].data || function().values[at(function().outputs[i])].late) continue;
    const TensorView& v = main_->output(i).view;
    if (v.rank != outputs_[i].rank || !std::equal(v.dims, v.dims + v.rank, outputs_[i].dims)) {
      return invalid("the caller's memory has the shape " +
                     to_string(Shape(outputs_[i].dims, outputs_[i].dims + outputs_[i].rank)) + ", the result is " +
                     to_string(Shape(v.dims, v.dims + v.rank)))
          .at("output '" + output_info(static_cast<int>(i)).name + "'");
    }
  }
  MOTE_TRY(main_->run());
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const Cell& s = main_->output(i);
    if (s.present && !s.list && !s.view.dense() && !grows(i))
      return internal_error("the result is not dense").at("output '" + output_info(static_cast<int>(i)).name + "'");
    if (outputs_[i].data && s.view.data != outputs_[i].data) MOTE_TRY(give_output(i));
  }
  return store_states();
}

// Whether output i is a view of a state that grows in place.
bool Context::grows(std::size_t i) const {
  return std::ranges::any_of(signature().states, [&](const PlanState& s) {
    return s.axis != kNone && s.output == static_cast<std::int32_t>(i);
  });
}

// Output i to the caller's memory, where it was not made there.
Status Context::give_output(std::size_t i) const {
  const TensorView& v = main_->output(i).view;
  if (!main_->output(i).present || v.dtype != outputs_[i].dtype || v.rank != outputs_[i].rank ||
      !std::equal(v.dims, v.dims + v.rank, outputs_[i].dims)) {
    return invalid("the result is " + to_string(Shape(v.dims, v.dims + v.rank)))
        .at("output '" + output_info(static_cast<int>(i)).name + "'");
  }
  if (!v.dense()) {
    copy_view(v, outputs_[i]);
  } else if (v.bytes() > 0) {
    std::memcpy(outputs_[i].data, v.data, static_cast<std::size_t>(v.bytes()));
  }
  return {};
}

Result<TensorView> Context::dense_output(int i) {
  const TensorView& v = output(i);
  if (v.dense()) return v;
  HeapBlock& block = dense_[at(i)];
  MOTE_TRY(block.reserve(core_.budget, v.bytes(), "output '" + output_info(i).name + "'"));
  TensorView dense = TensorView::of(block.data(), v.dtype, v.shape());
  copy_view(v, dense);
  return dense;
}

// Whether what is to become another state, or goes to the caller, lies in state i's memory.
bool Context::is_seen(std::size_t i) const {
  std::span<std::byte> memory = core_.states[i]->memory.bytes();
  for (std::size_t o = 0; o < outputs_.size(); ++o) {
    const Cell& cell = main_->output(o);
    const std::byte* p = cell.view.data;
    if (cell.present && !cell.list && !std::less<>()(p, memory.data()) &&
        std::less<>()(p, memory.data() + memory.size()))
      return true;
  }
  return false;
}

// First whatever may fail; then all states change. Where the memory of one is seen, or too small, its result gets
// memory of its own, and the two change places: what saw it stays as it is until the next run.
Status Context::store_states() {
  const auto& states = signature().states;
  for (std::size_t i = 0; i < states.size(); ++i) {
    StateMemory& m = *core_.states[i];
    const Cell& result = main_->output(at(states[i].output));
    const TensorView& out = result.view;
    m.turned = false;
    if (!result.present || result.list || out.dtype != m.view.dtype)
      return invalid("state '" + states[i].name + "' has another type than it began with");
    if (states[i].axis != kNone) {
      MOTE_TRY(core_.check_grown(i, states[i], out));
      continue;
    }
    if (!out.dense()) return internal_error("state '" + states[i].name + "' is not dense");
    if (out.data == m.memory.data() || (out.bytes() <= m.memory.capacity() && !is_seen(i))) continue;
    MOTE_TRY(
        m.next.reserve(core_.budget, std::max({out.bytes(), m.memory.capacity(), std::int64_t{1}}), states[i].name));
    if (out.bytes() > 0) std::memcpy(m.next.data(), out.data, static_cast<std::size_t>(out.bytes()));
    m.turned = true;
  }
  for (std::size_t i = 0; i < states.size(); ++i) {
    StateMemory& m = *core_.states[i];
    const TensorView& out = main_->output(at(states[i].output)).view;
    if (states[i].axis != kNone) {
      m.view.dims[states[i].axis] = out.dims[states[i].axis];
      continue;
    }
    if (m.turned) {
      std::swap(m.memory, m.next);
    } else if (out.bytes() > 0 && out.data != m.memory.data()) {
      std::memcpy(m.memory.data(), out.data, static_cast<std::size_t>(out.bytes()));
    }
    m.view = out;
    m.view.data = m.memory.data();
  }
  return {};
}

Status Context::reset_states() {
  for (const auto& m : core_.shared->states) MOTE_TRY(core_.reset_state(*m));
  return {};
}

const TensorView& Context::output(int i) const { return main_->output(at(i)).view; }
bool Context::output_present(int i) const { return main_->output(at(i)).present; }
const OwnedList* Context::output_list(int i) const { return main_->output(at(i)).list.get(); }

}  // namespace mote
