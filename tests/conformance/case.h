// A conformance case: a model and its data sets, or a network of the `light` set.
#pragma once

#include <string>
#include <vector>

#include "mote/status.h"

namespace mote::conformance {

struct Case {
  std::string set, name;
  std::string model;                   // path of the .onnx file
  std::vector<std::string> data_sets;  // folders with input_K.pb and output_K.pb
  std::string light_output;            // light: the file with the expected output; inputs are made by the runner
};

// The cases below `path`: a case folder, a set, a folder of sets. Sorted by set and name.
Result<std::vector<Case>> find_cases(const std::string& path);

}  // namespace mote::conformance
