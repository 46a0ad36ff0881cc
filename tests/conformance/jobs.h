// Jobs in forked children: a crash, an endless loop or too much memory is one failed job.
#pragma once

#include <functional>
#include <vector>

#include "run_case.h"

namespace mote::conformance {

struct JobLimits {
  int parallel = 2;
  double seconds = 180;          // of CPU time; ten times as long until the end
  std::size_t megabytes = 6000;  // of address space; 0: no limit
};

// Calls work(i) for every i < count, each in a child of its own, and done(i, outcome) here, as they end.
void run_jobs(std::size_t count, const JobLimits& limits, const std::function<Outcome(std::size_t)>& work,
              const std::function<void(std::size_t, const Outcome&)>& done);

}  // namespace mote::conformance
