// Tuning: what a plan's steps leave open without changing a bit (how their work is cut, kernels/tiling.h) is measured
// on this machine. The plan runs whole, in turns with every tiling, so that each step meets the caches as it will find
// them; a step departs from its usual tiles only where another choice was clearly faster, and all departures together
// are kept only where the whole plan is faster with them.
//
// Answers are kept in a file and found again by the CPU's model, the number of threads, and the step: its kernel,
// params and operands. A step that the file knows is not measured again.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "plan/plan.h"
#include "runtime/linked_plan.h"

namespace mote {

struct TuneOptions {
  std::string cache;  // path of the file, "" for none
  int threads = 0;    // 0: all that the process may use
  // Takes a plan, gives it ready to run.
  std::function<Result<std::shared_ptr<const LinkedPlan>>(Plan)> link;
};

struct TuneReport {
  int steps = 0;     // that have a choice
  int known = 0;     // of these, found in the file
  int departed = 0;  // of these, no longer cut as usual
};

// Sets the tilings of the steps of the first signature's function and says so in their reasons. Fails where an extent
// of its inputs is not fixed, where the plan cannot run on this machine, and on a file that is not such a cache.
Result<TuneReport> tune(Plan& plan, const TuneOptions& options);

}  // namespace mote
