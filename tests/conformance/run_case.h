// One case in one column, in this process.
#pragma once

#include "case.h"
#include "values.h"

namespace mote::conformance {

enum class Verdict { kPassed, kFailed, kSkipped };

struct Outcome {
  Verdict verdict = Verdict::kPassed;
  std::string reason;
};

// Columns: import (read and infer types only), baked, runtime, nopass, saved, written (as ONNX, then baked).
Outcome run_case(const Case& c, const std::string& column);

}  // namespace mote::conformance
