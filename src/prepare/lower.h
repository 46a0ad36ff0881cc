// Lowering: one function of the module becomes one function of the plan. Walks the nodes in order; gives every value a
// place and a layout; inserts copies where a kernel wants another layout than its operand has; turns reshape,
// transpose, slice, split, expand and concat into views where the bytes allow it.
#pragma once

#include <map>
#include <set>

#include "prepare/constants.h"
#include "prepare/draft.h"
#include "prepare/prepare.h"

namespace mote {

class Lowering {
 public:
  Lowering(const Module& module, const Inference& inference, const PrepareOptions& options, Plan& plan)
      : module_(module),
        inference_(inference),
        options_(options),
        plan_(plan),
        constants_(module, plan, options.budget) {}

  // Lowers `id` and the bodies it reaches. Index into Plan::functions. `entry`: whose entry point it is, if it is one;
  // `states` then gets one item for each of its states.
  Result<std::int32_t> function(FunctionId id, const Signature* entry, std::vector<PlanState>* states = nullptr);
  // Packs the weights of all functions: the end.
  Status finish() { return constants_.pack(); }

 private:
  friend class FunctionLowering;

  std::int32_t kernel_index(const std::string& name, std::int32_t version);
  std::int32_t op_index(const Op& op);

  const Module& module_;
  const Inference& inference_;
  const PrepareOptions& options_;
  Plan& plan_;
  ConstantPool constants_;
};

class FunctionLowering {
 public:
  // States at positions in `copied` do not grow in place.
  FunctionLowering(Lowering& shared, FunctionId id, const Signature* entry, std::set<std::size_t> copied)
      : shared_(shared),
        f_(shared.module_.functions[static_cast<std::size_t>(id)]),
        id_(id),
        entry_(entry),
        copied_(std::move(copied)) {}

  Result<PlanFunction> run();
  // After run(): states that were to grow in place, but whose outputs turned out to be something else. When there are
  // any, the function must be lowered again without them.
  const std::set<std::size_t>& failed_states() const { return failed_; }
  std::vector<PlanState> plan_states(const PlanFunction& f) const;

 private:
  using Perm = draft::Perm;
  using Val = draft::Val;

  // Values.
  Result<std::int32_t> value(ValueId v);  // the draft value that holds v now
  bool is_late(const Type& t) const;
  bool is_result(ValueId v) const;
  bool is_parameter(ValueId v) const;
  std::int32_t new_val(const std::string& name, const Type& type);
  // A value of `type` with memory of its own, dense in the order of `perm`.
  std::int32_t fresh_val(const std::string& name, const Type& type, Perm perm);
  // A view of `base`'s bytes.
  std::int32_t view_val(std::int32_t base, const std::string& name, Shape dims, std::vector<Dim> strides,
                        const Dim& offset_elements);
  Val& val(std::int32_t v) { return d_.vals[static_cast<std::size_t>(v)]; }

  // Layouts.
  bool satisfies(const Val& v, const OperandWant& want) const;
  Result<std::int32_t> convert(std::int32_t v, const OperandWant& want);
  Result<std::int32_t> copy_to(std::int32_t from, std::int32_t to, const std::string& why);
  Perm preferred_perm(ValueId v);

  // Nodes.
  Status node(const Node& n);
  Status kernel_node(const Node& n, const Claim& claim);
  Status control_node(const Node& n);
  Result<bool> view_node(const Node& n);
  bool stays_channels_last(const Node& reshape, const Val& v, const Shape& dims) const;
  Result<bool> reshape_view(const Node& n);
  Result<bool> transpose_view(const Node& n);
  Result<bool> slice_view(const Node& n);
  Result<bool> split_view(const Node& n);
  Result<bool> expand_view(const Node& n);
  Result<bool> concat_view(const Node& n);
  Result<bool> gather_view(const Node& n);
  bool retarget(std::int32_t v, std::int32_t part);
  // Brings the operands of a concatenation from `first` on to their places in `whole`.
  Status fill_parts(std::int32_t whole, const std::vector<std::int32_t>& parts, std::size_t first, std::size_t axis);
  const KnownValue* known(ValueId v) const;
  void add_step(Step step, std::int32_t in_place);

  // States that grow in place (states.cc).
  struct GrowingState {
    std::size_t state;          // position in the signature
    std::size_t axis;           // that grows
    Dim past, capacity;         // its extent before the run, and in memory
    std::vector<Dim> strides;   // of the memory
    std::int32_t before, tail;  // buffers: the input, and where the output grows
    std::set<NodeId> appends;   // concatenations that the output is made of
  };
  void find_growing_states();
  // A concatenation behind a state, or of parts of a grown state.
  Result<bool> append_view(const Node& n, const std::vector<std::int32_t>& parts, std::size_t axis);
  std::optional<std::int32_t> stacked_view(const Node& n, const std::vector<std::int32_t>& parts, std::size_t axis);
  bool is_grown(const GrowingState& g, const Val& v) const;
  bool is_shared(const State& state) const;

  // The end.
  Status place_outputs();
  PlanFunction finish();

  Lowering& shared_;
  const Function& f_;
  FunctionId id_;
  const Signature* entry_;
  std::set<std::size_t> copied_, failed_;
  std::vector<GrowingState> growing_;
  draft::DraftFunction d_;
  std::map<ValueId, std::int32_t> home_;
  std::map<std::pair<std::int32_t, std::string>, std::int32_t> converted_;
};

}  // namespace mote
