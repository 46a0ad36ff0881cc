// Frame: one function of a plan made ready for given input extents: arena, operand views, kernel states. A context has
// one for its entry point and one for every body that a step of it enters; bodies keep theirs between iterations and
// runs.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "runtime/heap.h"
#include "runtime/linked_plan.h"

namespace mote {

struct ContextCore;

// Where a value's bytes and extents are right now.
struct Cell {
  TensorView view;
  bool present = false;             // an absent optional, or not computed yet
  HeapBlock heap;                   // for Place::kHeap
  std::unique_ptr<OwnedList> list;  // for lists and optionals
};

struct StepState {
  std::byte* state = nullptr;
  KernelWork work;
  HeapBlock table;
  std::uint32_t scratch_generation = 0;
  bool stale = true;  // operands moved since the last setup
};

class Frame {
 public:
  // `entry`: the signature whose function this is, null for bodies.
  Frame(ContextCore& core, const PlanFunction& function, const PlanSignature* entry = nullptr);

  // Makes the frame ready for these inputs: binds symbols, sizes the arena, sets kernels up. Cheap when nothing
  // changed. `outputs`: where outputs of Place::kOutput go, null data for those that the arena shall keep.
  Status enter(std::span<Cell* const> inputs, std::span<const TensorView> outputs);
  Status run();

  const PlanFunction& function() const { return f_; }
  Cell& slot(std::int32_t value) { return slots_[static_cast<std::size_t>(value)]; }
  Cell& output(std::size_t i) { return slot(f_.outputs[i]); }
  std::int64_t arena_bytes() const { return arena_.capacity(); }
  bool in_arena(const std::byte* p) const {
    return !std::less<>()(p, arena_.data()) && std::less<>()(p, arena_.data() + arena_.capacity());
  }
  // Into how many tiles the step's work is cut, as it was set up last.
  std::int64_t tiles(std::size_t step) const;
  // What values take in this frame and the frames of its bodies: the arenas, and values whose size a run decided.
  std::int64_t total_arena_bytes() const;

 private:
  friend class StepCall;

  Status bind(std::span<Cell* const> inputs);
  // Room for what states grow to in this run.
  Status make_room(std::span<Cell* const> inputs);
  // Takes the memory that the function needs once its states have grown to their capacity.
  Status rehearse(std::span<Cell* const> inputs);
  bool must_rehearse() const;
  Status place_values();
  Status place_value(std::size_t v);
  // Values that share the memory of an output, a state or an input, and where that is.
  Status place_shared(std::span<const TensorView> outputs, bool check);
  void moved(std::int32_t value);
  // What views of input i may reach.
  std::int64_t input_bytes(std::size_t i) const;
  Status check_extent(const PlanValue& pv, const TensorView& view, std::int64_t offset, std::int64_t capacity) const;
  Status setup(std::size_t step);
  Status check_results(const Step& step, const Kernel& kernel) const;
  // What the step reads and writes, for profiles: constants as packed.
  std::int64_t operand_bytes(const Step& step);
  Status run_step(std::size_t step);
  Status run_kernel(std::size_t step);
  Status run_direct(std::size_t step);
  Status run_if(std::size_t step);
  Status run_loop(std::size_t step);
  Status run_call(std::size_t step);
  // Extents of a late step's outputs by the op's own inference, and memory for them.
  Status late_outputs(std::size_t step);
  Status check_memory(const Step& step) const;
  Status check_apart(const Step& step) const;
  Status check_call(const Step& step, const Op& op) const;
  Status check_types(const ReferenceContext& call, const Step& step);
  void find_last_uses();
  // Gives the memory of late values that no later step touches to those still to come.
  void release_dead(std::size_t step);
  Status take_heap(std::int32_t value, std::span<const std::int64_t> dims, DType dtype);
  // Gives a value of this frame the contents of `from`.
  Status copy_into(std::int32_t value, Cell& from);
  Frame& child(std::size_t step, std::size_t body);
  std::int64_t eval(Extent e) const { return evaluate(f_, e, symbols_); }
  Status locate(std::size_t step, Status s) const;

  ContextCore& core_;
  const PlanFunction& f_;
  const PlanSignature* entry_;
  std::vector<std::int64_t> symbols_;
  std::vector<std::int64_t> rehearsed_, saved_symbols_;
  std::vector<Cell> slots_;
  std::vector<StepState> states_;
  std::vector<std::int32_t> readers_begin_, readers_;  // steps that touch a value, by value
  std::vector<std::int32_t> views_;                    // values of Place::kAlias
  std::vector<std::vector<std::int32_t>> dead_after_;  // by step: late values that no later one touches
  Buffer state_memory_;
  HeapBlock arena_;
  std::vector<std::vector<std::unique_ptr<Frame>>> children_;  // by step, by body
  std::vector<TensorView> call_views_;
  std::vector<const TensorView*> call_inputs_, call_outputs_;
  bool bound_ = false;
};

}  // namespace mote
