// Context: what one caller runs: the arena, states and bindings of one plan. Contexts of one plan are independent, but
// for siblings; each is used by one thread at a time. After the first run of a shape, a run with static or bound shapes
// takes no memory.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "base/thread_pool.h"
#include "runtime/frame.h"

namespace mote {

struct ContextOptions {
  int threads = 0;                              // 0: all that the process may use
  std::int64_t max_bytes = Budget::kUnlimited;  // arena, heap, states and outputs together
  std::uint64_t seed = 0;                       // of random ops
  std::int32_t signature = 0;
  // Positions that growing states have room for from the start. 0: as many as the range of the symbol allows, where the
  // model states one; else room grows by doubling.
  std::int64_t state_capacity = 0;
};

struct ContextRun {
  std::int64_t deadline_ns = 0;  // steady clock; 0: none
  const std::atomic<bool>* cancel = nullptr;
};

// What one step cost, for profiles.
struct StepTime {
  const Step* step;
  std::int64_t start_ns, duration_ns;
  std::vector<std::int64_t> shape;  // of output 0
  std::int64_t bytes;               // of all operands, each once
};

struct StateMemory {
  const PlanFunction* function = nullptr;  // whose input says how it begins
  const PlanState* state = nullptr;
  HeapBlock memory;
  HeapBlock next;       // memory of the state that comes, where it may not be written over the one that is
  bool turned = false;  // the state that comes is in `next`
  TensorView view;
  std::int64_t capacity = 0;  // growing in place: extents of its axis that fit
};

// The states of a plan that its signatures have so far, by name, and the budget of all that uses them. Signatures that
// call a state by one name mean the same one.
struct SharedStates {
  Budget budget;
  std::vector<std::unique_ptr<StateMemory>> states;

  explicit SharedStates(std::int64_t max_bytes) : budget(max_bytes, Budget::kUnlimited) {}
};

// Sizes beyond it are mistakes of a plan, and no sizes to compute with.
inline constexpr std::uint64_t kMostKernelBytes = std::uint64_t{1} << 48;

// What all frames of a context share.
struct ContextCore {
  std::shared_ptr<const LinkedPlan> linked;
  ContextOptions options;
  std::shared_ptr<SharedStates> shared;
  Budget& budget;
  StringHeap strings;
  std::vector<Cell> constants;       // views of Plan::constants; strings made ready
  std::vector<StateMemory*> states;  // the signature's, in its order
  SpareBlocks spare;
  HeapBlock scratch;  // shared scratch, then one piece per thread
  std::int64_t shared_scratch = 0, thread_scratch = 0;
  std::uint32_t scratch_generation = 1;
  std::int64_t fault = 0;
  Stop stop;
  std::uint64_t random_counter = 0;
  std::vector<StepTime>* profile = nullptr;
  std::function<Status(const Step&, std::span<Cell* const>)>
      after_step;  // debugging: dump, compare; called per step when set
  int threads = 1;

  explicit ContextCore(std::shared_ptr<SharedStates> with) : shared(std::move(with)), budget(shared->budget) {}
  const Plan& plan() const { return linked->plan; }
  Status reserve_scratch(std::uint64_t shared, std::uint64_t per_thread);
  // Room for `capacity` positions of a growing state; what it holds moves along.
  Status reserve_state(StateMemory& m, std::int64_t capacity);
  // Finds the signature's states, or makes them.
  Status add_states(const PlanSignature& signature);
  // Back to its initial extents and zeros.
  Status reset_state(StateMemory& m);
  // Whether growing state i can become `out`, which lies in its memory.
  Status check_grown(std::size_t i, const PlanState& state, const TensorView& out) const;
};

// Elements of one view to another of the same shape and dtype (of whole bytes).
void copy_view(const TensorView& from, const TensorView& to);

class Context {
 public:
  // `shared`: the states of another context of the plan, which this one has in common with it.
  static Result<std::unique_ptr<Context>> create(std::shared_ptr<const LinkedPlan> plan, ContextOptions options = {},
                                                 std::shared_ptr<SharedStates> shared = nullptr);
  // Of another signature, with the states and the budget of this one, and used by the same thread at a time.
  Result<std::unique_ptr<Context>> sibling(std::int32_t signature) const;

  // Positions are those of the signature's inputs and outputs; states are among them and need no binding.
  int input_count() const;
  int output_count() const;
  const PlanValue& input_info(int i) const;
  const PlanValue& output_info(int i) const;
  int find_input(std::string_view name) const;  // kNone when there is none
  int find_output(std::string_view name) const;
  bool is_state_input(int i) const;
  bool is_state_output(int i) const;

  // Binds memory of the caller, dense row-major, which must stay alive and unchanged during run(). dtype and extents
  // are checked here against the plan; relations between inputs are checked by run().
  Status set_input(int i, const TensorView& view);
  Status set_input_list(int i, std::span<const TensorView> items);
  Status set_input_absent(int i);
  // A string tensor: elements are copied in.
  Status set_input_strings(int i, std::span<const std::int64_t> shape, std::span<const std::string> elements);
  // Output i is written straight to `view` (dense; extents must be those the run finds). Null data unbinds.
  Status set_output(int i, const TensorView& view);

  // Fails when an input is missing or does not fit, on cancellation or deadline, beyond the memory budget, or when a
  // value of the model is illegal. Outputs are then undefined; states are unchanged.
  Status run(const ContextRun& options = {});

  // Valid until the next run. The output of a state that grows in place is a strided view of the state.
  const TensorView& output(int i) const;
  // The same, dense and row-major: a copy where it is not.
  Result<TensorView> dense_output(int i);
  bool output_present(int i) const;
  // Items of a list or optional output; null for tensors.
  const OwnedList* output_list(int i) const;
  std::string_view string(StringRef r) const { return core_.strings.get(r); }

  // States, those of siblings too, back to their initial extents and zeros.
  Status reset_states();
  const TensorView& state(int i) const { return core_.states[static_cast<std::size_t>(i)]->view; }

  const LinkedPlan& linked() const { return *core_.linked; }
  std::int64_t arena_bytes() const { return main_->total_arena_bytes() + core_.spare.bytes(); }
  // Of step `i` of the entry point: how finely a deadline can cut it. Between two looks at the clock a thread computes
  // at most ThreadPool::kMaxChunk of them.
  std::int64_t tiles(std::size_t i) const { return main_->tiles(i); }
  std::int64_t used_bytes() const { return core_.budget.used(); }
  void set_profile(std::vector<StepTime>* times) { core_.profile = times; }
  void set_after_step(std::function<Status(const Step&, std::span<Cell* const>)> hook) {
    core_.after_step = std::move(hook);
  }

 private:
  Context(std::shared_ptr<const LinkedPlan> plan, ContextOptions options, std::shared_ptr<SharedStates> shared);
  const PlanSignature& signature() const;
  const PlanFunction& function() const;
  Status check_input(int i, const TensorView& view) const;
  Status store_states();
  Status give_output(std::size_t i) const;
  bool grows(std::size_t i) const;
  bool is_seen(std::size_t i) const;

  ContextCore core_;
  std::unique_ptr<Frame> main_;
  std::vector<Cell> inputs_;
  std::vector<TensorView> outputs_;
  std::vector<Cell*> args_;
  std::vector<HeapBlock> dense_;  // copies of strided outputs
};

}  // namespace mote
