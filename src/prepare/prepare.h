// src/prepare: module -> plan. It runs the passes, folds constants, asks the targets who takes which node, chooses
// layouts, packs weights and plans memory. Everything that is decided is decided here, and the plan can tell why.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/budget.h"
#include "ir/module.h"
#include "plan/plan.h"
#include "plan/target.h"

namespace mote {

// Strips of rows for less memory: where a depthwise convolution and the 1x1 convolutions around it have a map between
// them of `from` bytes or more, they are computed row by row although one after the other would be faster.
struct StripTrade {
  std::int64_t from = 0;
  // Set by prepare: how many steps that concerned, and the multiply-adds that every thread beyond the first does twice.
  int steps = 0;
  std::int64_t repeated_macs = 0;
};

struct PrepareOptions {
  std::vector<const Target*> targets;          // asked in order; the first claim wins
  std::vector<const KernelProvider*> kernels;  // all that plans may name: folding runs one
  TargetOptions target;
  DType weights = DType::f32;                 // what constant f32 weights are rounded to: f32, f16 or bf16
  bool fastest = false;                       // layers that are slower in integers compute in f32 (prepare/fastest.h)
  bool optimise = true;                       // false: no passes beyond what correctness needs, no folding
  std::map<std::string, std::int64_t> dims;   // symbols that are fixed
  std::map<std::string, Shape> shapes;        // inputs of the main function that get another shape
  std::map<std::string, std::string> states;  // outputs fed back: input name -> output name
  std::vector<std::string> outputs;           // nodes or values to give out instead of the outputs
  std::vector<std::string> extra_outputs;     // nodes or values to give out as well (debugging)
  Budget* budget = nullptr;                   // charged for folded and packed constants; null: unlimited
  StripTrade* strips = nullptr;               // null: strips where they are faster
  bool sizes_only = false;                    // no weights are packed: the plan tells what it takes, and cannot run
};

// Shapes, dimensions, states and outputs as the options say.
Status fix(Module& module, const PrepareOptions& options);
// What prepare does first: that, and types inferred.
Status bind(Module& module, const PrepareOptions& options);

// Which nodes of a bound module no target runs, and which only a fallback does, slowly: "op (node 'name')".
struct Coverage {
  std::vector<std::string> missing, slow;
};
Result<Coverage> coverage(Module module, const PrepareOptions& options);

// `module` is consumed. Fails with every op that nobody can run listed at once.
Result<Plan> prepare(Module module, const PrepareOptions& options);

}  // namespace mote
