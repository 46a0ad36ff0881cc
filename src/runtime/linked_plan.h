// src/runtime: runs plans. LinkedPlan (a plan with its kernels found), Context (what one caller runs), the executor of
// steps and regions, the profiler.
//
// LinkedPlan: immutable, shared by any number of contexts and threads.
#pragma once

#include <memory>
#include <span>

#include "plan/kernel.h"
#include "plan/plan.h"

namespace mote {

struct LinkedPlan {
  Plan plan;
  std::vector<const Kernel*> kernels;  // by Plan::kernels
  std::vector<const Op*> ops;          // by Plan::ops; null where the build has no such op
};

// Finds every kernel and op of `plan`. Fails naming all that are missing.
Result<std::shared_ptr<const LinkedPlan>> link(Plan plan, std::span<const KernelProvider* const> providers,
                                               const OpLookup& ops);

}  // namespace mote
