// Kernel: what a step's name is linked to when a plan is loaded. A backend offers its kernels through a KernelProvider.
//
// Per new shape the context calls `setup` with the operands' views; it fills the kernel's own state (plain bytes) and
// says how many tiles there are. The hot path then calls only the phases' `run`. A kernel with `direct` is run through
// a ReferenceContext instead, on one thread, and finds its output shapes itself.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/thread_pool.h"
#include "kernels/kernel.h"
#include "ops/reference.h"
#include "tensor/view.h"

namespace mote {

// What `setup` sees. Views have null data when only sizes are asked for; then no pointer may be read through.
struct KernelCall {
  std::span<const std::byte> params;                   // Step::params
  std::span<const TensorView* const> inputs, outputs;  // null for absent operands
  int threads = 1;
  std::byte* shared_scratch = nullptr;  // as large as the last setup for this shape asked for
  std::span<std::byte> table = {};      // the step's own memory: filled by a setup that finds it large enough
  // A kernel that meets a value the model makes illegal stores 1 + the offending position here and goes on with a safe
  // value.
  std::int64_t* fault = nullptr;
};

inline constexpr int kMaxPhases = 6;

// What `setup` gives. Phases run one after the other, each with all its tiles done before the next begins; a phase of
// several rounds runs its tiles once per round, in order: round r has the tiles from r * tiles.
struct KernelWork {
  using Run = void (*)(const void* state, kernels::TileRange range) noexcept;
  struct Phase {
    Run run;
    std::int64_t tiles, rounds;
    int chunks;  // about how many each thread gets the tiles in: fewer where tiles go on from one another
  };
  Phase phases[kMaxPhases];
  int phase_count = 0;
  std::size_t thread_scratch = 0, shared_scratch = 0;
  std::size_t table_bytes = 0;  // what setup computes once for a shape: kept, with the state, until the next setup

  void add(Run run, std::int64_t tiles, std::int64_t rounds = 1, int chunks = ThreadPool::kChunks) {
    phases[phase_count++] = {run, tiles, rounds, chunks};
  }
};

struct Kernel {
  std::string_view name;
  std::int32_t version = 1;
  std::size_t state_bytes = 0;
  Status (*setup)(const KernelCall&, void* state, KernelWork&) = nullptr;
  ReferenceFn direct = nullptr;
  const Op* op = nullptr;               // of `direct`: what it computes, and the only op that its steps may name
  std::string_view fault_message = {};  // "index {} is out of range": what a fault means
  // Where its params hold a kernels::Tiling as an int32, 0 where they hold none.
  std::size_t tiling = 0;
  // Whether a result may be made where an operand is, of the same type and strides.
  bool in_place = false;
};

class KernelProvider {
 public:
  virtual const Kernel* find(std::string_view name, std::int32_t version) const = 0;

 protected:
  ~KernelProvider() = default;
};

// State as a typed params struct: `run` of a phase for kernels::KernelFn<Params>.
template <class Params, kernels::KernelFn<Params> fn>
void run_kernel(const void* state, kernels::TileRange range) noexcept {
  fn(*static_cast<const Params*>(state), range);
}

}  // namespace mote
