// A .tflite case: a model, and an .npz of what it is given and what LiteRT answers: RUN/in/K and RUN/out/K, in the
// order of the graph's inputs and outputs. Runs follow each other in one context, so that states count.
#pragma once

#include "case.h"

namespace mote::conformance {

// Everything but floats must be equal to the bit; floats may differ by 1e-5 of the largest expected one (f16: 1e-3).
Status run_tflite_case(const Case& c, const std::string& column);

}  // namespace mote::conformance
