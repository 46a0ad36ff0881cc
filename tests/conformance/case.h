// A conformance case: an ONNX model and its data sets, a network of the `light` set, or a .tflite model and its arrays.
#pragma once

#include <string>
#include <vector>

#include "mote/status.h"

namespace mote::conformance {

struct Case {
  std::string set, name;
  std::string model;                   // path of the .onnx or .tflite file
  std::vector<std::string> data_sets;  // folders with input_K.pb and output_K.pb
  std::string light_output;            // light: the file with the expected output; inputs are made by the runner
  std::string arrays;                  // tflite: the .npz file with inputs and expected outputs
};

// The cases below `path`: a case folder, a set, a folder of sets. Sorted by set and name.
Result<std::vector<Case>> find_cases(const std::string& path);

}  // namespace mote::conformance
